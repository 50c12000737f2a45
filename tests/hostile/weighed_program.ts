// A broker in a process of its own that says what it weighs when a client asks, on "weigh", in bytes of memory that is in use after a
// collection of garbage. What is published to "refused" is refused at length.
import { createBroker } from "../../mod.ts";

const refusal = { reason: "not-authorized", message: "x".repeat(1000) } as const;
const broker = createBroker({ authorize: ({ topic }) => topic === "refused" ? refusal : true });
broker.topic("weigh").subscribe(() => {
  (globalThis as unknown as { gc(): void }).gc();
  broker.publish("weight", Deno.memoryUsage().rss);
});
console.log(broker.listen({ port: 0 }).port);
