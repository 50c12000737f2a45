// Many messages, and a large one, from one process to another; with MQTT 5.0 within what each side can take at a time.
import { assertEquals } from "@std/assert";
import { levelNames } from "./program.ts";
import { programs, testWith } from "./programs.ts";

const COUNT = 1000, LARGE = 500_000;

const ways = [[4, 0], [4, 1], [4, 2], [5, 2]] as const;

for (const program of programs) {
  for (const [level, qos] of ways) {
    testWith(
      [program],
      `${program.name} with ${levelNames[level]} gets ${COUNT} messages of QoS ${qos} in order, each of them once`,
      async (broker) => {
        await using subscriber = await program.subscribe(broker, { id: "all", filters: ["count"], qos, level });
        const payloads = [...Array(COUNT).keys()].map((i) => i === COUNT / 2 ? "x".repeat(LARGE) : `${i}`);
        const messages = payloads.map((payload) => ({ topic: "count", payload, qos, retain: false }));
        await program.publish(broker, messages, level);
        for (const payload of payloads) assertEquals((await subscriber.next()).payload, payload);
      },
    );
  }
}
