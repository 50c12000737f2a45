// The store over SQLite. A change is a note in memory until the commit, which writes what is left of the notes: sessions,
// subscriptions, wills and retained messages to their tables, what happens to deliveries to a log (change_log.ts), and now and then,
// at a checkpoint, all that is left of those to their tables, too.
import type { Message } from "../message.ts";
import { ChangeLog, type LoggedChanges } from "./change_log.ts";
import { ChangeWriter } from "./change_writer.ts";
import type { StoreFile } from "./schema.ts";
import { type Body, newBody, SessionRecord } from "./session_record.ts";
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

/** Keeps sessions and messages in rows. */
export class RowStore implements Store {
  readonly #file: StoreFile;
  readonly #rows: StoredRows;
  readonly #writer: ChangeWriter;
  readonly #log: ChangeLog;
  readonly #sessions = new Map<string, SessionRecord>();
  #lastSession = 0;

  /** Sessions whose deliveries have changed since the last checkpoint. */
  readonly #touched = new Set<SessionRecord>();

  // What waits for a commit.
  #ended: SessionRecord[] = [];
  readonly #changed = new Set<SessionRecord>();
  readonly #retained = new Map<string, Pick<Body, "message" | "acceptedAt"> | undefined>();
  #body: Body | undefined;
  #pending = 0;
  #urgent = false;

  /** @param longestLog in bytes: as much is held in memory, too, and moved to the tables in one go */
  constructor(file: StoreFile, longestLog: number = 1024 * 1024) {
    this.#file = file;
    const { database } = file;
    [this.#rows, this.#writer, this.#log] = file.attempt(() => [
      new StoredRows(database),
      new ChangeWriter(database),
      new ChangeLog(database, longestLog),
    ]);
    for (const session of file.attempt(() => this.#rows.records())) this.#remember(session);
    this.#repeat(file.attempt(() => [...this.#log.changes()]));
  }

  /** Moves the log to the tables: a session that is created later may get the number of one that is still in the log. */
  #repeat(log: readonly LoggedChanges[]): void {
    if (log.length === 0) return;
    const sessions = new Map(Array.from(this.#sessions.values(), (session) => [session.id, session]));
    for (const { session: id, added, sent, packetIds, ended, exchanges } of log) {
      const session = sessions.get(id);
      if (!session) continue;
      for (const set of [this.#changed, this.#touched]) set.add(session);
      for (const delivery of added) session.add(delivery);
      sent.forEach((sequence, i) => this.#send(session, sequence, packetIds[i]!));
      for (const sequence of ended) this.#end(session, sequence);
      if (!exchanges) continue;
      session.received.apply(exchanges.received);
      session.released.apply(exchanges.released);
      session.exchange();
    }
    this.#file.transaction(() => this.#checkpoint());
    this.#settle(true);
  }

  *sessions(): Generator<StoredSession, void, undefined> {
    for (const session of [...this.#sessions.values()]) {
      const stored = this.#file.attempt(() => this.#rows.session(session));
      if (stored) yield stored;
    }
  }

  *retained(): Generator<StoredMessage, void, undefined> {
    for (let after = 0;;) {
      const page = this.#file.attempt(() => this.#rows.retained(after)), last = page.at(-1);
      if (!last) return;
      for (const { message } of page) yield message;
      after = last.id;
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

  /** What comes next behind a number: from disk, and, where that has no more, what is not in chunks yet. */
  #page({ id, stored, added }: SessionRecord, after: number): StoredDelivery[] {
    if (after < stored) {
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
    this.#touched.delete(session);
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
    if (this.#body?.message !== message) this.#body = newBody(message.settle(), acceptedAt);
    session.add({ sequence, body: this.#body!, terms });
    this.#noteDelivery(session);
  }

  sent(clientId: string, sequence: number, packetId: number): void {
    const session = this.#session(clientId);
    this.#noteDelivery(session);
    if (session.has(sequence)) this.#send(session, sequence, packetId);
  }

  deleteDelivery(clientId: string, sequence: number): void {
    const session = this.#session(clientId);
    this.#noteDelivery(session, false);
    if (session.has(sequence)) this.#end(session, sequence);
  }

  #send(session: SessionRecord, sequence: number, packetId: number): void {
    this.#reach(session, sequence);
    session.send(sequence, packetId);
  }

  #end(session: SessionRecord, sequence: number): void {
    this.#reach(session, sequence);
    session.end(sequence);
  }

  /** Moves the boundary behind a delivery. Most are the next one, and those before it need not be looked for. */
  #reach(session: SessionRecord, sequence: number): void {
    const { id, boundary, stored } = session, last = Math.min(sequence - 1, stored);
    if (boundary <= last) {
      const passed = this.#file.attempt(() => [...this.#rows.between(id, boundary - 1, last)]);
      for (const { sequence } of passed) session.pass(sequence);
    }
    session.reach(sequence);
  }

  addReceived(clientId: string, packetId: number): void {
    this.#exchange(clientId).received.add(packetId);
  }

  deleteReceived(clientId: string, packetId: number): void {
    this.#exchange(clientId).received.delete(packetId);
  }

  addReleased(clientId: string, packetId: number): void {
    this.#exchange(clientId).released.add(packetId);
  }

  deleteReleased(clientId: string, packetId: number): void {
    this.#exchange(clientId, false).released.delete(packetId);
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
    const changed = this.#changed;
    let moved = false;
    for (const session of changed) session.dropOver();
    this.#file.transaction(() => {
      this.#writer.write({ ended: this.#ended, changed, retained: this.#retained });
      moved = !this.#log.append(changed);
      if (moved) this.#checkpoint();
    });
    this.#settle(moved);
  }

  #checkpoint(): void {
    this.#writer.checkpoint(this.#touched);
    this.#log.clear();
  }

  /** What waited is committed, and, where a checkpoint has moved them, all deliveries lie in chunks. */
  #settle(moved: boolean): void {
    for (const session of this.#changed) session.commit();
    for (const session of moved ? this.#touched : []) session.checkpoint();
    if (moved) this.#touched.clear();
    this.#log.commit();
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

  #change(clientId: string): SessionRecord {
    const session = this.#session(clientId);
    this.#note(session);
    return session;
  }

  #exchange(clientId: string, urgent = true): SessionRecord {
    const session = this.#session(clientId);
    this.#noteDelivery(session, urgent);
    session.exchange();
    return session;
  }

  #noteDelivery(session: SessionRecord, urgent = true): void {
    this.#touched.add(session);
    this.#note(session, urgent);
  }

  #note(session?: SessionRecord, urgent = true): void {
    if (session) this.#changed.add(session);
    this.#pending++;
    this.#urgent ||= urgent;
  }
}
