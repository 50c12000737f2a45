// MQTT 3.1 is served, and MQTT 5.0 is refused in a way that its clients understand.
import { assertEquals, assertRejects } from "@std/assert";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs } from "./mqttjs.ts";
import { paho } from "./paho.ts";
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

/** What each program makes of the refusal. */
const refused = [
  [mosquitto, "Unsupported Protocol Version"],
  [mqttjs, "Unacceptable protocol version"],
  [paho, "Refused"],
] as const;

for (const [program, text] of refused) {
  testWith(
    [program],
    `${program.name} is told that MQTT 5.0 is not served, and can go on with 3.1.1`,
    async (broker) => {
      await assertRejects(() => program.publish(broker, [message], 5), Error, text);
      await broker.logged("unsupported-protocol-version");
      await program.publish(broker, [message]);
    },
  );
}
