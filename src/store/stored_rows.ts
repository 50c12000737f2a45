// What the SQLite store reads: all sessions and retained messages when a broker starts, and at any time the queue of a session, in the
// order of its key, a page at a time.
import { type DeliveryRecord, RecordReader } from "./record.ts";
import { type Database, prepareAll, type Statement } from "./schema.ts";
import { SessionRecord } from "./session_record.ts";
import {
  messageSize,
  type StoredDelivery,
  type StoredMessage,
  type StoredSession,
  StoreError,
  type SubscriptionTerms,
} from "./store.ts";

/** The bounds of what is read at once: rows, and bytes of messages, of which the last row may bring more. */
const PAGE = 16, PAGE_BYTES = 256 * 1024;

const sql = {
  records: `SELECT session.id, client_id AS clientId, boundary, flow.data AS flow, max(chunk.last) AS last,
      max(CASE WHEN chunk.first < ifnull(boundary, 1) OR chunk.sent > 0 THEN chunk.last END) AS touched,
      max(chunk.messages IS NOT NULL) AS shares
    FROM session LEFT JOIN flow ON flow.session = session.id LEFT JOIN chunk ON chunk.session = session.id
    GROUP BY session.id ORDER BY session.id`,
  session: `SELECT expiry, disconnected_at AS disconnectedAt, delay, due_at AS dueAt, message
    FROM session LEFT JOIN will ON will.session = session.id WHERE session.id = ?`,
  subscriptions: `SELECT filter, qos, no_local AS noLocal, retain_as_published AS retainAsPublished, identifier
    FROM subscription WHERE session = ?`,
  untouched: "SELECT total(count) AS count, total(bytes) AS bytes FROM chunk WHERE session = ? AND first >= ?",
  chunks: `SELECT first, messages, data FROM chunk WHERE session = ?1 AND last > ?2 AND last <= (
      SELECT max(last) FROM (SELECT last, sum(bytes) OVER (ORDER BY last ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (
        SELECT last, bytes FROM chunk WHERE session = ?1 AND last > ?2 ORDER BY last LIMIT ${PAGE}
      )) WHERE before < ${PAGE_BYTES}
    ) ORDER BY last`,
  message: "SELECT data FROM message WHERE id = ?",
  retained: `SELECT message FROM retained WHERE topic > ? ORDER BY topic LIMIT ${PAGE}`,
} as const;

interface RecordRow {
  readonly id: number;
  readonly clientId: string;
  readonly boundary: number | null;
  readonly flow: Uint8Array | null;
  readonly last: number | null;
  /** The last number of the last chunk that `flow` says something of, or of which something was sent when it was written. */
  readonly touched: number | null;
  readonly shares: number | null;
}

interface SessionRow {
  readonly expiry: number;
  readonly disconnectedAt: number | null;
  readonly delay: number | null;
  readonly dueAt: number | null;
  readonly message: Uint8Array | null;
}

interface SubscriptionRow {
  readonly filter: string;
  readonly qos: SubscriptionTerms["qos"];
  readonly noLocal: number;
  readonly retainAsPublished: number;
  readonly identifier: number | null;
}

interface ChunkRow {
  readonly first: number;
  readonly messages: Uint8Array | null;
  readonly data: Uint8Array;
}

interface RetainedRow {
  readonly message: Uint8Array;
}

/** Reads the rows of one database. */
export class StoredRows {
  readonly #sql: Readonly<Record<keyof typeof sql, Statement>>;

  constructor(database: Database) {
    this.#sql = prepareAll(database, sql);
  }

  /** What is to be known of each session while the store is open. */
  records(): SessionRecord[] {
    return (this.#sql.records.all() as unknown as RecordRow[]).map((row) => this.#recordOf(row));
  }

  #recordOf({ id, clientId, boundary, flow, last, touched, shares }: RecordRow): SessionRecord {
    const session = new SessionRecord(id, clientId), start = boundary ?? 1;
    const reader = new RecordReader(flow ?? new Uint8Array(4)),
      numbers = reader.numbers(),
      packetIds = reader.numbers();
    const left = new Map(numbers.map((sequence, i) => [sequence, packetIds[i]!]));
    for (const packetId of reader.numbers()) session.received.add(packetId);
    for (const packetId of reader.numbers()) session.released.add(packetId);
    session.last = session.committed = Math.max(last ?? 0, start - 1);
    session.boundary = Math.max(touched ?? 0, start - 1) + 1;
    session.shares = shares === 1;
    for (const { sequence, packetId } of this.between(id, 0, touched ?? 0)) {
      const found = sequence < start ? left.get(sequence) : packetId;
      if (found !== undefined) session.underWay.set(sequence, found);
    }
    return session;
  }

  /** Committed deliveries behind the number `after`, up to `last`, also those that are over. */
  *between(id: number, after: number, last: number): Generator<StoredDelivery, void, undefined> {
    while (after < last) {
      const page = this.deliveries(id, after);
      if (page.length === 0) return;
      for (const delivery of page) if (delivery.sequence <= last) yield delivery;
      after = page.at(-1)!.sequence;
    }
  }

  /** A session as it is committed, if it is. */
  session(session: SessionRecord): StoredSession | undefined {
    const row = this.#sql.session.get(session.id) as unknown as SessionRow | undefined;
    if (!row) return undefined;
    const { expiry, disconnectedAt, delay, dueAt, message } = row;
    return {
      clientId: session.clientId,
      expiry,
      disconnectedAt: disconnectedAt ?? undefined,
      subscriptions: this.#subscriptions(session.id),
      will: message
        ? { message: new RecordReader(message).message(), delay: delay!, dueAt: dueAt ?? undefined }
        : undefined,
      received: [...session.received],
      released: [...session.released],
      nextSequence: session.last + 1,
      deliveries: this.#sizeOf(session),
    };
  }

  #subscriptions(id: number): Map<string, SubscriptionTerms> {
    const rows = this.#sql.subscriptions.all(id) as unknown as SubscriptionRow[];
    return new Map(rows.map(({ filter, qos, noLocal, retainAsPublished, identifier }) => [filter, {
      qos,
      noLocal: noLocal === 1,
      retainAsPublished: retainAsPublished === 1,
      identifier: identifier ?? undefined,
    }]));
  }

  /** Only what has been touched has to be looked at one by one. */
  #sizeOf(session: SessionRecord): StoredSession["deliveries"] {
    let { count, bytes } = this.#sql.untouched.get(session.id, session.boundary) as { count: number; bytes: number };
    for (const { sequence, message } of this.between(session.id, 0, session.boundary - 1)) {
      if (session.packetId(sequence) === undefined) continue;
      count++;
      bytes += messageSize(message, message.payload.length);
    }
    return { count, bytes };
  }

  /** The next deliveries that are committed, behind the number `after`, also those that are over; none where none follow. */
  deliveries(id: number, after: number): StoredDelivery[] {
    const chunks = this.#sql.chunks.all(id, after) as unknown as ChunkRow[], deliveries: StoredDelivery[] = [];
    for (const { first, messages, data } of chunks) {
      const shared = messages ? new RecordReader(messages).numbers().values() : undefined;
      for (const { sequence, packetId, terms, message } of deliveriesIn(data, first)) {
        const found = message ?? this.#message(shared!.next().value!);
        if (sequence > after) deliveries.push({ sequence, packetId, terms, message: found });
      }
    }
    return deliveries;
  }

  #message(id: number): StoredMessage {
    const row = this.#sql.message.get(id);
    if (!row) throw new StoreError("corrupt", "is damaged: a message is missing");
    return new RecordReader(row.data as Uint8Array).message();
  }

  /** The next retained messages, in the order of their topics. */
  retained(after: string): StoredMessage[] {
    const rows = this.#sql.retained.all(after) as unknown as RetainedRow[];
    return rows.map(({ message }) => new RecordReader(message).message());
  }
}

function* deliveriesIn(data: Uint8Array, first: number): Generator<DeliveryRecord, void, undefined> {
  const reader = new RecordReader(data);
  for (let before = first; reader.more;) {
    const delivery = reader.delivery(before);
    before = delivery.sequence;
    yield delivery;
  }
}
