// The store over SQLite. A change is a note in memory until the commit, which writes what is left of the notes: in a busy broker, much
// has been undone by then. Of a session's deliveries, only those are known here that are under way, or wait for a commit.
import type { Message } from "../message.ts";
import { ChangeWriter } from "./change_writer.ts";
import type { Database } from "./schema.ts";
import { type Body, SessionRecord } from "./session_record.ts";
import {
  type DeliveryTerms,
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
import { StoredRows } from "./stored_rows.ts";

/** Where the rows are. */
export interface StoreFile {
  readonly database: Database;
  /** Does work with it; what goes wrong is a `StoreError`. */
  attempt<T>(work: () => T): T;
  /** Does the work in a transaction. */
  transaction(work: () => void): void;
  close(): void;
}

/** Keeps sessions and messages in rows. */
export class RowStore implements Store {
  readonly #file: StoreFile;
  readonly #rows: StoredRows;
  readonly #writer: ChangeWriter;
  readonly #sessions = new Map<string, SessionRecord>();
  #lastSession = 0;

  // What waits for a commit.
  #ended: SessionRecord[] = [];
  readonly #changed = new Set<SessionRecord>();
  readonly #retained = new Map<string, Pick<Body, "message" | "acceptedAt"> | undefined>();
  #body: Body | undefined;
  #pending = 0;
  #urgent = false;

  constructor(file: StoreFile) {
    this.#file = file;
    this.#rows = new StoredRows(file.database);
    this.#writer = new ChangeWriter(file.database);
    for (const session of this.#rows.records()) this.#remember(session);
  }

  *sessions(): Generator<StoredSession, void, undefined> {
    for (const session of [...this.#sessions.values()]) {
      const stored = this.#file.attempt(() => this.#rows.session(session));
      if (stored) yield stored;
    }
  }

  *retained(): Generator<StoredMessage, void, undefined> {
    for (let topic = "";;) {
      const messages = this.#file.attempt(() => this.#rows.retained(topic)), last = messages.at(-1);
      if (!last) return;
      yield* messages;
      topic = last.topic;
    }
  }

  *deliveries(clientId: string, after = 0): Generator<StoredDelivery, void, undefined> {
    const session = this.#session(clientId);
    for (;;) {
      const page = this.#page(session, after), last = page.at(-1);
      if (!last) return;
      for (const delivery of page) {
        const packetId = session.packetId(delivery.sequence);
        if (this.#sessions.get(clientId) !== session) return;
        if (packetId !== undefined) yield { ...delivery, packetId };
      }
      after = last.sequence;
    }
  }

  /** What comes next behind a number: from disk, and, where that has no more, what waits for a commit. */
  #page({ id, committed, added }: SessionRecord, after: number): StoredDelivery[] {
    if (after < committed) {
      const page = this.#file.attempt(() => this.#rows.deliveries(id, after));
      if (page.length > 0) return page;
    }
    return added.filter(({ sequence }) => sequence > after).map(({ sequence, terms, body }) => {
      return { sequence, terms, packetId: 0, message: storedMessage(body.message, body.acceptedAt) };
    });
  }

  saveSession({ clientId, expiry, disconnectedAt }: SessionState): void {
    const session = this.#sessions.get(clientId) ?? this.#remember(new SessionRecord(this.#lastSession + 1, clientId));
    session.state = { clientId, expiry, disconnectedAt };
    this.#note(session);
  }

  deleteSession(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (!session) return;
    this.#note(session);
    this.#sessions.delete(clientId);
    this.#changed.delete(session);
    this.#ended.push(session);
  }

  saveSubscription(clientId: string, filter: string, terms: SubscriptionTerms): void {
    (this.#change(clientId).subscriptions ??= new Map()).set(filter, { ...terms });
  }

  deleteSubscription(clientId: string, filter: string): void {
    (this.#change(clientId).subscriptions ??= new Map()).set(filter, undefined);
  }

  saveWill(clientId: string, message: Message, { delay, dueAt }: WillTerms): void {
    this.#change(clientId).will = { message: message.settle(), terms: { delay, dueAt } };
  }

  deleteWill(clientId: string): void {
    this.#change(clientId).will = "none";
  }

  addDelivery(clientId: string, sequence: number, message: Message, acceptedAt: number, terms: DeliveryTerms): void {
    const session = this.#session(clientId);
    if (sequence <= session.last) throw sequenceError(clientId, sequence, session.last);
    if (this.#body?.message !== message) {
      this.#body = { message: message.settle(), acceptedAt, commit: 0, copies: 0, id: 0 };
    }
    session.added.push({ sequence, body: this.#body!, terms });
    session.last = sequence;
    this.#note(session);
  }

  sent(clientId: string, sequence: number, packetId: number): void {
    const session = this.#change(clientId);
    if (!session.has(sequence)) return;
    this.#reach(session, sequence);
    session.sent(sequence, packetId);
  }

  deleteDelivery(clientId: string, sequence: number): void {
    const session = this.#change(clientId, false);
    if (!session.has(sequence)) return;
    this.#reach(session, sequence);
    session.end(sequence);
  }

  /** Moves the boundary behind a delivery. Most are the next one, and those before it need not be looked for. */
  #reach(session: SessionRecord, sequence: number): void {
    const { id, boundary, committed } = session, last = Math.min(sequence - 1, committed);
    if (boundary <= last) {
      const passed = this.#file.attempt(() => [...this.#rows.between(id, boundary - 1, last)]);
      for (const { sequence } of passed) session.pass(sequence);
    }
    session.reach(sequence);
  }

  addReceived(clientId: string, packetId: number): void {
    this.#flow(clientId).received.add(packetId);
  }

  deleteReceived(clientId: string, packetId: number): void {
    this.#flow(clientId).received.delete(packetId);
  }

  addReleased(clientId: string, packetId: number): void {
    this.#flow(clientId).released.add(packetId);
  }

  deleteReleased(clientId: string, packetId: number): void {
    this.#flow(clientId, false).released.delete(packetId);
  }

  retain(message: Message, acceptedAt: number): void {
    this.#retained.set(message.topic, { message: message.settle(), acceptedAt });
    this.#note();
  }

  deleteRetained(topic: string): void {
    this.#retained.set(topic, undefined);
    this.#note();
  }

  get pending(): number {
    return this.#pending;
  }

  get urgent(): boolean {
    return this.#urgent;
  }

  commit(): void {
    if (this.#pending === 0) return;
    const changes = { ended: this.#ended, changed: this.#changed, retained: this.#retained };
    this.#file.transaction(() => this.#writer.write(changes));
    for (const session of this.#changed) session.settle();
    this.#ended = [];
    this.#changed.clear();
    this.#retained.clear();
    this.#body = undefined;
    this.#pending = 0;
    this.#urgent = false;
  }

  close(): void {
    try {
      this.commit();
    } finally {
      this.#file.close();
    }
  }

  #remember(session: SessionRecord): SessionRecord {
    this.#lastSession = Math.max(this.#lastSession, session.id);
    this.#sessions.set(session.clientId, session);
    return session;
  }

  #session(clientId: string): SessionRecord {
    const session = this.#sessions.get(clientId);
    if (!session) throw unknownSession(clientId);
    return session;
  }

  #change(clientId: string, urgent = true): SessionRecord {
    const session = this.#session(clientId);
    this.#note(session, urgent);
    return session;
  }

  #flow(clientId: string, urgent = true): SessionRecord {
    const session = this.#change(clientId, urgent);
    session.flowed = true;
    return session;
  }

  #note(session?: SessionRecord, urgent = true): void {
    if (session) this.#changed.add(session);
    this.#pending++;
    this.#urgent ||= urgent;
  }
}
