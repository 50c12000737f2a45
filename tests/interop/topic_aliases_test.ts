// Topic aliases of MQTT 5.0, as MQTT.js and Mosquitto give them and MQTT.js takes them.
import { assertEquals } from "@std/assert";
import { run } from "../support/process.ts";
import { connection, mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import type { Message } from "./program.ts";
import { programs, testLocally } from "./programs.ts";

/** Messages that come to a few topics again and again. */
const messages = [..."abcabcaabbccc"].map((topic, i): Message => ({ topic, payload: `${i}`, qos: 1, retain: false }));

/** Topic and alias of the packets that publish. */
function published(packets: MqttjsClient["sent"]): [string, number | undefined][] {
  const found = packets.rest().filter(({ cmd }) => cmd === "publish");
  return found.map(({ topic = "", properties }) => [topic, properties?.topicAlias]);
}

testLocally(programs, "MQTT.js gives topic aliases by itself, which no subscriber sees", async (broker) => {
  await using clients = new AsyncDisposableStack();
  const options = { filters: ["#"], qos: 1, level: 5 } as const;
  const subscribers = await Promise.all(
    programs.map(async (program, i) => clients.use(await program.subscribe(broker, { ...options, id: `${i}` }))),
  );
  await using client = await MqttjsClient.connect(broker, "client", { autoAssignTopicAlias: true });
  await Promise.all(messages.map((message) => client.publish(message)));
  for (const subscriber of subscribers) {
    for (const message of messages) assertEquals(await subscriber.next(), message);
  }
  const [a, b, c, ...again] = published(client.sent);
  assertEquals([a, b, c], [["a", 1], ["b", 2], ["c", 3]]);
  assertEquals(again, messages.slice(3).map(({ topic }) => ["", "abc".indexOf(topic) + 1]));
});

for (
  const [maximum, does] of [[2, "gives its topic aliases to other topics"], [0, "gives no topic aliases"]] as const
) {
  testLocally([mqttjs], `MQTT.js ${does} where the broker takes ${maximum} [MQTT5-3.3.2-12]`, async (broker) => {
    await using client = await MqttjsClient.connect(broker, "client", { autoAssignTopicAlias: true });
    await client.subscribe("#", { qos: 1 });
    await Promise.all(messages.map((message) => client.publish(message)));
    for (const message of messages) assertEquals(await client.messages.take(), message);
    const aliases = published(client.sent).map(([, alias = 0]) => alias);
    assertEquals([Math.min(...aliases), Math.max(...aliases)], [Math.min(1, maximum), maximum]);
  }, { limits: { topicAliases: maximum } });
}

for (const maximum of [0, 1, 2, 5]) {
  testLocally(
    [mqttjs],
    `MQTT.js that takes ${maximum} topic aliases is given no more [MQTT5-3.1.2-26, MQTT5-3.1.2-27, MQTT5-3.3.2-11]`,
    async (broker) => {
      await using client = await MqttjsClient.connect(broker, "client", { properties: { topicAliasMaximum: maximum } });
      await client.subscribe("#", { qos: 1 });
      await mqttjs.publish(broker, messages, 5);
      for (const message of messages) assertEquals(await client.messages.take(), message);
      const packets = published(client.received);
      assertEquals(Math.max(...packets.map(([, alias = 0]) => alias)), Math.min(maximum, 3));
      assertEquals(packets.some(([topic]) => topic === ""), maximum > 0);
    },
  );
}

testLocally([mosquitto], "Mosquitto publishes with a topic alias instead of the topic name", async (broker) => {
  await using subscriber = await mosquitto.subscribe(broker, { id: "subscriber", filters: ["lamp"], qos: 1, level: 5 });
  const args = [...connection(broker, "publisher", 5), "-t", "lamp", "-q", "1", "-l"];
  await run("mosquitto_pub", { args: [...args, "-D", "publish", "topic-alias", "100"], input: "1\n2\n3\n" });
  for (const payload of ["1", "2", "3"]) {
    assertEquals(await subscriber.next(), { topic: "lamp", payload, qos: 1, retain: false });
  }
});
