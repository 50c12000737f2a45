// MQTT as the measuring tools speak it: the few packets that they need, written and read by hand. Nothing here is of
// the broker's own code: a fault that both sides had would not be seen, and the cost of one would be measured with that
// of the other.
import { Buffer } from "node:buffer";

export type QoS = 0 | 1 | 2;

/** Protocol levels: 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type Version = 4 | 5;

/** The first byte of acknowledgements. */
export const PUBACK = 0x40, PUBREC = 0x50, PUBREL = 0x62, PUBCOMP = 0x70;

/** Packets to send, one behind the other. */
export class PacketWriter {
  readonly #version: Version;
  #bytes = Buffer.allocUnsafeSlow(1024);
  #other = Buffer.allocUnsafeSlow(1024);
  #length = 0;

  constructor(version: Version) {
    this.#version = version;
  }

  get length(): number {
    return this.#length;
  }

  /** The packets written since the last call; they are good until the next one. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    [this.#bytes, this.#other] = [this.#other, this.#bytes];
    this.#length = 0;
    return taken;
  }

  /** CONNECT of a clean session, or of one that stays, without keep alive. */
  connect(clientId: string, clean = true): void {
    const id = Buffer.from(clientId), expiry = clean ? [0] : [5, 17, 0xff, 0xff, 0xff, 0xff];
    const properties = this.#version === 5 ? expiry : [];
    this.#begin(0x10, 12 + properties.length + id.length);
    this.#string(Buffer.from("MQTT"));
    this.#put(this.#version, clean ? 2 : 0, 0, 0, ...properties);
    this.#string(id);
  }

  /** SUBSCRIBE to filters at one QoS. */
  subscribe(packetId: number, filters: readonly string[], qos: QoS): void {
    const encoded = filters.map((filter) => Buffer.from(filter));
    this.#begin(0x82, encoded.reduce((sum, { length }) => sum + length + 3, 2 + this.#properties));
    this.#uint16(packetId);
    if (this.#version === 5) this.#put(0);
    for (const filter of encoded) {
      this.#string(filter);
      this.#put(qos);
    }
  }

  /** PUBLISH; `packetId` is of no meaning at QoS 0. */
  publish(topic: Uint8Array, payload: Uint8Array, qos: QoS, packetId = 0, retain = false): void {
    const size = 2 + topic.length + (qos > 0 ? 2 : 0) + this.#properties + payload.length;
    this.#begin(0x30 | qos << 1 | Number(retain), size);
    this.#string(topic);
    if (qos > 0) this.#uint16(packetId);
    if (this.#version === 5) this.#put(0);
    this.#copy(payload);
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  ack(header: number, packetId: number): void {
    this.#begin(header, 2);
    this.#uint16(packetId);
  }

  /** DISCONNECT. */
  disconnect(): void {
    this.#begin(0xe0, 0);
  }

  /** The length of no properties. */
  get #properties(): number {
    return this.#version === 5 ? 1 : 0;
  }

  /** Makes room for a packet, and writes its fixed header. */
  #begin(header: number, remaining: number): void {
    const needed = this.#length + 5 + remaining;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#put(header);
    for (; remaining >= 0x80; remaining >>>= 7) this.#put(remaining & 0x7f | 0x80);
    this.#put(remaining);
  }

  #put(...bytes: readonly number[]): void {
    for (let i = 0; i < bytes.length; i++) this.#bytes[this.#length++] = bytes[i]!;
  }

  #uint16(value: number): void {
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value & 0xff;
  }

  #string(bytes: Uint8Array): void {
    this.#uint16(bytes.length);
    this.#copy(bytes);
  }

  #copy(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}

/** A packet where it lies in the read buffer: the body from `body` to `end`. */
export interface RawPacket {
  readonly header: number;
  readonly bytes: Buffer;
  readonly body: number;
  readonly end: number;
}

/** Takes apart what comes. */
export class PacketReader {
  #bytes = Buffer.allocUnsafeSlow(16_384);
  #start = 0;
  #end = 0;

  /** Where to read into. */
  space(): Uint8Array {
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#bytes.subarray(this.#end);
  }

  /** The whole packets that there are after `count` more bytes; each is good until the next one. */
  *packets(count: number): Generator<RawPacket, void, undefined> {
    this.#end += count;
    for (;;) {
      let remaining = 0, at = this.#start + 1;
      for (let shift = 0;; shift += 7) {
        if (at >= this.#end) return;
        const byte = this.#bytes[at++]!;
        remaining |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      if (at + remaining > this.#end) return;
      const header = this.#bytes[this.#start]!;
      this.#start = at + remaining;
      yield { header, bytes: this.#bytes, body: at, end: this.#start };
    }
  }
}

/** A PUBLISH: where its topic name lies, where its payload begins, and its packet identifier. */
export interface Delivery extends RawPacket {
  readonly topic: number;
  readonly topicEnd: number;
  readonly payload: number;
  readonly packetId: number;
}

/** Reads a PUBLISH. */
export function readPublish({ header, bytes, body, end }: RawPacket, version: Version): Delivery {
  const topic = body + 2, topicEnd = topic + bytes.readUInt16BE(body), hasId = (header & 6) > 0;
  let payload = hasId ? topicEnd + 2 : topicEnd;
  if (version === 5) payload = afterProperties(bytes, payload);
  return { header, bytes, body, end, topic, topicEnd, payload, packetId: hasId ? bytes.readUInt16BE(topicEnd) : 0 };
}

/** How many unacknowledged messages the server takes, as its CONNACK says; 65,535 where it does not. */
export function readReceiveMaximum({ bytes, body, end }: RawPacket, version: Version): number {
  if (version === 4) return 65_535;
  let at = body + 2;
  while (bytes[at++]! >= 0x80);
  while (at < end) {
    const id = bytes[at++]!;
    if (id === 33) return bytes.readUInt16BE(at);
    const size = sizes[id];
    at += size ?? 2 + bytes.readUInt16BE(at);
    if (id === 38) at += 2 + bytes.readUInt16BE(at); // a name and a value
  }
  return 65_535;
}

/** The properties of a CONNACK that have a fixed size (5.0 section 3.2.2.3); the others are strings. */
const sizes: Readonly<Record<number, number>> = { 17: 4, 19: 2, 34: 2, 36: 1, 37: 1, 39: 4, 40: 1, 41: 1, 42: 1 };

function afterProperties(bytes: Buffer, at: number): number {
  let length = 0;
  for (let shift = 0;; shift += 7) {
    const byte = bytes[at++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + length;
  }
}
