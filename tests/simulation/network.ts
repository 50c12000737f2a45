// The network of a run: between each client and the broker a link that carries bytes in both directions, late and in pieces of any
// size, until it breaks, at any byte. What the broker reads and writes is noted as packets at its own end.
import type { Buffer } from "node:buffer";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import type { ByteStream } from "../../mod.ts";
import type { PacketLike } from "../support/client.ts";
import { Downlink } from "./downlink.ts";
import type { History, Published } from "./history.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import { Uplink } from "./uplink.ts";

/** The client's end of a link. */
export interface Peer {
  /** Takes a packet of the broker. */
  receive(packet: PacketLike): void;
  /** The broker has closed the link, or is no more. */
  ended(): void;
}

/** What links have in common. */
export interface NetworkOptions {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly history: History;
  /** Milliseconds that bytes are under way at most, but for a few that take long. */
  readonly latency: number;
  /** How often bytes are torn into pieces. */
  readonly tearing: number;
  /** No read brings the end of one packet and the beginning of the next one. */
  readonly oneByOne: boolean;
}

/** How a client leaves a link: in good order, by a reset, or so that the broker does not hear of it. */
export type Ending = "end" | "reset" | "silence";

/** A call of the broker that waits. */
export interface Pending<T> {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly resolve: (result: T) => void;
  readonly reject: (error: Error) => void;
}

/** One connection. */
export class Link {
  readonly name: string;
  /** The broker's end. */
  readonly stream: ByteStream;
  readonly #network: NetworkOptions;
  readonly #version: number;
  readonly #up: Uplink;
  readonly #down: Downlink;
  #fault: Error | undefined;
  #frozen = false;

  constructor(name: string, version: number, peer: Peer, network: NetworkOptions) {
    this.name = name;
    this.#version = version;
    this.#network = network;
    this.#up = new Uplink(this, network);
    this.#down = new Downlink(this, network, version, peer);
    this.stream = {
      remote: name,
      read: (bytes) => this.#call((pending) => this.#up.read(pending), bytes),
      write: (bytes) => this.#call((pending) => this.#down.write(pending), bytes),
      closeWrite: () => Promise.resolve(this.#down.finish()),
      close: () => this.#break(new Deno.errors.Interrupted("Stream was closed")),
    };
  }

  /** True while the broker's end is whole. */
  get open(): boolean {
    return this.#fault === undefined && !this.#frozen;
  }

  /** Sends a packet, or bytes that stand for one. */
  send(packet: PacketLike, message?: Published, bytes?: Buffer): void {
    this.#up.send(packet, message, bytes ?? generate(packet as Packet, { protocolVersion: this.#version }));
  }

  /** The client reads no more, or goes on reading. */
  stall(stalled: boolean): void {
    this.#down.stall(stalled);
  }

  /** The client closes: what it has sent still arrives. */
  close(): void {
    this.#leave("end", Infinity);
  }

  /** The connection breaks: only a part of what is on its way still arrives. */
  cut(): void {
    this.#leave("reset", this.#network.random.between(0, this.#up.size));
  }

  /** The connection breaks, and nobody tells the broker. */
  vanish(): void {
    this.#leave("silence", 0);
  }

  /** The connection breaks at both ends at once. */
  fail(): void {
    this.#down.lose();
    this.#break(new Deno.errors.ConnectionReset("Connection reset by peer"));
  }

  /** The broker is no more: whatever it waits for does not come. */
  freeze(): void {
    this.#frozen = true;
    this.#up.freeze();
    this.#down.freeze();
  }

  #call<T>(begin: (pending: Pending<T>) => void, bytes: Uint8Array): Promise<T> {
    const { schedule } = this.#network, fault = this.#fault;
    return new Promise((resolve, reject) => {
      if (this.#frozen) return;
      if (fault) schedule.after(0, () => reject(this.#lost(fault))); // in a step of its own
      else begin({ bytes, at: schedule.now, resolve, reject });
    });
  }

  #leave(ending: Ending, arriving: number): void {
    this.#network.history.add({ type: "note", text: `${this.name} is left: ${ending}, ${arriving} bytes more` });
    this.#down.leave(ending);
    this.#up.leave(ending, arriving);
  }

  #break(fault: Error): void {
    if (!this.open) return;
    this.#fault = fault;
    if (this.#up.waits || this.#down.waits) this.#lost(fault);
    this.#up.break(fault);
    this.#down.break(fault);
  }

  /** The broker is told. */
  #lost(fault: Error): Error {
    this.#network.history.add({ type: "lost", link: this });
    return fault;
  }
}
