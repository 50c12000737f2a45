// Tests of what a client must not begin with: each case is a name and the first bytes of a connection.
import { assertEquals } from "@std/assert";
import { type BrokerOptions, createBroker, type Reason } from "../../mod.ts";
import { assertRefused } from "./support.ts";
import { bytesOf, type Violations } from "./violations.ts";

/** How a connection is refused. */
export interface Refusal {
  readonly reason?: Reason;
  /** Of the CONNACK; none may be sent where this is undefined. */
  readonly returnCode?: number;
  readonly options?: BrokerOptions;
}

/** A test that each opening is refused in this way, for itself alone, and that what follows it is not processed. */
export function refuseTheConnection(
  openings: Violations,
  { reason = "malformed-packet", returnCode, options }: Refusal = {},
): (t: Deno.TestContext) => Promise<void> {
  const next = bytesOf({ cmd: "publish", topic: "next", payload: "", qos: 0 });
  const answer = { cmd: "connack", returnCode, sessionPresent: false } as const;
  return async (t) => {
    for (const [name, bytes] of Object.entries(openings)) {
      await t.step(name, async () => {
        await using broker = createBroker(options);
        const published: string[] = [];
        broker.published.subscribe(({ topic }) => published.push(topic));
        await assertRefused(broker, [...bytes, ...next], reason, returnCode === undefined ? undefined : answer);
        assertEquals(published, ["sign/of/life"]);
      });
    }
  };
}
