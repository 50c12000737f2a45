// The disk of a MemoryStore, under the hand of a test: full, or as slow as the test wants it.
import { MemoryStore } from "../../src/store/memory.ts";
import { StoreError } from "../../src/store/store.ts";
import { settle } from "../support/clock.ts";

/** A disk, and the store that writes to it. */
export class Disk {
  readonly store: MemoryStore = new MemoryStore(() => this.#write());
  /** From now on there is no room. */
  full = false;
  /** From now on a commit takes until `finish` or `fail`. */
  slow = false;
  /** How many commits have been begun that had something to write. */
  commits = 0;
  readonly #waiting: PromiseWithResolvers<void>[] = [];

  #write(): void | Promise<void> {
    this.commits++;
    if (this.full) throw new StoreError("full", "Store has no room left");
    if (!this.slow) return;
    const commit = Promise.withResolvers<void>();
    this.#waiting.push(commit);
    return commit.promise;
  }

  /** How many commits are under way. */
  get busy(): number {
    return this.#waiting.length;
  }

  /** Ends the oldest commit that is under way. */
  finish(): Promise<void> {
    this.#waiting.shift()!.resolve();
    return settle();
  }

  /** Has the oldest commit that is under way fail. */
  fail(): Promise<void> {
    this.#waiting.shift()!.reject(new StoreError("full", "Store has no room left"));
    return settle();
  }

  /** Ends all commits, and those that follow. */
  async finishAll(): Promise<void> {
    this.slow = false;
    while (this.busy > 0) await this.finish();
  }
}
