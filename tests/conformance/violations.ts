// Tests of what a client must not send: each case is a name and the bytes that an accepted client sends.
import { assertEquals } from "@std/assert";
import { type BrokerOptions, createBroker, type Reason } from "../../mod.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import type { PacketLike } from "../support/client.ts";
import { assertDisconnected } from "./support.ts";

/** Bytes that break a rule, by the name of the case. */
export type Violations = Readonly<Record<string, readonly number[]>>;

/** The bytes of a packet. */
export function bytesOf(packet: PacketLike, protocolVersion = 4): number[] {
  return [...generate(packet as Packet, { protocolVersion })];
}

/** Cases from a list of values, each of which becomes bytes. */
export function violationsOf<T>(values: readonly T[], bytes: (value: T) => readonly number[]): Violations {
  return Object.fromEntries(values.map((value) => [JSON.stringify(value), bytes(value)]));
}

/** A packet with each value of its fixed header flags except the right one. */
export function wrongFlags(packet: PacketLike, protocolVersion?: number): Violations {
  const [first = 0, ...rest] = bytesOf(packet, protocolVersion);
  const flags = Array.from({ length: 16 }, (_, value) => value).filter((value) => value !== (first & 0x0f));
  return Object.fromEntries(
    flags.map((value) => [`flags ${value.toString(2).padStart(4, "0")}`, [(first & 0xf0) | value, ...rest]]),
  );
}

/**
 * A test that each violation ends its own connection alone, does nothing else, and that what follows it is not processed. With
 * `code` it is a client of 5.0, which is told that in a DISCONNECT.
 */
export function endTheConnection(
  violations: Violations,
  reason: Reason = "malformed-packet",
  options?: BrokerOptions,
  code?: number,
): (t: Deno.TestContext) => Promise<void> {
  return async (t) => {
    for (const [name, bytes] of Object.entries(violations)) {
      await t.step(name, async () => {
        await using broker = createBroker(options);
        const published: string[] = [];
        broker.published.subscribe(({ topic }) => published.push(topic));
        const next = bytesOf({ cmd: "publish", topic: "next", payload: "", qos: 0 }, code === undefined ? 4 : 5);
        await assertDisconnected(broker, [...bytes, ...next], reason, code);
        assertEquals(published, ["sign/of/life"]);
      });
    }
  };
}
