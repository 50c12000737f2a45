// A client for tests: a script of packets over a real stream. It keeps no rules of MQTT, so that it can break them. It reads with
// mqtt-packet alone, not with the broker's decoder.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Broker } from "../../src/broker.ts";
import { generate, type Packet, type Parser, parser } from "../../src/codec/mqtt_packet.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import { tcpStream } from "../../src/transport/tcp.ts";
import type { ByteStream } from "../../src/transport/transport.ts";

/** A packet as a test writes it: only what matters. */
// deno-lint-ignore no-explicit-any
export type PacketLike = { readonly cmd: Packet["cmd"]; readonly [field: string]: any };

/** How long a test waits for a packet that does not come, in milliseconds. */
const PATIENCE = 5000;

/** One end of a connection, as a test uses it. */
export class TestClient implements AsyncDisposable {
  readonly stream: ByteStream;
  /** The version that is spoken, which the CONNECT that is sent says. */
  readonly #speech: { protocolVersion: number };
  readonly #parser: Parser;
  readonly #received: PacketLike[] = [];
  #fault: Error | undefined;
  #ended = false;
  #changed = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;

  /** @param protocolVersion is wanted only where the CONNECT will be sent as raw bytes */
  constructor(stream: ByteStream, protocolVersion = 4) {
    this.stream = stream;
    this.#speech = { protocolVersion };
    this.#parser = parser(this.#speech);
    this.#parser.on("packet", (packet) => this.#received.push(packet as PacketLike));
    this.#parser.on("error", (error) => this.#fault = error);
    this.#reading = this.#read();
  }

  /** A client over the in-memory transport; nothing has been sent yet. */
  static memory(broker: Broker, protocolVersion?: number): TestClient {
    const [ours, theirs] = memoryPair();
    broker.accept(theirs);
    return new TestClient(ours, protocolVersion);
  }

  /** A client over a real socket; nothing has been sent yet. */
  static async tcp(port: number): Promise<TestClient> {
    return new TestClient(tcpStream(await Deno.connect({ port, hostname: "127.0.0.1" })));
  }

  async #read(): Promise<void> {
    const buffer = Buffer.alloc(65_536);
    try {
      for (let count; (count = await this.stream.read(buffer)) !== null; this.#notify()) {
        this.#parser.parse(Buffer.from(buffer.subarray(0, count))); // a copy: the parser keeps views
      }
    } catch {
      // Reset, or closed by the test itself.
    }
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  /** Sends a packet as mqtt-packet encodes it. */
  send(packet: PacketLike): Promise<void> {
    if (packet.cmd === "connect") this.#speech.protocolVersion = packet.protocolVersion ?? 4;
    return this.sendBytes(generate(packet as Packet, this.#speech));
  }

  /** Sends raw bytes. */
  async sendBytes(bytes: Uint8Array | readonly number[]): Promise<void> {
    for (let rest = Uint8Array.from(bytes); rest.length > 0;) rest = rest.subarray(await this.stream.write(rest));
  }

  /** The next packet of the broker. */
  async receive(): Promise<PacketLike> {
    const packet = await this.#next();
    assert(packet, `Connection ended where a packet was awaited${this.#fault ? `: ${this.#fault.message}` : ""}`);
    return packet;
  }

  async #next(): Promise<PacketLike | undefined> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`No packet came within ${PATIENCE} ms`)), PATIENCE);
    try {
      while (this.#received.length === 0 && !this.#ended) await Promise.race([this.#changed.promise, late.promise]);
      return this.#received.shift();
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next packet, which must have at least these fields with these values; a payload is compared as text. */
  async expect(expected: PacketLike): Promise<PacketLike> {
    const packet = await this.receive();
    const fields = Object.fromEntries(Object.keys(expected).map((name) => [name, comparable(packet[name])]));
    assertEquals(
      fields,
      Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, comparable(value)])),
    );
    return packet;
  }

  /** Asserts that everything which the broker has for this client so far has been received: a ping is answered next. */
  async expectNothing(): Promise<void> {
    await this.send({ cmd: "pingreq" });
    await this.expect({ cmd: "pingresp" });
  }

  /** Asserts that the broker ends the connection, with no further packet. */
  async expectClosed(): Promise<void> {
    const packet = await this.#next();
    assertEquals(packet, undefined, `Expected the end of the connection, got ${packet?.cmd}`);
    this.stream.close();
  }

  /** Sends a CONNECT and takes the CONNACK, which must accept it. */
  async connect(options: Partial<PacketLike> = {}): Promise<PacketLike> {
    await this.send({ clientId: "client", clean: true, keepalive: 0, protocolVersion: 4, ...options, cmd: "connect" });
    return await this.expect({ cmd: "connack", [options.protocolVersion === 5 ? "reasonCode" : "returnCode"]: 0 });
  }

  /** Subscribes, and takes the SUBACK, which must grant what was asked for. */
  async subscribe(topic: string, qos = 0, messageId = 1): Promise<void> {
    await this.send({ cmd: "subscribe", messageId, subscriptions: [{ topic, qos }] });
    await this.expect({ cmd: "suback", messageId, granted: [qos] });
  }

  /** Publishes, and does the sender's part of the handshake. */
  async publish(
    topic: string,
    payload: string,
    options: { qos?: number; retain?: boolean; messageId?: number } = {},
  ): Promise<void> {
    const { qos = 0, retain = false, messageId = 1 } = options;
    await this.send({ cmd: "publish", topic, payload, qos, retain, dup: false, messageId });
    if (qos === 1) await this.expect({ cmd: "puback", messageId });
    if (qos === 2) {
      await this.expect({ cmd: "pubrec", messageId });
      await this.send({ cmd: "pubrel", messageId });
      await this.expect({ cmd: "pubcomp", messageId });
    }
  }

  /** Says DISCONNECT, and waits for the end. */
  async disconnect(): Promise<void> {
    await this.send({ cmd: "disconnect" });
    await this.expectClosed();
  }

  /** Drops the connection without a word. */
  async drop(): Promise<void> {
    this.stream.close();
    await this.#reading;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drop();
  }
}

/** A connected client over the in-memory transport. */
export async function connected(
  broker: Broker,
  clientId: string,
  options: Partial<PacketLike> = {},
): Promise<TestClient> {
  const client = TestClient.memory(broker);
  await client.connect({ clientId, ...options });
  return client;
}

function comparable(value: unknown): unknown {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
}
