// What a store keeps, as a table: what is changed, and what is found in the end.
import type { Store } from "../../src/store/store.ts";
import { add, atLeastOnce, deliveriesOf, messageOf, plain, sessionOf, textOf } from "../support/stores.ts";

/** The sessions "a" and "b" are there. */
interface Case {
  readonly what: string;
  /** Done and committed before. */
  readonly before?: (store: Store) => void;
  /** Done then. */
  readonly change: (store: Store) => void;
  /** What is looked at, once that is committed. */
  readonly found: (store: Store) => unknown;
  readonly expected: unknown;
}

const clientIds = (store: Store) => Array.from(store.sessions(), ({ clientId }) => clientId);

const saveWill = (store: Store, payload = "bye", dueAt?: number) =>
  store.saveWill("a", messageOf("w", payload), { delay: 60, dueAt });

function saveAll(store: Store): void {
  add(store, 1, 2);
  store.sent("a", 1, 1);
  store.saveSubscription("a", "t/#", plain);
  saveWill(store);
  for (const packetId of [1, 2]) store.addReceived("a", packetId);
  store.addReleased("a", 3);
}

export const storeCases: readonly Case[] = [
  {
    what: "a session, and how long it lasts",
    change: (store) => store.saveSession({ clientId: "c", expiry: 300, disconnectedAt: 1_700_000_000_123 }),
    found: (store) =>
      [...store.sessions()].map((session) => [session.clientId, session.expiry, session.disconnectedAt]),
    expected: [["a", Infinity, undefined], ["b", Infinity, undefined], ["c", 300, 1_700_000_000_123]],
  },
  {
    what: "that a session has changed, and what belongs to it",
    before: saveAll,
    change: (store) => store.saveSession({ clientId: "a", expiry: 0, disconnectedAt: 5 }),
    found(store) {
      const { expiry, disconnectedAt, subscriptions, will, received, released } = sessionOf(store);
      return [expiry, disconnectedAt, subscriptions.size, will?.delay, received, released, deliveriesOf(store)];
    },
    expected: [0, 5, 1, 60, [1, 2], [3], ["1:1 1", "2:0 2"]],
  },
  {
    what: "that a session is over",
    before: saveAll,
    change: (store) => store.deleteSession("a"),
    found: clientIds,
    expected: ["b"],
  },
  {
    what: "that a session has begun anew, without anything of the old one",
    before: saveAll,
    change(store) {
      store.deleteSession("a");
      store.saveSession({ clientId: "a", expiry: 1, disconnectedAt: undefined });
      store.addDelivery("a", 1, messageOf("t", "new"), 1, atLeastOnce);
    },
    found(store) {
      const { expiry, subscriptions, will, received, released } = sessionOf(store);
      return [expiry, subscriptions.size, will, received, released, deliveriesOf(store)];
    },
    expected: [1, 0, undefined, [], [], ["1:0 new"]],
  },
  {
    what: "subscriptions, and that they have changed or gone",
    before: (store) => ["t/#", "gone", "$share/g/t"].forEach((filter) => store.saveSubscription("a", filter, plain)),
    change(store) {
      store.saveSubscription("a", "t/#", { qos: 2, noLocal: true, retainAsPublished: false, identifier: 268_435_455 });
      store.saveSubscription("a", "u", { ...plain, qos: 0, retainAsPublished: true });
      for (const filter of ["gone", "never was"]) store.deleteSubscription("a", filter);
    },
    found: (store) => [...sessionOf(store).subscriptions].sort(),
    expected: [
      ["$share/g/t", plain],
      ["t/#", { qos: 2, noLocal: true, retainAsPublished: false, identifier: 268_435_455 }],
      ["u", { ...plain, qos: 0, retainAsPublished: true }],
    ],
  },
  {
    what: "a will, and when it is due",
    before: (store) => saveWill(store, "old"),
    change: (store) => saveWill(store, "new", 1_700_000_060_000),
    found(store) {
      const { message, delay, dueAt } = sessionOf(store).will!;
      return [message.topic, textOf(message), delay, dueAt];
    },
    expected: ["w", "new", 60, 1_700_000_060_000],
  },
  {
    what: "that there is no will any more",
    before: (store) => saveWill(store),
    change: (store) => store.deleteWill("a"),
    found: (store) => sessionOf(store).will,
    expected: undefined,
  },
  {
    what: "deliveries, in order, and with which packet identifier they were sent",
    before: (store) => add(store, 1, 2, 3),
    change(store) {
      add(store, 4);
      for (const [sequence, packetId] of [[1, 65_535], [2, 1], [4, 2]] as const) store.sent("a", sequence, packetId);
    },
    found: (store) => deliveriesOf(store),
    expected: ["1:65535 1", "2:1 2", "3:0 3", "4:2 4"],
  },
  {
    what: "which deliveries are over, in whatever order they end",
    before: (store) => add(store, 1, 2, 3, 4, 5, 6),
    change: (store) => [5, 1, 3].forEach((sequence) => store.deleteDelivery("a", sequence)),
    found: (store) => deliveriesOf(store),
    expected: ["2:0 2", "4:0 4", "6:0 6"],
  },
  {
    what: "what was sent before and what has ended, and what was added in the same commit",
    before(store) {
      add(store, 1, 2, 3, 4);
      for (const sequence of [1, 2, 3]) store.sent("a", sequence, 10 + sequence);
    },
    change(store) {
      add(store, 5, 6, 7);
      for (const sequence of [2, 6]) store.deleteDelivery("a", sequence);
      store.sent("a", 7, 20);
    },
    found: (store) => deliveriesOf(store),
    expected: ["1:11 1", "3:13 3", "4:0 4", "5:0 5", "7:20 7"],
  },
  {
    what: "a delivery that was added, but not one that was over before it was committed",
    change(store) {
      add(store, 1, 2, 3);
      store.sent("a", 1, 1);
      for (const sequence of [1, 3]) store.deleteDelivery("a", sequence);
    },
    found: (store) => deliveriesOf(store),
    expected: ["2:0 2"],
  },
  {
    what: "deliveries whose numbers do not follow each other",
    before: (store) => add(store, 3, 70, 5_000_000_000),
    change(store) {
      add(store, 9_000_000_000_000);
      store.sent("a", 70, 1);
      store.deleteDelivery("a", 5_000_000_000);
    },
    found: (store) => deliveriesOf(store),
    expected: ["3:0 3", "70:1 70", "9000000000000:0 9000000000000"],
  },
  {
    what: "what comes later, where something ends or is sent that is not there",
    before: (store) => add(store, 1, 2),
    change(store) {
      for (const sequence of [1, 1, 7, 0]) store.deleteDelivery("a", sequence);
      for (const sequence of [1, 7, 0]) store.sent("a", sequence, 9);
      add(store, 3);
    },
    found: (store) => deliveriesOf(store),
    expected: ["2:0 2", "3:0 3"],
  },
  {
    what: "the deliveries of some sessions of a message that others have taken",
    before(store) {
      const message = messageOf("t", "all".repeat(1000));
      for (const clientId of ["a", "b"]) store.addDelivery(clientId, 1, message, 1, atLeastOnce);
    },
    change: (store) => store.deleteDelivery("a", 1),
    found: (store) => ["a", "b"].map((clientId) => deliveriesOf(store, clientId)),
    expected: [[], [`1:0 ${"all".repeat(1000)}`]],
  },
  {
    what: "identifiers of QoS 2: those received, and those released in their order",
    before(store) {
      for (const packetId of [5, 65_535, 6, 7]) {
        store.addReceived("a", packetId);
        store.addReleased("a", packetId);
      }
    },
    change(store) {
      store.deleteReceived("a", 6);
      store.deleteReleased("a", 5);
      for (const packetId of [8, 7, 5]) store.addReleased("a", packetId);
    },
    found(store) {
      const { received, released } = sessionOf(store);
      return [received.toSorted((a, b) => a - b), released];
    },
    expected: [[5, 7, 65_535], [65_535, 6, 7, 8, 5]],
  },
  {
    what: "the last message of each topic to be retained",
    before: (store) => ["a", "b", "c"].forEach((topic) => store.retain(messageOf(topic, "old"), 1)),
    change(store) {
      for (const payload of ["newer", "newest"]) store.retain(messageOf("a", payload), 2);
      store.retain(messageOf("d"), 2);
      for (const topic of ["b", "d", "never"]) store.deleteRetained(topic);
    },
    found: (store) =>
      Array.from(store.retained(), (message) => [message.topic, textOf(message), message.acceptedAt]).sort(),
    expected: [["a", "newest", 2], ["c", "old", 1]],
  },
];
