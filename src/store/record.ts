// Messages and deliveries as bytes, which is what lies in most rows of the SQLite store. Properties lie as they do in a PUBLISH. Files
// that were written once must stay readable: another form needs another version of the file (schema.ts).
import { Buffer } from "node:buffer";
import { type MessageProperties, propertiesLength, readProperties, writeProperties } from "../codec/properties.ts";
import { Reader } from "../codec/reader.ts";
import { utf8Length, writeText } from "../codec/writer.ts";
import type { Message, QoS } from "../message.ts";
import { type DeliveryTerms, type StoredMessage, StoreError } from "./store.ts";

/** Bits of the first byte of a message, behind its QoS and RETAIN. */
const CLIENT = 8, PROPERTIES = 16, ACCEPTED_AT = 32;

/** Bits of the first byte of a delivery, behind its QoS and RETAIN. */
const IDENTIFIERS = 8, GROUP = 16, ELSEWHERE = 32;

/** The buffer's size at first, and that from which on it is given back after use, in bytes. */
const START = 64 * 1024, LARGE = 1024 * 1024;

/** No more than the bytes of numbers and flags of one message or delivery. */
const FIXED = 64;

/** A delivery as it is written. */
export interface DeliveryRecord {
  readonly sequence: number;
  readonly terms: DeliveryTerms;
  /** Nothing where it lies elsewhere, for several sessions. */
  readonly message: StoredMessage | undefined;
}

/** Writes records one behind the other. */
export class RecordWriter {
  #bytes: Buffer = Buffer.allocUnsafe(START);
  #at = 0;

  /** How many bytes have been written since `take`. */
  get length(): number {
    return this.#at;
  }

  /** What has been written, to be used before anything else is, which begins anew. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#at);
    this.#at = 0;
    if (this.#bytes.length > LARGE) this.#bytes = Buffer.allocUnsafe(START);
    return taken;
  }

  message(message: Message, acceptedAt: number | undefined): void {
    const { topic, client, properties, size } = message;
    this.#reserve(size + FIXED);
    this.#bytes[this.#at++] = message.qos | (message.retain ? 4 : 0) | (client === undefined ? 0 : CLIENT) |
      (properties ? PROPERTIES : 0) | (acceptedAt === undefined ? 0 : ACCEPTED_AT);
    if (acceptedAt !== undefined) this.#at = this.#bytes.writeDoubleBE(acceptedAt, this.#at);
    this.#text(topic);
    if (client !== undefined) this.#text(client);
    if (properties) this.#properties(properties);
    this.#reserve(size + FIXED);
    this.#number(size);
    message.copyTo(this.#bytes, this.#at);
    this.#at += size;
  }

  /** The head of a delivery: `step` is what its number is greater by than that before. Its message follows, unless it lies elsewhere. */
  delivery(step: number, { qos, retain, identifiers, group }: DeliveryTerms, elsewhere: boolean): void {
    this.#reserve(FIXED);
    this.#bytes[this.#at++] = qos | (retain ? 4 : 0) | (identifiers ? IDENTIFIERS : 0) | (group ? GROUP : 0) |
      (elsewhere ? ELSEWHERE : 0);
    this.#number(step);
    if (identifiers) this.numbers(identifiers);
    if (group) this.#text(group.name);
  }

  /** A whole number from 0 on. */
  number(value: number): void {
    this.#reserve(FIXED);
    this.#number(value);
  }

  /** A list of numbers: packet identifiers mostly, which come in runs of ascending ones. */
  numbers(values: Iterable<number>): void {
    let first = 0, count = 0, step = 1;
    const end = () => {
      if (count > 0) this.#run(first, count, step);
    };
    for (const value of values) {
      if (count === 1 && (value === first || value === first + 1)) step = value - first;
      else if (count === 0 || value !== first + count * step) {
        end();
        [first, count] = [value, 0];
      }
      count++;
    }
    end();
    this.#run(0, 0, 0);
  }

  #run(first: number, count: number, step: number): void {
    this.#reserve(FIXED);
    this.#number(count * 2 + step);
    if (count > 0) this.#number(first);
  }

  /** A whole number of up to 53 bits, as a variable byte integer. */
  #number(value: number): void {
    while (value >= 0x80) {
      this.#bytes[this.#at++] = value % 0x80 + 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#at++] = value;
  }

  #text(text: string): void {
    const length = utf8Length(text);
    this.#reserve(length + FIXED);
    this.#number(length);
    this.#at = writeText(this.#bytes, text, length, this.#at);
  }

  #properties(properties: MessageProperties): void {
    const extra = { identifiers: undefined, alias: undefined, expiry: properties.messageExpiryInterval };
    const length = propertiesLength(properties, extra);
    this.#reserve(length + FIXED);
    this.#number(length);
    this.#at = writeProperties(this.#bytes, properties, extra, this.#at);
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Reads records one behind the other. */
export class RecordReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** True where bytes are left. */
  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  message(): StoredMessage {
    const flags = this.#bytes[this.#take(1)]!;
    const acceptedAt = flags & ACCEPTED_AT ? this.#bytes.readDoubleBE(this.#take(8)) : undefined;
    const topic = this.#text(), client = flags & CLIENT ? this.#text() : undefined;
    const properties = flags & PROPERTIES ? this.#properties() : undefined;
    const payload = this.#part();
    return { topic, payload, qos: (flags & 3) as QoS, retain: (flags & 4) > 0, client, properties, acceptedAt };
  }

  /** @param before the number of the delivery before */
  delivery(before: number): DeliveryRecord {
    const flags = this.#bytes[this.#take(1)]!, sequence = before + this.number();
    const terms = {
      qos: (flags & 3) as QoS,
      retain: (flags & 4) > 0,
      identifiers: flags & IDENTIFIERS ? this.numbers() : undefined,
      group: flags & GROUP ? { name: this.#text() } : undefined,
    };
    return { sequence, terms, message: flags & ELSEWHERE ? undefined : this.message() };
  }

  numbers(): number[] {
    const values: number[] = [];
    for (let head = this.number(); head > 0; head = this.number()) {
      const count = Math.floor(head / 2), step = head % 2;
      for (let i = 0, first = this.number(); i < count; i++) values.push(first + i * step);
    }
    return values;
  }

  number(): number {
    let value = 0, byte;
    for (let factor = 1;; factor *= 0x80) {
      byte = this.#bytes[this.#take(1)]!;
      value += byte % 0x80 * factor;
      if (byte < 0x80) return value;
    }
  }

  #text(): string {
    const length = this.number(), start = this.#take(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  #part(): Buffer {
    const length = this.number(), start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #properties(): MessageProperties | undefined {
    const start = this.#at;
    this.#part();
    try {
      return readProperties(new Reader("Stored message", this.#bytes.subarray(start, this.#at)), "publish");
    } catch (cause) {
      throw new StoreError("corrupt", "is damaged: a message in it has no properties that can be read", { cause });
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw damaged();
    this.#at = at + length;
    return at;
  }
}

function damaged(): StoreError {
  return new StoreError("corrupt", "is damaged: a record in it ends too early");
}
