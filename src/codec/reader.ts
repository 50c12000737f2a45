// Reads the fields that packets are made of (3.1.1 section 1.5, 5.0 section 1.5), strictly: every fault is an
// MqttError.
import { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A place in the body of a packet. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #end: number;
  #at = 0;

  /**
   * @param what the packet's name, for errors
   * @param bytes its body, without the fixed header
   */
  constructor(what: string, bytes: Buffer) {
    this.#what = what;
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** True where bytes are left. */
  get more(): boolean {
    return this.#at < this.#end;
  }

  /** How many bytes have been read. */
  get position(): number {
    return this.#at;
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** A variable byte integer, in as few bytes as possible [MQTT5-1.5.5-1]. */
  varint(): number {
    let value = 0, byte;
    for (let shift = 0; shift < 28; shift += 7) {
      byte = this.byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw this.malformed("has a variable byte integer with more bytes than it needs");
        return value;
      }
    }
    throw this.malformed("has a variable byte integer of more than 4 bytes");
  }

  /** Binary data, as a view. */
  binary(): Buffer {
    const length = this.uint16(), start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A string: well-formed UTF-8 [MQTT-1.5.3-1] without U+0000 [MQTT-1.5.3-2], the BOM kept [MQTT-1.5.3-3]. */
  string(): string {
    const length = this.uint16(), start = this.#take(length), end = start + length;
    if (isAscii(this.#bytes, start, end)) return this.#bytes.toString("latin1", start, end);
    let text;
    try {
      text = utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw this.malformed("has a string that is not well-formed UTF-8");
    }
    if (text.includes("\0")) throw this.malformed("has a string with U+0000");
    return text;
  }

  /** Reads a part of `length` bytes, which `read` must use up. */
  part(length: number, read: () => void): void {
    const end = this.#end;
    if (this.#at + length > end) throw this.malformed("ends too early");
    this.#end = this.#at + length;
    while (this.more) read();
    this.#end = end;
  }

  /** Asserts that nothing is left. */
  done(): void {
    if (this.more) throw this.malformed(`goes on for ${this.#end - this.#at} bytes after its end`);
  }

  malformed(fault: string): MqttError {
    return new MqttError("malformed-packet", `${this.#what} ${fault}`);
  }

  protocolError(fault: string): MqttError {
    return new MqttError("protocol-error", `${this.#what} ${fault}`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#end) throw this.malformed("ends too early");
    this.#at = at + count;
    return at;
  }
}

/** Whether these are nothing but ASCII, and no U+0000: most strings are, and need no decoder. */
function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x7f || bytes[i] === 0) return false;
  return true;
}
