// From the broker to a client: bytes are taken as long as there is room, and brought to the client in order. They are taken apart into
// packets by mqtt-packet alone, not by anything of the broker.
import { Buffer } from "node:buffer";
import { parser } from "../../src/codec/mqtt_packet.ts";
import type { PacketLike } from "../support/client.ts";
import type { Ending, Link, NetworkOptions, Peer, Pending } from "./network.ts";

/** The way from the broker to a client. */
export class Downlink {
  readonly #link: Link;
  readonly #network: NetworkOptions;
  readonly #parser;
  #parsed: PacketLike[] = [];
  /** Bytes that are taken from the broker while the client does not read them. */
  readonly #capacity: number;
  #peer: Peer | undefined;
  /** What is on its way: as many bytes, and the packets that end in them. */
  readonly #units: { readonly size: number; readonly packets: readonly PacketLike[] }[] = [];
  #size = 0;
  #swallows = false;
  #stalled = false;
  #delivering = false;
  #finished = false;
  #writing: Pending<number> | undefined;
  /** Where writes follow each other without a pause, the broker may have gathered their bytes since the first one. */
  #lastWrite = { since: 0, end: 0 };

  constructor(link: Link, network: NetworkOptions, protocolVersion: number, peer: Peer) {
    this.#link = link;
    this.#network = network;
    this.#peer = peer;
    this.#capacity = network.random.pick([64, 300, 65_536, 65_536]);
    this.#parser = parser({ protocolVersion });
    this.#parser.on("packet", (packet) => this.#parsed.push(packet as PacketLike));
    this.#parser.on("error", (error) => {
      throw new Error(`${link.name}: the broker has written what is no packet: ${error.message}`);
    });
  }

  /** Whether the broker is writing. */
  get waits(): boolean {
    return this.#writing !== undefined;
  }

  /** The broker wants to write. */
  write(writing: Pending<number>): void {
    this.#writing = writing;
    this.#accept();
  }

  /** The client reads no more, or goes on reading. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    this.#deliver();
  }

  /** The client is gone: what is written then goes nowhere, or, where nobody knows, stays on its way. */
  leave(ending: Ending): void {
    this.#peer = undefined;
    this.#swallows = ending !== "silence";
    this.#accept();
  }

  /** Loses what is on its way. */
  lose(): void {
    this.#units.length = 0;
  }

  /** The broker writes no more. */
  finish(): void {
    this.#finished = true;
    this.#deliver();
  }

  /** The broker cannot write any more. */
  break(fault: Error): void {
    this.#writing?.reject(fault);
    this.freeze();
  }

  /** The broker is no more. */
  freeze(): void {
    this.#writing = undefined;
    this.finish();
  }

  /** Takes as many bytes of the broker as there is room for. */
  #accept(): void {
    const writing = this.#writing, room = this.#swallows ? Infinity : this.#capacity - this.#size;
    if (!writing || room <= 0) return;
    this.#writing = undefined;
    const size = Math.min(writing.bytes.length, room), { schedule: { now }, history } = this.#network;
    const since = writing.at === this.#lastWrite.end ? this.#lastWrite.since : writing.at;
    this.#lastWrite = { since, end: now };
    const packets = this.#parse(writing.bytes.subarray(0, size));
    for (const packet of packets) history.add({ type: "written", link: this.#link, packet, since });
    this.#units.push({ size, packets });
    this.#size += size;
    writing.resolve(size);
    this.#deliver();
  }

  #parse(bytes: Uint8Array): readonly PacketLike[] {
    this.#parsed = [];
    this.#parser.parse(Buffer.from(bytes)); // a copy: the parser keeps views
    return this.#parsed;
  }

  /** Brings the client what there is for it, and the end after that. */
  #deliver(): void {
    const { schedule, random, latency } = this.#network;
    if (this.#delivering || this.#stalled || !this.#peer || this.#units.length === 0 && !this.#finished) return;
    this.#delivering = true;
    schedule.after(random.between(0, latency), () => {
      this.#delivering = false;
      if (!this.#stalled) this.#bring();
      this.#deliver();
    });
  }

  #bring(): void {
    const unit = this.#units.shift(), peer = this.#peer;
    if (!unit) {
      this.#peer = undefined;
      return peer?.ended();
    }
    this.#size -= unit.size;
    for (const packet of unit.packets) this.#peer?.receive(packet);
    this.#accept();
  }
}
