// What broker and client tell each other with MQTT 5.0 when they connect, and that either side keeps to the limits of the other.
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { run } from "../support/process.ts";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import type { Message } from "./program.ts";
import { testLocally } from "./programs.ts";

const message: Message = { topic: "a", payload: "?", qos: 1, retain: false };

testLocally(
  [mqttjs],
  "MQTT.js gets no packet that is too large for it, but those that come after it [MQTT5-3.1.2-24, MQTT5-3.1.2-25]",
  async (broker) => {
    await using client = await MqttjsClient.connect(broker, "small", { properties: { maximumPacketSize: 50 } });
    await client.subscribe("a", { qos: 1 });
    const sized = (length: number) => ({ ...message, payload: "x".repeat(length) });
    const rest = 50 - 2 - 3 - 2 - 1; // fixed header, topic, packet identifier, no properties
    await mqttjs.publish(broker, [sized(rest + 1), sized(rest)], 5);
    assertEquals(await client.messages.take(), sized(rest));
    await broker.logged('Dropped a message on "a" for client "small": packet-too-large');
  },
);

for (const qos of [1, 2] as const) {
  testLocally([mosquitto], `Mosquitto keeps to the receive maximum of the broker at QoS ${qos}`, async (broker) => {
    const options = { id: "subscriber", filters: ["a"], qos, level: 5 } as const;
    await using subscriber = await mosquitto.subscribe(broker, options);
    const messages = [...Array(20).keys()].map((i) => ({ ...message, payload: `${i}`, qos }));
    await mosquitto.publish(broker, messages, 5);
    for (const message of messages) assertEquals(await subscriber.next(), message);
  }, { limits: { receiveMaximum: 2 } });
}

const limits = { packet: "1KiB", receiveMaximum: 2, topicAliases: 3, keepAlive: 7, sessionExpiry: 8 } as const;

testLocally([mqttjs], "MQTT.js is told the limits of the broker", async (broker) => {
  const options = { keepalive: 60, properties: { sessionExpiryInterval: 100 } };
  await using client = await MqttjsClient.connect(broker, "client", options);
  assertEquals({ ...(await client.packet("connack")).properties }, {
    maximumPacketSize: 1024,
    receiveMaximum: 2,
    topicAliasMaximum: 3,
    serverKeepAlive: 7,
    sessionExpiryInterval: 8,
  });
  await broker.logged("keep alive 7 s");
}, { limits });

testLocally(
  [mqttjs],
  "MQTT.js is given a client identifier, and finds its session again with it [MQTT5-3.1.3-7, MQTT5-3.2.2-16]",
  async (broker) => {
    const properties = { sessionExpiryInterval: 100 };
    const assigned = async () => {
      await using client = await MqttjsClient.connect(broker, "", { properties });
      return (await client.packet("connack")).properties?.assignedClientIdentifier ?? "";
    };
    const id = await assigned();
    assertNotEquals(await assigned(), id);
    await broker.logged(`Client "${id}" disconnected`);
    await using again = await MqttjsClient.connect(broker, id, { clean: false, properties });
    const connack = await again.packet("connack");
    assertEquals([connack.sessionPresent, connack.properties?.assignedClientIdentifier], [true, undefined]);
  },
);

testLocally(
  [mosquitto],
  "Mosquitto is given a client identifier of its own each time [MQTT5-3.1.3-6]",
  async (broker) => {
    const ids = new Set<string>();
    for (let i = 0; i < 2; i++) {
      await run("mosquitto_pub", { args: ["-p", `${broker.port}`, "-V", "5", "-t", "a", "-n"] });
      const [, id = ""] = /^Client "(.*)" connected/.exec(await broker.logged(" connected ")) ?? [];
      ids.add(id);
    }
    assertEquals(ids.size, 2);
    for (const id of ids) assertMatch(id, /./);
  },
);
