// A client of the load test: a socket, and the handshakes of QoS 1 and 2. What it sends is written once per read, or
// when it is told to: a load test that made one write per packet would measure itself.
import {
  type Delivery,
  PacketReader,
  PacketWriter,
  PUBACK,
  PUBCOMP,
  PUBREC,
  PUBREL,
  type QoS,
  type RawPacket,
  readPublish,
  readReceiveMaximum,
  type Version,
} from "./wire.ts";

/** Where the server is, and what it is spoken to. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
  readonly version: Version;
}

/** The first code that says no: of CONNACK for 3.1.1, and of all others. */
const REFUSED = 0x80;

/** One connection to the server. */
export class LoadClient {
  /** Called for each message. */
  onMessage: (message: Delivery) => void = () => {};
  /** Called when everything that one read has brought was handled. */
  onBatch: () => void = () => {};
  /** Rejects where the connection ends before `close`, or the server refuses something. */
  readonly failed: Promise<never>;
  /** How many messages the server takes without having acknowledged them. */
  receiveMaximum = 65_535;
  /** Messages on their way without their last acknowledgement. */
  unacknowledged = 0;

  readonly #conn: Deno.TcpConn;
  readonly #version: Version;
  readonly #out: PacketWriter;
  readonly #failure = Promise.withResolvers<never>();
  #answered = Promise.withResolvers<void>();
  #packetId = 0;
  #writing = false;
  #closed = false;

  private constructor(conn: Deno.TcpConn, version: Version) {
    this.#conn = conn;
    this.#version = version;
    this.#out = new PacketWriter(version);
    this.failed = this.#failure.promise;
    this.failed.catch(() => {}); // whoever wants to know asks
    this.#read().catch((error) => this.#fail(error));
  }

  /** Connects, with a clean session or one that outlives the connection, and resolves when the CONNACK has come. */
  static async connect({ hostname, port, version }: Address, clientId: string, clean = true): Promise<LoadClient> {
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay(true);
    const client = new LoadClient(conn, version);
    client.#out.connect(clientId, clean);
    return await client.#ask();
  }

  /** Subscribes, and resolves when the SUBACK has come. */
  async subscribe(filter: string, qos: QoS): Promise<void> {
    this.#out.subscribe(1, [filter], qos);
    await this.#ask();
  }

  /** Puts a message behind those that leave with the next `flush`. */
  publish(topic: Uint8Array, payload: Uint8Array, qos: QoS): void {
    if (qos > 0) {
      this.#packetId = this.#packetId % 65_535 + 1;
      this.unacknowledged++;
    }
    this.#out.publish(topic, payload, qos, this.#packetId);
  }

  /** Writes what has been put there; while a write is under way, the rest follows behind it. */
  async flush(): Promise<void> {
    if (this.#writing || this.#closed) return;
    this.#writing = true;
    try {
      while (this.#out.length > 0) {
        for (let rest = this.#out.take(); rest.length > 0;) rest = rest.subarray(await this.#conn.write(rest));
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = false;
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    this.#out.disconnect();
    await this.flush();
    this.#end();
  }

  async #ask(): Promise<this> {
    this.#answered = Promise.withResolvers();
    this.flush();
    await Promise.race([this.#answered.promise, this.failed]);
    return this;
  }

  async #read(): Promise<void> {
    const reader = new PacketReader();
    for (;;) {
      const count = await this.#conn.read(reader.space());
      if (count === null) throw new Error("The server has ended a connection");
      for (const packet of reader.packets(count)) this.#take(packet);
      this.onBatch();
      this.flush();
    }
  }

  #take(packet: RawPacket): void {
    const { header, bytes, body, end } = packet;
    if (header >> 4 === 3) return this.#message(readPublish(packet, this.#version));
    switch (header) {
      case PUBACK:
      case PUBCOMP:
        this.unacknowledged--;
        return requireYes(end - body < 3 ? 0 : bytes[body + 2]!, "a message");
      case PUBREC:
        requireYes(end - body < 3 ? 0 : bytes[body + 2]!, "a message");
        return this.#out.ack(PUBREL, bytes.readUInt16BE(body));
      case PUBREL:
        return this.#out.ack(PUBCOMP, bytes.readUInt16BE(body));
      case 0x20:
        requireYes(bytes[body + 1]! > 0 ? REFUSED : 0, "a connection");
        this.receiveMaximum = readReceiveMaximum(packet, this.#version);
        return this.#answered.resolve();
      case 0x90:
        requireYes(bytes[end - 1]!, "a subscription");
        return this.#answered.resolve();
    }
    throw new Error(`The server has sent a packet that begins with ${header}`);
  }

  #message(message: Delivery): void {
    const qos = message.header >> 1 & 3;
    if (qos > 0) this.#out.ack(qos === 1 ? PUBACK : PUBREC, message.packetId);
    this.onMessage(message);
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#end();
    this.#failure.reject(error);
  }

  #end(): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }
}

function requireYes(code: number, what: string): void {
  if (code >= REFUSED) throw new Error(`The server has refused ${what}`);
}
