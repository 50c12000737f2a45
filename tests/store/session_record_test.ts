// What the SQLite store holds in memory of a session.
import { assertEquals } from "@std/assert";
import { newBody, SessionRecord } from "../../src/store/session_record.ts";
import { atLeastOnce, messageOf } from "../support/stores.ts";

/** Commits a turn in which deliveries are added, and others end. */
function turn(record: SessionRecord, added: readonly number[], ended: readonly number[]): number[] {
  for (const sequence of added) record.add({ sequence, body: newBody(messageOf("t", "x"), 0), terms: atLeastOnce });
  for (const sequence of ended) {
    record.reach(sequence);
    record.end(sequence);
  }
  record.dropOver();
  record.commit();
  return record.added.map(({ sequence }) => sequence);
}

Deno.test("What is over is forgotten long before a checkpoint, and what is left is not, wherever it stands", () => {
  const record = new SessionRecord(1, "a");
  assertEquals(turn(record, [1, 2, 3, 4], [2]), [1, 3, 4]);
  assertEquals(turn(record, [5, 6], [6, 3]), [1, 3, 4, 5]);
  assertEquals([record.fresh, turn(record, [7], [1, 4])], [4, [5, 7]]);
  assertEquals([record.fresh, turn(record, [], [5, 7])], [2, []]);
  for (let i = 8; i < 1000; i++) assertEquals(turn(record, [i], [i - 1]).slice(-1), [i]);
  assertEquals([record.added.length, record.fresh], [1, 1]);
});
