// Tests of what a client must not begin with: each case is a name and the first bytes of a connection.
import { assertEquals } from "@std/assert";
import { type BrokerOptions, createBroker, type Reason } from "../../mod.ts";
import { assertRefused } from "./support.ts";
import { bytesOf, type Violations } from "./violations.ts";

/** How a connection is refused. */
export interface Refusal {
  readonly reason?: Reason;
  /** Of the CONNACK; none may be sent where neither this nor `reasonCode` is given. */
  readonly returnCode?: number;
  /** Of the CONNACK of 5.0. */
  readonly reasonCode?: number;
  readonly options?: BrokerOptions;
}

/** A test that each opening is refused in this way, for itself alone, and that what follows it is not processed. */
export function refuseTheConnection(
  openings: Violations,
  { reason = "malformed-packet", options, ...code }: Refusal = {},
): (t: Deno.TestContext) => Promise<void> {
  const next = bytesOf({ cmd: "publish", topic: "next", payload: "", qos: 0 }, "reasonCode" in code ? 5 : 4);
  const answer = Object.keys(code).length > 0 ? { cmd: "connack", sessionPresent: false, ...code } as const : undefined;
  return async (t) => {
    for (const [name, bytes] of Object.entries(openings)) {
      await t.step(name, async () => {
        await using broker = createBroker(options);
        const published: string[] = [];
        broker.published.subscribe(({ topic }) => published.push(topic));
        await assertRefused(broker, [...bytes, ...next], reason, answer);
        assertEquals(published, ["sign/of/life"]);
      });
    }
  };
}
