// A store of which something can't be read any more: that is one client's trouble, which is told, and nothing else is lost for it.
import { assertEquals } from "@std/assert";
import { type BrokerEvent, createBroker } from "../../mod.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { StoreError } from "../../src/store/store.ts";
import { add, saveSessions } from "../support/stores.ts";
import { settle } from "../support/clock.ts";
import { DayClock, WatchedClient } from "./restarts.ts";

/** A store that can't read deliveries behind a number while it is damaged. */
class DamagedStore extends MemoryStore {
  /** The first number that can't be read. */
  damagedFrom = Infinity;

  override *deliveries(clientId: string, after?: number): ReturnType<MemoryStore["deliveries"]> {
    for (const delivery of super.deliveries(clientId, after)) {
      if (delivery.sequence >= this.damagedFrom) throw new StoreError("corrupt", "Store is damaged");
      yield delivery;
    }
  }
}

/** A broker with the session "a", which has three messages to deliver, of which one has been sent. */
function scene(expiry: number) {
  const store = new DamagedStore(), clock = new DayClock(1_700_000_000_000), events: BrokerEvent[] = [];
  saveSessions(store, "a");
  add(store, 1, 2, 3);
  store.sent("a", 1, 7);
  store.saveSession({ clientId: "a", expiry, disconnectedAt: clock.time });
  store.commit();
  const broker = createBroker({ store, clock });
  broker.events.subscribe((event) => events.push(event));
  return { store, clock, broker, events };
}

for (const damagedFrom of [1, 2, 3]) {
  Deno.test(`A queue that can't be read from message ${damagedFrom} on ends its client's connection, and is whole when it can`, async () => {
    const { store, broker, events } = scene(Infinity);
    await using _broker = broker;
    store.damagedFrom = damagedFrom;
    const client = WatchedClient.of(broker);
    await client.send({ cmd: "connect", clientId: "a", clean: false, keepalive: 0, protocolVersion: 4 });
    await settle();
    await client.drop();
    const [ended] = events.filter(({ type }) => type === "disconnected");
    assertEquals(ended?.type === "disconnected" && [ended.reason, ended.detail], [
      "implementation-specific-error",
      "Store is damaged",
    ]);
    store.damagedFrom = Infinity;
    await using again = WatchedClient.of(broker);
    await again.connect({ clientId: "a", clean: false });
    for (const payload of ["1", "2", "3"]) {
      await again.expect({ cmd: "publish", payload });
    }
    await again.expectNothing();
  });

  Deno.test(`A session that can't be read from message ${damagedFrom} on can end, and every loss is counted`, async () => {
    const { store, clock, broker, events } = scene(1);
    store.damagedFrom = damagedFrom;
    await clock.advance(2000);
    assertEquals([...store.sessions()], []);
    const [dropped] = events.filter(({ type }) => type === "dropped");
    assertEquals(dropped?.type === "dropped" && [dropped.client, dropped.reason, dropped.count], [
      "a",
      "session-ended",
      3,
    ]);
    await broker.close();
  });
}
