// A message on its way through the broker: what a PUBLISH carries, without the packet around it. An immutable value: an
// operator that wants another topic or payload makes another message with `with`.
//
// Most messages are over when their turn ends, and their payload is never copied but from the buffer that it was read into to those
// that it is written from: it is lent (`Lent`). Whoever needs it longer asks for a copy, the cheapest that will do: `settle` for what
// is under way to a client until it is acknowledged, `keep` for what operators and observers of the streams see, `own` for what waits
// in queues and for the observers of a topic, who may keep it as long as they like. All of them see the same bytes.
import { Buffer } from "node:buffer";
import type { MessageProperties } from "./codec/properties.ts";
import { copyBytes } from "./codec/writer.ts";
import { captures, textFault, topicNameFault } from "./topics/filter.ts";

/** Quality of service: at most once, at least once, exactly once (3.1.1 section 4.3). */
export type QoS = 0 | 1 | 2;

/** The parts of a message that can be given. */
export interface MessageFields {
  /** The topic name. */
  readonly topic: string;
  /** The payload's bytes; not to be written to. */
  readonly payload: Uint8Array;
  /** The quality of service that it was published with. */
  readonly qos: QoS;
  /** Whether the message is to be retained for future subscribers. */
  readonly retain: boolean;
  /** The client that published it; `undefined` for a message of the broker's own process. */
  readonly client: string | undefined;
  /** What MQTT 5.0 says of it. */
  readonly properties?: MessageProperties | undefined;
  /** When the broker accepted it, in milliseconds of the broker's clock: an expiry interval counts from there. */
  readonly acceptedAt?: number | undefined;
}

/** What can be published: text, bytes, or a value that becomes JSON. */
export type Payload = string | Uint8Array | ArrayBuffer | number | boolean | null | readonly unknown[] | {
  readonly [key: string]: unknown;
};

/** What `with` changes of a message. */
export type MessageChanges = Partial<Omit<MessageFields, "payload"> & { readonly payload: Payload }>;

/** A payload in a buffer that is used again after the turn. */
export interface Lent {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** True where it stays. */
  readonly settled?: boolean;
}

/** The longest payload that a PUBLISH can carry, whatever its topic, in bytes; properties may take as much away from it again. */
const LONGEST_PAYLOAD = 268_000_000;

/** How large the slabs are that small payloads share, and how large those may be, in bytes. */
const SLAB = 2048, SMALL = 256;

let slab = new Uint8Array(), used = 0;

/** Room for a payload. A slab is never used twice: it goes with the last payload in it. */
function sharedBytes(size: number): Uint8Array {
  if (size > SMALL) return new Uint8Array(size);
  if (used + size > slab.length) [slab, used] = [new Uint8Array(SLAB), 0];
  return slab.subarray(used, used += size);
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

/**
 * The bytes of a payload: text as UTF-8, bytes as a copy, anything else as JSON.
 *
 * @throws {TypeError} for what can't be JSON, such as `undefined`, a function, a symbol or a bigint
 */
export function payloadBytes(payload: Payload): Uint8Array {
  if (payload instanceof Uint8Array) return new Uint8Array(payload); // not `slice`: that of a Buffer is a view
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload.slice());
  return encoder.encode(typeof payload === "string" ? payload : jsonText(payload));
}

function jsonText(value: unknown): string {
  const text = typeof value === "bigint" ? undefined : JSON.stringify(value);
  if (text === undefined) {
    throw new TypeError(`Payload is ${typeof value}, not text, bytes or a value that becomes JSON`);
  }
  return text;
}

/**
 * A published message. `captures` holds what the wildcards of the filter stood for through which the message was
 * observed (empty elsewhere).
 *
 * @example
 * ```ts
 * import { createBroker } from "@brook/mqtt";
 * import { assertEquals } from "@std/assert";
 *
 * await using broker = createBroker();
 * const seen: string[] = [];
 * broker.topic("home/+/temp").subscribe((message) => {
 *   const [room] = message.captures;
 *   seen.push(`${room}: ${message.json<{ celsius: number }>().celsius}`);
 * });
 * await broker.publish("home/kitchen/temp", { celsius: 21 });
 * assertEquals(seen, ["kitchen: 21"]);
 * ```
 */
export class Message<Captured extends string[] = string[]> implements MessageFields {
  /** The topic name. */
  readonly topic: string;
  /**
   * The payload's bytes, not to be written to or transferred: clients and other observers get the same ones. In routing operators its
   * buffer may be shared with other messages.
   */
  readonly payload: Uint8Array;
  /** The quality of service that it was published with. */
  readonly qos: QoS;
  /** Whether it is to be retained for future subscribers. */
  readonly retain: boolean;
  /** The client that published it; `undefined` for a message of the broker's own process. */
  readonly client: string | undefined;
  /** What MQTT 5.0 says of it. */
  readonly properties: MessageProperties | undefined;
  /** When the broker accepted it, in milliseconds of the broker's clock. */
  readonly acceptedAt: number | undefined;
  /**
   * How many queues and clients hold it (memory.ts).
   *
   * @internal
   */
  holders = 0;
  /**
   * Whose account counts them: that of the broker that has held it first.
   *
   * @internal
   */
  account: object | undefined;
  readonly #filter: string | undefined;
  /** Where the payload lies while it is not this message's own. */
  #lent: Lent | undefined;
  /** The same from the first question on, whatever becomes of the payload: it goes onto accounts, and off again. */
  #weight: number | undefined;

  /**
   * A message of these parts, which are taken as they are: nothing is copied or checked. To change some parts of a
   * message, use {@linkcode Message.with}.
   *
   * @param fields what the message is made of
   * @param filter the topic filter that it was observed through; default: none, and no captures
   */
  constructor(fields: MessageFields, filter?: string);
  /**
   * The broker's own: a message whose payload is lent. It has none to be seen until `keep`.
   *
   * @internal
   */
  constructor(fields: Omit<MessageFields, "payload">, filter: undefined, lent: Lent);
  constructor(fields: Omit<MessageFields, "payload"> & { payload?: Uint8Array }, filter?: string, lent?: Lent) {
    this.topic = fields.topic;
    this.payload = fields.payload as Uint8Array;
    this.qos = fields.qos;
    this.retain = fields.retain;
    this.client = fields.client;
    this.properties = fields.properties;
    this.acceptedAt = fields.acceptedAt;
    this.#filter = filter;
    this.#lent = lent;
  }

  /** The length of the payload in bytes. */
  get size(): number {
    return this.#lent ? this.#lent.end - this.#lent.start : this.payload.length;
  }

  /**
   * About how many bytes it takes.
   *
   * @internal
   */
  get weight(): number {
    return this.#weight ??= this.size + this.topic.length + (this.properties ? sizeOfProperties(this.properties) : 0);
  }

  /**
   * Writes the payload into `target`, from the index `at` on.
   *
   * @internal
   */
  copyTo(target: Uint8Array, at: number): void {
    const { bytes, start, end } = this.#lent ?? { bytes: this.payload, start: 0, end: this.payload.length };
    copyBytes(bytes, start, end, target, at);
  }

  /**
   * Copies a payload that was lent for the turn to where it can stay for a while: into a slab that it shares with others, which is
   * fast, and not for anybody's eyes.
   *
   * @internal
   */
  settle(): this {
    if (this.#lent && !this.#lent.settled) {
      const bytes = Buffer.allocUnsafe(this.size);
      this.copyTo(bytes, 0);
      this.#lent = { bytes, start: 0, end: bytes.length, settled: true };
    }
    return this;
  }

  /**
   * Copies a payload that was lent for the turn to where it can be seen, and be kept for a while. Small ones share a slab: memory of
   * its own for each would take longer than all else that is done for a message.
   *
   * @internal
   */
  keep(): this {
    return this.#lent ? this.#have(sharedBytes(this.size)) : this;
  }

  /**
   * Copies a payload to memory that it shares with no other message: for those who keep few of many.
   *
   * @internal
   */
  own(): this {
    return this.#lent || this.payload.length !== this.payload.buffer.byteLength
      ? this.#have(new Uint8Array(this.size))
      : this;
  }

  #have(payload: Uint8Array): this {
    this.copyTo(payload, 0);
    (this as { payload: Uint8Array }).payload = payload;
    this.#lent = undefined;
    return this;
  }

  /** What each wildcard of the observed filter stands for, in order. */
  get captures(): Captured {
    return (this.#filter === undefined ? [] : captures(this.#filter, this.topic)) as string[] as Captured;
  }

  /** The payload as text (UTF-8; ill-formed bytes become U+FFFD). */
  text(): string {
    return decoder.decode(this.payload);
  }

  /**
   * The payload as JSON. The type is a promise of yours: nothing checks it.
   *
   * @throws {SyntaxError} where the payload is not JSON
   */
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      throw new SyntaxError(`Payload of "${this.topic}" is not JSON: ${(cause as Error).message}`, { cause });
    }
  }

  /** When it expires, in milliseconds of the broker's clock; `undefined` for never (5.0 section 3.3.2.3.3). */
  get expiresAt(): number | undefined {
    const interval = this.properties?.messageExpiryInterval;
    return interval === undefined || this.acceptedAt === undefined ? undefined : this.acceptedAt + interval * 1000;
  }

  /**
   * The same message with some parts changed. A payload of text goes as UTF-8, bytes as they are, any other value as JSON.
   *
   * @throws {TypeError} for a payload that can't be JSON, such as `undefined`
   */
  with(changes: MessageChanges): Message {
    const fields = { ...fieldsOf("payload" in changes ? this : this.keep()), ...changes };
    if (!(fields.payload instanceof Uint8Array)) fields.payload = payloadBytes(fields.payload);
    return new Message(fields as MessageFields);
  }
}

/** What a user property takes beside its characters, in bytes: otherwise empty ones would be free. */
const PAIR = 64;

function sizeOfProperties(properties: MessageProperties): number {
  const { contentType = "", responseTopic = "", correlationData = [], userProperties = [] } = properties;
  const user = userProperties.reduce((sum, [name, value]) => sum + PAIR + name.length + value.length, 0);
  return contentType.length + responseTopic.length + correlationData.length + user;
}

/**
 * What is wrong with what a routing operator has made, as a sentence, or `undefined`: not everybody checks types.
 *
 * @param taken the properties of the message that it was made of, which are right
 */
export function messageFault(message: unknown, taken: MessageProperties | undefined): string | undefined {
  if (!(message instanceof Message)) {
    return `Routing operator made ${Deno.inspect(message, { depth: 0 })}, not a Message`;
  }
  const { topic, payload, qos, retain, properties } = message;
  if (typeof topic !== "string") return `Topic name is ${typeof topic}, not a string`;
  if (!(payload instanceof Uint8Array)) return `Payload of "${topic}" is ${typeof payload}, not bytes`;
  if (qos !== 0 && qos !== 1 && qos !== 2) return `QoS of "${topic}" is ${qos}, not 0, 1 or 2`;
  if (typeof retain !== "boolean") return `RETAIN of "${topic}" is ${Deno.inspect(retain)}, not true or false`;
  return topicNameFault(topic) ?? payloadFault(topic, payload) ??
    (properties === taken ? undefined : propertiesFault(properties));
}

/** What is wrong with the length of a payload, as a sentence, or `undefined`. */
export function payloadFault(topic: string, { length }: Uint8Array): string | undefined {
  if (length > LONGEST_PAYLOAD) return `Payload of "${topic}" has ${length} bytes: ${LONGEST_PAYLOAD} are possible`;
}

/** Properties that their giver may change without changing the message. */
export function ownProperties(properties: MessageProperties | undefined): MessageProperties | undefined {
  if (!properties) return undefined;
  const { correlationData, userProperties, ...others } = properties;
  return {
    ...others,
    ...correlationData && { correlationData: new Uint8Array(correlationData) },
    ...userProperties && { userProperties: userProperties.map(([name, value]) => [name, value] as const) },
  };
}

/** What is wrong with properties that were made in this process, as a sentence, or `undefined`. */
export function propertiesFault(properties: unknown): string | undefined {
  if (properties === undefined) return undefined;
  if (typeof properties !== "object" || properties === null) {
    return `Properties are ${Deno.inspect(properties)}, not an object`;
  }
  for (const [name, value] of Object.entries(properties)) {
    if (!Object.hasOwn(checks, name)) return `Property "${name}" is none of a message`;
    const fault = value === undefined
      ? undefined
      : checks[name as keyof MessageProperties](value, `Property "${name}"`);
    if (fault) return fault;
  }
}

type Check = (value: unknown, what: string) => string | undefined;

const stringCheck: Check = (value, what) =>
  typeof value === "string" ? textFault(what, value) : `${what} is ${Deno.inspect(value)}, not a string`;

const checks: { readonly [name in keyof MessageProperties]-?: Check } = {
  payloadFormatIndicator: (value, what) =>
    typeof value === "boolean" ? undefined : `${what} is ${Deno.inspect(value)}, not true or false`,
  messageExpiryInterval: (value, what) =>
    Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff
      ? undefined
      : `${what} is ${Deno.inspect(value)}, not a whole number of seconds from 0 to 4294967295`,
  contentType: stringCheck,
  responseTopic: (value, what) => stringCheck(value, what) ?? topicNameFault(value as string),
  correlationData: (value, what) =>
    value instanceof Uint8Array && value.length <= 65_535 ? undefined : `${what} is not made of up to 65535 bytes`,
  userProperties(value, what) {
    if (!Array.isArray(value)) return `${what} is ${Deno.inspect(value)}, not a list of names and values`;
    for (const pair of value) {
      if (!Array.isArray(pair) || pair.length !== 2) return `${what} has ${Deno.inspect(pair)}, not a name and a value`;
      const fault = stringCheck(pair[0], what) ?? stringCheck(pair[1], what);
      if (fault) return fault;
    }
  },
};

function fieldsOf({ topic, payload, qos, retain, client, properties, acceptedAt }: Message): MessageFields {
  return { topic, payload, qos, retain, client, properties, acceptedAt };
}
