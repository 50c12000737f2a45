// What comes to the mind of a client: random packets, all of them right.
import { Buffer } from "node:buffer";
import type { PacketLike } from "../support/client.ts";
import type { Published } from "./history.ts";
import type { Random } from "./random.ts";

/** Topics of so many levels that a search through all of them takes more than one turn. */
const deep = Array.from({ length: 6 }, (_, i) => `deep${i}${"/x".repeat(190)}`);

const topics = ["a", "a/b", "a/b/c", "b", "b/b", "$x/y"];

/** No topic matches two that are shared: who gets what could not be told. */
const filters = [
  ...["a", "a/b", "b", "#", "+", "a/#", "+/b", "+/+/c", "$x/#", "will/#", "will/+"],
  ...["$share/g/a", "$share/g/+/b", "$share/h/+/+/c", "$share/h/will/#"],
];

/** How often a client does what: the last word of a connection is a habit, too. */
const habits = {
  publish: 40,
  subscribe: 14,
  unsubscribe: 5,
  ping: 3,
  stall: 6,
  garbage: 1,
  nothing: 5,
  disconnect: 5,
  close: 3,
  cut: 6,
  vanish: 3,
};

/** Something that a client does while it is connected. */
export type Habit = keyof typeof habits;

const FOREVER = 0xffff_ffff;

/** The whims of all clients of a run. */
export class Whims {
  /** The topics that messages are published on, but for wills. */
  readonly topics: readonly string[];
  /** Those among them that take long to be found. */
  readonly deepTopics: readonly string[];
  readonly #random: Random;
  readonly #keepsAlive: boolean;
  #numbers = 0;

  /** @param keepsAlive whether clients have a keep alive now and then */
  constructor(random: Random, keepsAlive: boolean) {
    this.#random = random;
    this.#keepsAlive = keepsAlive;
    this.deepTopics = random.chance(0.1) ? deep : [];
    this.topics = [...topics, ...this.deepTopics];
  }

  /** A number that no message has yet. */
  number(): number {
    return ++this.#numbers;
  }

  /** Milliseconds until the next thing is done. */
  pause(): number {
    return this.#random.between(0, this.#random.pick([5, 5, 50, 50, 200, 2000, 2000, 20_000]));
  }

  /** What to do now. */
  habit(): Habit {
    return this.#random.weighted(habits);
  }

  /** How to end a connection. */
  ending(): Habit {
    return this.#random.pick(["close", "cut", "vanish"]);
  }

  /** The version of MQTT to speak, for somebody who speaks `level`. */
  version(level = this.#random.pick([4, 5])): number {
    return this.#random.chance(0.2) ? this.#random.pick([4, 5]) : level;
  }

  /** How to connect. */
  connect(clientId: string, protocolVersion: number): Partial<PacketLike> {
    const random = this.#random, will = random.chance(0.4) ? this.#will(clientId, protocolVersion) : undefined;
    const properties = {
      ...random.chance(0.8) && { sessionExpiryInterval: random.pick([0, 1, 5, 60, 3600, FOREVER, FOREVER]) },
      ...random.chance(0.3) && { receiveMaximum: random.between(1, 5) },
      ...random.chance(0.3) && { topicAliasMaximum: random.between(1, 3) },
      ...random.chance(0.1) && { maximumPacketSize: 300 },
    };
    const keepalive = this.#keepsAlive && random.chance(0.2) ? random.between(1, 30) : 0, clean = random.chance(0.25);
    return { protocolVersion, clean, keepalive, will, ...protocolVersion === 5 && { properties } };
  }

  #will(client: string, version: number): PacketLike["will"] {
    const random = this.#random, topic = `will/${client}`;
    const { text, qos, retain, expiry } = { ...this.message(client, version, topic), text: this.#text() };
    const properties = {
      ...random.chance(0.6) && { willDelayInterval: random.pick([0, 1, 2, 5, 60]) },
      ...expiry !== undefined && { messageExpiryInterval: expiry },
    };
    return { topic, payload: Buffer.from(text), qos, retain, ...version === 5 && { properties } };
  }

  /** What to publish. */
  message(client: string, version: number, topic = this.#random.pick(this.topics)): Published {
    const random = this.#random, retain = random.chance(0.3), qos = random.pick([0, 1, 2] as const);
    const clears = retain && random.chance(0.25), text = clears ? "" : this.#text(), told = version === 5 && !clears;
    const expiry = told && random.chance(0.25) ? random.pick([0, 1, 2, 10, 1000]) : undefined;
    return {
      topic,
      text,
      qos,
      retain,
      client,
      expiry,
      contentType: told && random.chance(0.3) ? `c${text}` : undefined,
    };
  }

  /** A number; now and then it is so long that a maximum packet size of 300 bytes forbids it. */
  #text(): string {
    return `${this.number()}${".".repeat(this.#random.chance(0.08) ? this.#random.between(400, 3000) : 0)}`;
  }

  /** What to subscribe to. */
  subscribe(version: number): Partial<PacketLike> {
    const random = this.#random, identified = version === 5 && random.chance(0.4);
    const subscriptions = this.filters().map((topic) => ({
      topic,
      qos: random.between(0, 2),
      ...version === 5 && {
        nl: !topic.startsWith("$share/") && random.chance(0.2),
        rap: random.chance(0.3),
        rh: random.between(0, 2),
      },
    }));
    return { subscriptions, properties: { ...identified && { subscriptionIdentifier: random.between(1, 300) } } };
  }

  /** Some topic filters. */
  filters(): string[] {
    return Array.from({ length: this.#random.pick([1, 1, 2, 3]) }, () => this.#random.pick(filters));
  }

  /** What to say at the end of a connection in 5.0, of a session that lasts. */
  disconnect(lasts: boolean): Partial<PacketLike> {
    const random = this.#random, changes = lasts && random.chance(0.3);
    const properties = { ...changes && { sessionExpiryInterval: random.pick([0, 2, 100]) } };
    return { reasonCode: random.pick([0, 0, 4]), properties };
  }
}
