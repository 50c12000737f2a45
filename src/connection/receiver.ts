// The receiving half of a connection: bytes become packets, handled one at a time and in order. One turn per read: every whole
// packet that it brought is handled, then every outbox that has something is flushed. RxJS has no back-pressure, so the pace is set
// here, at the source: while a hook decides, or the client does not take its answers, this one connection is not read.
import { requireMqtt } from "../codec/connect.ts";
import { connectLevel } from "../codec/decode.ts";
import { FrameReader } from "../codec/frame.ts";
import { MqttError } from "../errors.ts";
import { type ByteStream, requireCount } from "../transport/transport.ts";
import type { Connection } from "./connection.ts";
import { dialects } from "./dialect.ts";
import type { Sender } from "./sender.ts";

/** How long a turn may be in milliseconds, and after how many packets that is looked at. */
const LONG_TURN = 20, CHECKED = 16;

/** The largest read buffer, in bytes, of a connection while memory is full: large packets have to wait for better times. */
const LITTLE = 65_536;

/** Receives the packets of one client. */
export class Receiver {
  readonly #connection: Connection;
  readonly #stream: ByteStream;
  readonly #sender: Sender;
  readonly #frames: FrameReader;
  /** What reading waits for. */
  #gate: Promise<void> | undefined;
  /** Ends that waiting sooner. */
  #wake: (() => void) | undefined;
  /** Whether packets may have been read that are not handled. */
  #more = false;
  /** Decisions that are under way. */
  #deciding = 0;
  /** What the read buffer takes on the account of the broker. */
  #held = 0;

  constructor(connection: Connection, stream: ByteStream, sender: Sender) {
    this.#connection = connection;
    this.#stream = stream;
    this.#sender = sender;
    this.#frames = new FrameReader(connection.context.options.limits.connectPacket);
  }

  /** True while a packet is being decided about. */
  get waiting(): boolean {
    return this.#deciding > 0;
  }

  /** The largest packet that is taken, in bytes. */
  set limit(bytes: number) {
    this.#frames.limit = bytes;
  }

  /** Handles no further packet until `promise` settles; that must not reject. */
  wait(promise: Promise<void>): void {
    this.#gate = promise;
    this.#deciding++;
    promise.then(() => this.#deciding--);
  }

  /** The client takes its answers again. */
  resume(): void {
    if (!this.#gate) this.#wake?.();
  }

  /** Waits for nothing any more: the connection has ended. */
  stop(): void {
    this.#wake?.();
  }

  /** Reads to the end of the stream, and with it of the connection. Never rejects. */
  async read(): Promise<void> {
    const { context: { turn, traffic } } = this.#connection, take = () => this.#takePackets();
    let end = "End of stream";
    try {
      for (;;) {
        const space = this.#frames.space();
        if (this.#frames.size !== this.#held) this.#hold(this.#frames.size);
        const count = await this.#stream.read(space);
        if (count === null) break;
        requireCount(count, 0, space.length);
        if (count === 0) await turn.rest(); // else a stream that brings nothing at once would be all that is served
        if (this.#connection.ended) continue; // only waits for the other side to close
        traffic.came(count);
        this.#frames.received(count);
        const more = count === space.length;
        while (more && turn.tired) await turn.rest();
        turn.run(take);
        if (more) turn.strain();
        while (!this.#connection.ended && (this.#more || this.#gate || this.#sender.choked)) await this.#pause(take);
      }
    } catch (error) {
      end = String(error);
    }
    this.#hold(0);
    this.#connection.lost(end);
  }

  #hold(size: number): void {
    const connection = this.#connection, { memory, turn } = connection.context;
    memory.add(size - this.#held);
    this.#held = size;
    if (size <= LITTLE || !memory.full || connection.ended) return;
    const fault = new MqttError("quota-exceeded", "The broker has no memory for such large packets now");
    turn.run(() => connection.fail(fault));
  }

  #takePackets(): void {
    const connection = this.#connection, { turn } = connection.context;
    let handled = 0;
    this.#more = true;
    try {
      while (!this.#gate && !connection.ended && !this.#sender.choked && (this.#more = this.#takePacket())) {
        if (++handled % CHECKED === 0 || turn.heavy) this.#takeBreath();
      }
    } catch (error) {
      connection.fail(error);
    }
    if (handled > 0) connection.heard();
  }

  /** Handles the next packet; false where it has not come yet. */
  #takePacket(): boolean {
    const connection = this.#connection, frame = this.#frames.next();
    if (!frame) return false;
    if (!connection.session && !connection.authentication) {
      requireMqtt(frame);
      connection.dialect = dialects[connectLevel(frame) ?? connection.dialect.level];
    }
    const { decoder, trace, traffic } = connection.context, packet = decoder.decode(frame, connection.dialect.level);
    traffic.received(packet.cmd === "publish");
    trace.received(connection, packet);
    connection.packets.next(packet);
    return true;
  }

  /** Lets others go on where one turn takes long: a few small packets can mean millions of deliveries. */
  #takeBreath(): void {
    const { turn, options: { clock } } = this.#connection.context;
    if (this.#gate || clock.now() - turn.now < LONG_TURN) return;
    this.#gate = turn.rest();
  }

  /** Waits, unless what there was to wait for is over already, and goes on. */
  async #pause(take: () => void): Promise<void> {
    const gate = this.#gate;
    if (gate || this.#sender.choked) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        gate?.then(resolve);
      });
    }
    if (this.#gate === gate) this.#gate = undefined; // what follows a decision may have to wait for another one
    this.#connection.context.turn.run(take);
  }
}
