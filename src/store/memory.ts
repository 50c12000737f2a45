// A store in memory, with the semantics of one on disk: what is committed outlives the broker that was given the store, and a crash
// takes the rest. It is there for simulations: its `disk` makes a commit fail, or take its time. Each change is kept as a function,
// applied at once to what the broker sees, and again at the commit to what lasts.
import type { Message } from "../message.ts";
import {
  type DeliveryTerms,
  messageSize,
  sequenceError,
  type SessionState,
  type Store,
  type StoredDelivery,
  type StoredMessage,
  storedMessage,
  type StoredSession,
  type SubscriptionTerms,
  unknownSession,
  type WillTerms,
} from "./store.ts";

interface SessionData {
  readonly state: SessionState;
  readonly subscriptions: Map<string, SubscriptionTerms>;
  readonly deliveries: Map<number, StoredDelivery>;
  readonly received: Set<number>;
  readonly released: Set<number>;
  readonly will: StoredSession["will"];
  readonly last: number;
}

interface Data {
  readonly sessions: Map<string, SessionData>;
  readonly retained: Map<string, StoredMessage>;
}

interface Change {
  readonly apply: (data: Data) => void;
  /** Whether something may be waiting for it to be durable. */
  readonly urgent: boolean;
}

/** A store that lasts as long as its process. */
export class MemoryStore implements Store {
  readonly #disk: () => void | Promise<void>;
  readonly #durable: Data = { sessions: new Map(), retained: new Map() };
  #current: Data = copyOf(this.#durable);
  #changes: Change[] = [];
  /** How many of them a commit is writing at present. */
  #writing = 0;
  /** The commit under way, if it is asynchronous. */
  #running: Promise<void> | undefined;
  #crashes = 0;

  /** @param disk what each commit waits for, if it returns a promise; what it throws or rejects with makes the commit fail */
  constructor(disk: () => void | Promise<void> = () => {}) {
    this.#disk = disk;
  }

  *sessions(): Generator<StoredSession, void, undefined> {
    for (
      const { state, deliveries, subscriptions, received, released, will, last } of this.#durable.sessions.values()
    ) {
      const all = [...deliveries.values()];
      const sizes = all.map(({ message }) => messageSize(message, message.payload.length));
      yield {
        ...state,
        subscriptions: new Map(subscriptions),
        will,
        received: [...received],
        released: [...released],
        nextSequence: last + 1,
        deliveries: {
          count: sizes.length,
          bytes: sizes.reduce((sum, size) => sum + size, 0),
          sent: all.filter(({ packetId }) => packetId > 0).length,
        },
      };
    }
  }

  *retained(): Generator<StoredMessage, void, undefined> {
    yield* this.#durable.retained.values();
  }

  *deliveries(clientId: string, after = 0): Generator<StoredDelivery, void, undefined> {
    const { deliveries } = sessionOf(this.#current, clientId);
    for (const delivery of deliveries.values()) {
      if (this.#current.sessions.get(clientId)?.deliveries !== deliveries) return;
      if (delivery.sequence > after) yield delivery;
    }
  }

  saveSession({ clientId, expiry, disconnectedAt }: SessionState): void {
    const state = { clientId, expiry, disconnectedAt };
    this.#change(({ sessions }) => sessions.set(clientId, { ...sessions.get(clientId) ?? newSession(state), state }));
  }

  deleteSession(clientId: string): void {
    this.#change(({ sessions }) => sessions.delete(clientId));
  }

  saveSubscription(clientId: string, filter: string, terms: SubscriptionTerms): void {
    const { qos, noLocal, retainAsPublished, identifier } = terms; // and nothing else that may be there
    const kept = { qos, noLocal, retainAsPublished, identifier };
    this.#inSession(clientId, ({ subscriptions }) => subscriptions.set(filter, kept));
  }

  deleteSubscription(clientId: string, filter: string): void {
    this.#inSession(clientId, ({ subscriptions }) => subscriptions.delete(filter));
  }

  saveWill(clientId: string, message: Message, { delay, dueAt }: WillTerms): void {
    const will = { message: storedMessage(message, undefined), delay, dueAt };
    this.#inSession(clientId, (session, { sessions }) => sessions.set(clientId, { ...session, will }));
  }

  deleteWill(clientId: string): void {
    this.#inSession(clientId, (session, { sessions }) => sessions.set(clientId, { ...session, will: undefined }));
  }

  addDelivery(clientId: string, sequence: number, message: Message, acceptedAt: number, terms: DeliveryTerms): void {
    const { last } = sessionOf(this.#current, clientId);
    if (sequence <= last) throw sequenceError(clientId, sequence, last);
    const { qos, retain, identifiers, group } = terms;
    const delivery = {
      sequence,
      packetId: 0,
      terms: { qos, retain, identifiers, group: group && { name: group.name } },
      message: storedMessage(message, acceptedAt),
    };
    this.#inSession(clientId, (session, { sessions }) => {
      session.deliveries.set(sequence, delivery);
      sessions.set(clientId, { ...session, last: sequence });
    });
  }

  sent(clientId: string, sequence: number, packetId: number): void {
    this.#inSession(clientId, ({ deliveries }) => {
      const delivery = deliveries.get(sequence);
      if (delivery) deliveries.set(sequence, { ...delivery, packetId });
    });
  }

  deleteDelivery(clientId: string, sequence: number): void {
    this.#inSession(clientId, ({ deliveries }) => deliveries.delete(sequence), false);
  }

  addReceived(clientId: string, packetId: number): void {
    this.#inSession(clientId, ({ received }) => received.add(packetId));
  }

  deleteReceived(clientId: string, packetId: number): void {
    this.#inSession(clientId, ({ received }) => received.delete(packetId));
  }

  addReleased(clientId: string, packetId: number): void {
    this.#inSession(clientId, ({ released }) => released.add(packetId));
  }

  deleteReleased(clientId: string, packetId: number): void {
    this.#inSession(clientId, ({ released }) => released.delete(packetId), false);
  }

  retain(message: Message, acceptedAt: number): void {
    const stored = storedMessage(message, acceptedAt);
    this.#change(({ retained }) => retained.set(stored.topic, stored));
  }

  deleteRetained(topic: string): void {
    this.#change(({ retained }) => retained.delete(topic));
  }

  get pending(): number {
    return this.#changes.length - this.#writing;
  }

  get urgent(): boolean {
    return this.#changes.slice(this.#writing).some(({ urgent }) => urgent);
  }

  commit(): void | Promise<void> {
    if (!this.#running) return this.#commit();
    return this.#follow(this.#running.catch(() => {}).then(() => this.#commit()));
  }

  close(): void | Promise<void> {
    return this.commit();
  }

  /** Loses what is not committed, as if the process had been killed. The next broker can have the store. */
  crash(): void {
    this.#crashes++;
    this.#running = undefined;
    this.#writing = 0;
    this.#changes = [];
    this.#current = copyOf(this.#durable);
  }

  #commit(): void | Promise<void> {
    if (this.#changes.length === 0) return;
    const waiting = this.#disk();
    if (waiting) return this.#follow(this.#write(waiting));
    this.#apply(this.#changes.length);
  }

  /** Has further commits wait for this one. */
  #follow(commit: Promise<void>): Promise<void> {
    const over = () => {
      if (this.#running === commit) this.#running = undefined;
    };
    this.#running = commit;
    commit.then(over, over);
    return commit;
  }

  async #write(waiting: Promise<void>): Promise<void> {
    const crashes = this.#crashes, count = this.#writing = this.#changes.length;
    try {
      await waiting;
    } finally {
      if (crashes === this.#crashes) this.#writing = 0;
    }
    if (crashes === this.#crashes) this.#apply(count);
  }

  #apply(count: number): void {
    for (const { apply } of this.#changes.splice(0, count)) apply(this.#durable);
  }

  #change(apply: Change["apply"], urgent = true): void {
    apply(this.#current);
    this.#changes.push({ apply, urgent });
  }

  #inSession(clientId: string, apply: (session: SessionData, data: Data) => void, urgent = true): void {
    sessionOf(this.#current, clientId);
    this.#change((data) => apply(sessionOf(data, clientId), data), urgent);
  }
}

function newSession(state: SessionState): SessionData {
  const [subscriptions, deliveries] = [new Map(), new Map()],
    [received, released] = [new Set<number>(), new Set<number>()];
  return { state, subscriptions, deliveries, received, released, will: undefined, last: 0 };
}

function sessionOf({ sessions }: Data, clientId: string): SessionData {
  const session = sessions.get(clientId);
  if (!session) throw unknownSession(clientId);
  return session;
}

/** The same content in containers of its own. */
function copyOf({ sessions, retained }: Data): Data {
  const copies = [...sessions].map(([clientId, session]) =>
    [clientId, {
      ...session,
      subscriptions: new Map(session.subscriptions),
      deliveries: new Map(session.deliveries),
      received: new Set(session.received),
      released: new Set(session.released),
    }] as const
  );
  return { sessions: new Map(copies), retained: new Map(retained) };
}
