// Random packets of a client, all of them right, of every type and all three versions. Their values are those at which programs
// fail: the least and the greatest, the empty and the long, names that mean something to JavaScript; and few enough of them that
// clients meet each other, in topics, sessions and packet identifiers.
import { Buffer } from "node:buffer";
import type { ConnectPacket, ProtocolLevel, SubscriptionRequest } from "../../src/codec/packet.ts";
import type { Properties } from "../../src/codec/properties.ts";
import type { QoS } from "../../src/message.ts";
import type { WritablePacket } from "./encode.ts";
import type { Random } from "./random.ts";

const texts = ["a", "", "é", "\u{10ffff}", "\ufeffx", "\u0001", "\uffff", "constructor", "__proto__", "a".repeat(300)];
const longText = "long/".repeat(13_000);
const topics = ["a", "a/b", "a/b/c", "a//", "/", "$SYS/x", "$share/g/a", "slow", "no", "__proto__", "é/\u{1f600}"];
const deepTopic = "d/".repeat(190) + "d", longTopic = longText + "x";
const filters = [
  "#",
  "+",
  "+/+",
  "a/#",
  "a/+",
  "a/+/c",
  "$share/g/#",
  "$share/g/a",
  "$share/h/a/+",
  "$share//a",
  "$SYS/#",
];
const clientIds = ["one", "two", "three", "four", "__proto__", "constructor", "é"];
const usernames = ["user", "slow", "later", "no", "", "constructor"];
const methods = ["echo", "slow", "liar", "unknown", ""];
const uint16s = [0, 1, 2, 5, 127, 128, 255, 256, 32_767, 65_535];
const uint32s = [0, 1, 2, 60, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const varints = [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];

/** Makes packets of one client. */
export class PacketMaker {
  readonly #random: Random;
  readonly level: ProtocolLevel;

  constructor(random: Random) {
    this.#random = random;
    this.level = random.weighted([[5, 5], [3, 4], [1, 3]]);
  }

  /** The packets of a client that mostly keeps the order of things. */
  conversation(): WritablePacket[] {
    const random = this.#random, rest = random.list(random.below(random.pick([3, 8, 20])), () => this.packet());
    if (random.oneIn(30)) return rest;
    return random.oneIn(2) ? [this.connect(), ...rest] : [this.connect(), this.#subscribeToAll(), ...rest];
  }

  /** Any packet but a CONNECT. */
  packet(): WritablePacket {
    const acks = ["puback", "pubrec", "pubrel", "pubcomp"] as const;
    return this.#random.weighted<() => WritablePacket>([
      [10, () => this.#publish()],
      [6, () => this.#subscribe()],
      [2, () => this.#unsubscribe()],
      [6, () => this.#ack(this.#random.pick(acks))],
      [1, () => ({ cmd: "pingreq" })],
      [1, () => this.#disconnect()],
      [this.level === 5 ? 1 : 0, () => this.#auth()],
    ])();
  }

  connect(): ConnectPacket {
    const random = this.#random, { level } = this, clean = random.oneIn(2);
    const username = random.maybe(() => random.pick(usernames));
    const password = (username !== undefined || level === 5) && random.oneIn(2) ? this.#bytes() : undefined;
    const will = random.oneIn(3) ? this.#will() : undefined, properties = this.#connectProperties();
    return {
      cmd: "connect",
      protocolVersion: level,
      clean,
      keepalive: random.oneIn(2) ? 0 : random.pick(uint16s),
      clientId: random.oneIn(10) ? random.pick(texts) : random.pick(clientIds),
      ...username !== undefined && { username },
      ...password && { password },
      ...will && { will },
      ...level === 5 && hasAny(properties) && { properties },
    };
  }

  #will(): NonNullable<ConnectPacket["will"]> {
    const properties = { ...this.#messageProperties(), ...this.#some({ willDelayInterval: () => this.#uint32() }) };
    const own = this.level === 5 && hasAny(properties) ? { properties } : {};
    return { topic: this.#topic(), payload: this.#bytes(), qos: this.#qos(), retain: this.#random.oneIn(2), ...own };
  }

  #connectProperties(): Properties {
    const random = this.#random, method = random.oneIn(6) ? random.pick(methods) : undefined;
    return this.#some(
      {
        sessionExpiryInterval: () => this.#uint32(),
        receiveMaximum: () => random.pick(uint16s) || 1,
        maximumPacketSize: () => random.oneIn(2) ? 20 + random.below(100) : this.#uint32() || 1,
        topicAliasMaximum: () => random.pick(uint16s),
        requestProblemInformation: () => random.oneIn(2),
        requestResponseInformation: () => random.oneIn(2),
        userProperties: () => this.#pairs(),
      },
      method === undefined
        ? {}
        : { authenticationMethod: method, ...this.#some({ authenticationData: () => this.#bytes() }) },
    );
  }

  #publish(): WritablePacket {
    const random = this.#random, qos = this.#qos(), alias = this.level === 5 && random.oneIn(4);
    const properties: Properties = {
      ...random.oneIn(2) && this.#messageProperties(),
      ...alias && { topicAlias: random.pick([1, 2, 3, 100, 65_535]) },
    };
    return {
      cmd: "publish",
      topic: alias && random.oneIn(2) ? "" : this.#topic(),
      payload: this.#bytes(),
      qos,
      retain: random.oneIn(4),
      dup: qos > 0 && random.oneIn(5),
      messageId: qos > 0 ? this.#messageId() : 0,
      ...this.level === 5 && hasAny(properties) && { properties },
    };
  }

  #messageProperties(): Properties {
    const random = this.#random;
    return this.#some({
      payloadFormatIndicator: () => random.oneIn(2),
      messageExpiryInterval: () => this.#uint32(),
      contentType: () => this.#text(),
      responseTopic: () => this.#topic(),
      correlationData: () => this.#bytes(),
      userProperties: () => this.#pairs(),
    });
  }

  #subscribe(): WritablePacket {
    const random = this.#random, { level } = this;
    const properties = this.#some({
      subscriptionIdentifier: () => random.pick(varints),
      userProperties: () => this.#pairs(),
    });
    const subscriptions = random.list(1 + random.below(3), () => this.#request());
    return this.#asked({ cmd: "subscribe", messageId: this.#messageId(), subscriptions }, level, properties);
  }

  /** What makes a client hear of the others. */
  #subscribeToAll(): WritablePacket {
    const topic = this.#random.pick(["#", "#", "+/#", "$share/g/#"]);
    return { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: this.#qos() }] };
  }

  #request(): SubscriptionRequest {
    const random = this.#random, plain = { topic: this.#filter(), qos: this.#qos() };
    return this.level < 5 ? plain : { ...plain, nl: random.oneIn(6), rap: random.oneIn(2), rh: random.below(3) };
  }

  #unsubscribe(): WritablePacket {
    const random = this.#random, unsubscriptions = random.list(1 + random.below(3), () => this.#filter());
    const properties = this.#some({ userProperties: () => this.#pairs() });
    return this.#asked({ cmd: "unsubscribe", messageId: this.#messageId(), unsubscriptions }, this.level, properties);
  }

  #asked(packet: WritablePacket, level: ProtocolLevel, properties: Properties): WritablePacket {
    return level === 5 && hasAny(properties) ? { ...packet, properties } as WritablePacket : packet;
  }

  #ack(cmd: "puback" | "pubrec" | "pubrel" | "pubcomp"): WritablePacket {
    const codes = cmd === "puback" || cmd === "pubrec" ? [0, 0x10, 0x80, 0x87, 0x99] : [0, 0x92];
    return { cmd, messageId: this.#messageId(), ...this.#reason(codes) };
  }

  #disconnect(): WritablePacket {
    const expiry = this.#some({ sessionExpiryInterval: () => this.#uint32() });
    return { cmd: "disconnect", ...this.#reason([0, 4, 0x80, 0x81, 0x93], expiry) };
  }

  #auth(): WritablePacket {
    const properties = { authenticationMethod: this.#random.pick(methods), authenticationData: this.#bytes() };
    return { cmd: "auth", reasonCode: 0, ...this.#reason([0x18, 0x19, 0], properties) };
  }

  #reason(codes: readonly number[], more: Properties = {}): { reasonCode?: number; properties?: object } {
    if (this.level < 5) return {};
    const said = { reasonString: () => this.#text(), userProperties: () => this.#pairs() };
    const properties = this.#some(said, this.#random.oneIn(2) ? more : {});
    return { reasonCode: this.#random.pick(codes), ...hasAny(properties) && { properties } };
  }

  /** Some of these, each one time in four, behind those that are certain. */
  #some(parts: { readonly [name in keyof Properties]: () => Properties[name] }, certain: Properties = {}): Properties {
    const chosen = Object.entries(parts).filter(() => this.#random.oneIn(4));
    return { ...certain, ...Object.fromEntries(chosen.map(([name, make]) => [name, make()])) };
  }

  #pairs(): [string, string][] {
    return this.#random.list(1 + this.#random.below(3), () => [this.#text(), this.#text()]);
  }

  #qos(): QoS {
    return this.#random.pick([0, 1, 2]);
  }

  #messageId(): number {
    return this.#random.pick([1, 1, 2, 2, 3, 4, 5, 256, 65_535]);
  }

  #uint32(): number {
    return this.#random.pick(uint32s);
  }

  #text(): string {
    return this.#random.oneIn(200) ? longText : this.#random.pick(texts);
  }

  #topic(): string {
    if (this.#random.oneIn(100)) return this.#random.pick([deepTopic, longTopic]);
    return this.#random.pick(topics);
  }

  #filter(): string {
    return this.#random.oneIn(3) ? this.#topic() : this.#random.pick(filters);
  }

  #bytes(): Buffer {
    const size = this.#random.weighted([[20, 0], [40, 3], [20, 40], [10, 1100], [1, 65_535]]);
    return Buffer.allocUnsafe(size).fill(this.#random.next() & 0xff);
  }
}

function hasAny(properties: object): boolean {
  return Object.keys(properties).length > 0;
}
