// What programs are told of a refusal, or of the end of their connection: with MQTT 5.0 the reason, with 3.1.1 what that has a word
// for. Each program has words of its own for the reasons.
import { assertEquals, assertRejects } from "@std/assert";
import { Process } from "../support/process.ts";
import { connection, mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import { paho } from "./paho.ts";
import { levelNames, type Message } from "./program.ts";
import { programs, testLocally } from "./programs.ts";

const message: Message = { topic: "open", payload: "?", qos: 1, retain: false };
const secret: Message = { ...message, topic: "secret" };

/** Refuses what concerns one topic. */
const guarded = {
  authorize: ({ topic }: { topic: string }) =>
    topic !== secret.topic || { reason: "quota-exceeded", message: "It has been said too often" } as const,
};

const connects = [
  [mosquitto, 5, "Banned"],
  [mosquitto, 4, "not authorised"],
  [mqttjs, 5, "Banned"],
  [mqttjs, 4, "Not authorized"],
  [paho, 5, "Refused: Banned"],
  [paho, 4, "Refused: 5"],
] as const;

for (const [program, level, text] of connects) {
  testLocally(
    [program],
    `${program.name} with ${levelNames[level]} is told why it may not connect`,
    async (broker) => {
      await assertRejects(() => program.publish(broker, [message], level), Error, text);
      await broker.logged("banned");
    },
    { authenticate: () => "banned" },
  );
}

testLocally([mqttjs], "MQTT.js is told where to go instead", async (broker) => {
  await using client = new MqttjsClient(broker, "traveller");
  await assertRejects(() => client.connected, Error, "Server moved");
  const { reasonCode, properties } = await client.packet("connack");
  assertEquals(reasonCode, 0x9d);
  assertEquals({ ...properties }, { serverReference: "elsewhere:1883", reasonString: "We have moved" });
}, { authenticate: () => ({ reason: "server-moved", serverReference: "elsewhere:1883", message: "We have moved" }) });

for (const program of programs) {
  const levels = program === mqttjs ? [4] as const : [4, 5] as const;
  for (const level of levels) {
    testLocally(
      [program],
      `${program.name} with ${levelNames[level]} goes on where something that it publishes is refused`,
      async (broker) => {
        await using watcher = await program.subscribe(broker, { id: "watcher", filters: ["#"], qos: 2, level });
        const messages = [secret, message, { ...secret, qos: 2 }, { ...message, qos: 2 }] as const;
        await program.publish(broker, messages, level);
        for (const message of messages) {
          if (message.topic !== secret.topic) assertEquals(await watcher.next(), message);
        }
      },
      guarded,
    );
  }
}

testLocally(
  [mosquitto],
  "Mosquitto is told why its message is refused [MQTT5-3.4.2-1, MQTT5-3.5.2-1]",
  async (broker) => {
    for (const qos of [1, 2]) {
      const args = [...connection(broker, "talker", 5), "-t", secret.topic, "-m", "?", "-q", `${qos}`];
      await using process = new Process("mosquitto_pub", { args });
      await process.errors.take((line) => line === "Warning: Publish 1 failed: Quota exceeded.");
    }
  },
  guarded,
);

testLocally(
  [mqttjs],
  "MQTT.js is told why its message is refused, in words unless it does not want them [MQTT5-3.1.2-29, MQTT5-3.4.2-1, MQTT5-3.5.2-1]",
  async (broker) => {
    for (
      const [requestProblemInformation, reasonString] of [[true, "It has been said too often"], [
        false,
        undefined,
      ]] as const
    ) {
      await using client = await MqttjsClient.connect(broker, "talker", { properties: { requestProblemInformation } });
      for (const [qos, answer] of [[1, "puback"], [2, "pubrec"]] as const) {
        await assertRejects(() => client.publish({ ...secret, qos }), Error, "Quota exceeded");
        const { reasonCode, properties } = await client.packet(answer);
        assertEquals([reasonCode, properties?.reasonString], [0x97, reasonString]);
        await client.publish({ ...message, qos });
      }
    }
  },
  guarded,
);

const subscribers = [
  [mqttjs, 5, "Quota exceeded"],
  [mqttjs, 4, "Unspecified error"],
  [paho, 5, "Granted: ['Granted QoS 1', 'Quota exceeded']"],
  [paho, 4, "Granted: ['1', '128']"],
] as const;

for (const [program, level, text] of subscribers) {
  testLocally(
    [program],
    `${program.name} with ${levelNames[level]} is told why it may not subscribe`,
    async (broker) => {
      const options = { id: "curious", filters: [message.topic, secret.topic], qos: 1, level } as const;
      await assertRejects(() => program.subscribe(broker, options), Error, text);
    },
    guarded,
  );
}

testLocally([mqttjs], "MQTT.js is told that its payload is not the text that it says it is", async (broker) => {
  await using client = await MqttjsClient.connect(broker, "client");
  const publish = (payloadFormatIndicator: boolean) =>
    client.unlessLost(client.raw.publishAsync("open", Uint8Array.of(0xff), {
      qos: 1,
      retain: false,
      properties: { payloadFormatIndicator },
    }));
  await assertRejects(() => publish(true), Error, "Payload format invalid");
  await publish(false);
}, { validatePayloadFormat: true });

for (const program of programs) {
  testLocally(
    [mqttjs, program],
    `MQTT.js is told that ${program.name} takes over its session [MQTT5-3.1.4-3]`,
    async (broker) => {
      await using first = await MqttjsClient.connect(broker, "same");
      await program.visit(broker, { id: "same", filters: [], qos: 0, level: 5 });
      assertEquals((await first.packet("disconnect")).reasonCode, 0x8e);
    },
  );
}

testLocally([mqttjs], "MQTT.js is told that the broker closes", async (broker) => {
  await using client = await MqttjsClient.connect(broker, "client");
  const closed = broker.broker.close();
  assertEquals((await client.packet("disconnect")).reasonCode, 0x8b);
  await closed;
});
