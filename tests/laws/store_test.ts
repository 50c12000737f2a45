// For random changes, commits, full disks and crashes: the store on disk holds what the one in memory does.
import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import type { Store } from "../../src/store/store.ts";
import { MemoryScene, overflow, SqliteScene } from "../support/store_scenes.ts";
import { contentOf, deliveriesOf, messageOf, plain, saveSessions, sessionOf } from "../support/stores.ts";

const clientIds = ["a", "b", "c"], clientId = fc.constantFrom(...clientIds), packetId = fc.integer({ min: 1, max: 6 });

/** How many deliveries back from the next one, which itself is not there. */
const back = fc.integer({ min: 0, max: 25 });

/** The number of the next delivery of each session. */
type Next = Record<string, number>;

interface Step {
  readonly what: string;
  readonly value: unknown;
  apply(store: Store, next: Next): void;
}

function change<Value>(
  what: string,
  values: fc.Arbitrary<Value>,
  apply: (value: Value, store: Store, next: Next) => void,
): fc.Arbitrary<Step> {
  return values.map((value) => ({ what, value, apply: (store, next) => apply(value, store, next) }));
}

const event = (what: "commit" | "full disk" | "crash") =>
  fc.constant<Step>({ what, value: undefined, apply: () => {} });

const step = fc.oneof(
  {
    arbitrary: change(
      "add",
      fc.record({
        to: fc.subarray(clientIds, { minLength: 1 }),
        count: fc.integer({ min: 1, max: 5 }),
        size: fc.constantFrom(0, 10, 2000, 40_000),
        skip: fc.constantFrom(0, 0, 0, 3),
      }),
      ({ to, count, size, skip }, store, next) => {
        for (let i = 0; i < count; i++) {
          const message = messageOf("t", String(i).padStart(size, "."));
          for (const clientId of to) {
            store.addDelivery(clientId, next[clientId]! + i + skip, message, i, { qos: 1, retain: false });
          }
        }
        for (const clientId of to) next[clientId]! += count + skip;
      },
    ),
    weight: 6,
  },
  {
    arbitrary: change(
      "sent",
      fc.tuple(clientId, back, packetId),
      ([clientId, back, packetId], store, next) => store.sent(clientId, next[clientId]! - back, packetId),
    ),
    weight: 6,
  },
  {
    arbitrary: change(
      "over",
      fc.tuple(clientId, back),
      ([clientId, back], store, next) => store.deleteDelivery(clientId, next[clientId]! - back),
    ),
    weight: 9,
  },
  change("QoS 2", fc.tuple(clientId, packetId, packetId), ([clientId, received, released], store) => {
    store.addReceived(clientId, received);
    store.addReleased(clientId, released);
  }),
  change("QoS 2 is over", fc.tuple(clientId, packetId, packetId), ([clientId, received, released], store) => {
    store.deleteReceived(clientId, received);
    store.deleteReleased(clientId, released);
  }),
  change("retain", fc.constantFrom("x", "y"), (topic, store) => store.retain(messageOf(topic), 1)),
  change("retain no more", fc.constantFrom("x", "y"), (topic, store) => store.deleteRetained(topic)),
  change(
    "subscribe",
    fc.tuple(clientId, fc.constantFrom("x", "y"), fc.constantFrom(0, 1, 2)),
    ([clientId, filter, qos], store) => store.saveSubscription(clientId, filter, { ...plain, qos }),
  ),
  change(
    "unsubscribe",
    fc.tuple(clientId, fc.constantFrom("x", "y")),
    ([clientId, filter], store) => store.deleteSubscription(clientId, filter),
  ),
  change(
    "will",
    clientId,
    (clientId, store) => store.saveWill(clientId, messageOf("w"), { delay: 1, dueAt: undefined }),
  ),
  change("no will", clientId, (clientId, store) => store.deleteWill(clientId)),
  change(
    "session",
    fc.tuple(clientId, fc.nat(3)),
    ([clientId, expiry], store) => store.saveSession({ clientId, expiry, disconnectedAt: undefined }),
  ),
  change("new session", clientId, (clientId, store, next) => {
    store.deleteSession(clientId);
    saveSessions(store, clientId);
    next[clientId] = 1;
  }),
  { arbitrary: event("commit"), weight: 5 },
  event("full disk"),
  { arbitrary: event("crash"), weight: 2 },
);

Deno.test("Law: the store on disk holds what the one in memory does, whatever happens", () => {
  let crashes = 0, deliveries = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(0, 200, 100_000),
      fc.array(step, { minLength: 20, maxLength: 80, size: "max" }),
      (log, steps) => {
        using memory = new MemoryScene();
        using disk = new SqliteScene(log);
        const next = { memory: {} as Next, disk: {} as Next };
        const restart = () => {
          for (const id of clientIds) {
            const sequences = [memory, disk].map(({ store }) => sessionOf(store, id).nextSequence);
            next.memory[id] = next.disk[id] = Math.max(...sequences);
          }
        };
        for (const { store } of [memory, disk]) {
          saveSessions(store, ...clientIds);
          store.commit();
        }
        restart();
        for (const { what, apply } of steps) {
          for (const [scene, numbers] of [[memory, next.memory], [disk, next.disk]] as const) {
            apply(scene.store, numbers);
            if (what === "commit") scene.store.commit();
            else if (what === "full disk") overflow(scene);
            else if (what === "crash") scene.crash();
          }
          for (const id of clientIds) {
            const found = deliveriesOf(disk.store, id);
            assertEquals(found, deliveriesOf(memory.store, id));
            deliveries += found.length;
          }
          if (what !== "crash") continue;
          crashes++;
          assertEquals(contentOf(disk.store), contentOf(memory.store));
          restart();
        }
        for (const id of clientIds) disk.store.deleteSession(id);
        for (const topic of ["x", "y"]) disk.store.deleteRetained(topic);
        disk.store.commit();
        disk.crash();
        assertEquals(disk.rows, {}, "Something is left of what is over");
      },
    ),
    { numRuns: 150 },
  );
  assert(crashes > 100 && deliveries > 10_000, `Only ${crashes} crashes and ${deliveries} deliveries`);
});
