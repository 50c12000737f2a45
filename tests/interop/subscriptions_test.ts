// How programs subscribe with MQTT 5.0: identifiers, options, and subscriptions that several of them share.
import { assertEquals } from "@std/assert";
import type { QoS } from "../../src/message.ts";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import type { Message, Subscriber } from "./program.ts";
import { programs, testLocally } from "./programs.ts";

const level = 5, message: Message = { topic: "a/b", payload: "?", qos: 1, retain: false };

/** Some messages that differ by their payload. */
function numbered(count: number, qos: QoS = 1): Message[] {
  return [...Array(count).keys()].map((i) => ({ ...message, payload: `${i}`, qos }));
}

for (const program of programs) {
  const { name } = program;
  const test = testLocally.bind(undefined, [program]);

  test(`${name} is told the identifier of its subscription, with retained and with live messages [MQTT5-3.3.4-3]`, async (broker) => {
    await program.publish(broker, [{ ...message, retain: true }], level);
    const options = { id: "marked", filters: ["a/+"], qos: 1, level, identifier: 268_435_455 } as const;
    await using marked = await program.subscribe(broker, options);
    await program.publish(broker, [message], level);
    const properties = { subscriptionIdentifier: [options.identifier] };
    for (const retain of [true, false]) assertEquals(await marked.next(), { ...message, retain, properties });
  });

  test(`${name} loses its place in a shared subscription when it is killed, and what it has not acknowledged goes to another member`, async (broker) => {
    const options = { filters: ["$share/workers/a/#"], qos: 1, level } as const;
    await using doomed = await program.subscribe(broker, { ...options, id: "doomed" });
    await using heir = await program.subscribe(broker, { ...options, id: "heir" });
    doomed.freeze();
    await program.publish(broker, numbered(4), level);
    const next = async () => Number((await heir.next()).payload);
    const own = [await next(), await next()];
    await doomed.kill();
    const inherited = [await next(), await next()];
    assertEquals([...own, ...inherited].sort(), [0, 1, 2, 3]);
    assertEquals(inherited, inherited.toSorted());
    await program.publish(broker, [message], level);
    assertEquals(await heir.next(), message);
  });
}

for (const qos of [0, 1, 2] as const) {
  testLocally(
    programs,
    `Programs that share a subscription get a third of the messages of QoS ${qos} each, whatever version they speak [MQTT5-4.8.2-3]`,
    async (broker) => {
      await using clients = new AsyncDisposableStack();
      const subscribe = async (id: string, filter: string, at: number) => {
        const options = { id, filters: [filter], qos, level: at % 2 === 0 ? 5 : 4 } as const;
        return clients.use(await programs[at]!.subscribe(broker, options));
      };
      const alone = await subscribe("alone", "a/#", 0);
      const members = await Promise.all(programs.map((_, i) => subscribe(`member ${i}`, "$share/group/a/#", i)));
      const messages = numbered(12, qos);
      await mosquitto.publish(broker, messages, level);
      for (const message of messages) assertEquals(await alone.next(), message);
      const four = async (member: Subscriber) => [
        await member.next(),
        await member.next(),
        await member.next(),
        await member.next(),
      ];
      const parts = await Promise.all(members.map(four));
      assertEquals(parts.flat().sort((a, b) => Number(a.payload) - Number(b.payload)), messages);
    },
  );
}

const test = testLocally.bind(undefined, [mqttjs]);

test("MQTT.js is told all identifiers of the subscriptions that match [MQTT5-3.3.4-4]", async (broker) => {
  await using client = await MqttjsClient.connect(broker, "marked");
  for (const [filter, subscriptionIdentifier] of [["a/+", 1], ["+/b", 300], ["a/#", 300], ["c", 3]] as const) {
    await client.subscribe(filter, { qos: 1, properties: { subscriptionIdentifier } });
  }
  await client.subscribe("#", { qos: 1 });
  await client.publish(message);
  await client.publish({ ...message, topic: "c" });
  const marked = (...subscriptionIdentifier: number[]) => ({ ...message, properties: { subscriptionIdentifier } });
  assertEquals(await client.messages.take(), marked(1, 300, 300)); // one for each, also where they are alike
  assertEquals(await client.messages.take(), { ...marked(3), topic: "c" });
});

test("MQTT.js does not get what it has published itself where it asks for no local [MQTT5-3.8.3-3]", async (broker) => {
  await using client = await MqttjsClient.connect(broker, "lonely");
  await client.subscribe("a/+", { qos: 1, nl: true });
  await client.publish({ ...message, payload: "own" });
  await mqttjs.publish(broker, [message], level);
  assertEquals(await client.messages.take(), message);
});

test("MQTT.js gets the mark of retained messages as it asks for it [MQTT5-3.3.1-12, MQTT5-3.3.1-13]", async (broker) => {
  for (const rap of [false, true]) {
    await using client = await MqttjsClient.connect(broker, `${rap}`);
    await client.subscribe("a/+", { qos: 1, rap, rh: 2 });
    for (const retain of [true, false]) await client.publish({ ...message, retain });
    assertEquals(await client.messages.take(), { ...message, retain: rap });
    assertEquals(await client.messages.take(), message);
  }
});

test("MQTT.js gets retained messages always, at its first subscription, or never [MQTT5-3.3.1-9, MQTT5-3.3.1-10, MQTT5-3.3.1-11]", async (broker) => {
  const retained = { ...message, retain: true };
  await mqttjs.publish(broker, [retained], level);
  for (const [rh, expected] of [[0, [retained, retained]], [1, [retained]], [2, []]] as const) {
    await using client = await MqttjsClient.connect(broker, `${rh}`);
    for (let i = 0; i < 2; i++) await client.subscribe("a/+", { qos: 1, rh });
    await client.publish({ ...message, payload: "end" });
    for (const message of expected) assertEquals(await client.messages.take(), message);
    assertEquals((await client.messages.take()).payload, "end");
  }
});

test("MQTT.js is told which of its subscriptions there were when it unsubscribes [MQTT5-3.11.3-1]", async (broker) => {
  await using client = await MqttjsClient.connect(broker, "leaver");
  await client.subscribe("a/+", { qos: 1 });
  await client.unlessLost(client.raw.unsubscribeAsync(["never", "a/+", "a/b"]));
  assertEquals((await client.packet("unsuback")).granted, [0x11, 0, 0x11]);
});
