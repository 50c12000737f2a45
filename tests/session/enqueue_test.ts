// How a message gets its place among those that wait, without a session around it.
import { assertEquals } from "@std/assert";
import { Delivery, DeliveryQueue } from "../../src/session/queue.ts";
import { enqueue, type Room } from "../../src/session/enqueue.ts";
import { Surroundings } from "./surroundings.ts";

Deno.test("latest-per-topic: a larger message that would stand alone while memory is full does not wait, and nobody is told that it does", () => {
  const context = new Surroundings({ memory: 100_000 }), drops: string[] = [];
  const queue = new DeliveryQueue(context.limits, context.memory);
  const room: Room = { queue, context, drop: ({ message }, reason) => drops.push(`${message.size} ${reason}`) };
  const terms = { qos: 1, retain: false, overload: "latest-per-topic" } as const;
  const put = (bytes: number) => {
    const waiting = enqueue(new Delivery(context.message({ topic: "t", payload: new Uint8Array(bytes) }), terms), room);
    return waiting instanceof Delivery ? waiting.message.size : waiting;
  };
  const first = put(100);
  context.memory.add(100_000);
  assertEquals([first, put(450), drops], [100, "memory-full", ["100 superseded"]]);
  assertEquals([queue.messages, context.memory.used], [0, 100_000]);
});
