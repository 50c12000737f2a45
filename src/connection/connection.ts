// One client's connection: the handler between a socket and the shared state. It reads bytes, finds packets in them and emits
// them as a stream; conversation.ts answers them. Invariants: its packets are handled one at a time and in order, also where a
// hook takes its time (then this one connection is not read); and whatever goes wrong here ends this connection alone.
import type { ClientInfo } from "../access/access.ts";
import { Decoder } from "../codec/decode.ts";
import { encode, type PublishEncoder } from "../codec/encode.ts";
import { FrameReader } from "../codec/frame.ts";
import type { ClientPacket, Packet, PublishPacket, ServerPacket } from "../codec/packet.ts";
import { within } from "../clock.ts";
import { MqttError } from "../errors.ts";
import type { DisconnectReason, Report } from "../events.ts";
import type { Message } from "../message.ts";
import type { ResolvedOptions } from "../options.ts";
import { Subject } from "../rx.ts";
import type { Delivery } from "../session/queue.ts";
import type { Link, Session } from "../session/session.ts";
import type { Holder, Sessions } from "../session/sessions.ts";
import type { ByteStream } from "../transport/transport.ts";
import type { Turn } from "../turn.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { type Dialect, dialects } from "./dialect.ts";
import { type ChunkPool, Outbox } from "./outbox.ts";

/** A packet that went over a connection, for whoever wants to watch. */
export interface PacketTrace {
  readonly direction: "in" | "out";
  /** The client, or its address until it has said who it is. */
  readonly client: string;
  readonly packet: Packet;
}

/** What the connections of a broker share. */
export interface ConnectionContext {
  readonly options: ResolvedOptions;
  readonly turn: Turn;
  readonly sessions: Sessions;
  readonly deadlines: Deadlines;
  readonly encoder: PublishEncoder;
  readonly pool: ChunkPool;
  readonly trace: Subject<PacketTrace>;
  readonly report: Report;
  /** Connections at present. */
  connectionCount(): number;
}

/** How long the other side may take to read the last bytes and to close, in milliseconds. */
const LINGER = 1000;

/** The handler of one client. */
export class Connection implements Link, Holder {
  readonly context: ConnectionContext;
  readonly remote: string;
  /** Every packet that the client sends; completes with the connection. */
  readonly packets: Subject<ClientPacket> = new Subject();
  /** How this client's version of MQTT says things. */
  dialect: Dialect = dialects[4];
  /** The client identifier of its CONNECT, accepted or not. */
  claimedId: string | undefined;
  /** Set by an accepted CONNECT. */
  client: ClientInfo | undefined;
  session: Session | undefined;
  /** Published when the connection ends, unless a DISCONNECT has removed it. */
  will: Message | undefined;

  readonly #stream: ByteStream;
  readonly #frames: FrameReader;
  readonly #decoder = new Decoder();
  readonly #outbox: Outbox;
  #deadline: Deadline | undefined;
  /** What reading waits for. */
  #gate: Promise<unknown> | undefined;
  #room: (() => void) | undefined;
  #ended = false;
  #reading: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(stream: ByteStream, context: ConnectionContext) {
    const { limits } = context.options;
    this.#stream = stream;
    this.context = context;
    this.remote = stream.remote;
    this.#frames = new FrameReader(limits.connectPacket);
    this.#outbox = new Outbox({
      turn: context.turn,
      pool: context.pool,
      limit: limits.outbox,
      write: (bytes) => stream.write(bytes),
      onRoom: () => this.#resume(),
      onError: (error) => context.turn.run(() => this.close("connection-lost", String(error))),
    });
  }

  /** Reads and emits packets until the connection ends. Never rejects. */
  async run(): Promise<void> {
    const { options, turn } = this.context;
    this.#expireAfter(
      options.limits.connectTimeout,
      () => this.refuse(new MqttError("protocol-error", "No CONNECT came")),
    );
    this.#reading = this.#read().catch((error) => turn.run(() => this.close("connection-lost", String(error))));
    await this.#reading;
    await this.#closed;
  }

  /** One turn per read: every whole packet that it brought is handled, then every outbox that has something is flushed. */
  async #read(): Promise<void> {
    const { turn } = this.context, take = () => this.#takePackets();
    for (;;) {
      const count = await this.#stream.read(this.#frames.space());
      if (count === null) return turn.run(() => this.close("connection-lost", "End of stream"));
      if (this.#ended) continue; // only waits for the other side to close
      this.#frames.received(count);
      turn.run(take);
      while (!this.#ended && (this.#gate || this.#outbox.full)) await this.#pause(take);
    }
  }

  #takePackets(): void {
    let heard = false;
    try {
      while (!this.#gate && !this.#ended) {
        const frame = this.#frames.next();
        if (!frame) break;
        const packet = this.#decoder.decode(frame);
        heard = true;
        this.#watch("in", packet);
        this.packets.next(packet);
      }
    } catch (error) {
      this.fail(error);
    }
    if (heard && this.client) this.#deadline?.putOff(); // not by mere bytes: they would put off the CONNECT for ever
  }

  /** Does not read on while a hook decides, or while the client does not take what it is sent. */
  async #pause(take: () => void): Promise<void> {
    const gate = this.#gate;
    if (gate) {
      await gate;
      if (this.#gate === gate) this.#gate = undefined; // what follows a decision may have to wait for another one
    } else {
      await new Promise<void>((resolve) => this.#room = resolve);
    }
    this.context.turn.run(take);
  }

  /** There is room in the outbox again. */
  #resume(): void {
    this.#room?.();
    this.context.turn.run(() => this.session?.resume());
  }

  /** True once the connection has been told to close, or was lost. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Handles no further packet until `promise` settles; that must not reject. */
  wait(promise: Promise<void>): void {
    this.#gate = promise;
  }

  /** From now on packets up to `limit` bytes are taken, and the client has to be heard of within `silence` milliseconds. */
  accept(limit: number, silence: number): void {
    this.#frames.limit = limit;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    if (silence > 0) {
      this.#expireAfter(silence, () => this.close("keep-alive-timeout", `No packet within ${silence / 1000} s`)); // [MQTT-3.1.2-24]
    }
  }

  #expireAfter(delay: number, expire: () => void): void {
    this.#deadline = this.context.deadlines.start(delay, () => this.context.turn.run(expire));
  }

  /** Puts a packet in the outbox. */
  send(packet: ServerPacket): void {
    if (this.#ended) return;
    this.#watch("out", packet);
    this.#outbox.append(encode(packet));
  }

  get writable(): boolean {
    return !this.#outbox.full;
  }

  publish({ message, qos, retain }: Delivery, packetId: number, dup: boolean): void {
    const { encoder, trace } = this.context;
    this.#outbox.appendPublish(encoder.frame(message, qos, retain), packetId, dup);
    if (trace.observed) this.#watch("out", publishPacket(message, qos, retain, packetId, dup));
  }

  release(messageId: number): void {
    this.send({ cmd: "pubrel", messageId });
  }

  /** Shows a packet to whoever watches. */
  #watch(direction: "in" | "out", packet: Packet): void {
    const { trace } = this.context;
    if (trace.observed) trace.next({ direction, client: this.client?.id ?? this.remote, packet });
  }

  /** Ends the connection because of an error: a fault of the client's, or of ours. */
  fail(error: unknown): void {
    const fault = error instanceof MqttError ? error : new MqttError("implementation-specific-error", String(error));
    if (this.client) this.close(fault.reason, fault.message); // [MQTT-4.8.0-1]
    else this.refuse(fault);
  }

  /** Ends a connection that has not been accepted, with a CONNACK where the version has one for the reason. */
  refuse({ reason, message }: MqttError): void {
    if (this.#ended) return;
    const answer = this.dialect.refusal(reason);
    if (answer) this.send(answer);
    this.close(reason, message);
  }

  /** The same client has connected again [MQTT-3.1.4-2]. */
  takeOver(): void {
    this.close("session-taken-over", "The client connected again");
  }

  /**
   * Ends the connection: the session is free and the will on its way when this returns. What is in the outbox is still sent, as
   * far as the client takes it within `linger` milliseconds.
   */
  close(reason: DisconnectReason, detail: string, linger: number = LINGER): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline?.cancel();
    this.#room?.();
    const { report, sessions } = this.context, { client, remote } = this;
    if (this.session) sessions.close(this.session);
    if (client) report({ type: "disconnected", client: client.id, remote, reason, detail });
    else if (reason !== "connection-lost" && reason !== "disconnect") {
      report({ type: "refused", client: this.claimedId, remote, reason, detail });
    }
    this.packets.complete();
    this.#closed = this.#shutDown(linger);
  }

  /**
   * Says the end in order: first everything is written, then the write side is closed, and only when the client has closed too
   * is the socket. Closing while the client still sends would reset the connection, and the reset could overtake a CONNACK.
   */
  async #shutDown(linger: number): Promise<void> {
    const { clock } = this.context.options;
    await within(clock, linger, this.#outbox.emptied());
    await this.#stream.closeWrite();
    await within(clock, LINGER, this.#reading);
    this.#stream.close();
  }

  /** Resolves when the socket is closed, for a connection that was told to close. */
  get closed(): Promise<void> {
    return this.#closed ?? Promise.resolve();
  }
}

function publishPacket(
  { topic, payload }: Message,
  qos: Delivery["qos"],
  retain: boolean,
  messageId: number,
  dup: boolean,
): PublishPacket {
  return { cmd: "publish", topic, payload, qos, retain, messageId, dup };
}
