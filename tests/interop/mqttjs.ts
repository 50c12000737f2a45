// MQTT.js, in the process of the test.
// @ts-types="./mqttjs.d.ts"
import mqtt, { type Client, type ClientOptions } from "npm:mqtt@^5";
import { Mailbox } from "../support/mailbox.ts";
import type { BrokerProcess } from "../support/process.ts";
import { gone, type Level, type Message, type Program, publisherId, type SubscriberOptions } from "./program.ts";

/** MQTT.js. */
export const mqttjs: Program = {
  name: "MQTT.js",
  installed: true, // by import

  async subscribe(broker, options) {
    const messages = new Mailbox<Message>(`Messages of ${options.id}`);
    const client = await subscribed(broker, options, messages);
    return {
      next: () => messages.take(),
      freeze: () => client.stream.unpipe().pause(),
      async kill() {
        await client.endAsync(true);
        await gone(broker, options.id, "connection-lost");
      },
      [Symbol.asyncDispose]: () => client.endAsync(true),
    };
  },

  async visit(broker, options) {
    const client = await subscribed(broker, options, new Mailbox("Messages of nobody"));
    await client.endAsync();
    await gone(broker, options.id, "disconnect");
  },

  async publish(broker, messages, level) {
    const id = publisherId(), client = mqtt.connect(address(broker), basics(id, level));
    await connected(client);
    await Promise.all(
      messages.map(({ topic, payload, qos, retain }) => client.publishAsync(topic, payload, { qos, retain })),
    );
    await client.endAsync();
    await gone(broker, id, "disconnect");
  },
};

function address({ port }: BrokerProcess): string {
  return `mqtt://127.0.0.1:${port}`;
}

function basics(clientId: string, level: Level = 4): ClientOptions {
  return { clientId, protocolVersion: level, protocolId: level === 3 ? "MQIsdp" : "MQTT", reconnectPeriod: 0 };
}

async function subscribed(
  broker: BrokerProcess,
  { id, filters, qos, clean = true, will, level }: SubscriberOptions,
  messages: Mailbox<Message>,
): Promise<Client> {
  const client = mqtt.connect(address(broker), { ...basics(id, level), clean, ...will ? { will } : {} });
  client.on("message", (topic, bytes, { qos, retain }) => {
    messages.put({ topic, payload: new TextDecoder().decode(bytes), qos, retain });
  });
  await connected(client);
  if (filters.length > 0) {
    const granted = await client.subscribeAsync([...filters], { qos });
    if (granted.some((grant) => grant.qos !== qos)) throw new Error(`Granted: ${JSON.stringify(granted)}`);
  }
  return client;
}

function connected(client: Client): Promise<void> {
  return new Promise((resolve, reject) => client.once("connect", () => resolve()).once("error", reject));
}
