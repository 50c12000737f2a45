// A client as the standard wants it: its session outlives its connections. Whenever it has lost one it opens another, sends again
// what was not acknowledged, and knows what it has received already. It notes all that it was given, for a test to judge.
import { Buffer } from "node:buffer";
import { generate, type Packet, parser } from "../../src/codec/mqtt_packet.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import type { PacketLike } from "../support/client.ts";

/** A message that was received, once however often it was sent, where that can be told. */
export interface Receipt {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** How a client connects, and what it does with what it gets. */
export interface FaithfulOptions {
  readonly id: string;
  /** Default 4. */
  readonly level?: 4 | 5;
  /** Opens a stream to the broker, as soon as that is there. */
  open(): Promise<ByteStream>;
  /** The will of a connection, by the number of the attempt; default: it has none. */
  will?(connection: number): PacketLike["will"];
  /** Sends what is left to be acknowledged, at once or later; default: at once. */
  acknowledge?(send: () => void): void;
}

/** Something that was sent, and awaits its answer, on whatever connection. */
interface Request {
  packet: PacketLike;
  readonly done: PromiseWithResolvers<void>;
}

/** Messages of QoS 1 and 2 that it has under way. */
const WINDOW = 20;

/** A client whose session lasts. */
export class FaithfulClient {
  readonly id: string;
  readonly receipts: Receipt[] = [];
  /** Faults of the broker. */
  readonly faults: string[] = [];
  /** The attempts to connect that were accepted, and those connections of them that it has ended itself, by DISCONNECT. */
  readonly accepted: number[] = [];
  readonly ended: number[] = [];
  readonly #options: FaithfulOptions;
  /** By packet identifier, in order. */
  readonly #underWay = new Map<number, Request>();
  readonly #waiting: Request[] = [];
  /** Identifiers of QoS 2 messages that await their PUBREL. */
  readonly #received = new Set<number>();
  #stream: ByteStream | undefined;
  #accepted = false;
  #stopped = false;
  #attempts = 0;
  #pings = 0;
  /** Acknowledgements that it takes its time for. */
  #unsent: PacketLike[] = [];
  #writing: Promise<void> = Promise.resolve();
  #running: Promise<void> | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(options: FaithfulOptions) {
    this.#options = options;
    this.id = options.id;
  }

  /** True where it has nothing to do: everything has been acknowledged, in both directions, or it has been stopped. */
  get idle(): boolean {
    const left = this.#underWay.size + this.#waiting.length + this.#received.size + this.#unsent.length;
    return this.#stopped || this.#accepted && left === 0;
  }

  /** Connects, and goes on doing so. Resolves with the first connection that is accepted. */
  async start(): Promise<void> {
    this.#stopped = false;
    const { length } = this.accepted;
    this.#running = this.#run();
    await this.until(() => this.accepted.length > length);
  }

  /** Resolves when something is true of this client. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise;
  }

  /** Resolves when it has nothing to do, and the broker has answered a ping after that. */
  async rest(): Promise<void> {
    const pings = this.#pings;
    while (this.#pings === pings) {
      await this.until(() => this.idle);
      if (this.#stopped) return;
      this.#send([{ cmd: "pingreq" }]);
      await this.until(() => this.#pings > pings || !this.idle);
    }
  }

  /** Ends its connection, with DISCONNECT or without, and makes no other. */
  async stop(how: "disconnect" | "drop" = "disconnect"): Promise<void> {
    this.#stopped = true;
    if (how === "disconnect" && this.#accepted) {
      this.ended.push(this.#attempts);
      this.#send([{ cmd: "disconnect" }]);
    } else this.cut();
    await this.#running;
  }

  /** Loses its connection. */
  cut(): void {
    this.#stream?.close();
  }

  /** Publishes, and resolves when that has been acknowledged to the end. */
  publish(topic: string, payload: string, qos: 1 | 2, retain = false): Promise<void> {
    return this.#request({ cmd: "publish", topic, payload, qos, retain, dup: false });
  }

  subscribe(topic: string, qos: number): Promise<void> {
    return this.#request({ cmd: "subscribe", subscriptions: [{ topic, qos }] });
  }

  unsubscribe(...unsubscriptions: readonly string[]): Promise<void> {
    return this.#request({ cmd: "unsubscribe", unsubscriptions });
  }

  #request(packet: PacketLike): Promise<void> {
    const request = { packet, done: Promise.withResolvers<void>() };
    this.#waiting.push(request);
    this.#pump();
    return request.done.promise;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#converse(await this.#options.open());
      } catch {
        // The connection is lost, or could not be made.
      }
      this.#accepted = false;
      this.#unsent = [];
      this.#notify();
    }
  }

  async #converse(stream: ByteStream): Promise<void> {
    if (this.#stopped) return stream.close();
    const { level = 4 } = this.#options, buffer = Buffer.alloc(65_536), packets: PacketLike[] = [];
    const reader = parser({ protocolVersion: level });
    reader.on("packet", (packet) => packets.push(packet as PacketLike));
    reader.on("error", (error) => this.faults.push(error.message));
    this.#stream = stream;
    try {
      await this.#write([this.#connectPacket(level)]);
      for (let count; (count = await stream.read(buffer)) !== null;) {
        reader.parse(Buffer.from(buffer.subarray(0, count)));
        for (const packet of packets.splice(0)) this.#take(packet);
        this.#notify();
      }
    } finally {
      stream.close();
      if (this.#stream === stream) this.#stream = undefined;
    }
  }

  #connectPacket(protocolVersion: number): PacketLike {
    const will = this.#options.will?.(++this.#attempts);
    return {
      ...{ cmd: "connect", clientId: this.id, clean: false, keepalive: 0, protocolVersion },
      ...protocolVersion === 5 && { properties: { sessionExpiryInterval: 0xffff_ffff } },
      ...will && { will },
    };
  }

  #take(packet: PacketLike): void {
    const { cmd, messageId } = packet;
    switch (cmd) {
      case "connack":
        return this.#connected(packet);
      case "publish":
        return this.#receive(packet);
      case "pubrel":
        this.#received.delete(messageId);
        return this.#answer({ cmd: "pubcomp", messageId });
      case "pubrec":
        return this.#release(messageId);
      case "puback":
      case "pubcomp":
      case "suback":
      case "unsuback":
        return this.#settle(messageId);
      case "pingresp":
        this.#pings++;
    }
  }

  #connected({ returnCode, reasonCode, sessionPresent }: PacketLike): void {
    if ((returnCode ?? reasonCode) !== 0) return this.cut();
    if (!sessionPresent && this.accepted.length > 0) this.faults.push("The session was lost");
    this.#accepted = true;
    this.accepted.push(this.#attempts);
    const again = [...this.#underWay.values()].map(({ packet }) =>
      packet.cmd === "publish" ? { ...packet, dup: true } : packet
    );
    this.#send(again);
    this.#pump();
  }

  #receive({ topic, payload, qos, retain, messageId }: PacketLike): void {
    const known = qos === 2 && this.#received.has(messageId);
    if (!known) this.receipts.push({ topic, payload: String(payload), qos, retain });
    if (qos === 2) this.#received.add(messageId);
    if (qos > 0) this.#answer({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
  }

  #release(messageId: number): void {
    const request = this.#underWay.get(messageId);
    if (request) request.packet = { cmd: "pubrel", messageId };
    this.#send([{ cmd: "pubrel", messageId }]);
  }

  #settle(messageId: number): void {
    const request = this.#underWay.get(messageId);
    this.#underWay.delete(messageId);
    request?.done.resolve();
    this.#pump();
  }

  /** Acknowledgements keep their order [MQTT-4.6.0-2], [MQTT-4.6.0-3]. */
  #answer(packet: PacketLike): void {
    const { acknowledge = (send) => send() } = this.#options, stream = this.#stream;
    this.#unsent.push(packet);
    acknowledge(() => {
      if (stream === this.#stream) this.#send(this.#unsent.splice(0));
      this.#notify();
    });
  }

  #pump(): void {
    const packets: PacketLike[] = [];
    while (this.#accepted && this.#waiting.length > 0 && this.#underWay.size < WINDOW) {
      const request = this.#waiting.shift()!;
      let messageId = 1; // identifiers are used again as soon as they may be
      while (this.#underWay.has(messageId)) messageId++;
      request.packet = { ...request.packet, messageId };
      this.#underWay.set(messageId, request);
      packets.push(request.packet);
    }
    this.#send(packets);
  }

  #send(packets: readonly PacketLike[]): void {
    if (packets.length > 0) this.#write(packets).catch(() => {}); // the reader sees that the connection is lost
  }

  /** Packets that are sent together are one write: concurrent ones would mix. */
  async #write(packets: readonly PacketLike[]): Promise<void> {
    const stream = this.#stream, { level: protocolVersion = 4 } = this.#options;
    if (!stream) return;
    const bytes = Buffer.concat(packets.map((packet) => generate(packet as Packet, { protocolVersion }) as Buffer));
    await (this.#writing = this.#writing.catch(() => {}).then(() => writeAll(stream, bytes)));
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}

async function writeAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await stream.write(rest));
}
