import { assert, assertEquals } from "@std/assert";
import v8 from "node:v8";
import vm from "node:vm";
import { Memory } from "../../src/memory.ts";
import { Message } from "../../src/message.ts";
import type { OverloadPolicy } from "../../src/overload.ts";
import { Delivery, DeliveryQueue, type QueueLimits } from "../../src/session/queue.ts";
import { settle } from "../support/clock.ts";

/** A queue, and the account of what it holds. */
function newQueue(limits: Partial<QueueLimits> = {}, memory = new Memory(Infinity)): DeliveryQueue {
  return new DeliveryQueue({ queuedMessages: 1000, queuedBytes: 1_000_000, ...limits }, memory);
}

function delivery(topic: string, bytes = 0, overload: OverloadPolicy = "drop-newest"): Delivery {
  const message = new Message({ topic, payload: new Uint8Array(bytes), qos: 1, retain: false, client: undefined });
  return new Delivery(message, { qos: 1, retain: false, overload });
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
  const queue = newQueue();
  assertEquals([queue.empty, queue.deliveries.length, queue.shift()], [true, 0, undefined]);
  for (const topic of ["a", "b", "c"]) assertEquals(queue.push(delivery(topic)), undefined);
  assertEquals([queue.empty, queue.deliveries.length], [false, 3]);
  assertEquals([drain(queue), queue.empty, queue.deliveries.length], [["a", "b", "c"], true, 0]);
});

Deno.test("The limit of messages is what fits, and one that leaves makes room for one", () => {
  const queue = newQueue({ queuedMessages: 2 });
  assertEquals(["a", "b", "c"].map((topic) => queue.push(delivery(topic))), [undefined, undefined, "queue-full"]);
  queue.shift();
  assertEquals(["d", "e"].map((topic) => queue.push(delivery(topic))), [undefined, "queue-full"]);
  assertEquals(drain(queue), ["b", "d"]);
});

Deno.test("The limit of bytes counts topics and payloads; a smaller message may fit where a larger one does not", () => {
  const queue = newQueue({ queuedBytes: 10 });
  assertEquals([queue.push(delivery("a", 9)), queue.push(delivery("b"))], [undefined, "queue-full"]);
  queue.shift();
  assertEquals([5, 5, 3].map((bytes) => queue.push(delivery("c", bytes))), [undefined, "queue-full", undefined]);
  assertEquals(queue.deliveries.length, 2);
});

Deno.test("A queue of no messages takes none", () => {
  assertEquals(newQueue({ queuedMessages: 0 }).push(delivery("a")), "queue-full");
});

Deno.test("A replay has its place in the order, and what is empty is passed over", () => {
  const queue = newQueue();
  queue.pushReplay(replay());
  queue.push(delivery("a"));
  queue.pushReplay(replay("r1", "r2"));
  queue.pushReplay(replay());
  queue.push(delivery("b"));
  assertEquals([queue.deliveries.length, queue.empty], [2, false]);
  assertEquals([drain(queue), queue.empty], [["a", "r1", "r2", "b"], true]);
});

Deno.test("A replay is asked for one message at a time", () => {
  const queue = newQueue();
  let asked = 0;
  queue.pushReplay(
    function* () {
      for (;;) yield delivery(`r${++asked}`);
    }(),
  );
  assertEquals([asked, queue.shift()?.message.topic, asked], [0, "r1", 1]);
});

Deno.test("A replay counts as one message; one may wait whatever the limit is", () => {
  const none = newQueue({ queuedMessages: 0 }), queue = newQueue({ queuedMessages: 2 });
  assertEquals([none.pushReplay(replay("r1", "r2")), none.pushReplay(replay("r3"))], [undefined, "queue-full"]);
  queue.pushReplay(replay("r1", "r2"));
  assertEquals([queue.push(delivery("a")), queue.push(delivery("b"))], [undefined, "queue-full"]);
  assertEquals(drain(queue), ["r1", "r2", "a"]);
  assertEquals(queue.push(delivery("c")), undefined);
});

Deno.test("A replay that takes long to find its next message gives way, and goes on where it was", () => {
  const queue = newQueue();
  queue.pushReplay([delivery("r1"), undefined, delivery("r2")].values());
  assertEquals([0, 1, 2, 3].map(() => queue.shift()?.message.topic), ["r1", undefined, "r2", undefined]);
  assert(queue.empty);
});

Deno.test("Messages that have expired make room, as far as they are in front", () => {
  const queue = newQueue();
  const expiring = (topic: string, messageExpiryInterval: number) => {
    const { message, terms } = delivery(topic);
    return new Delivery(message.with({ acceptedAt: 0, properties: { messageExpiryInterval } }), terms);
  };
  for (const entry of [expiring("a", 1), expiring("b", 2), delivery("c"), expiring("d", 1)]) queue.push(entry);
  assertEquals(queue.expire(2000).map(({ message }) => message.topic), ["a", "b"]);
  assertEquals(drain(queue), ["c", "d"]);
});

Deno.test("A queue that is never empty keeps its order over thousands of messages", () => {
  const queue = newQueue();
  let pushed = 0, shifted = 0;
  while (shifted < 10_000) {
    for (let i = 0; i < 3 && queue.deliveries.length < 900; i++) {
      assertEquals(queue.push(delivery(String(pushed++))), undefined);
    }
    for (let i = 0; i < 2; i++) assertEquals(queue.shift()?.message.topic, String(shifted++));
  }
  assertEquals(queue.deliveries.length, pushed - shifted);
});

Deno.test("What has left a queue that is not empty is not held by it", async () => {
  v8.setFlagsFromString("--expose-gc");
  const gc = vm.runInNewContext("gc"), queue = newQueue();
  const sent = (() => {
    for (const topic of ["first", "second"]) queue.push(delivery(topic));
    return new WeakRef(queue.shift()!);
  })();
  await settle(); // a target stays for the rest of the job in which its reference was made
  gc();
  assertEquals([sent.deref()?.message.topic, queue.deliveries.length], [undefined, 1]);
});

Deno.test("The one that has waited longest can be dropped, behind a replay too, and the order of the others stays", () => {
  const queue = newQueue();
  queue.push(delivery("a"));
  queue.pushReplay(replay("r"));
  for (const topic of ["b", "c", "d"]) queue.push(delivery(topic));
  assertEquals([1, 2, 3].map(() => queue.dropOldest()?.message.topic), ["a", "b", "c"]);
  queue.push(delivery("e"));
  assertEquals([queue.messages, drain(queue), queue.dropOldest()], [3, ["r", "d", "e"], undefined]);
  queue.push(delivery("f"));
  assertEquals([queue.dropOldest()?.message.topic, queue.empty, queue.messages, queue.bytes], ["f", true, 0, 0]);
});

Deno.test("What is dropped behind a replay that waits leaves no place behind, however much it is", () => {
  v8.setFlagsFromString("--expose-gc");
  const gc = vm.runInNewContext("gc"), queue = newQueue(), entry = delivery("t");
  queue.push(delivery("a"));
  queue.pushReplay(replay("r"));
  const used = () => (gc(), Deno.memoryUsage().heapUsed), before = used();
  queue.dropOldest();
  for (let i = 0; i < 1_000_000; i++) {
    queue.push(entry);
    queue.dropOldest();
  }
  const growth = used() - before;
  assert(growth < 2_000_000, `The queue has grown by ${growth} bytes`);
  for (const topic of ["b", "c"]) queue.push(delivery(topic));
  assertEquals([queue.messages, drain(queue), queue.empty, queue.messages], [3, ["r", "b", "c"], true, 0]);
});

Deno.test("A newer message takes the place of the one that waits on its topic, where both may be replaced", () => {
  const queue = newQueue(), latest = (topic: string, bytes: number) => delivery(topic, bytes, "latest-per-topic");
  for (const entry of [latest("a", 1), delivery("b"), latest("b", 1)]) queue.push(entry);
  assertEquals(queue.replace(latest("a", 3))?.former.message.size, 1);
  assertEquals(queue.replace(latest("c", 1)), undefined);
  assertEquals([queue.messages, queue.bytes], [3, 4 + 1 + 2]);
  assertEquals(queue.deliveries.map(({ message }) => message.size), [3, 0, 1]);
  queue.shift();
  assertEquals(queue.replace(latest("a", 1)), undefined); // it has gone
});

Deno.test("A queue that was cleared is as good as new: the oldest one is found, and what counts is right", () => {
  const queue = newQueue({ queuedMessages: 10, queuedBytes: 100 });
  queue.pushReplay(replay("r"));
  for (const topic of "abcdefgh") queue.push(delivery(topic, 5));
  for (let i = 0; i < 6; i++) queue.dropOldest();
  queue.clear();
  for (const topic of "xy") queue.push(delivery(topic, 5));
  assertEquals([queue.messages, queue.bytes, queue.overfull(0)], [2, 12, undefined]);
  assertEquals([queue.dropOldest()?.message.topic, drain(queue)], ["x", ["y"]]);
});

Deno.test("A queue is overfull where a message has taken the place of one that took less", () => {
  const memory = new Memory(1000), queue = newQueue({ queuedBytes: 500 }, memory);
  const latest = (bytes: number) => delivery("t", bytes, "latest-per-topic");
  queue.push(latest(1));
  const states = [100, 600, 1000, 1].map((bytes) => (queue.replace(latest(bytes)), queue.overfull(0)));
  assertEquals(states, [undefined, "queue-full", "queue-full", undefined]);
  memory.add(1000);
  const { used } = memory;
  assertEquals([queue.overfull(used), queue.overfull(used - 1)], [undefined, "memory-full"]);
});

Deno.test("Replays take memory while they wait, and where it is full one of them may wait at most", () => {
  const memory = new Memory(10_000), queue = newQueue({}, memory);
  assertEquals(Array.from({ length: 20 }, () => queue.pushReplay(replay("r"))).indexOf("memory-full"), 11);
  assertEquals([drain(queue).length, memory.used], [11, 0]);
  memory.add(20_000);
  assertEquals([queue.pushReplay(replay("r")), queue.pushReplay(replay("r"))], [undefined, "memory-full"]);
  queue.clear();
  assertEquals(memory.used, 20_000);
});

Deno.test("Memory is held for what waits, once for a message in two queues, and given back however it leaves", () => {
  const memory = new Memory(1000),
    queue = newQueue({}, memory),
    other = newQueue({}, memory),
    large = delivery("t", 500);
  queue.push(large);
  const once = memory.used;
  other.push(new Delivery(large.message, large.terms));
  assertEquals(memory.used < once * 2 - 400, true);
  assertEquals(queue.push(delivery("u", 400)), undefined);
  assertEquals([memory.full, queue.push(delivery("v"))], [true, "memory-full"]);
  other.clear();
  queue.dropOldest();
  assertEquals(memory.full, false);
  const latest = delivery("w", 10, "latest-per-topic");
  queue.push(latest);
  queue.replace(delivery("w", 20, "latest-per-topic"));
  drain(queue);
  assertEquals([memory.used, queue.bytes, other.bytes, other.empty], [0, 0, 0, true]);
});
