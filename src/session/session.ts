// A session: what the broker remembers of a client (section 4.1). It is a subscriber that outlives its connection; a connection
// only lends it a link to send through. Here is the sending side of QoS 1 and 2 (section 4.3), and the order of what is sent: a
// message is sent at once, or it waits behind those that already wait; it never overtakes them.
import type { ClientInfo } from "../access/access.ts";
import type { DropReason } from "../events.ts";
import type { Message, QoS } from "../message.ts";
import { enqueue, hasRoom, type Room } from "./enqueue.ts";
import { asSent, InFlight } from "./in_flight.ts";
import { PacketIdSet } from "./packet_id_set.ts";
import type { Backlog } from "./backlog.ts";
import { Delivery, DeliveryQueue } from "./queue.ts";
import type { SessionRecord } from "./record.ts";
import type { Holder, SessionContext } from "./sessions.ts";
import { Subscriptions } from "./subscriptions.ts";
import { type Terms, TermsTable } from "./terms.ts";

/** What a connection lends its session. */
export interface Link {
  /** False while so much is on its way to the client that a message of so many bytes had better wait. */
  takes(size: number): boolean;
  /** How many messages of QoS 1 and 2 the client takes without having acknowledged them (5.0 section 4.9). */
  readonly receiveMaximum: number;
  /** Sends a PUBLISH; `packetId` is 0 at QoS 0. False where it is too large for the client. */
  publish(message: Message, terms: Terms, packetId: number, dup: boolean): boolean;
  /** Sends a PUBREL. */
  release(packetId: number): void;
  /** Ends the connection: its client takes its messages more slowly than they come. */
  overloaded(): void;
}

/** What was kept of a session when the broker was stopped. */
export interface FormerState {
  /** How many messages it had to deliver. */
  readonly count: number;
  readonly received: Iterable<number>;
  readonly released: Iterable<number>;
  /** Those that had been sent, oldest first. */
  inFlight(): Iterable<Delivery>;
  /** All others, as soon as those are known. */
  backlog(inFlight: readonly Delivery[]): Backlog;
}

/** What a session takes beside what it holds, in bytes. */
const WEIGHT = 500;

/** The state of one client identifier [MQTT-3.1.3-2]. */
export class Session {
  readonly clientId: string;
  /** Seconds that the session lasts without a connection; `Infinity` for ever (5.0 section 3.1.2.11.2). */
  expiry: number;
  /** Who owns its connection; nobody where it has none. */
  holder: Holder | undefined;
  /** What a store keeps of it; nothing where there is no store, or the session ends with its connection. */
  readonly record: SessionRecord | undefined;
  readonly subscriptions: Subscriptions;

  readonly #context: SessionContext;
  #client: ClientInfo | undefined;
  // Made when they are needed: most sessions are those of devices that only publish at QoS 0, or only listen.
  #received: PacketIdSet | undefined;
  #inFlight: InFlight | undefined;
  #queue: DeliveryQueue | undefined;
  /** What was kept of it, until that is needed. */
  #former: FormerState | undefined;
  #link: Link | undefined;
  #window = 0;
  #resuming = false;
  #ended = false;

  /** @param record what keeps it, where that is wanted @param former what was kept of it */
  constructor(clientId: string, expiry: number, context: SessionContext, record?: SessionRecord, former?: FormerState) {
    this.clientId = clientId;
    this.expiry = expiry;
    this.record = record;
    this.#context = context;
    this.subscriptions = new Subscriptions(this, context);
    this.#former = former;
    context.memory.add(WEIGHT + clientId.length);
  }

  /** Who its client was when it connected; nobody where a store has kept the session, until the client is there. */
  get client(): ClientInfo | undefined {
    return this.#client;
  }

  set client(client: ClientInfo | undefined) {
    if (!this.#ended) this.#context.memory.add(nameLength(client) - nameLength(this.#client));
    this.#client = client;
  }

  /** Lends a link and re-sends what the client has not acknowledged, in order [MQTT-4.4.0-1], [MQTT-4.6.0-1]. */
  attach(link: Link): void {
    this.#restore();
    this.#link = link;
    this.#window = Math.min(this.#context.limits.inflight, link.receiveMaximum);
    for (const id of this.#inFlight?.released ?? []) link.release(id);
    this.#inFlight?.restart();
    this.resume();
  }

  /** Takes the link back. */
  detach(): void {
    this.#link = undefined;
    this.#inFlight?.stop(); // the next link begins with the oldest again, which may have been sent over this one [MQTT5-4.6.0-1]
  }

  /** Whether a QoS 2 message of the client was accepted with this identifier, and awaits its PUBREL. */
  hasReceived(packetId: number): boolean {
    return this.#received?.has(packetId) ?? false;
  }

  /** How many of these there are. */
  get receiving(): number {
    return this.#received?.size ?? 0;
  }

  /** A QoS 2 message of the client has been accepted. */
  receive(packetId: number): void {
    (this.#received ??= new PacketIdSet(this.#context.memory)).add(packetId);
    this.record?.received(packetId);
  }

  /** Its PUBREL has come; false for an identifier that is not known. */
  received(packetId: number): boolean {
    if (!this.#received?.delete(packetId)) return false;
    this.record?.releasedByClient(packetId);
    return true;
  }

  /** 2 for a session that would send a message at once, 1 for one with a connection, 0 for one without. */
  get readiness(): number {
    if (!this.#link) return 0;
    return !this.#waiting && this.#canSend(1, 0) ? 2 : 1;
  }

  /** How many messages wait. */
  get queued(): number {
    return this.#queue?.messages ?? this.#former?.count ?? 0;
  }

  /** How many are on their way to the client, without its acknowledgement. */
  get inFlight(): number {
    return this.#inFlight?.underWay ?? 0;
  }

  /**
   * Ends the session: its subscriptions, and whatever had not been delivered. What a shared subscription had given it goes to other
   * members that have room for it, but for QoS 2 messages that have been sent once [MQTT5-4.8.2-5].
   */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#context.memory.add(-(WEIGHT + this.clientId.length + nameLength(this.#client)));
    this.subscriptions.clear();
    const shared = new Map<string, Message[]>();
    let count = 0;
    const lose = ({ message, terms: { group, qos } }: Delivery, begun: boolean) => {
      if (!group || begun && qos === 2) return void count++;
      const others = shared.get(group.name);
      if (others) others.push(message);
      else shared.set(group.name, [message]);
    };
    try {
      this.#restore();
      for (const delivery of this.#inFlight?.deliveries ?? []) lose(delivery, true);
      if (this.#context.groups.empty) count += this.#queue?.stored ?? 0; // a million need not be read for nobody
      else for (const delivery of this.#queue?.takeBacklog() ?? []) lose(delivery, false);
    } catch { // what a store can't read any more is lost
      count += this.#former?.count ?? this.#queue!.stored;
    }
    for (const delivery of this.#queue?.deliveries ?? []) lose(delivery, false);
    this.#inFlight?.clear();
    this.#queue?.clear();
    this.#received?.clear();
    this.record?.delete();
    for (const [group, messages] of shared) count += this.#context.groups.leaveTo(group, messages);
    if (count > 0) {
      this.#context.report({
        type: "dropped",
        client: this.clientId,
        topic: undefined,
        reason: "session-ended",
        count,
      });
    }
  }

  /**
   * Sends the retained messages that match a filter, as fast as the client takes them [MQTT-3.3.1-6]; with `noLocal` without the
   * client's own ones [MQTT5-3.8.3-3].
   */
  replay(filter: string, qos: QoS, identifier: number | undefined, noLocal = false): void {
    const { retained } = this.#context, identifiers = identifier === undefined ? [] : [identifier];
    const messages = replay(retained.search(filter), qos, identifiers, noLocal ? this.clientId : undefined);
    const noRoom = this.#waitingQueue().pushReplay(messages);
    if (noRoom && !messages.next().done) this.#lose(undefined, noRoom);
    if (!this.#resuming) this.resume(); // thousands of them would each search on for a while in this turn
  }

  /** Sends a message, or lets it wait, or reports that it is dropped. */
  deliver(message: Message, terms: Terms): void {
    if (!this.#waiting && this.#canSend(terms.qos, message.size)) this.#send(message, terms);
    else if (!this.#link && terms.qos === 0) this.#drop(message, "client-offline");
    else this.#wait(new Delivery(message.own(), terms));
  }

  /** Whether a message would be sent at once, or can wait, and nothing is dropped for it. */
  hasRoom(message: Message, qos: QoS): boolean {
    if (this.#ended || !this.#link && qos === 0) return false;
    if (!this.#waiting && this.#canSend(qos, message.size)) return true;
    return hasRoom(message, this.#room());
  }

  #room(): Room {
    const drop = (delivery: Delivery, reason: DropReason) => this.#dropDelivery(delivery, reason);
    return { queue: this.#waitingQueue(), context: this.#context, drop };
  }

  #waitingQueue(): DeliveryQueue {
    this.#restore();
    return this.#queue ??= new DeliveryQueue(this.#context.limits, this.#context.memory);
  }

  /** Takes up what was kept: what is in flight at once, what waits when it is its turn. */
  #restore(): void {
    const former = this.#former;
    if (!former) return;
    const { limits, memory } = this.#context, inFlight = this.#inFlight = new InFlight(memory);
    const sent = asSent([...former.inFlight()]);
    for (const id of former.received) (this.#received ??= new PacketIdSet(memory)).add(id);
    for (const id of former.released) inFlight.restoreReleased(id);
    for (const delivery of sent) inFlight.restore(delivery);
    this.#queue = new DeliveryQueue(limits, memory, former.backlog(sent));
    this.#former = undefined;
  }

  /** Lets a message wait, as far as the limits and the policy of its subscription let it. */
  #wait(delivery: Delivery): void {
    if (this.#ended) return this.#drop(delivery.message, "session-ended"); // while it was on its way
    const waiting = enqueue(delivery, this.#room());
    if (typeof waiting !== "string") return this.record?.add(waiting);
    this.#drop(delivery.message, waiting);
    if (delivery.terms.overload === "disconnect") this.#link?.overloaded();
  }

  /** Sends what waits, as far as the client and the limits let it. */
  resume(): void {
    if (this.#inFlight?.behind) this.#sendAgain(this.#inFlight);
    while (this.#waiting && this.#canSend(1, 0)) {
      const delivery = this.#queue!.shift();
      if (delivery) this.#send(delivery.message, delivery.terms, delivery);
      else if (this.#waiting) return this.#resumeLater();
    }
  }

  /** A replay searches among many retained messages: others go on meanwhile. */
  #resumeLater(): void {
    if (this.#resuming) return;
    this.#resuming = true;
    this.#context.turn.later(() => {
      this.#resuming = false;
      this.resume();
    });
  }

  /** PUBACK, or a refusal of the message: no more of it. An unknown identifier is ignored. */
  acknowledge(packetId: number, refused: boolean): void {
    const delivery = this.#inFlight?.get(packetId), qos = delivery?.terms.qos;
    if (!delivery || qos !== 1 && !refused) return;
    this.#inFlight!.settle(delivery);
    this.record?.done(delivery);
    if (refused) this.#drop(delivery.message, "refused-by-client");
    this.resume();
  }

  /** PUBREC: from here on the PUBLISH is not sent again, its PUBREL is [MQTT-4.3.3-1]. False for an unknown identifier. */
  release(packetId: number): boolean {
    const delivery = this.#inFlight?.get(packetId);
    if (delivery?.terms.qos !== 2) return this.#inFlight?.isReleased(packetId) ?? false;
    this.#inFlight!.release(delivery);
    this.record?.done(delivery);
    this.record?.released(packetId);
    return true;
  }

  /** PUBCOMP: the end of QoS 2. */
  complete(packetId: number): void {
    if (!this.#inFlight?.complete(packetId)) return;
    this.record?.completed(packetId);
    this.resume();
  }

  /** True where messages wait, which others must not overtake. */
  get #waiting(): boolean {
    if (this.#former) return true;
    return this.#queue !== undefined && !this.#queue.empty;
  }

  /** @param size of a message that need not be kept: what waits is kept already */
  #canSend(qos: QoS, size: number): boolean {
    if (!this.#link?.takes(size)) return false;
    const inFlight = this.#inFlight;
    return !inFlight || !inFlight.behind && (qos === 0 || inFlight.underWay < this.#window);
  }

  #sendAgain(inFlight: InFlight): void {
    while (inFlight.behind && this.#link?.takes(0) && inFlight.underWay < this.#window) {
      const delivery = inFlight.next()!, { message, terms, packetId } = delivery;
      if (!this.#link.publish(message, terms, packetId, true)) this.#tooLarge(message, delivery);
    }
  }

  /** @param waited what it is in the queue that it comes from */
  #send(message: Message, terms: Terms, waited?: Delivery): void {
    if (message.properties && this.#expired(message)) { // [MQTT5-3.3.2-5]
      if (waited) this.record?.done(waited);
      return this.#drop(message, "expired");
    }
    const begun = terms.qos > 0 ? waited ?? new Delivery(message.settle(), terms) : undefined;
    if (begun) this.#begin(begun);
    if (this.#link && !this.#link.publish(message, terms, begun?.packetId ?? 0, false)) this.#tooLarge(message, begun);
  }

  #begin(delivery: Delivery): void {
    (this.#inFlight ??= new InFlight(this.#context.memory)).begin(delivery);
    this.record?.add(delivery);
    this.record?.sent(delivery);
  }

  #expired({ expiresAt }: Message): boolean {
    return expiresAt !== undefined && expiresAt <= this.#context.turn.now;
  }

  /** As if it had been delivered [MQTT5-3.1.2-25]. */
  #tooLarge(message: Message, begun: Delivery | undefined): void {
    if (begun) {
      this.#inFlight!.settle(begun);
      this.record?.done(begun);
    }
    this.#drop(message, "packet-too-large");
  }

  /** Drops one that was waiting. */
  #dropDelivery(delivery: Delivery, reason: DropReason): void {
    this.record?.done(delivery);
    this.#drop(delivery.message, reason);
  }

  #drop({ topic }: Message, reason: DropReason): void {
    this.#lose(topic, reason);
  }

  #lose(topic: string | undefined, reason: DropReason): void {
    this.#context.report({ type: "dropped", client: this.clientId, topic, reason, count: 1 });
  }
}

function nameLength(client: ClientInfo | undefined): number {
  return client?.username?.length ?? 0;
}

function* replay(
  retained: Iterable<Message | undefined>,
  qos: QoS,
  identifiers: readonly number[],
  unwanted: string | undefined,
): Generator<Delivery | undefined, void, undefined> {
  const terms = new TermsTable({ qos, keepRetain: true, identifiers });
  for (const message of retained) {
    if (!message) yield undefined;
    else if (unwanted === undefined || message.client !== unwanted) {
      yield new Delivery(message, terms.of(message.qos, true)); // [MQTT-3.3.1-8]
    }
  }
}
