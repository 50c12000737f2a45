// A store in one file of SQLite: how that is opened, written to in transactions, and closed, and what its errors are called. The file
// is locked for as long as it is open. This is the only file that loads node:sqlite, and nothing that `mod.ts` needs loads this one.
import { DatabaseSync } from "node:sqlite";
import { RowStore } from "./row_store.ts";
import { migrate, type StoreFile } from "./schema.ts";
import { type Store, StoreError, type StoreFault } from "./store.ts";

const durabilities = ["full", "normal"] as const;

/**
 * What a commit survives: `"full"` a crash of the machine (each commit waits for the disk); `"normal"` only a crash of the process, and
 * is much faster: after a crash of the machine the last commits may be missing, but the file is whole all the same.
 */
export type Durability = typeof durabilities[number];

/** How a file is opened. */
export interface SqliteOptions {
  /** What a commit survives; default `"full"`. */
  readonly durability?: Durability;
}

/** How many commits there are from one look at the free pages to the next, how many may be free, and how many are cut off then. */
const VACUUM = { commits: 64, free: 2048, pages: 128 } as const;

/** How long a commit trusts that the file is where it was, in milliseconds: to look costs as much as a small commit. */
const TRUST = 100;

/** The size that the write-ahead log goes back to after a large commit, in bytes, and that of the cache in KiB. */
const LARGEST_LOG = 16 * 1024 * 1024, CACHE = 16 * 1024;

/** What SQLite says of the faults that have a name here: not all of its errors come with a number. */
const faults: readonly (readonly [text: string, kind: StoreFault, what: string])[] = [
  ["is locked", "in-use", "is in use: only one process can have it"],
  ["readonly", "read-only", "is read-only: it has to be written to"],
  ["disk is full", "full", "has no room left on its disk"],
  ["malformed", "corrupt", "is damaged"],
  ["not a database", "corrupt", "is not a database"],
];

/** SQLITE_IOERR_LOCK, which is what locking a file brings that can't be opened for writing. */
const NOT_LOCKED = 3850;

/**
 * Opens a store in a file, which is made where there is none. Needs the permission to read and to write it.
 *
 * @param path where it is; beside it lies its write-ahead log, `path` with "-wal"
 * @throws {StoreError} where the file can't be used
 * @throws {TypeError} for an unknown durability
 */
export function openStore(path: string, { durability = "full" }: SqliteOptions = {}): Store {
  const file = new SqliteFile(path);
  try {
    file.start(durability);
    return new RowStore(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A file of SQLite. */
export class SqliteFile implements StoreFile {
  readonly database: DatabaseSync;
  readonly #path: string;
  /** Which file it is, and when that was looked at. */
  #identity: string | undefined;
  #identified = -Infinity;
  #commits = 0;

  constructor(path: string) {
    this.#path = path;
    this.database = this.attempt(() => new DatabaseSync(path));
  }

  /** Locks it, and brings it to this release's version. */
  start(durability: Durability): void {
    if (!durabilities.includes(durability)) {
      throw new TypeError(`Durability is ${Deno.inspect(durability)}, not "full" or "normal"`);
    }
    this.attempt(() => {
      if (!this.database.location()) {
        throw new StoreError("unavailable", "is no file: it would last no longer than its process");
      }
      this.database.exec("PRAGMA locking_mode = EXCLUSIVE");
      migrate(this.database);
      this.database.exec(`
        PRAGMA synchronous = ${durability};
        PRAGMA journal_size_limit = ${LARGEST_LOG};
        PRAGMA cache_size = ${-CACHE}`);
      this.#identity = this.#identify();
    });
  }

  /** Tells the file that the path stands for from others; nothing where there is none. */
  #identify(): string | undefined {
    const path = this.database.location()!;
    try {
      const { dev, ino } = Deno.statSync(path);
      return `${dev} ${ino}`;
    } catch {
      return undefined;
    }
  }

  /** SQLite would go on writing to a file that nobody finds any more. */
  #requirePlace(): void {
    const now = performance.now();
    if (now - this.#identified < TRUST) return;
    if (this.#identify() !== this.#identity) {
      throw new StoreError("unavailable", "is not where it was: it has been deleted, moved or replaced");
    }
    this.#identified = now;
  }

  /** All that `write` does, or nothing of it. */
  transaction(write: () => void): void {
    this.attempt(() => {
      this.#requirePlace();
      this.database.exec("BEGIN IMMEDIATE");
      try {
        write();
        this.database.exec("COMMIT");
      } catch (error) {
        if (this.database.isTransaction) this.database.exec("ROLLBACK");
        throw error;
      }
    });
    if (++this.#commits % VACUUM.commits === 0) this.#vacuum();
  }

  /** A few pages at a time: each has to be copied. What goes wrong here the next commit says, if it goes on. */
  #vacuum(): void {
    const { free, pages } = VACUUM;
    try {
      const { freelist_count } = this.database.prepare("PRAGMA freelist_count").get()!;
      // `exec` would cut off one page: it does not go on where a statement has more to give.
      if (Number(freelist_count) > free) this.database.prepare(`PRAGMA incremental_vacuum(${pages})`).all();
    } catch {
      return;
    }
  }

  /** Closes it, if it is open. */
  close(): void {
    if (this.database.isOpen) this.database.close();
  }

  /** Does work with it; what goes wrong gets its name. */
  attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#fault(error as Error & { errcode?: number });
    }
  }

  #fault(error: Error & { errcode?: number }): Error {
    if (error instanceof Deno.errors.NotCapable) return error;
    const text = error.errcode === NOT_LOCKED ? "readonly" : error.message;
    const [, kind, what] = error instanceof StoreError
      ? ["", error.kind, error.message] as const
      : faults.find(([known]) => text.includes(known)) ?? ["", "unavailable", `can't be used: ${text}`] as const;
    return new StoreError(kind, `Store "${this.#path}" ${what}`, { cause: error });
  }
}
