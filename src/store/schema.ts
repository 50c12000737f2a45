// The tables of the SQLite store, as the list of steps that lead to them: a file says by its user_version how many of them it has
// seen, and those that are missing are taken when it is opened, all or none. A step that was released is never changed. The form of
// what the blobs hold (record.ts, change_log.ts) belongs to the schema: the log of an older release is read by its successors.
import { StoreError } from "./store.ts";

/** A value of SQLite's. */
export type Value = null | number | string | Uint8Array;

/** What is used of a prepared statement of node:sqlite. */
export interface Statement {
  run(...values: Value[]): unknown;
  get(...values: Value[]): Record<string, unknown> | undefined;
  all(...values: Value[]): Record<string, unknown>[];
}

/** What is used of a database of node:sqlite. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
}

/** Where the rows are. */
export interface StoreFile {
  readonly database: Database;
  /** Does work with it; what goes wrong is a `StoreError`. */
  attempt<T>(work: () => T): T;
  /** Does the work in a transaction. */
  transaction(work: () => void): void;
  close(): void;
}

/** "Brok", which says whose file it is. */
const APPLICATION_ID = 0x42_72_6f_6b;

/** What each version brought. */
export const migrations: readonly string[] = [
  `
  -- expiry in seconds, Inf for ever; all times in milliseconds of wall time
  CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    expiry REAL NOT NULL,
    disconnected_at REAL
  ) STRICT;

  CREATE TABLE subscription (
    session INTEGER NOT NULL,
    filter TEXT NOT NULL,
    qos INTEGER NOT NULL,
    no_local INTEGER NOT NULL,
    retain_as_published INTEGER NOT NULL,
    identifier INTEGER,
    PRIMARY KEY (session, filter)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE will (
    session INTEGER PRIMARY KEY,
    delay REAL NOT NULL,
    due_at REAL,
    message BLOB NOT NULL
  ) STRICT;

  -- What has happened to deliveries since the last checkpoint, one row for each commit: the messages, and the changes by session.
  CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    messages BLOB NOT NULL,
    changes BLOB NOT NULL
  ) STRICT;

  -- The deliveries that one checkpoint found in one session, from the first number to the last one. In messages are the rows of
  -- message that they refer to, in order; all other messages are in data.
  CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    messages BLOB,
    data BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX chunk_order ON chunk (session, last, first, count, bytes);

  -- What has become of the deliveries before the boundary: data lists those that are left, their packet identifiers, and then the
  -- identifiers of QoS 2 that were received and released. Those at the boundary and behind are all left, and have not been sent.
  CREATE TABLE flow (
    session INTEGER PRIMARY KEY,
    boundary INTEGER NOT NULL,
    data BLOB NOT NULL
  ) STRICT;

  -- Messages for several sessions, and how many deliveries refer to them: apart, since that changes often.
  CREATE TABLE message (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
  CREATE TABLE copies (message INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;

  CREATE TABLE retained (id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, message BLOB NOT NULL) STRICT;
  `,
];

/**
 * Brings a database to the version that `steps` lead to. The first thing to be done with it: nothing is written to a file of another
 * program, or of a later release.
 *
 * @throws {StoreError} for such a file
 */
export function migrate(database: Database, steps: readonly string[] = migrations): void {
  const version = pragma(database, "user_version"), owner = pragma(database, "application_id");
  const empty = database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
  if (owner !== APPLICATION_ID && !(empty && owner === 0 && version === 0)) {
    throw new StoreError("foreign", "is a database of another program");
  }
  if (version > steps.length) {
    throw new StoreError("later-version", `has version ${version}: this release knows up to ${steps.length}`);
  }
  // These last, and the first one must come before any table. The second would wait for readers, but there are none.
  database.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
  database.exec(`
    BEGIN EXCLUSIVE;
    ${steps.slice(version).join("\n")};
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${steps.length};
    COMMIT`);
}

function pragma(database: Database, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()![name]);
}

/** Prepares statements by name. */
export function prepareAll<Name extends string>(
  database: Database,
  sql: Readonly<Record<Name, string>>,
): Readonly<Record<Name, Statement>> {
  const statements = Object.entries<string>(sql).map(([name, text]) => [name, database.prepare(text)] as const);
  return Object.fromEntries(statements) as Record<Name, Statement>;
}
