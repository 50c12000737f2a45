// Finds whole packets in what a socket delivers (3.1.1 section 2.2). Reads go straight into one buffer of the
// connection; `next` hands out views of it, valid until the next read. Invariant: a packet over the limit is refused by
// its declared length, before it is buffered, and memory grows only with bytes that have really come.
import { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";

/** The bytes of the largest packet that there can be: a remaining length has no more than 4 bytes (3.1.1 section 2.2.3). */
export const LARGEST_PACKET = 268_435_460;

const SMALL = 512, LARGE = 65_536;

/** A buffer up to this size is kept for a client that goes on sending large packets. */
const KEPT = 262_144;

/** A whole packet where it lies: the fixed header from `start`, the body from `body`, both up to `end`. */
export interface Frame {
  readonly bytes: Buffer;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** So many small reads in a row make the buffer smaller. */
const PATIENCE = 8;

/** The read buffer of one connection, taken apart into frames. */
export class FrameReader {
  /** The largest packet that is taken, in bytes, fixed header included. */
  limit: number;
  #buffer = Buffer.allocUnsafeSlow(SMALL);
  #start = 0;
  #end = 0;
  /** Reads in a row that have used little of the buffer. */
  #sparse = 0;
  /** One for all: there is one packet at a time, and millions of them. */
  readonly #frame = { bytes: this.#buffer, start: 0, body: 0, end: 0 };

  constructor(limit: number) {
    this.limit = limit;
  }

  /** How many bytes the buffer takes. */
  get size(): number {
    return this.#buffer.length;
  }

  /** Where the next read goes: at least one byte. Frames that were handed out before are void from here on. */
  space(): Uint8Array {
    if (this.#start === this.#end) this.#rewind();
    else if (this.#end === this.#buffer.length) this.#makeRoom();
    return this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
  }

  /** Notes that `count` bytes were read into `space()`. */
  received(count: number): void {
    this.#end += count;
  }

  /**
   * The next whole packet, or nothing until more has been read. The frame is good until the next call, or the next
   * read.
   *
   * @throws {MqttError} where the length is malformed or over the limit
   */
  next(): Frame | undefined {
    const buffer = this.#buffer;
    let length = 0, shift = 0, at = this.#start + 1;
    for (;;) {
      if (at >= this.#end) return undefined;
      const byte = buffer[at++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if ((shift += 7) > 21) throw new MqttError("malformed-packet", "Remaining length has more than 4 bytes");
    }
    const end = at + length, size = end - this.#start;
    if (size > this.limit) {
      throw new MqttError("packet-too-large", `Packet of ${size} bytes exceeds the limit of ${this.limit}`);
    }
    if (end > this.#end) return undefined;
    const frame = this.#frame;
    frame.bytes = buffer;
    frame.start = this.#start;
    frame.body = at;
    frame.end = this.#start = end;
    return frame;
  }

  /** Everything has been taken: the next read starts in front, in a buffer that fits what the client sends. */
  #rewind(): void {
    const size = this.#buffer.length, used = this.#end, kept = used > LARGE ? KEPT : LARGE;
    this.#start = this.#end = 0;
    this.#sparse = used < size / 8 ? this.#sparse + 1 : 0;
    if (used === size && size < LARGE) this.#buffer = Buffer.allocUnsafeSlow(Math.min(size * 4, LARGE));
    else if (size > kept) this.#buffer = Buffer.allocUnsafeSlow(LARGE);
    else if (this.#sparse > PATIENCE && size > SMALL) {
      this.#sparse = 0;
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(size / 4, SMALL));
    }
  }

  /** The rest of a packet has no room: move it to the front, of a larger buffer where the client fills this one. */
  #makeRoom(): void {
    const rest = this.#buffer.subarray(this.#start, this.#end), size = this.#buffer.length;
    if (size < LARGE) this.#buffer = Buffer.allocUnsafeSlow(Math.min(size * 4, LARGE));
    else if (rest.length > size / 2) this.#buffer = Buffer.allocUnsafeSlow(size * 2);
    rest.copy(this.#buffer);
    this.#start = 0;
    this.#end = rest.length;
  }
}
