// Stores, and what can happen to them: a crash, and a full disk.
import { assertEquals, assertThrows } from "@std/assert";
import { MemoryStore } from "../../src/store/memory.ts";
import { RowStore } from "../../src/store/row_store.ts";
import { SqliteFile } from "../../src/store/sqlite.ts";
import { type Store, StoreError } from "../../src/store/store.ts";
import { atLeastOnce, messageOf, saveSessions } from "./stores.ts";

/** A store, and what can happen to it. */
export interface StoreScene extends Disposable {
  readonly store: Store;
  /** Takes the store away in the middle of its work; the next one finds what was committed, and room. */
  crash(): void;
  /** From now on there is no room on its disk, or there is again. */
  full(full: boolean): void;
}

/**
 * Has a commit fail that brings what waits, and behind that something for which there is no room, and which nobody wants any more
 * then; after that there is room again.
 */
export function overflow(scene: StoreScene): void {
  const { store } = scene, clientIds = ["filler", "other filler"], large = messageOf("t", new Uint8Array(2_000_000));
  scene.full(true);
  saveSessions(store, ...clientIds);
  for (const clientId of clientIds) store.addDelivery(clientId, 1, messageOf("t"), 1, atLeastOnce);
  for (const clientId of clientIds) store.addDelivery(clientId, 2, large, 1, atLeastOnce);
  assertEquals(assertThrows(() => store.commit(), StoreError).kind, "full");
  for (const clientId of clientIds) store.deleteSession(clientId);
  scene.full(false);
}

/** A store in memory. */
export class MemoryScene implements StoreScene {
  readonly store: MemoryStore = new MemoryStore(() => {
    if (this.#full) throw new StoreError("full", "Store has no room left");
  });
  #full = false;

  crash(): void {
    this.store.crash();
    this.full(false);
  }

  full(full: boolean): void {
    this.#full = full;
  }

  [Symbol.dispose](): void {}
}

/** A store in a folder of its own. */
export class SqliteScene implements StoreScene {
  readonly #root = Deno.makeTempDirSync({ prefix: "brook-store-" });
  readonly #longestLog: number | undefined;
  #crashes = 0;
  #file = this.#open();
  #store: RowStore;

  /** @param longestLog how many bytes the log may take; without a log, every change goes to the tables at once */
  constructor(longestLog?: number) {
    this.#longestLog = longestLog;
    this.#store = new RowStore(this.#file, longestLog);
  }

  get store(): Store {
    return this.#store;
  }

  get file(): SqliteFile {
    return this.#file;
  }

  get path(): string {
    return `${this.#folder}/brook.db`;
  }

  /** How many rows each table has that has some. */
  get rows(): Record<string, number> {
    const { database } = this.#file,
      tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const counts = tables.map((
      { name },
    ) => [name, Number(database.prepare(`SELECT count(*) AS n FROM ${name}`).get()!.n)]);
    return Object.fromEntries(counts.filter(([, count]) => count !== 0));
  }

  get #folder(): string {
    return `${this.#root}/${this.#crashes}`;
  }

  /** What a killed process leaves are its files as they are. */
  crash(): void {
    const folder = this.#folder;
    this.#crashes++;
    Deno.mkdirSync(this.#folder, { recursive: true });
    for (const { name } of Deno.readDirSync(folder)) Deno.copyFileSync(`${folder}/${name}`, `${this.#folder}/${name}`);
    this.#file.close();
    this.#file = this.#open();
    this.#store = new RowStore(this.#file, this.#longestLog);
  }

  full(full: boolean): void {
    this.#file.database.exec(`PRAGMA max_page_count = ${full ? 1 : 1_000_000_000}`); // 1 means as many as there are
  }

  #open(): SqliteFile {
    Deno.mkdirSync(this.#folder, { recursive: true });
    const file = new SqliteFile(this.path);
    file.start("normal");
    file.database.exec("PRAGMA synchronous = OFF"); // a crash is a copy here, and no test of the disk
    return file;
  }

  [Symbol.dispose](): void {
    this.#file.close();
    Deno.removeSync(this.#root, { recursive: true });
  }
}
