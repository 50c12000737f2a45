// What the SQLite store reads: all sessions and retained messages when a broker starts, and at any time the queue of a session, in the
// order of its key, a page at a time.
import type { Message } from "../message.ts";
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

/** The bounds of what is read of a queue at once: chunks, and bytes of messages, of which the last chunk may bring more. */
const PAGE = 16, PAGE_BYTES = 256 * 1024;

/** How many retained messages are read at once. */
const RETAINED_PAGE = 256;

const sql = {
  records: `SELECT id, client_id AS clientId, boundary, data AS flow,
      (SELECT max(last) FROM chunk WHERE chunk.session = session.id) AS last
    FROM session LEFT JOIN flow ON flow.session = session.id ORDER BY id`,
  session: `SELECT expiry, disconnected_at AS disconnectedAt, delay, due_at AS dueAt, message
    FROM session LEFT JOIN will ON will.session = session.id WHERE session.id = ?`,
  subscriptions: `SELECT filter, qos, no_local AS noLocal, retain_as_published AS retainAsPublished, identifier
    FROM subscription WHERE session = ?`,
  sizes: `SELECT total(count) FILTER (WHERE first >= ?2) AS count, total(bytes) FILTER (WHERE first >= ?2) AS bytes,
      max(last) FILTER (WHERE first < ?2) AS last
    FROM chunk WHERE session = ?1`,
  chunks: `SELECT first, messages, data FROM chunk WHERE session = ?1 AND last > ?2 AND last <= (
      SELECT max(last) FROM (SELECT last, sum(bytes) OVER (ORDER BY last ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (
        SELECT last, bytes FROM chunk WHERE session = ?1 AND last > ?2 ORDER BY last LIMIT ${PAGE}
      )) WHERE before < ${PAGE_BYTES}
    ) ORDER BY last`,
  message: "SELECT data FROM message WHERE id = ?",
  retained: `SELECT id, message FROM retained WHERE id > ? ORDER BY id LIMIT ${RETAINED_PAGE}`,
} as const;

interface RecordRow {
  readonly id: number;
  readonly clientId: string;
  readonly boundary: number | null;
  readonly flow: Uint8Array | null;
  readonly last: number | null;
}

interface SessionRow {
  readonly expiry: number;
  readonly disconnectedAt: number | null;
  readonly delay: number | null;
  readonly dueAt: number | null;
  readonly message: Uint8Array | null;
}

interface SizesRow {
  readonly count: number;
  readonly bytes: number;
  /** The last number of the last chunk that begins before the boundary. */
  readonly last: number | null;
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
  readonly id: number;
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
    return (this.#sql.records.all() as unknown as RecordRow[]).map(recordOf);
  }

  /** Deliveries in chunks behind the number `after`, up to `last`, also those that are over. */
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

  /** Only the chunks that begin before the boundary have to be looked into. */
  #sizeOf(session: SessionRecord): StoredSession["deliveries"] {
    const row = this.#sql.sizes.get(session.id, session.boundary) as unknown as SizesRow, { last } = row;
    let { count, bytes } = row;
    const add = (sequence: number, topic: Pick<Message, "topic" | "properties">, length: number) => {
      if (session.packetId(sequence) === undefined) return;
      count++;
      bytes += messageSize(topic, length);
    };
    for (const { sequence, message } of this.between(session.id, 0, last ?? 0)) {
      add(sequence, message, message.payload.length);
    }
    for (const { sequence, body: { message } } of session.added) add(sequence, message, message.size);
    return { count, bytes };
  }

  /** The next deliveries in chunks behind the number `after`, also those that are over, as if not sent; none where none follow. */
  deliveries(id: number, after: number): StoredDelivery[] {
    const chunks = this.#sql.chunks.all(id, after) as unknown as ChunkRow[], deliveries: StoredDelivery[] = [];
    for (const { first, messages, data } of chunks) {
      const shared = messages ? new RecordReader(messages).numbers().values() : undefined;
      for (const { sequence, terms, message } of deliveriesIn(data, first)) {
        const found = message ?? this.#message(shared!.next().value!);
        if (sequence > after) deliveries.push({ sequence, packetId: 0, terms, message: found });
      }
    }
    return deliveries;
  }

  #message(id: number): StoredMessage {
    const row = this.#sql.message.get(id);
    if (!row) throw new StoreError("corrupt", "is damaged: a message is missing");
    return new RecordReader(row.data as Uint8Array).message();
  }

  /** The next retained messages behind the row `after`; none where none follow. */
  retained(after: number): { readonly id: number; readonly message: StoredMessage }[] {
    const rows = this.#sql.retained.all(after) as unknown as RetainedRow[];
    return rows.map(({ id, message }) => ({ id, message: new RecordReader(message).message() }));
  }
}

function recordOf({ id, clientId, boundary, flow, last }: RecordRow): SessionRecord {
  const session = new SessionRecord(id, clientId);
  session.boundary = boundary ?? 1;
  session.last = session.committed = session.stored = Math.max(last ?? 0, session.boundary - 1);
  session.shares = last !== null;
  session.flows = flow !== null;
  if (!flow) return session;
  const reader = new RecordReader(flow), left = reader.numbers(), packetIds = reader.numbers();
  left.forEach((sequence, i) => session.underWay.set(sequence, packetIds[i]!));
  for (const set of [session.received, session.released]) {
    set.apply({ gone: [], come: reader.numbers() });
    set.commit();
  }
  return session;
}

function* deliveriesIn(data: Uint8Array, first: number): Generator<DeliveryRecord, void, undefined> {
  const reader = new RecordReader(data);
  for (let before = first; reader.more;) {
    const delivery = reader.delivery(before);
    before = delivery.sequence;
    yield delivery;
  }
}
