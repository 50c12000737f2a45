// What a store promises (src/store/store.ts), for every implementation.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Message } from "../../src/message.ts";
import { type DeliveryTerms, type Store } from "../../src/store/store.ts";
import {
  add,
  atLeastOnce,
  brief,
  contentOf,
  deliveriesOf,
  messageOf,
  plain,
  plainly,
  saveSessions,
  sessionOf,
  textOf,
} from "../support/stores.ts";
import { overflow, type StoreScene } from "../support/store_scenes.ts";
import { storeCases } from "./store_cases.ts";

/** Messages with all that there can be, and terms. */
const kinds: Readonly<Record<string, readonly [Message, DeliveryTerms]>> = {
  "with no more than it must have": [messageOf("t", "", { client: undefined, qos: 0 }), { qos: 0, retain: false }],
  "with all properties, identifiers and a group": [
    messageOf("réseau/温度/😀", new Uint8Array([0, 255, 128]), {
      qos: 2,
      retain: true,
      client: "ünï",
      properties: {
        payloadFormatIndicator: false,
        messageExpiryInterval: 4_294_967_295,
        contentType: "text/plain",
        responseTopic: "answer/here",
        correlationData: new Uint8Array([0, 1, 2]),
        userProperties: [["name", "value"], ["name", ""], ["", "ä"]],
      },
    }),
    { qos: 2, retain: true, identifiers: [1, 268_435_455, 2, 2], group: { name: "$share/g/t/#" } },
  ],
  "of a megabyte": [messageOf("t", new Uint8Array(1_000_003).fill(7)), { qos: 1, retain: true }],
  "with a topic of 60,000 characters": [messageOf("t/".repeat(30_000)), atLeastOnce],
};

/** What notes of changes do to `pending` and `urgent`. */
const changes: readonly (readonly [what: string, urgent: boolean, change: (store: Store) => void])[] = [
  ["A session", true, (store) => saveSessions(store, "c")],
  ["The end of a session", true, (store) => store.deleteSession("b")],
  ["A subscription", true, (store) => store.saveSubscription("a", "t", plain)],
  ["The end of a subscription", true, (store) => store.deleteSubscription("a", "t")],
  ["A will", true, (store) => store.saveWill("a", messageOf("w"), { delay: 0, dueAt: undefined })],
  ["The end of a will", true, (store) => store.deleteWill("a")],
  ["A delivery", true, (store) => add(store, 2)],
  ["The packet identifier of a delivery", true, (store) => store.sent("a", 1, 1)],
  ["The end of a delivery", false, (store) => store.deleteDelivery("a", 1)],
  ["A received QoS 2 message", true, (store) => store.addReceived("a", 1)],
  ["Its PUBREL", true, (store) => store.deleteReceived("a", 1)],
  ["The PUBREC of a delivery", true, (store) => store.addReleased("a", 1)],
  ["The PUBCOMP of a delivery", false, (store) => store.deleteReleased("a", 1)],
  ["A retained message", true, (store) => store.retain(messageOf("t"), 1)],
  ["The end of a retained message", true, (store) => store.deleteRetained("t")],
];

/** Tests one implementation. */
export function storeSuite(name: string, createScene: () => StoreScene): void {
  const test = (what: string, body: (scene: StoreScene) => void, before?: (store: Store) => void) =>
    Deno.test(`${name}: ${what}`, () => {
      using scene = createScene();
      saveSessions(scene.store, "a", "b");
      before?.(scene.store);
      scene.store.commit();
      body(scene);
    });

  for (const { what, before, change, found, expected } of storeCases) {
    test(`Outlives a crash: ${what}`, (scene) => {
      change(scene.store);
      scene.store.commit();
      scene.crash();
      assertEquals(found(scene.store), expected);
      contentOf(scene.store); // is sound
    }, before);

    test(`Is lost in a crash before its commit, or after one that failed: ${what}`, (scene) => {
      scene.crash();
      const content = contentOf(scene.store);
      change(scene.store);
      scene.crash();
      assertEquals(contentOf(scene.store), content);
      change(scene.store);
      overflow(scene);
      scene.crash();
      assertEquals(contentOf(scene.store), content);
    }, before);

    test(`Becomes durable with the next commit after one that failed: ${what}`, (scene) => {
      change(scene.store);
      overflow(scene);
      scene.store.commit();
      scene.crash();
      assertEquals(found(scene.store), expected);
      contentOf(scene.store); // is sound
    }, before);
  }

  for (const [what, [message, terms]] of Object.entries(kinds)) {
    test(`A message ${what} comes back as it was, alone, shared, retained, or as a will`, (scene) => {
      const { topic, payload, qos, retain, client, properties } = message, acceptedAt = 1_700_000_000_000.5;
      const expected = { topic, payload, qos, retain, client, properties }, shared = message.with({});
      scene.store.addDelivery("a", 1, message, acceptedAt, terms);
      for (const clientId of ["a", "b"]) scene.store.addDelivery(clientId, 2, shared, acceptedAt, terms);
      const checkDeliveries = () => {
        const delivery = { packetId: 0, terms, message: { ...expected, acceptedAt } };
        const wanted = {
          a: [{ sequence: 1, ...delivery }, { sequence: 2, ...delivery }],
          b: [{ sequence: 2, ...delivery }],
        };
        assertEquals(
          plainly({ a: [...scene.store.deliveries("a")], b: [...scene.store.deliveries("b")] }),
          plainly(wanted),
        );
      };
      checkDeliveries();
      scene.store.retain(message, acceptedAt);
      scene.store.saveWill("a", message, { delay: 1, dueAt: undefined });
      scene.store.commit();
      checkDeliveries();
      scene.crash();
      checkDeliveries();
      assertEquals(plainly([...scene.store.retained()]), plainly([{ ...expected, acceptedAt }]));
      assertEquals(plainly(sessionOf(scene.store).will!.message), plainly(expected));
    });
  }

  test("What is lent for the turn may be overwritten as soon as the store has got it", (scene) => {
    const bytes = Buffer.from("lent"), { store } = scene;
    const lent = (topic: string) =>
      new Message({ topic, qos: 1, retain: false, client: "c" }, undefined, { bytes, start: 0, end: 4 });
    store.addDelivery("a", 1, lent("a"), 1, atLeastOnce);
    store.retain(lent("b"), 1);
    store.saveWill("a", lent("c"), { delay: 1, dueAt: undefined });
    bytes.fill("?");
    store.commit();
    scene.crash();
    assertEquals(deliveriesOf(scene.store), ["1:0 lent"]);
    assertEquals([...Array.from(scene.store.retained(), textOf), textOf(sessionOf(scene.store).will!.message)], [
      "lent",
      "lent",
    ]);
  });

  test("Deliveries are read as they are now, committed or not, from behind any of them", ({ store }) => {
    add(store, 4, 5, 6);
    store.deleteDelivery("a", 2);
    store.sent("a", 1, 7);
    store.deleteDelivery("a", 5);
    store.sent("a", 4, 8);
    const expected = ["1:7 1", "3:0 3", "4:8 4", "6:0 6"];
    for (let committed = 0; committed < 2; committed++, store.commit()) {
      assertEquals(deliveriesOf(store), expected);
      assertEquals(deliveriesOf(store, "a", 1), expected.slice(1));
      assertEquals(deliveriesOf(store, "a", 3), expected.slice(2));
      assertEquals(deliveriesOf(store, "a", 5), expected.slice(3));
      assertEquals(deliveriesOf(store, "a", 6), []);
    }
  }, (store) => add(store, 1, 2, 3));

  test("A reader of deliveries sees what changes meanwhile behind its place, also across commits", ({ store }) => {
    add(store, 4);
    const reader = store.deliveries("a")[Symbol.iterator](), next = () => brief(reader.next().value!);
    assertEquals(next(), "1:0 1");
    store.deleteDelivery("a", 2);
    add(store, 5);
    store.commit();
    assertEquals([next(), next()], ["3:0 3", "4:0 4"]);
    add(store, 6);
    store.commit();
    assertEquals([next(), next()], ["5:0 5", "6:0 6"]);
    assert(reader.next().done);
  }, (store) => add(store, 1, 2, 3));

  test("A reader of deliveries ends with the session, also where that begins anew", ({ store }) => {
    const reader = store.deliveries("a")[Symbol.iterator]();
    assertEquals(brief(reader.next().value!), "1:0 1");
    store.deleteSession("a");
    saveSessions(store, "a");
    add(store, 5);
    assert(reader.next().done);
    assertEquals(deliveriesOf(store), ["5:0 5"]);
  }, (store) => add(store, 1, 2, 3));

  test("A long queue is read in order, whatever of it is over, and however it was committed", (scene) => {
    const count = 3000, over = (sequence: number) => sequence % 7 === 0 || sequence > 1000 && sequence < 1600;
    for (let sequence = 1; sequence <= count; sequence++) {
      add(scene.store, sequence);
      if (sequence % 900 < 100) scene.store.commit();
      if (sequence <= 50) scene.store.sent("a", sequence, sequence);
    }
    scene.store.commit();
    for (let sequence = count; sequence > 0; sequence--) if (over(sequence)) scene.store.deleteDelivery("a", sequence);
    const expected = Array.from({ length: count }, (_, i) => i + 1).filter((sequence) => !over(sequence))
      .map((sequence) => `${sequence}:${sequence <= 50 ? sequence : 0} ${sequence}`);
    assertEquals(deliveriesOf(scene.store), expected);
    scene.store.commit();
    scene.crash();
    assertEquals(deliveriesOf(scene.store), expected);
    contentOf(scene.store); // is sound
  });

  test(
    "After a crash the deliveries of a session are numbered on, and numbers that went before are refused",
    (scene) => {
      scene.store.deleteDelivery("a", 3);
      scene.store.commit();
      scene.crash();
      const { nextSequence } = sessionOf(scene.store);
      assert(nextSequence > 2);
      for (const sequence of [1, 2, nextSequence - 1]) assertThrows(() => add(scene.store, sequence), RangeError);
      add(scene.store, nextSequence);
      assertThrows(
        () => add(scene.store, nextSequence),
        RangeError,
        `Delivery ${nextSequence} of session "a" does not come behind`,
      );
    },
    (store) => add(store, 1, 2, 3),
  );

  test("Nothing can be stored of a session that has not been saved", ({ store }) => {
    const message = 'Session "c" is not stored: save it first';
    assertThrows(() => store.addDelivery("c", 1, messageOf("t"), 1, atLeastOnce), Error, message);
    assertThrows(() => store.saveSubscription("c", "t", plain), Error, message);
    assertThrows(() => [...store.deliveries("c")], Error, message);
    store.deleteSession("c");
  });

  for (const [what, urgent, change] of changes) {
    test(
      `${what} waits for a commit, ${urgent ? "and so must what the turn sends" : "which may be put off"}`,
      ({ store }) => {
        assertEquals([store.pending, store.urgent], [0, false]);
        change(store);
        assertEquals([store.pending, store.urgent], [1, urgent]);
        store.commit();
        assertEquals([store.pending, store.urgent], [0, false]);
      },
      (store) => add(store, 1),
    );
  }

  test("A failed commit leaves what waits as it was, and what waits can change until one succeeds", (scene) => {
    add(scene.store, 2, 3);
    scene.store.deleteDelivery("a", 1);
    overflow(scene);
    assert(scene.store.pending > 0 && scene.store.urgent);
    assertEquals(deliveriesOf(scene.store), ["2:0 2", "3:0 3"]);
    scene.store.deleteDelivery("a", 2);
    add(scene.store, 4);
    overflow(scene);
    scene.store.commit();
    assertEquals(scene.store.pending, 0);
    scene.crash();
    assertEquals(deliveriesOf(scene.store), ["3:0 3", "4:0 4"]);
    assertEquals([...scene.store.retained()], []);
  }, (store) => add(store, 1));

  test("Closing commits", (scene) => {
    add(scene.store, 1);
    scene.store.close();
    scene.crash();
    assertEquals(deliveriesOf(scene.store), ["1:0 1"]);
  });
}
