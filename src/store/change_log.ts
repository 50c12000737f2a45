// The log of the SQLite store: a commit appends one row with all that has happened to deliveries, whichever sessions they belong to.
// When it has grown long, a checkpoint moves what is left to the tables, and the log begins anew: most deliveries are over by then,
// and never lie anywhere else. Whoever opens the file repeats what is in the log.
import { Message } from "../message.ts";
import type { PacketIdChanges } from "./packet_id_set.ts";
import { RecordReader, RecordWriter } from "./record.ts";
import { type Database, prepareAll, type Statement } from "./schema.ts";
import { type AddedDelivery, type Body, newBody, type SessionRecord } from "./session_record.ts";

const sql = {
  next: "SELECT id, messages, changes FROM log WHERE id > ? ORDER BY id LIMIT 1",
  append: "INSERT INTO log VALUES (?, ?, ?)",
  clear: "DELETE FROM log",
} as const;

/** What has happened to the deliveries of a session in one commit. */
export interface LoggedChanges {
  readonly session: number;
  readonly added: readonly AddedDelivery[];
  readonly sent: readonly number[];
  /** The packet identifiers of those that were sent. */
  readonly packetIds: readonly number[];
  readonly ended: readonly number[];
  /** Which identifiers of QoS 2 have come or gone, if any. */
  readonly exchanges: { readonly received: PacketIdChanges; readonly released: PacketIdChanges } | undefined;
}

/** Writes and reads the log; the caller keeps the transaction. */
export class ChangeLog {
  readonly #sql: Readonly<Record<keyof typeof sql, Statement>>;
  readonly #messages = new RecordWriter();
  readonly #changes = new RecordWriter();
  readonly #longest: number;
  #row = 0;
  /** How many messages are in the row. */
  #count = 0;
  #length = 0;
  /** How long it is once the transaction is over. */
  #next = 0;

  /** @param longest how long it may be in bytes */
  constructor(database: Database, longest: number) {
    this.#longest = longest;
    this.#sql = prepareAll(database, sql);
  }

  /** What is in the log, in order. */
  *changes(): Generator<LoggedChanges, void, undefined> {
    for (let row = this.#rowAfter(0); row; row = this.#rowAfter(row.id)) {
      const bodies: Body[] = [], messages = new RecordReader(row.messages), changes = new RecordReader(row.changes);
      while (messages.more) {
        const { acceptedAt = 0, ...message } = messages.message();
        bodies.push(newBody(new Message(message), acceptedAt));
      }
      while (changes.more) yield changesIn(changes, bodies);
    }
  }

  #rowAfter(id: number): LogRow | undefined {
    return this.#sql.next.get(id) as LogRow | undefined;
  }

  /** Appends what has happened to sessions; false, and nothing is done, where the log would be too long then. */
  append(sessions: Iterable<SessionRecord>): boolean {
    this.#row++;
    this.#count = 0;
    for (const session of sessions) this.#write(session);
    const messages = this.#messages.take(), changes = this.#changes.take();
    this.#next = this.#length + messages.length + changes.length;
    const fits = this.#next <= this.#longest || changes.length === 0;
    if (fits && changes.length > 0) this.#sql.append.run(this.#row, messages, changes);
    return fits;
  }

  #write(session: SessionRecord): void {
    const { id, added, fresh, exchangedNow, endedNow } = session, changes = this.#changes;
    const sent = session.sentNow.filter((sequence) => session.packetId(sequence));
    if (added.length === fresh && sent.length === 0 && endedNow.length === 0 && !exchangedNow) return;
    changes.number(id);
    this.#writeAdded(added, fresh);
    changes.numbers(sent);
    changes.numbers(sent.map((sequence) => session.packetId(sequence)!));
    changes.numbers(endedNow);
    changes.number(Number(exchangedNow));
    for (const { changes: { gone, come } } of exchangedNow ? [session.received, session.released] : []) {
      changes.numbers(gone);
      changes.numbers(come);
    }
  }

  #writeAdded(added: readonly AddedDelivery[], fresh: number): void {
    const indexes: number[] = [];
    for (let i = fresh; i < added.length; i++) indexes.push(this.#indexOf(added[i]!.body));
    this.#changes.numbers(indexes);
    for (let i = fresh, before = 0; i < added.length; before = added[i++]!.sequence) {
      this.#changes.delivery(added[i]!.sequence - before, added[i]!.terms, true);
    }
  }

  /** The place of a message in the row. */
  #indexOf(body: Body): number {
    if (body.row !== this.#row) {
      body.row = this.#row;
      body.index = this.#count++;
      this.#messages.message(body.message, body.acceptedAt);
    }
    return body.index;
  }

  /** Empties the log. */
  clear(): void {
    this.#sql.clear.run();
    this.#next = 0;
  }

  /** The transaction is over. */
  commit(): void {
    this.#length = this.#next;
  }
}

interface LogRow {
  readonly id: number;
  readonly messages: Uint8Array;
  readonly changes: Uint8Array;
}

function changesIn(reader: RecordReader, bodies: readonly Body[]): LoggedChanges {
  const session = reader.number(), added: AddedDelivery[] = [];
  for (const index of reader.numbers()) {
    const { sequence, terms } = reader.delivery(added.at(-1)?.sequence ?? 0);
    added.push({ sequence, terms, body: bodies[index]! });
  }
  const sent = reader.numbers(),
    packetIds = reader.numbers(),
    ended = reader.numbers(),
    exchanged = reader.number() > 0;
  const exchange = () => ({ gone: reader.numbers(), come: reader.numbers() });
  const exchanges = exchanged ? { received: exchange(), released: exchange() } : undefined;
  return { session, added, sent, packetIds, ended, exchanges };
}
