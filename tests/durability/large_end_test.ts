// The end of a session for which a store keeps more than anybody should wait for: it is not read where nobody else could get it.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { StoredDelivery } from "../../src/store/store.ts";
import { connected } from "../support/client.ts";
import { add, plain, saveSessions } from "../support/stores.ts";

/** A store that counts what is read of its queues. */
class CountingStore extends MemoryStore {
  reads = 0;

  override *deliveries(clientId: string, after?: number): Generator<StoredDelivery, void, undefined> {
    for (const delivery of super.deliveries(clientId, after)) {
      this.reads++;
      yield delivery;
    }
  }
}

Deno.test("What waits in the store for a session that ends is not read, unless there are shared subscriptions, but counted", async () => {
  for (const [shared, reads] of [[false, 0], [true, 3]] as const) {
    const store = new CountingStore(), lost: number[] = [];
    saveSessions(store, "a", "b");
    add(store, 1, 2, 3);
    if (shared) store.saveSubscription("b", "$share/g/t", plain);
    store.commit();
    await using broker = createBroker({ store });
    broker.events.subscribe((event) => event.type === "dropped" && lost.push(event.count));
    await using client = await connected(broker, "a", { clean: true });
    await client.expectNothing();
    assertEquals([store.reads, lost], [reads, [3]]);
  }
});
