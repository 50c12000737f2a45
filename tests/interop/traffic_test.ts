// Many messages, and a large one, from one process to another.
import { assertEquals } from "@std/assert";
import { programs, testWith } from "./programs.ts";

const COUNT = 1000, LARGE = 500_000;

for (const program of programs) {
  for (const qos of [0, 1, 2] as const) {
    testWith(
      [program],
      `${program.name} gets ${COUNT} messages of QoS ${qos} in order, each of them once`,
      async (broker) => {
        await using subscriber = await program.subscribe(broker, { id: "all", filters: ["count"], qos });
        const payloads = [...Array(COUNT).keys()].map((i) => i === COUNT / 2 ? "x".repeat(LARGE) : `${i}`);
        await program.publish(broker, payloads.map((payload) => ({ topic: "count", payload, qos, retain: false })));
        for (const payload of payloads) assertEquals((await subscriber.next()).payload, payload);
      },
    );
  }
}
