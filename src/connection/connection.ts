// One client's connection: the handler between a socket and the shared state. It reads bytes, finds packets in them and emits
// them as a stream; conversation.ts answers them. Invariants: its packets are handled one at a time and in order, also where a
// hook takes its time (then this one connection is not read); and whatever goes wrong here ends this connection alone.
import type { ClientInfo } from "../access/access.ts";
import { connectLevel, type Decoder } from "../codec/decode.ts";
import type { PublishEncoder } from "../codec/encode.ts";
import { FrameReader } from "../codec/frame.ts";
import type {
  AckPacket,
  ClientPacket,
  ConnackPacket,
  DisconnectPacket,
  PublishPacket,
  ServerPacket,
} from "../codec/packet.ts";
import { within } from "../clock.ts";
import { MqttError } from "../errors.ts";
import type { DisconnectReason, Report } from "../events.ts";
import type { Message } from "../message.ts";
import type { ResolvedOptions } from "../options.ts";
import { Source } from "../operators/source.ts";
import type { Terms } from "../session/terms.ts";
import type { Link, Session } from "../session/session.ts";
import type { Holder, Sessions, Will } from "../session/sessions.ts";
import type { ByteStream } from "../transport/transport.ts";
import type { Turn } from "../turn.ts";
import type { Deadline, Deadlines } from "../deadlines.ts";
import type { Conversation } from "./authenticate.ts";
import { type ClientTerms, type Dialect, dialects, noTerms } from "./dialect.ts";
import { type ChunkPool, Outbox } from "./outbox.ts";
import { Sender } from "./sender.ts";
import { IncomingAliases } from "./topic_aliases.ts";
import type { Trace } from "./trace.ts";

/** What the connections of a broker share. */
export interface ConnectionContext {
  readonly options: ResolvedOptions;
  readonly turn: Turn;
  readonly sessions: Sessions;
  readonly deadlines: Deadlines;
  readonly decoder: Decoder;
  readonly encoder: PublishEncoder;
  readonly pool: ChunkPool;
  readonly trace: Trace;
  readonly report: Report;
  /** Connections at present. */
  connectionCount(): number;
}

/** How long the other side may take to read the last bytes and to close, in milliseconds. */
const LINGER = 1000;

/** How long a turn may be in milliseconds, and after how many packets that is looked at. */
const LONG_TURN = 20, CHECKED = 16;

/** The handler of one client. */
export class Connection implements Link, Holder {
  readonly context: ConnectionContext;
  readonly remote: string;
  /** Every packet that the client sends; completes with the connection. */
  readonly packets: Source<ClientPacket> = new Source();
  /** How this client's version of MQTT says things. */
  dialect: Dialect = dialects[4];
  /** What its CONNECT has said it can take. */
  terms: ClientTerms = noTerms;
  /** The client identifier of its CONNECT, accepted or not. */
  claimedId: string | undefined;
  /** Set by an accepted CONNECT. */
  client: ClientInfo | undefined;
  session: Session | undefined;
  /** Published when the connection ends, or later, unless a DISCONNECT has removed it. */
  will: Will | undefined;
  /** The will that is due at the end of the connection. */
  dueWill: Message | undefined;
  /** The enhanced authentication of this connection, finished or not. */
  authentication: Conversation | undefined;
  /** Identifiers of QoS 2 messages that came over this connection and await their PUBREL. */
  readonly underWay: Set<number> = new Set();
  /** The topic aliases of the client. */
  readonly aliases: IncomingAliases;

  readonly #stream: ByteStream;
  readonly #frames: FrameReader;
  readonly #sender: Sender;
  #deadline: Deadline | undefined;
  /** What reading waits for. */
  #gate: Promise<void> | undefined;
  /** Ends that waiting sooner. */
  #wake: (() => void) | undefined;
  #ended = false;
  #reading: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(stream: ByteStream, context: ConnectionContext) {
    const { limits } = context.options;
    this.#stream = stream;
    this.context = context;
    this.remote = stream.remote;
    this.aliases = new IncomingAliases(limits.topicAliases);
    this.#frames = new FrameReader(limits.connectPacket);
    const outbox = new Outbox({
      turn: context.turn,
      pool: context.pool,
      limit: limits.outbox,
      write: (bytes) => stream.write(bytes),
      onRoom: () => this.#resume(),
      onError: (error) => context.turn.run(() => this.close("connection-lost", String(error))),
    });
    this.#sender = new Sender(this, outbox);
  }

  /** Reads and emits packets until the connection ends. Never rejects. */
  async run(): Promise<void> {
    const { options, turn } = this.context;
    const refuse = () => this.refuse(new MqttError("protocol-error", "The client took too long to connect"));
    this.#expireAfter(options.limits.connectTimeout, refuse);
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
      while (!this.#ended && (this.#gate || this.#sender.choked)) await this.#pause(take);
    }
  }

  #takePackets(): void {
    let heard = false, handled = 0;
    try {
      while (!this.#gate && !this.#ended) {
        const frame = this.#frames.next();
        if (!frame) break;
        if (!this.session && !this.authentication) this.dialect = dialects[connectLevel(frame) ?? this.dialect.level];
        const packet = this.context.decoder.decode(frame, this.dialect.level);
        heard = true;
        this.context.trace.received(this.label, packet);
        this.packets.next(packet);
        if (++handled % CHECKED === 0) this.#takeBreath();
      }
    } catch (error) {
      this.fail(error);
    }
    if (heard && this.client) this.#deadline?.putOff(); // not by mere bytes: they would put off the CONNECT for ever
  }

  /** Lets others go on where one turn takes long: a few small packets can mean millions of deliveries. */
  #takeBreath(): void {
    const { turn, options: { clock } } = this.context;
    if (this.#gate || clock.now() - turn.now < LONG_TURN) return;
    this.#gate = new Promise((resolve) => turn.later(resolve));
  }

  /** Does not read on while a hook decides, or while the client does not take what it is sent; or until the end. */
  async #pause(take: () => void): Promise<void> {
    const gate = this.#gate;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      gate?.then(resolve);
    });
    if (this.#gate === gate) this.#gate = undefined; // what follows a decision may have to wait for another one
    this.context.turn.run(take);
  }

  /** There is room in the outbox again. */
  #resume(): void {
    if (!this.#gate) this.#wake?.();
    this.context.turn.run(() => this.session?.resume());
  }

  /** The client, or its address until it has said who it is. */
  get label(): string {
    return this.client?.id ?? this.remote;
  }

  /** True once the connection has been told to close, or was lost. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Handles no further packet until `promise` settles; that must not reject. */
  wait(promise: Promise<void>): void {
    this.#gate = promise;
  }

  /** The client is in: larger packets are taken from now on, and it has to be heard of within its keep alive, in seconds. */
  accept(client: ClientInfo, session: Session, keepAlive: number): void {
    this.client = client;
    this.session = session;
    this.#frames.limit = this.context.options.limits.packet;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    const silence = keepAlive * 1.5; // [MQTT-3.1.2-24]
    if (silence > 0) {
      this.#expireAfter(silence * 1000, () => this.close("keep-alive-timeout", `No packet within ${silence} s`));
    }
  }

  #expireAfter(delay: number, expire: () => void): void {
    this.#deadline = this.context.deadlines.start(delay, () => {
      const { session, authentication } = this,
        deciding = !session && authentication?.running && !authentication.answer;
      if (this.#gate || deciding) this.#expireAfter(delay, expire); // it is the hook that takes its time, not the client
      else this.context.turn.run(expire);
    });
  }

  /** Refuses the client if it can't take this acceptance [MQTT5-3.1.2-24]. */
  requireRoom(connack: ConnackPacket): void {
    if (!this.#sender.fits(connack)) throw new MqttError("packet-too-large", "CONNACK is too large for the client");
  }

  /** Sends a packet that is not a PUBLISH. */
  send(packet: Exclude<ServerPacket, PublishPacket>): void {
    if (this.#ended || this.#sender.send(packet) || packet.cmd === "disconnect") return;
    this.close("packet-too-large", `${packet.cmd.toUpperCase()} is too large for the client`); // [MQTT5-3.1.2-24]
  }

  get writable(): boolean {
    return !this.#sender.full;
  }

  get receiveMaximum(): number {
    return this.terms.receiveMaximum;
  }

  publish(message: Message, terms: Terms, packetId: number, dup: boolean): boolean {
    return this.#sender.publish(message, terms, packetId, dup);
  }

  /** Sends an acknowledgement that says yes. */
  acknowledge(cmd: AckPacket["cmd"], messageId: number): void {
    if (!this.#ended) this.#sender.acknowledge(cmd, messageId);
  }

  release(messageId: number): void {
    this.acknowledge("pubrel", messageId);
  }

  /** Does something for this connection; what it throws ends the connection. */
  attempt(work: () => void): void {
    if (this.#ended) return;
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the connection because of an error: a fault of the client's, or of ours. */
  fail(error: unknown): void {
    const fault = error instanceof MqttError ? error : new MqttError("implementation-specific-error", String(error));
    if (this.client) this.close(fault.reason, fault.message); // [MQTT-4.8.0-1]
    else this.refuse(fault);
  }

  /** Ends a connection that has not been accepted, with a CONNACK where the version has one for the reason. */
  refuse(fault: MqttError): void {
    if (this.#ended) return;
    const answer = this.dialect.refusal(fault);
    if (answer) this.#sender.send(answer); // one that is too large is left out: the reason stays what it is
    this.close(fault.reason, fault.message);
  }

  /** Sends a last word. What can't be said (a hook's reason may be no text) must not keep the connection from ending. */
  #say(packet: ConnackPacket | DisconnectPacket): void {
    try {
      this.send(packet);
    } catch {
      // It ends without a word.
    }
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
    const { report, sessions } = this.context, { client, remote } = this;
    const goodbye = client && reason !== "connection-lost" && reason !== "disconnect" &&
      this.dialect.disconnect(reason, detail);
    if (goodbye) this.#say(goodbye);
    this.#ended = true;
    this.#deadline?.cancel();
    this.#wake?.();
    this.session?.detach(); // what an observer of the event publishes would come behind the DISCONNECT [MQTT5-3.14.4-1]
    if (client) report({ type: "disconnected", client: client.id, remote, reason, detail });
    else if (reason !== "connection-lost" && reason !== "disconnect") {
      report({ type: "refused", client: this.claimedId, remote, reason, detail });
    }
    this.dueWill = this.session && sessions.close(this.session, this.will);
    this.packets.complete();
    this.#closed = this.#shutDown(linger);
  }

  /**
   * Says the end in order: first everything is written, then the write side is closed, and only when the client has closed too
   * is the socket. Closing while the client still sends would reset the connection, and the reset could overtake a CONNACK.
   */
  async #shutDown(linger: number): Promise<void> {
    const { clock } = this.context.options;
    await within(clock, linger, this.#sender.emptied());
    await this.#stream.closeWrite().catch(() => {}); // the stream is somebody else's
    await within(clock, LINGER, this.#reading);
    this.#stream.close();
  }

  /** Resolves when the socket is closed, for a connection that was told to close. */
  get closed(): Promise<void> {
    return this.#closed ?? Promise.resolve();
  }
}
