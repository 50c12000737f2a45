// What a broker keeps beyond its process: sessions with their subscriptions, deliveries and QoS 2 state, retained messages, wills.
// Data only: a store routes nothing, knows no clock, and opens no socket. The broker tells it every change as it happens; the changes
// of a turn wait until `commit`, and become durable together or not at all. Nothing that rests on a change may leave the process
// before its commit is over. Two implementations pass one suite: memory.ts, for simulations, and sqlite.ts, a file.
import type { MessageProperties } from "../codec/properties.ts";
import type { Message, MessageFields, QoS } from "../message.ts";

/** A message as a store gives it back. Its payload may be a view of what was read together, of up to 32 KiB and one message. */
export interface StoredMessage extends MessageFields {
  readonly properties: MessageProperties | undefined;
  /** When the broker accepted it, in milliseconds of wall time; `undefined` for a will, which has not been published yet. */
  readonly acceptedAt: number | undefined;
}

/** On which terms a session gets a message. */
export interface DeliveryTerms {
  readonly qos: QoS;
  readonly retain: boolean;
  /** Subscription identifiers (5.0 section 3.3.2.3.8). */
  readonly identifiers?: readonly number[] | undefined;
  /** The shared subscription that chose this session, by its whole filter, `$share/group/filter`. */
  readonly group?: { readonly name: string } | undefined;
}

/** A message that a session has to deliver, or has sent and not seen acknowledged. */
export interface StoredDelivery {
  /** Its number within the session. */
  readonly sequence: number;
  /** The identifier that it was sent with; 0 where it has not been sent. */
  readonly packetId: number;
  readonly terms: DeliveryTerms;
  readonly message: StoredMessage;
}

/** What can change of a session itself. */
export interface SessionState {
  readonly clientId: string;
  /** Seconds that it lasts without a connection; `Infinity` for ever. */
  readonly expiry: number;
  /** When its connection ended, in milliseconds of wall time; `undefined` while it has one, or had one when the process ended. */
  readonly disconnectedAt: number | undefined;
}

/** How a session has subscribed. */
export interface SubscriptionTerms {
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifier: number | undefined;
}

/** What is to be published when a client is gone. */
export interface WillTerms {
  /** Seconds from the end of the connection (5.0 section 3.1.3.2.2). */
  readonly delay: number;
  /** When it has to be published, in milliseconds of wall time; `undefined` while the client is connected. */
  readonly dueAt: number | undefined;
}

/** A session as it was committed. */
export interface StoredSession extends SessionState {
  /** Its subscriptions, by filter, in any order. */
  readonly subscriptions: ReadonlyMap<string, SubscriptionTerms>;
  readonly will: WillTerms & { readonly message: StoredMessage } | undefined;
  /** Identifiers of QoS 2 messages of the client that were accepted and await its PUBREL. */
  readonly received: readonly number[];
  /** Identifiers of QoS 2 deliveries that await the client's PUBCOMP, in the order of their PUBRECs. */
  readonly released: readonly number[];
  /** The least number that the next delivery may have. */
  readonly nextSequence: number;
  /** All deliveries that are left: how many, their `messageSize` together, and how many of them have been sent. */
  readonly deliveries: { readonly count: number; readonly bytes: number; readonly sent: number };
}

/**
 * Where a broker keeps what must outlive it. It belongs to one broker at a time.
 *
 * **Reading.** `sessions` and `retained` are for the start: they give what is committed, and are to be read before the first change.
 * `deliveries` may be read at any time, a page at a time, and knows of every change, committed or not.
 *
 * **Changing.** A change costs no more than a note in memory until `commit`. What is added and deleted again before that never
 * reaches the disk. A session must have been saved before anything of it can be.
 *
 * **Payloads** that are lent for the turn (a view of a read buffer) are settled by `addDelivery`, `retain` and `saveWill`; other
 * payloads must not be written to, as everywhere.
 *
 * **Failure.** A commit that fails is rolled back as a whole and throws (or rejects with) a {@linkcode StoreError}. Its changes are
 * not lost: they go on waiting, and the next commit makes them durable together with its own, so that what the broker remembers and
 * what the store has written never drift apart. The broker therefore undoes nothing. It has to: keep what the turn wants to send
 * (acknowledgements, deliveries) unsent, or close those connections without sending it, which is always safe, because clients repeat
 * what was not acknowledged; take no new messages meanwhile, since what waits is held in memory; and call `commit` again after a
 * while, which needs no further change. Where the process ends instead, everything is lost that was not committed, and nobody had
 * been promised any of it.
 */
export interface Store {
  /** All sessions, the oldest first. */
  sessions(): Iterable<StoredSession>;
  /** All retained messages, in any order. */
  retained(): Iterable<StoredMessage>;
  /** What a session has to deliver, in order, from behind the number `after` on: from memory and disk, one page at a time. */
  deliveries(clientId: string, after?: number): Iterable<StoredDelivery>;

  /** Creates a session, or updates it. One of expiry 0 makes sense where there is a will. */
  saveSession(session: SessionState): void;
  /** Deletes a session and all that belongs to it, if there is one. */
  deleteSession(clientId: string): void;
  /** Adds a subscription, or replaces the one with the same filter (`$share/group/filter` included). */
  saveSubscription(clientId: string, filter: string, terms: SubscriptionTerms): void;
  deleteSubscription(clientId: string, filter: string): void;
  /** `message.acceptedAt` counts for nothing. */
  saveWill(clientId: string, message: Message, terms: WillTerms): void;
  deleteWill(clientId: string): void;

  /**
   * Adds a message to what a session has to deliver. One that is given to many sessions in a row is stored once; `terms` must stay as
   * they are.
   *
   * @param sequence greater than any before in this session, best by one
   * @param acceptedAt when the broker accepted it, in milliseconds of wall time
   * @throws {RangeError} where the number is not greater
   */
  addDelivery(clientId: string, sequence: number, message: Message, acceptedAt: number, terms: DeliveryTerms): void;
  /** A delivery has got its packet identifier, and is on its way. Must be durable before the PUBLISH leaves: it says the DUP flag. */
  sent(clientId: string, sequence: number, packetId: number): void;
  /** A delivery is over: acknowledged, refused, expired or dropped. */
  deleteDelivery(clientId: string, sequence: number): void;
  /** A QoS 2 message of the client was accepted: must be durable before the PUBREC leaves. */
  addReceived(clientId: string, packetId: number): void;
  /** Its PUBREL has come: must be durable before the PUBCOMP leaves, since the client uses the identifier again. */
  deleteReceived(clientId: string, packetId: number): void;
  /** The PUBREC of a delivery has come, which is over now (`deleteDelivery`): must be durable before the PUBREL leaves. */
  addReleased(clientId: string, packetId: number): void;
  /** Its PUBCOMP has come. */
  deleteReleased(clientId: string, packetId: number): void;

  /** Keeps a message as the retained one of its topic. Its expiry is the caller's matter, by `deleteRetained`. */
  retain(message: Message, acceptedAt: number): void;
  deleteRetained(topic: string): void;

  /**
   * How many changes wait for `commit`; with none, that costs nothing. Those that a commit has taken do not count while that is under
   * way, and do again if it fails.
   */
  readonly pending: number;
  /**
   * Whether something must be durable before the turn may send anything. Where only deliveries have ended (`deleteDelivery`,
   * `deleteReleased`), losing that means no more than that the client gets something once more, marked as such: such commits may be put
   * off for a moment, so that many small turns share one.
   */
  readonly urgent: boolean;
  /**
   * Makes all changes durable, in one transaction. An asynchronous store returns a promise; changes that are made before that settles
   * belong to the next commit, and commits end in the order in which they began. That promise has to settle: until then nothing leaves
   * that was changed since, and the broker does not close.
   *
   * @throws {StoreError} where that was not possible: nothing has been written, and the changes go on waiting
   */
  commit(): void | Promise<void>;
  /** Commits, and gives the store back; it is given back too where that commit fails. */
  close(): void | Promise<void>;
}

/** Why a store can't be used, or can't be written to: a name for a program. */
export type StoreFault =
  /** Another process, or another store of this one, has it. */
  | "in-use"
  /** It may not be written to. */
  | "read-only"
  /** There is no room on the disk. */
  | "full"
  /** It is damaged, or not a database at all. */
  | "corrupt"
  /** A later release of this program has made it. */
  | "later-version"
  /** Another program has made it. */
  | "foreign"
  /** It can't be reached: a folder that is not there, a disk that fails, a file that was deleted or replaced while it was in use. */
  | "unavailable";

/** A store can't be opened, read or written to. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** Which fault it is, for a program. */
  readonly kind: StoreFault;

  /**
   * @param kind which fault it is, for a program
   * @param message what was found and what was wanted, for a person
   */
  constructor(kind: StoreFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** For a change of a session that has not been saved. */
export function unknownSession(clientId: string): Error {
  return new Error(`Session "${clientId}" is not stored: save it first`);
}

/** For a delivery whose number is not greater than those before. */
export function sequenceError(clientId: string, sequence: number, last: number): RangeError {
  return new RangeError(`Delivery ${sequence} of session "${clientId}" does not come behind ${last}`);
}

/** A message as a store gives it back. */
export function storedMessage(message: Message, acceptedAt: number | undefined): StoredMessage {
  const { topic, payload, qos, retain, client, properties } = message.keep();
  return { topic, payload, qos, retain, client, properties, acceptedAt };
}

/** What a user property takes beside its characters, in bytes: otherwise empty ones would be free. */
const PAIR = 64;

/** What a message counts for in limits and sums, in bytes: its payload of `length` bytes, its topic, and its properties. */
export function messageSize(
  { topic, properties }: Pick<MessageFields, "topic" | "properties">,
  length: number,
): number {
  return length + topic.length + (properties ? sizeOfProperties(properties) : 0);
}

function sizeOfProperties(properties: MessageProperties): number {
  const { contentType = "", responseTopic = "", correlationData = [], userProperties = [] } = properties;
  const user = userProperties.reduce((sum, [name, value]) => sum + PAIR + name.length + value.length, 0);
  return contentType.length + responseTopic.length + correlationData.length + user;
}
