// Every program publishes to every program, at every quality of service.
import { assertEquals } from "@std/assert";
import type { QoS } from "../../src/message.ts";
import type { Message } from "./program.ts";
import { programs, testWith } from "./programs.ts";

const levels: readonly QoS[] = [0, 1, 2];

for (const publisher of programs) {
  for (const subscriber of programs) {
    testWith(
      [publisher, subscriber],
      `${publisher.name} publishes to ${subscriber.name}, QoS 0 to 2 each`,
      async (broker) => {
        await using clients = new AsyncDisposableStack();
        const subscribers = await Promise.all(
          levels.map(async (qos) =>
            clients.use(await subscriber.subscribe(broker, { id: `subscriber-${qos}`, filters: ["home/+/lamp"], qos }))
          ),
        );
        const messages = levels.map((qos): Message => ({
          topic: "home/hall/lamp",
          payload: `lämp ${qos}`,
          qos,
          retain: false,
        }));
        await publisher.publish(broker, messages);
        for (const [granted, client] of subscribers.entries()) {
          for (const message of messages) {
            assertEquals(await client.next(), { ...message, qos: Math.min(message.qos, granted) as QoS });
          }
        }
      },
    );
  }
}
