// A client of the soak test, over TCP: it acknowledges what it gets, unless it is told not to, and counts what it sends. What the
// broker answers it only waits for; that the answers are right is for other tests.
import { Buffer } from "node:buffer";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import { PacketReader, PUBREC, PUBREL, type RawPacket, readPublish, type Version } from "../bench/wire.ts";
import type { PacketLike } from "../support/client.ts";

/** How long a client waits for an answer, in milliseconds. */
const PATIENCE = 20_000;

/** What all clients have sent so far. */
export interface Tally {
  connections: number;
  /** Packets. */
  operations: number;
}

/** The first bytes of what answers a question: CONNACK, SUBACK, UNSUBACK, PINGRESP, AUTH. */
const answers = [0x20, 0x90, 0xb0, 0xd0, 0xf0];

/** One connection. */
export class SoakClient {
  /** False where it leaves its acknowledgements out. */
  polite = true;
  /** Called for the payload of each message. */
  onMessage: (payload: Buffer) => void = () => {};
  readonly #conn: Deno.TcpConn;
  readonly #version: Version;
  readonly #tally: Tally;
  readonly #out: Uint8Array[] = [];
  #writing = false;
  #reading = true;
  #ended = false;
  #answered = Promise.withResolvers<void>();
  #resumed = Promise.withResolvers<void>();

  private constructor(conn: Deno.TcpConn, version: Version, tally: Tally) {
    this.#conn = conn;
    this.#version = version;
    this.#tally = tally;
    this.#read().catch(() => {}).finally(() => this.#end());
  }

  /** A connection over which nothing has been sent. */
  static async open(port: number, version: Version, tally: Tally): Promise<SoakClient> {
    const conn = await Deno.connect({ port, hostname: "127.0.0.1" });
    tally.connections++;
    return new SoakClient(conn, version, tally);
  }

  /** A client that has been let in. */
  static async connect(port: number, version: Version, tally: Tally, about: object): Promise<SoakClient> {
    const client = await SoakClient.open(port, version, tally);
    await client.ask({ cmd: "connect", protocolVersion: version, clean: true, keepalive: 0, ...about });
    return client;
  }

  /** Sends a packet. */
  send(packet: PacketLike): void {
    this.#tally.operations++;
    this.sendBytes(generate(packet as Packet, { protocolVersion: this.#version }));
  }

  /** Sends bytes: at once, or behind those that are under way. */
  async sendBytes(bytes: Uint8Array): Promise<void> {
    this.#out.push(bytes);
    if (this.#writing || this.#ended) return;
    this.#writing = true;
    await Promise.resolve(); // what is sent at the same time leaves in one write
    try {
      while (this.#out.length > 0) {
        for (let rest = Buffer.concat(this.#out.splice(0)); rest.length > 0;) {
          rest = rest.subarray(await this.#conn.write(rest));
        }
      }
    } catch {
      this.#end();
    }
    this.#writing = false;
  }

  /** Sends a packet, and resolves when it is answered, or the connection has ended. */
  async ask(packet: PacketLike): Promise<void> {
    if (this.#ended) return;
    this.#answered = Promise.withResolvers();
    const late = setTimeout(() => this.#answered.reject(new Error(`${packet.cmd} was not answered`)), PATIENCE);
    this.send(packet);
    await this.#answered.promise.finally(() => clearTimeout(late));
  }

  /** Resolves when everything before was handled. */
  ping(): Promise<void> {
    return this.ask({ cmd: "pingreq" });
  }

  /** Reads no more. */
  stall(): void {
    this.#reading = false;
  }

  /** Says goodbye, or goes without a word. */
  async leave(politely = true): Promise<void> {
    if (politely && !this.#ended) {
      this.#tally.operations++;
      await this.sendBytes(Buffer.from([0xe0, 0]));
    }
    this.#end();
  }

  async #read(): Promise<void> {
    const reader = new PacketReader();
    for (;;) {
      const count = await this.#conn.read(reader.space());
      if (count === null) return;
      for (const packet of reader.packets(count)) this.#take(packet);
      if (!this.#reading) await this.#resumed.promise;
    }
  }

  #take(packet: RawPacket): void {
    const { header, bytes, body } = packet;
    if (header >> 4 === 3) return this.#message(packet);
    if (answers.includes(header)) return this.#answered.resolve();
    if (!this.polite) return;
    if (header === PUBREC) this.#acknowledge("pubrel", bytes.readUInt16BE(body));
    if (header === PUBREL) this.#acknowledge("pubcomp", bytes.readUInt16BE(body));
  }

  #message(packet: RawPacket): void {
    const { header, packetId, bytes, payload, end } = readPublish(packet, this.#version), qos = header >> 1 & 3;
    if (qos > 0 && this.polite) this.#acknowledge(qos === 1 ? "puback" : "pubrec", packetId);
    this.onMessage(bytes.subarray(payload, end));
  }

  #acknowledge(cmd: "puback" | "pubrec" | "pubrel" | "pubcomp", messageId: number): void {
    this.send({ cmd, messageId });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#conn.close();
    this.#answered.resolve();
    this.#resumed.resolve();
  }
}
