// A large store: opening it takes seconds, and memory holds a page. To make it takes some seconds too, and 200 MB of disk; so it is
// left out unless BROOK_LARGE is set.
import { assertEquals, assertLess } from "@std/assert";
import { openStore } from "../../src/store/sqlite.ts";
import { denoRun } from "../support/process.ts";
import { atLeastOnce, messageOf, saveSessions, temporaryFolder } from "../support/stores.ts";

const sessions = 1000, queued = 1_000_000, retained = 100_000, payload = new Uint8Array(100);

/** Makes a file as a busy broker does: with many deliveries, to many sessions, in each commit. */
function makeStore(path: string): void {
  const store = openStore(path, { durability: "normal" });
  const clientIds = Array.from({ length: sessions }, (_, i) => `client-${i}`);
  saveSessions(store, ...clientIds);
  for (let sequence = 1; sequence <= queued / sessions; sequence++) {
    for (const clientId of clientIds) {
      store.addDelivery(clientId, sequence, messageOf("a/b/c", payload), 1, atLeastOnce);
    }
    store.commit();
  }
  for (let i = 0; i < retained; i++) {
    store.retain(messageOf(`home/${i % 1000}/sensor/${i}`, payload), 1);
    if (i % 1000 === 0) store.commit();
  }
  store.close();
}

Deno.test({
  name: "A store with 1,000,000 queued and 100,000 retained messages is opened in seconds, and not held in memory",
  ignore: !Deno.env.get("BROOK_LARGE"),
  async fn() {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    makeStore(path);
    await using program = denoRun("--allow-read", "--allow-write", "tests/store/large_program.ts", path);
    const { seconds, megabytes, ...counts } = JSON.parse(await program.output.take());
    assertEquals(counts, { sessions, queued, read: sessions, retained });
    console.log(
      `${seconds.toFixed(1)} s, ${megabytes.toFixed()} MB, and a file of ${
        (Deno.statSync(path).size / 1e6).toFixed()
      } MB`,
    );
    assertLess(seconds, 10);
    assertLess(megabytes, 250);
  },
});
