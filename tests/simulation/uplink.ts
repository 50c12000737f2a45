// From a client to the broker: bytes leave, arrive in pieces, and wait to be read. No read brings the end of a CONNECT and what follows
// it: so whatever else one read leads to comes after all packets of that read.
import { Buffer } from "node:buffer";
import type { PacketLike } from "../support/client.ts";
import type { Published } from "./history.ts";
import type { Ending, Link, NetworkOptions, Pending } from "./network.ts";

/** The way from a client to the broker. */
export class Uplink {
  readonly #link: Link;
  readonly #network: NetworkOptions;
  #leaving: Buffer = Buffer.alloc(0);
  readonly #arrived: Buffer[] = [];
  /** The packets that the broker has not read to their ends, which are counted from the first byte of the link. */
  readonly #sent: { readonly packet: PacketLike; readonly message: Published | undefined; readonly end: number }[] = [];
  #sentSize = 0;
  #arrivedSize = 0;
  #readSize = 0;
  #travelling = false;
  #ending: Ending | undefined;
  #atEnd = false;
  #reading: Pending<number | null> | undefined;

  constructor(link: Link, network: NetworkOptions) {
    this.#link = link;
    this.#network = network;
  }

  /** Whether the broker is reading. */
  get waits(): boolean {
    return this.#reading !== undefined;
  }

  /** How many bytes are on their way. */
  get size(): number {
    return this.#leaving.length;
  }

  /** Bytes leave the client; they are this packet. */
  send(packet: PacketLike, message: Published | undefined, bytes: Buffer): void {
    this.#leaving = this.size > 0 ? Buffer.concat([this.#leaving, bytes]) : bytes;
    this.#sentSize += bytes.length;
    this.#sent.push({ packet, message, end: this.#sentSize });
    this.#travel();
  }

  /** Nothing more will be sent, and only so many bytes of what is on its way arrive. */
  leave(ending: Ending, arriving: number): void {
    this.#ending = ending;
    this.#leaving = this.#leaving.subarray(0, arriving);
    this.#travel();
  }

  /** The broker wants to read. */
  read(reading: Pending<number | null>): void {
    this.#reading = reading;
    this.#serve();
  }

  /** The broker cannot read any more. */
  break(fault: Error): void {
    this.#reading?.reject(fault);
    this.freeze();
  }

  /** The broker is no more. */
  freeze(): void {
    this.#reading = undefined;
    this.#atEnd = true;
  }

  #travel(): void {
    const { schedule, random, latency, tearing } = this.#network;
    if (this.#travelling || this.#atEnd || this.size === 0 && (this.#ending ?? "silence") === "silence") return;
    this.#travelling = true;
    schedule.after(random.chance(0.02) ? random.between(0, 5000) : random.between(0, latency), () => {
      this.#travelling = false;
      if (this.size > 0) this.#arrive(random.chance(tearing) ? random.between(1, 20) : Infinity);
      else if (this.#ending === "reset") this.#link.fail();
      else this.#atEnd = true;
      this.#serve();
      this.#travel();
    });
  }

  #arrive(most: number): void {
    const { oneByOne } = this.#network;
    const last = this.#sent.find(({ packet, end }) =>
      (oneByOne || packet.cmd === "connect") && end > this.#arrivedSize
    );
    const size = Math.min(most, last ? last.end - this.#arrivedSize : Infinity, this.size);
    this.#arrived.push(this.#leaving.subarray(0, size));
    this.#leaving = this.#leaving.subarray(size);
    this.#arrivedSize += size;
  }

  #serve(): void {
    const reading = this.#reading, piece = this.#arrived[0];
    if (!reading || !piece && !this.#atEnd) return;
    this.#reading = undefined;
    if (!piece) {
      this.#network.history.add({ type: "lost", link: this.#link });
      return reading.resolve(null);
    }
    const count = Math.min(piece.length, reading.bytes.length);
    reading.bytes.set(piece.subarray(0, count));
    if (count < piece.length) this.#arrived[0] = piece.subarray(count);
    else this.#arrived.shift();
    this.#note(count);
    reading.resolve(count);
  }

  #note(count: number): void {
    this.#readSize += count;
    while (this.#sent[0] && this.#sent[0].end <= this.#readSize) {
      this.#network.history.arrive(this.#link, this.#sent.shift()!);
    }
  }
}
