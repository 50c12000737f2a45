import { assert, assertEquals } from "@std/assert";
import v8 from "node:v8";
import vm from "node:vm";
import { Message } from "../../src/message.ts";
import { Delivery, DeliveryQueue } from "../../src/session/queue.ts";
import { settle } from "../support/clock.ts";

const limits = { queuedMessages: 1000, queuedBytes: 1_000_000 };

function delivery(topic: string, bytes = 0): Delivery {
  const message = new Message({ topic, payload: new Uint8Array(bytes), qos: 1, retain: false, client: undefined });
  return new Delivery(message, { qos: 1, retain: false });
}

function* replay(...topics: readonly string[]): Generator<Delivery, void, undefined> {
  for (const topic of topics) yield delivery(topic);
}

/** Takes everything out. */
function drain(queue: DeliveryQueue): string[] {
  const topics: string[] = [];
  for (let next = queue.shift(); next; next = queue.shift()) topics.push(next.message.topic);
  return topics;
}

Deno.test("What goes in first comes out first, and then there is nothing", () => {
  const queue = new DeliveryQueue();
  assertEquals([queue.empty, queue.deliveries.length, queue.shift()], [true, 0, undefined]);
  for (const topic of ["a", "b", "c"]) assert(queue.push(delivery(topic), limits));
  assertEquals([queue.empty, queue.deliveries.length], [false, 3]);
  assertEquals([drain(queue), queue.empty, queue.deliveries.length], [["a", "b", "c"], true, 0]);
});

Deno.test("The limit of messages is what fits, and one that leaves makes room for one", () => {
  const queue = new DeliveryQueue(), two = { ...limits, queuedMessages: 2 };
  assertEquals(["a", "b", "c"].map((topic) => queue.push(delivery(topic), two)), [true, true, false]);
  queue.shift();
  assertEquals(["d", "e"].map((topic) => queue.push(delivery(topic), two)), [true, false]);
  assertEquals(drain(queue), ["b", "d"]);
});

Deno.test("The limit of bytes counts topics and payloads; a smaller message may fit where a larger one does not", () => {
  const queue = new DeliveryQueue(), ten = { ...limits, queuedBytes: 10 };
  assertEquals([queue.push(delivery("a", 9), ten), queue.push(delivery("b"), ten)], [true, false]);
  queue.shift();
  assertEquals([5, 5, 3].map((bytes) => queue.push(delivery("c", bytes), ten)), [true, false, true]);
  assertEquals(queue.deliveries.length, 2);
});

Deno.test("A queue of no messages takes none", () => {
  assertEquals(new DeliveryQueue().push(delivery("a"), { queuedMessages: 0, queuedBytes: 100 }), false);
});

Deno.test("A replay has its place in the order, and what is empty is passed over", () => {
  const queue = new DeliveryQueue();
  queue.pushReplay(replay(), limits);
  queue.push(delivery("a"), limits);
  queue.pushReplay(replay("r1", "r2"), limits);
  queue.pushReplay(replay(), limits);
  queue.push(delivery("b"), limits);
  assertEquals([queue.deliveries.length, queue.empty], [2, false]);
  assertEquals([drain(queue), queue.empty], [["a", "r1", "r2", "b"], true]);
});

Deno.test("A replay is asked for one message at a time", () => {
  const queue = new DeliveryQueue();
  let asked = 0;
  queue.pushReplay(
    function* () {
      for (;;) yield delivery(`r${++asked}`);
    }(),
    limits,
  );
  assertEquals([asked, queue.shift()?.message.topic, asked], [0, "r1", 1]);
});

Deno.test("A replay counts as one message; one may wait whatever the limit is", () => {
  const queue = new DeliveryQueue(), none = { ...limits, queuedMessages: 0 }, two = { ...limits, queuedMessages: 2 };
  assertEquals([queue.pushReplay(replay("r1", "r2"), none), queue.pushReplay(replay("r3"), none)], [true, false]);
  assertEquals([queue.push(delivery("a"), two), queue.push(delivery("b"), two)], [true, false]);
  assertEquals(drain(queue), ["r1", "r2", "a"]);
  assertEquals(queue.push(delivery("c"), two), true);
});

Deno.test("A replay that takes long to find its next message gives way, and goes on where it was", () => {
  const queue = new DeliveryQueue();
  queue.pushReplay([delivery("r1"), undefined, delivery("r2")].values(), limits);
  assertEquals([0, 1, 2, 3].map(() => queue.shift()?.message.topic), ["r1", undefined, "r2", undefined]);
  assert(queue.empty);
});

Deno.test("Messages that have expired make room, as far as they are in front", () => {
  const queue = new DeliveryQueue();
  const expiring = (topic: string, messageExpiryInterval: number) => {
    const { message, terms } = delivery(topic);
    return new Delivery(message.with({ acceptedAt: 0, properties: { messageExpiryInterval } }), terms);
  };
  for (const entry of [expiring("a", 1), expiring("b", 2), delivery("c"), expiring("d", 1)]) queue.push(entry, limits);
  assertEquals(queue.expire(2000).map(({ message }) => message.topic), ["a", "b"]);
  assertEquals(drain(queue), ["c", "d"]);
});

Deno.test("A queue that is never empty keeps its order over thousands of messages", () => {
  const queue = new DeliveryQueue();
  let pushed = 0, shifted = 0;
  while (shifted < 10_000) {
    for (let i = 0; i < 3 && queue.deliveries.length < 900; i++) assert(queue.push(delivery(String(pushed++)), limits));
    for (let i = 0; i < 2; i++) assertEquals(queue.shift()?.message.topic, String(shifted++));
  }
  assertEquals(queue.deliveries.length, pushed - shifted);
});

Deno.test("What has left a queue that is not empty is not held by it", async () => {
  v8.setFlagsFromString("--expose-gc");
  const gc = vm.runInNewContext("gc"), queue = new DeliveryQueue();
  const sent = (() => {
    for (const topic of ["first", "second"]) queue.push(delivery(topic), limits);
    return new WeakRef(queue.shift()!);
  })();
  await settle(); // a target stays for the rest of the job in which its reference was made
  gc();
  assertEquals([sent.deref()?.message.topic, queue.deliveries.length], [undefined, 1]);
});
