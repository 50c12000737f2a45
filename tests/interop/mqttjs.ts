// MQTT.js, in the process of the test: as a program like the others, and as a client whose every packet a test can see.
// @ts-types="./mqttjs.d.ts"
import mqtt from "npm:mqtt@^5";
import { Mailbox } from "../support/mailbox.ts";
import type { Client, ClientOptions, Packet, SubscribeOptions, WireProperties } from "./mqttjs.d.ts";
import { expiryOf, gone, type Level, type Message, type Program, type Properties, publisherId } from "./program.ts";
import { received, type SubscriberOptions, type TestedBroker } from "./program.ts";

/** MQTT.js. */
export const mqttjs: Program = {
  name: "MQTT.js",
  installed: true, // by import

  async subscribe(broker, options) {
    const client = await subscribed(broker, options);
    return {
      next: () => client.messages.take(),
      freeze: () => client.raw.stream.unpipe().pause(),
      async kill() {
        await client[Symbol.asyncDispose]();
        await gone(broker, options.id, "connection-lost");
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  },

  async visit(broker, options) {
    await using client = await subscribed(broker, options);
    await client.leave();
  },

  async publish(broker, messages, level) {
    await using client = await MqttjsClient.connect(broker, publisherId(), { level: level ?? 4 });
    await Promise.all(messages.map((message) => client.publish(message)));
    await client.leave();
  },
};

/** How a client connects. */
interface MqttjsOptions extends Partial<ClientOptions> {
  /** Default 5. */
  readonly level?: Level;
}

/** A client of MQTT.js. */
export class MqttjsClient implements AsyncDisposable {
  /** The client itself. */
  readonly raw: Client;
  readonly messages: Mailbox<Message>;
  /** The packets that the broker has sent. */
  readonly received: Mailbox<Packet>;
  /** The packets that the client has sent. */
  readonly sent: Mailbox<Packet>;
  /** Resolves when the broker has accepted it. */
  readonly connected: Promise<void>;
  readonly #broker: TestedBroker;
  readonly #id: string;
  readonly #lost = Promise.withResolvers<never>();

  constructor(broker: TestedBroker, id: string, { level = 5, ...options }: MqttjsOptions = {}) {
    this.#broker = broker;
    this.#id = id;
    this.messages = new Mailbox(`Messages of ${id}`);
    this.received = new Mailbox(`Packets to ${id}`);
    this.sent = new Mailbox(`Packets from ${id}`);
    this.raw = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, {
      ...options,
      clientId: id,
      protocolVersion: level,
      protocolId: level === 3 ? "MQIsdp" : "MQTT",
      reconnectPeriod: 0,
    });
    this.raw
      .on("error", this.#lost.reject)
      .on("close", () => this.#lost.reject(new Error("The connection was closed")))
      .on("packetsend", (packet) => this.sent.put({ ...packet }))
      .on("packetreceive", (packet) => this.received.put(packet))
      .on("message", (topic, bytes, { qos, retain, properties = {} }) => {
        this.messages.put(received({ topic, payload: new TextDecoder().decode(bytes), qos, retain }, ours(properties)));
      });
    this.connected = this.unlessLost(new Promise((resolve) => this.raw.on("connect", resolve)));
    this.connected.catch(() => {}); // nobody need wait for it
    this.#lost.promise.catch(() => {});
  }

  /** Connects; resolves when the broker has accepted it. */
  static async connect(broker: TestedBroker, id: string, options: MqttjsOptions = {}): Promise<MqttjsClient> {
    const client = new MqttjsClient(broker, id, options);
    await client.connected;
    return client;
  }

  /** The same promise, but that it rejects where the connection is lost. */
  unlessLost<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#lost.promise]);
  }

  /** Publishes a message; resolves when the broker has accepted it. */
  publish({ topic, payload, qos, retain, properties }: Message): Promise<unknown> {
    return this.unlessLost(this.raw.publishAsync(topic, payload, {
      qos,
      retain,
      ...properties && { properties: theirs(properties) },
    }));
  }

  /** Subscribes; resolves when the broker has granted all that was asked for. */
  async subscribe(filters: string | string[], options: SubscribeOptions): Promise<void> {
    const granted = await this.unlessLost(this.raw.subscribeAsync(filters, options));
    if (granted.some((grant) => grant.qos !== options.qos)) throw new Error(`Granted: ${JSON.stringify(granted)}`);
  }

  /** Leaves with a word; resolves when the broker has heard it. */
  async leave(disconnect?: Omit<Packet, "cmd">): Promise<void> {
    await this.raw.endAsync(false, disconnect);
    await gone(this.#broker, this.#id, "disconnect");
  }

  /** Resolves to the next packet of a kind that the broker sends. */
  packet(cmd: string): Promise<Packet> {
    return this.received.take((packet) => packet.cmd === cmd);
  }

  /** Leaves without a word. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.raw.endAsync(true);
  }
}

async function subscribed(broker: TestedBroker, options: SubscriberOptions): Promise<MqttjsClient> {
  const { id, filters, qos, clean = true, will, level = 4, identifier } = options;
  const client = await MqttjsClient.connect(broker, id, {
    level,
    clean,
    ...will && { will: { ...will, properties: theirs(will.properties) } },
    ...level === 5 && { properties: { sessionExpiryInterval: expiryOf(options) } },
  });
  const properties = identifier === undefined ? undefined : { subscriptionIdentifier: identifier };
  if (filters.length > 0) await client.subscribe([...filters], { qos, ...properties && { properties } });
  return client;
}

/** Properties as MQTT.js wants them. */
function theirs(
  { userProperties, correlationData, subscriptionIdentifier: _, ...others }: Properties = {},
): WireProperties {
  const pairs = Map.groupBy(userProperties ?? [], ([name]) => name);
  return {
    ...others,
    ...correlationData !== undefined && { correlationData: new TextEncoder().encode(correlationData) },
    ...userProperties &&
      {
        userProperties: Object.fromEntries([...pairs].map(([name, pairs]) => [name, pairs.map(([, value]) => value)])),
      },
  };
}

/** Properties as the tests want them, without those that concern one connection alone. */
function ours(properties: WireProperties): Properties {
  const { userProperties, correlationData, subscriptionIdentifier, topicAlias: _, ...others } = properties;
  const pairs = Object.entries(userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as const)
  );
  return {
    ...others,
    ...correlationData && { correlationData: new TextDecoder().decode(correlationData) },
    ...subscriptionIdentifier !== undefined && { subscriptionIdentifier: [subscriptionIdentifier].flat().sort() },
    ...userProperties && { userProperties: pairs },
  };
}
