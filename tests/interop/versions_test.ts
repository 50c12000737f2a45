// MQTT 3.1 is served, too: to programs that still speak it.
import { assertEquals } from "@std/assert";
import type { Message } from "./program.ts";
import { programs, testWith } from "./programs.ts";

const message: Message = { topic: "version", payload: "?", qos: 2, retain: false };

for (const program of programs) {
  testWith([program], `${program.name} speaks MQTT 3.1, too`, async (broker) => {
    const options = { filters: [message.topic], qos: 2, level: 3 } as const, will = { ...message, payload: "gone" };
    await using watcher = await program.subscribe(broker, { ...options, id: "watcher" });
    const messages = ([0, 1, 2] as const).map((qos) => ({ ...message, qos }));
    await program.publish(broker, messages, 3);
    for (const message of messages) assertEquals(await watcher.next(), message);
    await using doomed = await program.subscribe(broker, { ...options, id: "doomed", filters: ["unused"], will });
    await doomed.kill();
    assertEquals(await watcher.next(), will);
  });
}
