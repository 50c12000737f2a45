import { assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import { Memory } from "../../src/memory.ts";
import { PacketIdSet } from "../../src/session/packet_id_set.ts";

/** What one takes on the account. */
const WEIGHT = 40;

Deno.test("A set of packet identifiers does what a Set does, with few and with many members", () => {
  const step = fc.record({ add: fc.boolean(), id: fc.integer({ min: 1, max: 200 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
      const memory = new Memory(Infinity), ids = new PacketIdSet(memory), model = new Set<number>();
      for (const { add, id } of steps) {
        if (add) model.add(id), ids.add(id);
        else assertEquals(ids.delete(id), model.delete(id));
        assertEquals([ids.size, ids.has(id), memory.used], [model.size, model.has(id), model.size * WEIGHT]);
      }
      assertEquals([...ids.values()], [...model]);
      ids.clear();
      assertEquals([ids.size, [...ids.values()], memory.used], [0, [], 0]);
    }),
  );
});

Deno.test("Many members come and go: the set is in order before, meanwhile and after that", () => {
  const ids = new PacketIdSet(new Memory(Infinity)), first = Array.from({ length: 1000 }, (_, i) => i + 1);
  for (const id of first) ids.add(id);
  assertEquals([...ids.values()], first);
  for (const id of first) assertEquals(ids.delete(id), true);
  assertEquals([ids.size, [...ids.values()], ids.delete(1)], [0, [], false]);
  ids.add(7);
  ids.add(3);
  ids.add(7);
  assertEquals([...ids.values()], [7, 3]);
});
