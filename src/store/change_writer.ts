// What the SQLite store writes to its tables. Deliveries come here only at a checkpoint, and lie in chunks: one row for those that one
// checkpoint finds in one session, which is deleted once nothing of it is left; until then, a row of `flow` says what has become of
// it. Nothing here changes what waits: a commit can fail.
import type { Message } from "../message.ts";
import { RecordReader, RecordWriter } from "./record.ts";
import { type Database, prepareAll, type Statement } from "./schema.ts";
import type { Body, SessionRecord } from "./session_record.ts";
import { messageSize } from "./store.ts";

/** The bounds of a chunk: deliveries, bytes that they take, and bytes of messages that they stand for. */
const CHUNK = { count: 256, length: 32 * 1024, bytes: 256 * 1024 } as const;

/** From how many bytes on, all copies together, a message gets a row of its own: that, and counting the copies, takes time too. */
const WORTH_SHARING = 1024;

const sql = {
  saveSession: `INSERT INTO session VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET expiry = excluded.expiry, disconnected_at = excluded.disconnected_at`,
  deleteSession: "DELETE FROM session WHERE id = ?",
  saveSubscription: "INSERT OR REPLACE INTO subscription VALUES (?, ?, ?, ?, ?, ?)",
  deleteSubscription: "DELETE FROM subscription WHERE session = ? AND filter = ?",
  deleteSubscriptions: "DELETE FROM subscription WHERE session = ?",
  saveWill: "INSERT OR REPLACE INTO will VALUES (?, ?, ?, ?)",
  deleteWill: "DELETE FROM will WHERE session = ?",
  saveFlow: "INSERT OR REPLACE INTO flow VALUES (?, ?, ?)",
  deleteFlow: "DELETE FROM flow WHERE session = ?",
  addChunk: "INSERT INTO chunk VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
  sharedBetween: `SELECT messages FROM chunk
    WHERE session = ?1 AND last > ?2 AND last < ?3 AND first > ?2 AND messages IS NOT NULL`,
  deleteChunks: "DELETE FROM chunk WHERE session = ?1 AND last > ?2 AND last < ?3 AND first > ?2",
  lastMessage: "SELECT max(id) AS id FROM message",
  addMessage: "INSERT INTO message VALUES (?, ?)",
  deleteMessage: "DELETE FROM message WHERE id = ?",
  addCopies: "INSERT INTO copies VALUES (?, ?)",
  takeCopies: "UPDATE copies SET count = count - ? WHERE message = ? RETURNING count",
  deleteCopies: "DELETE FROM copies WHERE message = ?",
  retain: "INSERT INTO retained VALUES (NULL, ?, ?) ON CONFLICT (topic) DO UPDATE SET message = excluded.message",
  deleteRetained: "DELETE FROM retained WHERE topic = ?",
} as const;

/** What a commit has to write, deliveries left out. */
export interface Changes {
  readonly ended: readonly SessionRecord[];
  readonly changed: Iterable<SessionRecord>;
  /** By topic; nothing where it is not retained any more. */
  readonly retained: ReadonlyMap<string, Pick<Body, "message" | "acceptedAt"> | undefined>;
}

/** Writes changes; the caller keeps the transaction. */
export class ChangeWriter {
  readonly #sql: Readonly<Record<keyof typeof sql, Statement>>;
  /** The deliveries of a chunk. */
  readonly #data = new RecordWriter();
  /** Anything else, for one statement. */
  readonly #record = new RecordWriter();
  /** How many copies of which messages this commit deletes. */
  readonly #released = new Map<number, number>();
  #lastMessage: number;
  #checkpoint = 0;

  constructor(database: Database) {
    this.#sql = prepareAll(database, sql);
    this.#lastMessage = Number(this.#sql.lastMessage.get()!.id);
  }

  /** Writes all but deliveries. */
  write({ ended, changed, retained }: Changes): void {
    this.#clean();
    for (const session of ended) this.#deleteSession(session);
    for (const session of changed) this.#writeState(session);
    for (const [topic, body] of retained) {
      if (body) this.#sql.retain.run(topic, this.#messageOf(body));
      else this.#sql.deleteRetained.run(topic);
    }
    this.#release();
  }

  /** Writes what has become of the deliveries of all sessions that have changed since the last checkpoint. */
  checkpoint(sessions: Iterable<SessionRecord>): void {
    this.#clean();
    this.#checkpoint++;
    for (const session of sessions) this.#countCopies(session);
    for (const session of sessions) this.#writeChunks(session);
    for (const session of sessions) this.#writeFlow(session);
    this.#release();
  }

  /** A commit that failed may have left something behind. */
  #clean(): void {
    this.#released.clear();
    for (const writer of [this.#data, this.#record]) writer.take();
  }

  #deleteSession(session: SessionRecord): void {
    const { deleteSession, deleteSubscriptions, deleteWill, deleteFlow } = this.#sql;
    for (const statement of [deleteSession, deleteSubscriptions, deleteWill, deleteFlow]) statement.run(session.id);
    this.#deleteChunks(session, 0, session.stored + 1);
  }

  #writeState({ id, state, subscriptions, will }: SessionRecord): void {
    if (state) this.#sql.saveSession.run(id, state.clientId, state.expiry, state.disconnectedAt ?? null);
    for (const [filter, terms] of subscriptions ?? []) {
      if (!terms) this.#sql.deleteSubscription.run(id, filter);
      else {
        const { qos, noLocal, retainAsPublished, identifier } = terms;
        const flags = [qos, Number(noLocal), Number(retainAsPublished)] as const;
        this.#sql.saveSubscription.run(id, filter, ...flags, identifier ?? null);
      }
    }
    if (will === "none") this.#sql.deleteWill.run(id);
    else if (will) this.#sql.saveWill.run(id, will.terms.delay, will.terms.dueAt ?? null, this.#messageOf(will));
  }

  /** In how many deliveries that are left each message is to be found. */
  #countCopies(session: SessionRecord): void {
    for (const { sequence, body } of session.added) {
      if (session.packetId(sequence) === undefined) continue;
      if (body.checkpoint !== this.#checkpoint) [body.checkpoint, body.copies, body.id] = [this.#checkpoint, 0, 0];
      body.copies++;
    }
  }

  #writeChunks(session: SessionRecord): void {
    let chunk = new Chunk();
    for (const { sequence, body, terms } of session.added) {
      if (session.packetId(sequence) === undefined) continue;
      if (chunk.count === 0) chunk.first = chunk.last = sequence;
      const id = this.#shared(body);
      this.#data.delivery(sequence - chunk.last, terms, id > 0);
      if (id === 0) this.#data.message(body.message, body.acceptedAt);
      chunk.add(sequence, id, body.message);
      if (chunk.full || this.#data.length >= CHUNK.length) {
        this.#addChunk(session, chunk);
        chunk = new Chunk();
      }
    }
    if (chunk.count > 0) this.#addChunk(session, chunk);
  }

  #addChunk({ id }: SessionRecord, { first, last, count, bytes, messages }: Chunk): void {
    if (messages.length > 0) this.#record.numbers(messages);
    const references = messages.length > 0 ? this.#record.take() : null;
    this.#sql.addChunk.run(id, last, first, count, bytes, references, this.#data.take());
  }

  /** The row of a message that has one, for several sessions; otherwise 0. */
  #shared(body: Body): number {
    const { copies, message, acceptedAt } = body;
    if (body.id > 0 || copies * messageSize(message, message.size) < WORTH_SHARING || copies === 1) return body.id;
    body.id = ++this.#lastMessage;
    this.#sql.addMessage.run(body.id, this.#messageOf({ message, acceptedAt }));
    this.#sql.addCopies.run(body.id, copies);
    return body.id;
  }

  #messageOf({ message, acceptedAt }: { message: Message; acceptedAt?: number }): Uint8Array {
    this.#record.message(message, acceptedAt);
    return this.#record.take();
  }

  #writeFlow(session: SessionRecord): void {
    const { id, ended, stored, oldest, boundary, underWay, received, released } = session;
    if (ended.length > 0) {
      const gaps = oldest > stored ? [[0, stored + 1]] as const : session.gaps();
      for (const [after, before] of gaps) this.#deleteChunks(session, after, before);
    }
    if (!session.flowed) return;
    if (session.lasting) {
      for (const list of [underWay.keys(), underWay.values(), received, released]) this.#record.numbers(list);
      this.#sql.saveFlow.run(id, boundary, this.#record.take());
    } else if (session.flows) this.#sql.deleteFlow.run(id);
  }

  /** Deletes the chunks that lie between two numbers. */
  #deleteChunks({ id, shares }: SessionRecord, after: number, before: number): void {
    for (const { messages } of shares ? this.#sql.sharedBetween.all(id, after, before) : []) {
      for (const message of new RecordReader(messages as Uint8Array).numbers()) {
        this.#released.set(message, (this.#released.get(message) ?? 0) + 1);
      }
    }
    this.#sql.deleteChunks.run(id, after, before);
  }

  /** Deletes the messages that no delivery refers to any more. */
  #release(): void {
    const { takeCopies, deleteCopies, deleteMessage } = this.#sql;
    for (const [message, count] of this.#released) {
      if (Number(takeCopies.get(count, message)!.count) > 0) continue;
      deleteCopies.run(message);
      deleteMessage.run(message);
    }
  }
}

/** What is known of a chunk while its deliveries are written. */
class Chunk {
  first = 0;
  last = 0;
  count = 0;
  bytes = 0;
  readonly messages: number[] = [];

  get full(): boolean {
    return this.count >= CHUNK.count || this.bytes >= CHUNK.bytes;
  }

  add(sequence: number, id: number, message: Message): void {
    this.last = sequence;
    this.count++;
    this.bytes += messageSize(message, message.size);
    if (id > 0) this.messages.push(id);
  }
}
