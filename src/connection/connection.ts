// One client's connection: the handler between a socket and the shared state. Its receiver reads packets, which it emits as a stream;
// conversation.ts answers them, through its sender. Invariant: whatever goes wrong here ends this connection alone, and in order.
import type { ClientInfo } from "../access/access.ts";
import type { Decoder } from "../codec/decode.ts";
import type { PublishEncoder } from "../codec/encode.ts";
import type {
  AckPacket,
  ClientPacket,
  ConnackPacket,
  DisconnectPacket,
  PublishPacket,
  ServerPacket,
} from "../codec/packet.ts";
import { within } from "../clock.ts";
import type { Durability } from "../durability.ts";
import { MqttError } from "../errors.ts";
import type { DisconnectReason, Report } from "../events.ts";
import type { Memory } from "../memory.ts";
import type { Message } from "../message.ts";
import type { ResolvedOptions } from "../options.ts";
import { Unicast } from "../operators/unicast.ts";
import type { Terms } from "../session/terms.ts";
import { PacketIdSet } from "../session/packet_id_set.ts";
import type { Link, Session } from "../session/session.ts";
import type { Holder, Sessions, Will } from "../session/sessions.ts";
import type { ByteStream, ClientCertificate } from "../transport/transport.ts";
import type { RetainedMessages } from "../topics/retained.ts";
import type { TokenBucket } from "../token_bucket.ts";
import type { Traffic } from "../traffic.ts";
import type { Admission } from "./admission.ts";
import type { Deadline, Deadlines, Expiring } from "../deadlines.ts";
import type { Authentication } from "./authenticate.ts";
import { type ClientTerms, type Dialect, dialects, noTerms } from "./dialect.ts";
import { Outbox, type OutboxContext, type OutboxOwner } from "./outbox.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { IncomingAliases } from "./topic_aliases.ts";
import type { Trace } from "./trace.ts";

/** What the connections of a broker share. */
export interface ConnectionContext extends OutboxContext {
  readonly options: ResolvedOptions;
  readonly sessions: Sessions;
  readonly deadlines: Deadlines;
  readonly decoder: Decoder;
  readonly encoder: PublishEncoder;
  readonly trace: Trace;
  readonly report: Report;
  readonly retained: RetainedMessages;
  readonly admission: Admission;
  readonly memory: Memory;
  readonly traffic: Traffic;
  /** Where there is a store. */
  readonly durability: Durability | undefined;
}

/** How long the other side may take to read the last bytes and to close, in milliseconds. */
export const LINGER = 1000;

/** How often a hook may let a deadline of its client pass. */
const HOOK_ROUNDS = 10;

/** The handler of one client. */
export class Connection implements Link, Holder, OutboxOwner, Expiring {
  readonly context: ConnectionContext;
  /** Every packet that the client sends; completes with the connection. */
  readonly packets: Unicast<ClientPacket> = new Unicast();
  /** How this client's version of MQTT says things. */
  dialect: Dialect = dialects[4];
  /** What its CONNECT has said it can take. */
  terms: ClientTerms = noTerms;
  /** The client identifier of its CONNECT, accepted or not. */
  claimedId: string | undefined;
  /** Whether it has one of the places that there are (admission.ts). */
  admitted = false;
  /** Set by an accepted CONNECT. */
  client: ClientInfo | undefined;
  session: Session | undefined;
  /** The will that is due at the end of the connection. */
  dueWill: Message | undefined;
  /** The enhanced authentication of this connection, finished or not. */
  authentication: Authentication | undefined;
  readonly #stream: ByteStream;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  #underWay: PacketIdSet | undefined;
  #will: Will | undefined;
  #aliases: IncomingAliases | undefined;
  #rate: TokenBucket | undefined;
  #deadline: Deadline | undefined;
  /** What a hook has granted it, and when that is over. */
  #term: { readonly end: number; readonly deadline: Deadline } | undefined;
  /** How many more deadlines a hook may let pass. */
  #patience = HOOK_ROUNDS;
  #overloaded = false;
  #ended = false;
  #reading: Promise<void> | undefined;
  #gone = false;
  /** Made where somebody waits for it. */
  #over: PromiseWithResolvers<void> | undefined;

  constructor(stream: ByteStream, context: ConnectionContext) {
    this.#stream = stream;
    this.context = context;
    this.#sender = new Sender(this, new Outbox(this, context, context.options.limits.outbox));
    this.#receiver = new Receiver(this, stream, this.#sender);
  }

  /** Reads and emits packets until the connection ends. */
  start(): void {
    this.#expireAfter(this.context.options.limits.connectTimeout);
    this.#reading = this.#receiver.read();
  }

  /** The socket is of no use any more. */
  lost(detail: string): void {
    this.context.turn.run(() => this.close("connection-lost", detail));
  }

  /** Resolves when the connection has ended and its socket is closed. */
  get over(): Promise<void> {
    if (this.#gone) return Promise.resolve();
    return (this.#over ??= Promise.withResolvers<void>()).promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  roomAgain(): void {
    this.#receiver.resume();
    this.context.turn.run(() => this.session?.resume());
  }

  writeFailed(error: unknown, lost: number): void {
    const { client, context: { report } } = this;
    if (client && lost > 0) {
      report({ type: "dropped", client: client.id, topic: undefined, reason: "connection-lost", count: lost });
    }
    this.lost(String(error));
  }

  /** At the end of the turn: what the session leaves to the next member of a shared subscription may be too much for that, too. */
  overloaded(): void {
    if (this.#overloaded) return;
    this.#overloaded = true;
    const flush = () => this.close("quota-exceeded", "The client takes its messages more slowly than they come");
    this.context.turn.touch({ mark: () => 0, flush });
  }

  /**
   * Counts a PUBLISH of the client.
   *
   * @throws {MqttError} where it publishes more than it may
   */
  requireRate(): void {
    const { options: { limits: { publishRate } }, turn } = this.context;
    if (publishRate === Infinity || (this.#rate ??= this.#takeRate(publishRate)).take(turn.now)) return;
    throw new MqttError("message-rate-too-high", `Client publishes more than ${publishRate} messages in a second`);
  }

  #takeRate(publishRate: number): TokenBucket {
    const { admission, turn } = this.context;
    return admission.rates.take(this.client!.id, publishRate, turn.now, this.context);
  }

  /** Address and port of the other side. */
  get remote(): string {
    return this.#stream.remote;
  }

  /** What the other side has proven to be. */
  get certificate(): ClientCertificate | undefined {
    return this.#stream.certificate;
  }

  /** Identifiers of QoS 2 messages that came over this connection and await their PUBREL. */
  get underWay(): PacketIdSet {
    return this.#underWay ??= new PacketIdSet(this.context.memory);
  }

  /** The topic aliases of the client. */
  get aliases(): IncomingAliases {
    const { options: { limits }, memory } = this.context;
    return this.#aliases ??= new IncomingAliases(limits.topicAliases, memory);
  }

  /** The client, or its address until it has said who it is. */
  get label(): string {
    return this.client?.id ?? this.remote;
  }

  /** True once the connection has been told to close, or was lost. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Published when the connection ends, or later, unless a DISCONNECT has removed it; on the account of the broker until then. */
  get will(): Will | undefined {
    return this.#will;
  }

  set will(will: Will | undefined) {
    const { memory } = this.context;
    if (will) memory.hold(will.message);
    if (this.#will) memory.release(this.#will.message);
    this.#will = will;
  }

  /** Handles no further packet until `promise` settles; that must not reject. */
  wait(promise: Promise<void>): void {
    this.#receiver.wait(promise);
  }

  /** The client is in: larger packets are taken from now on, and it has to be heard of within its keep alive, in seconds. */
  accept(client: ClientInfo, session: Session, keepAlive: number): void {
    this.client = client;
    this.session = session;
    session.client = client;
    this.#receiver.limit = this.context.options.limits.packet;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#patience = HOOK_ROUNDS;
    if (keepAlive > 0) this.#expireAfter(keepAlive * 1500); // [MQTT-3.1.2-24]
  }

  /** Whole packets have come; mere bytes do not count: they would put off the CONNECT for ever. */
  heard(): void {
    if (this.client) this.#deadline?.putOff(this.context.turn.now);
  }

  #expireAfter(delay: number): void {
    this.#deadline = this.context.deadlines.start(delay, this);
  }

  /** It was not heard of within so many milliseconds. */
  expired(delay: number): void {
    const { session, authentication } = this;
    const deciding = this.#receiver.waiting || !session && authentication?.running && !authentication.answer;
    // It may be a hook that takes its time, and not the client; but not for ever.
    if (deciding && this.#patience-- > 0) this.#expireAfter(delay);
    else this.context.turn.run(() => this.#expire(delay));
  }

  #expire(delay: number): void {
    if (this.client) this.close("keep-alive-timeout", `No packet within ${delay / 1000} s`);
    else this.refuse(new MqttError("protocol-error", "The client took too long to connect"));
  }

  /**
   * Ends the connection, accepted or not, when so many milliseconds have passed; of several, the soonest counts.
   *
   * @throws {RangeError} where that is no number: the connection would never end
   */
  endAfter(delay: number): void {
    if (Number.isNaN(delay)) {
      throw new RangeError("Time until the end of a connection is NaN, not a number of milliseconds");
    }
    const { deadlines, turn } = this.context, end = turn.now + delay;
    if (this.#ended || this.#term && this.#term.end <= end) return;
    this.#term?.deadline.cancel();
    const over = new MqttError("maximum-connect-time", "The time is over for which the client was let in");
    const expired = () => turn.run(() => this.fail(over));
    this.#term = { end, deadline: deadlines.start(delay, { expired }) };
  }

  /** Refuses the client if it can't take this acceptance [MQTT5-3.1.2-24]. */
  requireRoom(connack: ConnackPacket): void {
    if (!this.#sender.fits(connack)) throw new MqttError("packet-too-large", "CONNACK is too large for the client");
  }

  /** Sends a packet that is not a PUBLISH. */
  send(packet: Exclude<ServerPacket, PublishPacket>): void {
    if (this.#ended || this.#sender.send(packet)) return;
    this.close("packet-too-large", `${packet.cmd.toUpperCase()} is too large for the client`); // [MQTT5-3.1.2-24]
  }

  takes(size: number): boolean {
    return this.#sender.takes(size);
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

  /** Ends the connection because of an error: a fault of the client's, or of ours, of which the client learns no more. */
  fail(error: unknown): void {
    const fault = error instanceof MqttError
      ? error
      : new MqttError("implementation-specific-error", "The broker failed");
    const detail = error instanceof Error ? error.message : String(error);
    if (this.client) this.close(fault.reason, detail, LINGER, fault.message); // [MQTT-4.8.0-1]
    else this.refuse(fault, detail);
  }

  /** Ends a connection that has not been accepted, with a CONNACK where the version has one for the reason. */
  refuse(fault: MqttError, detail: string = fault.message): void {
    if (this.#ended) return;
    this.#say(() => this.dialect.refusal(fault));
    this.close(fault.reason, detail);
  }

  /** Says a last word. What can't be said (it is too large, or a hook's reason is no text) must not keep anything from ending. */
  #say(word: () => ConnackPacket | DisconnectPacket | undefined): void {
    try {
      const packet = word();
      if (packet) this.#sender.send(packet);
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
   *
   * @param detail what happened @param said what the client is told of it
   */
  close(reason: DisconnectReason, detail: string, linger: number = LINGER, said: string = detail): void {
    if (this.#ended) return;
    const { report, sessions, admission, turn } = this.context, { client, remote } = this;
    if (client && reason !== "connection-lost" && reason !== "disconnect") {
      this.#say(() => this.dialect.disconnect(reason, said));
    }
    this.#ended = true;
    admission.dismiss(this);
    if (client && this.#rate) admission.rates.keep(client.id, this.#rate, turn.now, this.context);
    this.#aliases?.clear();
    this.#underWay?.clear();
    this.#deadline?.cancel();
    this.#term?.deadline.cancel();
    this.#receiver.stop();
    this.session?.detach(); // what an observer of the event publishes would come behind the DISCONNECT [MQTT5-3.14.4-1]
    if (client) report({ type: "disconnected", client: client.id, remote, reason, detail });
    else if (reason !== "connection-lost" && reason !== "disconnect") {
      report({ type: "refused", client: this.claimedId, remote, reason, detail });
    }
    this.dueWill = this.session && sessions.close(this.session, this.will);
    this.will = undefined;
    this.authentication?.left?.();
    this.packets.complete();
    this.#shutDown(linger);
  }

  /**
   * Says the end in order: first everything is written, then the write side is closed, and only when the client has closed too
   * is the socket. Closing while the client still sends would reset the connection, and the reset could overtake a CONNACK.
   * The write side can't be closed under a write that is under way: for a client that reads nothing that would take for ever.
   */
  async #shutDown(linger: number): Promise<void> {
    const { clock } = this.context.options;
    await within(clock, linger, this.#sender.emptied().then(() => this.#stream.closeWrite()));
    await within(clock, LINGER, this.#reading ?? Promise.resolve());
    Promise.try(() => this.#stream.close()).catch(() => {}); // nothing more can be done for it
    await within(clock, LINGER, this.#sender.emptied()); // what was not written is known to be lost now
    this.context.admission.leave(this);
    this.#gone = true;
    this.#over?.resolve();
  }
}
