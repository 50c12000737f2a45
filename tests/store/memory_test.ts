import { assertEquals, assertRejects } from "@std/assert";
import { MemoryStore } from "../../src/store/memory.ts";
import { StoreError } from "../../src/store/store.ts";
import { storeSuite } from "../suites/store.ts";
import { MemoryScene } from "../support/store_scenes.ts";
import { add, deliveriesOf, saveSessions } from "../support/stores.ts";

storeSuite("MemoryStore", () => new MemoryScene());

/** A store whose commits end when the test says so. */
function slowStore(): { store: MemoryStore; commits: readonly PromiseWithResolvers<void>[] } {
  const commits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const waiting = commits.values(), store = new MemoryStore(() => waiting.next().value!.promise);
  saveSessions(store, "a");
  return { store, commits };
}

Deno.test("A MemoryStore with a slow disk commits when that has written, and what comes meanwhile with the next one", async () => {
  const { store, commits } = slowStore();
  add(store, 1);
  const first = store.commit();
  add(store, 2);
  assertEquals([store.pending, store.urgent], [1, true]);
  const second = store.commit();
  commits[0]!.resolve();
  await first;
  assertEquals([...store.sessions()].map(({ deliveries }) => deliveries.count), [1]);
  commits[1]!.resolve();
  await second;
  assertEquals([[...store.sessions()][0]!.deliveries.count, store.pending], [2, 0]);
});

Deno.test("A commit of a MemoryStore that fails late leaves its changes to the next one", async () => {
  const { store, commits } = slowStore();
  const first = store.commit()!;
  add(store, 1);
  const second = store.commit();
  commits[0]!.reject(new StoreError("full", "Store has no room left"));
  await assertRejects(() => first, StoreError);
  commits[1]!.resolve();
  await second;
  store.crash();
  assertEquals(deliveriesOf(store), ["1:0 1"]);
});

Deno.test("A crash takes a commit of a MemoryStore that is under way", async () => {
  const { store, commits } = slowStore();
  const commit = store.commit();
  store.crash();
  commits[0]!.resolve();
  await commit;
  assertEquals([...store.sessions()], []);
});
