import { assertEquals } from "@std/assert";
import { PacketIds } from "../../src/session/packet_ids.ts";

const free = () => false;

Deno.test("Packet identifiers begin with 1 and are given in turn: one that was freed is the last to come again", () => {
  const ids = new PacketIds();
  assertEquals([ids.next(free), ids.next(free), ids.next(free)], [1, 2, 3]);
});

Deno.test("After 65,535 comes 1: 0 is no packet identifier [MQTT-2.3.1-1]", () => {
  const ids = new PacketIds(), given = new Set<number>();
  for (let i = 0; i < 65_535; i++) given.add(ids.next(free));
  assertEquals([given.size, Math.min(...given), Math.max(...given), ids.next(free)], [65_535, 1, 65_535, 1]);
});

Deno.test("Identifiers in use are passed over, also across the end [MQTT-2.3.1-4]", () => {
  const ids = new PacketIds(), inUse = new Set([1, 2, 65_535]);
  assertEquals(ids.next((id) => inUse.has(id)), 3);
  for (let id = 4; id < 65_535; id++) ids.next(free);
  assertEquals(ids.next((id) => inUse.has(id)), 3);
});

Deno.test("The only free identifier is found", () => {
  const ids = new PacketIds();
  for (const only of [40_000, 39_999, 65_535, 1]) assertEquals(ids.next((id) => id !== only), only);
});
