// The other end of a connection of a fuzzed broker: it sends what it is told to, and looks at all that it gets. Whatever a client has
// done, the broker keeps the rules: packets that mqtt-packet reads, one CONNACK before everything else, nothing behind a last word.
import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Broker } from "../../mod.ts";
import { type Parser, parser } from "../../src/codec/mqtt_packet.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import type { PacketLike } from "../support/client.ts";
import { varint } from "./tree.ts";

/** A client that may do anything. */
export class Peer {
  /** The address that the broker knows it by. */
  readonly name: string;
  /** Resolves when the broker is done with the connection. */
  readonly served: Promise<void>;
  /** Called for every packet. */
  onPacket: (packet: PacketLike) => void = () => {};
  /** Called when the broker has ended the connection. */
  onEnd: () => void = () => {};
  /** What the broker has sent, in words. */
  readonly heard: string[] = [];
  /** The payloads that it got, as "latin1". */
  readonly payloads: Set<string> = new Set();
  /** The size of the largest packet that it has sent. */
  largest = 0;
  /** Messages of QoS 1 and 2 that it was sent. */
  begun = 0;
  /** What the broker has done wrong. */
  fault: unknown;
  stalled = false;
  /** True once the broker has ended the connection, and that has come here. */
  over = false;
  /** True once its own end was closed. */
  gone = false;
  /** Pieces that were not written yet. */
  unwritten = 0;

  readonly #stream: ByteStream;
  #state: "new" | "accepted" | "over" = "new";
  #writing: Promise<void> = Promise.resolve();
  #resumed = Promise.withResolvers<void>();

  /** @param capacity bytes that are on their way before a write waits */
  constructor(broker: Broker, name: string, capacity?: number) {
    const [ours, theirs] = memoryPair(capacity);
    this.name = name;
    this.#stream = ours;
    this.served = broker.accept({ ...theirs, remote: name });
    this.#read().catch((fault) => this.fault ??= fault);
  }

  /** Sends bytes behind those that are under way. */
  send(bytes: Uint8Array): void {
    this.unwritten++;
    this.#writing = this.#writing.then(() => this.#write(bytes)).then(() => void this.unwritten--, () => {});
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#stream.write(rest));
  }

  /** Says that nothing more will come, once all is sent. */
  end(): void {
    this.#writing = this.#writing.then(() => this.#stream.closeWrite());
  }

  /** Goes without a word. */
  reset(): void {
    this.gone = true;
    this.read();
    this.#stream.close();
  }

  /** Reads no more. */
  stall(): void {
    this.stalled = true;
  }

  /** Reads again. */
  read(): void {
    this.stalled = false;
    this.#resumed.resolve();
    this.#resumed = Promise.withResolvers();
  }

  async #read(): Promise<void> {
    const buffer = Buffer.alloc(2048);
    for (let reader: Parser | undefined;;) {
      while (this.stalled) await this.#resumed.promise;
      const count = await this.#stream.read(buffer).catch(() => null); // reset by ourselves
      if (count === null) break;
      const bytes = Buffer.from(buffer.subarray(0, count)); // a copy: the parser keeps views
      (reader ??= this.#parser(bytes)).parse(bytes);
    }
    this.#stream.close();
    this.over = true;
    this.onEnd();
  }

  /** Reads packets, of 3.1.1 where the first one is a CONNACK of two bytes. */
  #parser(bytes: Buffer): Parser {
    const reader = parser({ protocolVersion: bytes[0] === 0x20 && bytes[1] === 2 ? 4 : 5 });
    reader.on("packet", (packet) => this.#take(packet as PacketLike));
    reader.on("error", (error) => this.fault ??= error);
    return reader;
  }

  #take(packet: PacketLike): void {
    this.#requireOrder(packet);
    const { cmd, length, reasonCode, returnCode, granted, qos } = packet;
    this.largest = Math.max(this.largest, 1 + varint(length).length + length);
    this.heard.push(`${cmd} ${reasonCode ?? returnCode ?? granted ?? qos}`);
    if (cmd === "publish") this.payloads.add(Buffer.from(packet.payload).toString("latin1"));
    if (cmd === "publish" && qos > 0) this.begun++;
    this.onPacket(packet);
  }

  #requireOrder({ cmd, returnCode, reasonCode = returnCode, qos, messageId }: PacketLike): void {
    assert(this.#state !== "over", `${cmd} comes behind the last word`);
    const early = this.#state === "new";
    assert(
      early ? cmd === "connack" || cmd === "auth" : cmd !== "connack",
      `${cmd} comes ${early ? "first" : "again"}`,
    );
    assert(cmd !== "publish" || qos === 0 || messageId! > 0, "PUBLISH has 0 as its packet identifier");
    if (cmd === "connack") this.#state = reasonCode === 0 ? "accepted" : "over";
    if (cmd === "disconnect") this.#state = "over";
  }
}
