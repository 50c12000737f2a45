// A broker in a process of its own that says what it weighs when a client asks, on "weigh": the bytes of its memory, and of its
// objects, after a collection of garbage.
import { createBroker } from "../../mod.ts";

const broker = createBroker();
broker.topic("weigh").subscribe(() => {
  (globalThis as unknown as { gc(): void }).gc();
  const { rss, heapUsed } = Deno.memoryUsage();
  broker.publish("weight", { all: rss, objects: heapUsed });
});
console.log(broker.listen({ port: 0 }).port);
