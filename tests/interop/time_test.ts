// What MQTT 5.0 lets expire, seen by programs: messages, sessions, the delay of wills. They are real, the time is not: it passes
// when a test says so.
import { assertEquals } from "@std/assert";
import type { LocalBroker } from "./local_broker.ts";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import type { Message, Subscriber, SubscriberOptions } from "./program.ts";
import { programs, testLocally, testWith } from "./programs.ts";

const level = 5, plain: Message = { topic: "news", payload: "", qos: 1, retain: false };

/** A message that expires. */
function lasting(seconds: number, fields: Partial<Message> = {}): Message {
  return { ...plain, payload: `${seconds} s`, properties: { messageExpiryInterval: seconds }, ...fields };
}

async function expectAll(subscriber: Subscriber, ...expected: Message[]): Promise<void> {
  for (const message of expected) assertEquals(await subscriber.next(), message);
}

for (const program of programs) {
  const { name } = program;
  const test = testLocally.bind(undefined, [program]);
  const publish = (broker: LocalBroker, ...messages: Message[]) => program.publish(broker, messages, level);

  test(`${name} gets no message that has expired while it was away, and is told how long the others last [MQTT5-3.3.2-5, MQTT5-3.3.2-6]`, async (broker) => {
    const options: SubscriberOptions = { id: "sleeper", filters: ["news"], qos: 1, level, clean: false };
    await program.visit(broker, options);
    await publish(broker, lasting(100), lasting(30), lasting(31));
    await broker.pass(30);
    await using sleeper = await program.subscribe(broker, { ...options, filters: [] });
    await expectAll(sleeper, lasting(70, { payload: "100 s" }), lasting(1, { payload: "31 s" }));
    assertEquals(broker.broker.counters.get("dropped/expired"), 1);
  });

  test(`${name} gets a retained message with the time that it has left, and none that has expired [MQTT5-3.3.2-6]`, async (broker) => {
    await publish(broker, lasting(100, { retain: true }), lasting(2, { topic: "news/short", retain: true }));
    await broker.pass(2);
    await using late = await program.subscribe(broker, { id: "late", filters: ["news/#"], qos: 1, level });
    await publish(broker, plain);
    await expectAll(late, lasting(98, { payload: "100 s", retain: true }), plain);
  });

  test(`${name} finds its session until that has expired [MQTT5-3.1.2-23, MQTT5-4.1.0-2]`, async (broker) => {
    const options = { id: "guest", filters: ["news"], qos: 1, level, clean: false, expiry: 4 } as const;
    await program.visit(broker, options);
    await broker.pass(3);
    await publish(broker, { ...plain, payload: "early" });
    await using early = await program.subscribe(broker, { ...options, filters: [] });
    await expectAll(early, { ...plain, payload: "early" });
    await early.kill();
    await broker.pass(4);
    await publish(broker, { ...plain, payload: "late" });
    await using late = await program.subscribe(broker, options);
    await publish(broker, plain);
    await expectAll(late, plain);
  });

  test(`${name} has its will published when the delay is over, unless it comes back before [MQTT5-3.1.2-8, MQTT5-3.1.3-9]`, async (broker) => {
    const will: Message = { ...plain, topic: "will", payload: "gone", properties: { contentType: "text/plain" } };
    const delayed = { ...will, properties: { ...will.properties, willDelayInterval: 2 } };
    const options = {
      id: "doomed",
      filters: ["unused"],
      qos: 1,
      level,
      expiry: 10,
      clean: false,
      will: delayed,
    } as const;
    await using watcher = await program.subscribe(broker, { id: "watcher", filters: ["will", "news"], qos: 1, level });
    for (const seconds of [1, 1, 2]) {
      await using doomed = await program.subscribe(broker, options);
      await doomed.kill();
      await broker.pass(seconds);
      await publish(broker, { ...plain, payload: `after ${seconds} s` });
    }
    const after = (seconds: number) => ({ ...plain, payload: `after ${seconds} s` });
    await expectAll(watcher, after(1), after(1), will, after(2));
  });

  test(`${name} has its will published when its session ends, where that is before the delay is over [MQTT5-3.1.2-8]`, async (broker) => {
    const will: Message = { ...plain, payload: "gone", properties: { willDelayInterval: 1000 } };
    const options = { id: "doomed", filters: ["unused"], qos: 1, level, expiry: 1, clean: false, will } as const;
    await using watcher = await program.subscribe(broker, { id: "watcher", filters: ["news"], qos: 1, level });
    await using doomed = await program.subscribe(broker, options);
    await doomed.kill();
    await publish(broker, plain);
    await broker.pass(1);
    await expectAll(watcher, plain, { ...plain, payload: "gone" });
  });
}

testLocally([mqttjs], "MQTT.js may give up its session when it leaves", async (broker) => {
  for (const [properties, present] of [[{ sessionExpiryInterval: 0 }, false], [{}, true]] as const) {
    const options = { clean: false, properties: { sessionExpiryInterval: 100 } } as const;
    await using before = await MqttjsClient.connect(broker, `${present}`, options);
    await before.leave({ properties });
    await using after = await MqttjsClient.connect(broker, `${present}`, options);
    assertEquals((await after.packet("connack")).sessionPresent, present);
  }
});

testWith(
  [mosquitto],
  "A will that is delayed by a second comes by itself, with the real clock of the broker",
  async (broker) => {
    const will = { ...plain, properties: { willDelayInterval: 1 } },
      options = { filters: ["news"], qos: 1, level } as const;
    await using watcher = await mosquitto.subscribe(broker, { ...options, id: "watcher" });
    await using doomed = await mosquitto.subscribe(broker, {
      ...options,
      id: "doomed",
      filters: [],
      expiry: 100,
      will,
    });
    await doomed.kill();
    await expectAll(watcher, plain);
  },
);
