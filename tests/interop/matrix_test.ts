// Every program publishes to every program, with MQTT 3.1.1 and 5.0 on either side, at every quality of service. What 5.0 says of a
// message reaches those that speak it.
import { assertEquals } from "@std/assert";
import type { QoS } from "../../src/message.ts";
import { mosquitto } from "./mosquitto.ts";
import { paho } from "./paho.ts";
import { levelNames, type Message, type Program, type Properties } from "./program.ts";
import { programs, testLocally, testWith } from "./programs.ts";

const qualities: readonly QoS[] = [0, 1, 2], levels = [4, 5] as const;

/** Every program can tell them; no user property comes between two others of one name, which MQTT.js would not tell. */
const properties: Properties = {
  payloadFormatIndicator: true,
  messageExpiryInterval: 3600,
  contentType: "text/plain;charset=utf-8",
  responseTopic: "home/hall/änswer",
  correlationData: "nr:7",
  userProperties: [["unit", "lümen"], ["by", "b"], ["by", "a"], ["by", "b"], ["empty", ""]],
};

for (const publisher of programs) {
  for (const subscriber of programs) {
    testWith(
      [publisher, subscriber],
      `${publisher.name} publishes to ${subscriber.name} with MQTT 3.1.1 and 5.0, QoS 0 to 2 each [MQTT5-3.3.2-4, MQTT5-3.3.2-15, MQTT5-3.3.2-16, MQTT5-3.3.2-17]`,
      async (broker) => {
        await using clients = new AsyncDisposableStack();
        const options = levels.flatMap((level) => qualities.map((qos) => ({ level, qos })));
        const subscribers = await Promise.all(options.map(async ({ level, qos }) => {
          const id = `subscriber ${level} ${qos}`, options = { id, filters: ["home/+/lamp"], qos, level };
          return { level, granted: qos, client: clients.use(await subscriber.subscribe(broker, options)) };
        }));
        for (const from of levels) {
          const messages = qualities.map((qos): Message => ({
            topic: "home/hall/lamp",
            payload: `lämp ${qos} by ${levelNames[from]}`,
            qos,
            retain: false,
          }));
          await publisher.publish(broker, from === 5 ? messages.map((m) => ({ ...m, properties })) : messages, from);
          for (const { level, granted, client } of subscribers) {
            for (const message of messages) {
              const expected = { ...message, qos: Math.min(message.qos, granted) as QoS };
              assertEquals(await client.next(), from === 5 && level === 5 ? { ...expected, properties } : expected);
            }
          }
        }
      },
    );
  }
}

const observers = [mosquitto, paho];

for (const publisher of observers) {
  testLocally(
    observers,
    `${publisher.name}'s user properties keep their order, those of its will too [MQTT5-3.3.2-18, MQTT5-3.1.3-10]`,
    async (broker) => {
      await using clients = new AsyncDisposableStack();
      const options = { filters: ["order"], qos: 1, level: 5 } as const;
      const subscribe = (observer: Program) => observer.subscribe(broker, { ...options, id: observer.name });
      const subscribers = await Promise.all(observers.map(async (observer) => clients.use(await subscribe(observer))));
      const userProperties = [..."bacabab"].map((name, i) => [name, `${i}`] as const);
      const message = { topic: "order", payload: "?", qos: 1, retain: false, properties: { userProperties } } as const;
      await publisher.publish(broker, [message], 5);
      await using doomed = await publisher.subscribe(broker, { ...options, id: "doomed", filters: [], will: message });
      await doomed.kill();
      for (const subscriber of subscribers) {
        for (let i = 0; i < 2; i++) assertEquals(await subscriber.next(), message);
      }
    },
  );
}
