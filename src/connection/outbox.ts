// What is on its way to one client's socket. Packets are appended as bytes during a turn; at its end one write sends them all.
// While that write is under way, following turns append to another chunk, which goes out as soon as it is done: there is never
// more than one write at a time (concurrent writes would tear frames apart), and nobody waits for it. A large payload is not
// appended: it is written from where it is for all clients, in its place between the bytes of two chunks.
import { Buffer } from "node:buffer";
import type { PublishFrame } from "../codec/encode.ts";
import { copyBytes } from "../codec/writer.ts";
import type { Message } from "../message.ts";
import { requireCount } from "../transport/transport.ts";
import type { Flushable, Turn } from "../turn.ts";
import { CHUNK, type ChunkPool } from "./chunk_pool.ts";

/** A payload of so many bytes is not copied: for smaller ones a write of their own would cost more than that. */
const SHARED = 131_072;

/** While memory is full an outbox takes no more than so many bytes. */
const LITTLE = 16_384;

/** What the outboxes of a broker share. */
export interface OutboxContext {
  readonly turn: Turn;
  readonly pool: ChunkPool;
}

/** Whose bytes they are. */
export interface OutboxOwner {
  /** Writes at least one byte and resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Called when an outbox that was full has room again. */
  roomAgain(): void;
  /** Called once when a write fails; nothing is sent after that. `lost` messages of QoS 0 were on their way. */
  writeFailed(error: unknown, lost: number): void;
}

/** A payload of so many bytes that goes out behind so many of the chunk. */
interface Loan {
  readonly at: number;
  readonly message: Message;
  readonly size: number;
}

const nothing = Buffer.alloc(0), none: Loan[] = [];

/** The outgoing bytes of one connection. */
export class Outbox implements Flushable {
  readonly #owner: OutboxOwner;
  readonly #context: OutboxContext;
  readonly #limit: number;
  #chunk: Buffer = nothing;
  #length = 0;
  /** What goes out in between, and its bytes. */
  #loans = none;
  #lent = 0;
  #writing = false;
  /** Bytes of the write that is under way, as far as they are not written, and those that are lent. */
  #leaving = 0;
  /** Bytes that were ever written, and how many may be. */
  #sent = 0;
  #permitted = 0;
  /** Messages of QoS 0 in the chunk, and in the write: nobody sends them again. */
  #unacknowledged = 0;
  #leavingUnacknowledged = 0;
  #touched = false;
  #broken = false;
  #wasFull = false;
  #onEmpty: (() => void) | undefined;
  #emptied: Promise<void> | undefined;

  /** @param limit bytes above which `full` is true */
  constructor(owner: OutboxOwner, context: OutboxContext, limit: number) {
    this.#owner = owner;
    this.#context = context;
    this.#limit = limit;
  }

  /** True while more than the limit is on its way. */
  get full(): boolean {
    return !this.takes(0);
  }

  /** False while more than the limit is on its way; and for a message that memory has no room for as many times as it is sent. */
  takes(size: number): boolean {
    const bytes = this.#length + this.#leaving;
    const full = bytes > this.#limit || bytes + size > LITTLE && this.#context.pool.memory.full;
    this.#wasFull ||= full;
    return !full;
  }

  /** True while twice as much is on its way: acknowledgements have that much room, too. */
  get choked(): boolean {
    const half = (this.#length + this.#leaving) / 2;
    return (half > this.#limit || half > LITTLE && this.#context.pool.memory.full) && this.full;
  }

  /** Appends a packet. */
  append(bytes: Uint8Array): void {
    if (this.#broken) return;
    this.#reserve(this.#length + bytes.length);
    this.#chunk.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#touch();
  }

  /** Appends an acknowledgement without a reason code. */
  appendAck(header: number, packetId: number): void {
    if (this.#broken) return;
    this.#reserve(this.#length + 4);
    const chunk = this.#chunk, at = this.#length;
    chunk[at] = header;
    chunk[at + 1] = 2;
    chunk[at + 2] = packetId >>> 8;
    chunk[at + 3] = packetId & 0xff;
    this.#length = at + 4;
    this.#touch();
  }

  /** Appends a PUBLISH that others are sent too, with a packet identifier and a DUP flag of this client's own. */
  appendPublish({ buffer, start, end, idAt, size, rest }: PublishFrame, packetId: number, dup: boolean): void {
    if (this.#broken) return;
    const at = this.#length, own = size < SHARED ? size : this.#lend(rest, size, at);
    this.#reserve(at + own);
    const chunk = this.#chunk;
    copyBytes(buffer, start, end, chunk, at);
    if (own > end - start) rest!.copyTo(chunk, at + end - start);
    if (packetId > 0) {
      chunk[at + idAt] = packetId >>> 8;
      chunk[at + idAt + 1] = packetId & 0xff;
    } else this.#unacknowledged++;
    if (dup) chunk[at]! |= 0x08;
    this.#length = at + own;
    this.#touch();
  }

  /** Lends the payload of a PUBLISH that is to be appended, where it is large; returns how many bytes are left of the packet. */
  #lend(message: Message | undefined, packet: number, at: number): number {
    const size = message?.size ?? 0;
    if (!message || size < SHARED) return packet;
    const own = packet - size;
    this.#context.pool.memory.hold(message.keep());
    (this.#loans === none ? this.#loans = [] : this.#loans).push({ at: at + own, message, size });
    this.#lent += size;
    this.#leaving += size;
    return own;
  }

  /** The number of bytes that were ever appended. */
  mark(): number {
    this.#touched = false;
    return this.#sent + this.#leaving + this.#length;
  }

  /** Starts to write, unless that is under way. */
  flush(upTo: number): void {
    this.#touched = false;
    this.#permitted = Math.max(this.#permitted, upTo === Infinity ? this.mark() : upTo);
    if (!this.#writing) this.#write();
  }

  /** Resolves when everything is written, or can't be. */
  emptied(): Promise<void> {
    if (this.#length + this.#leaving === 0 || this.#broken) return Promise.resolve();
    return this.#emptied ??= new Promise((resolve) => this.#onEmpty = resolve);
  }

  #touch(): void {
    if (this.#touched) return;
    this.#touched = true;
    this.#context.turn.touch(this);
  }

  #reserve(size: number): void {
    if (size <= this.#chunk.length) return;
    const larger = this.#context.pool.take(size > CHUNK ? Math.max(size, this.#chunk.length * 2) : size);
    larger.set(this.#chunk.subarray(0, this.#length));
    this.#context.pool.give(this.#chunk);
    this.#chunk = larger;
  }

  /** Begins to write everything that may go, and ends where there is nothing. */
  #write(): void {
    this.#writing = this.#length > 0 && this.#permitted > this.#sent;
    if (!this.#writing) return this.#rest();
    const bytes = Math.min(this.#length + this.#lent, this.#permitted - this.#sent);
    this.#leavingUnacknowledged = this.#unacknowledged;
    this.#unacknowledged = 0;
    const chunk = this.#chunk, loans = this.#takeLoans(bytes), length = this.#keepRest(chunk, bytes, loans);
    this.#leaving = bytes + this.#lent;
    if (loans.length > 0) this.#writeWith(loans, chunk, length);
    else this.#writeChunk(chunk, 0, length);
  }

  /** There is one write per client and turn: suspending and resuming a function for each would double what a small one costs. */
  #writeChunk(chunk: Buffer, at: number, length: number): void {
    const failed = (error: unknown) => this.#failed(error, chunk, none);
    const wrote = (count: number) => {
      try {
        this.#written(count, length - at);
      } catch (error) {
        return failed(error);
      }
      if (at + count < length) this.#writeChunk(chunk, at + count, length);
      else this.#wrote(chunk, none);
    };
    try {
      Promise.resolve(this.#owner.write(chunk.subarray(at, length))).then(wrote, failed);
    } catch (error) {
      failed(error);
    }
  }

  async #writeWith(loans: readonly Loan[], chunk: Buffer, length: number): Promise<void> {
    try {
      let at = 0;
      for (const loan of loans) {
        while (at < loan.at) at += await this.#writePart(chunk.subarray(at, loan.at));
        for (let done = 0; done < loan.size;) done += await this.#writePart(payloadOf(loan).subarray(done));
      }
      while (at < length) at += await this.#writePart(chunk.subarray(at, length));
    } catch (error) {
      return this.#failed(error, chunk, loans);
    }
    this.#wrote(chunk, loans);
  }

  async #writePart(bytes: Uint8Array): Promise<number> {
    const { length } = bytes; // which is 0 where an observer gives a payload away meanwhile
    return this.#written(await this.#owner.write(bytes), length);
  }

  #wrote(chunk: Buffer, loans: readonly Loan[]): void {
    this.#giveBack(chunk, loans);
    this.#leavingUnacknowledged = 0;
    this.#write();
  }

  #failed(error: unknown, chunk: Buffer, loans: readonly Loan[]): void {
    this.#giveBack(chunk, loans);
    this.#broken = true;
    this.#giveBack(this.#chunk, this.#loans);
    this.#chunk = nothing;
    this.#loans = none;
    this.#length = this.#lent = this.#leaving = 0;
    this.#owner.writeFailed(error, this.#unacknowledged + this.#leavingUnacknowledged);
    this.#writing = false;
    this.#rest();
  }

  #rest(): void {
    if (this.#length > 0) return; // which may not go yet
    this.#onEmpty?.();
    this.#onEmpty = this.#emptied = undefined;
  }

  /** Those that go out with so many bytes, which end with a packet. */
  #takeLoans(bytes: number): readonly Loan[] {
    if (this.#loans === none) return none;
    let going = 0, end = bytes;
    for (const { at, size } of this.#loans) {
      if (at + size > end) break;
      end -= size;
      going++;
    }
    const loans = this.#loans.slice(0, going), rest = this.#loans.slice(going);
    this.#loans = rest.length > 0 ? rest.map((loan) => ({ ...loan, at: loan.at - end })) : none;
    return loans;
  }

  /** What may not go yet is moved to a chunk of its own. Returns how many bytes of this one go. */
  #keepRest(chunk: Buffer, bytes: number, loans: readonly Loan[]): number {
    let lent = 0;
    for (const { size } of loans) lent += size;
    const length = bytes - lent, rest = this.#length - length;
    this.#chunk = rest > 0 ? this.#context.pool.take(rest) : nothing;
    if (rest > 0) this.#chunk.set(chunk.subarray(length, this.#length));
    this.#length = rest;
    this.#lent -= lent;
    return length;
  }

  #giveBack(chunk: Buffer, loans: readonly Loan[]): void {
    this.#context.pool.give(chunk);
    for (const { message } of loans) this.#context.pool.memory.release(message);
  }

  #written(count: number, most: number): number {
    requireCount(count, 1, most);
    this.#leaving -= count;
    this.#sent += count;
    if (!this.#wasFull || this.full) return count;
    this.#wasFull = false;
    this.#owner.roomAgain();
    return count;
  }
}

/** Observers have the same bytes, and may have given them away to a worker: the packet can't be completed then. */
function payloadOf({ message: { payload, topic }, size }: Loan): Uint8Array {
  if (payload.length === size) return payload;
  throw new Error(`Payload of "${topic}" was given away while it was on its way`);
}
