// How long somebody has to wait before the next try, after passwords that were wrong. Invariant: it costs a bounded
// amount of memory, however many names and addresses fail; those that failed longest ago are forgotten first.
import type { Clock } from "../clock.ts";

/** Milliseconds: the first delay, which doubles with each failure, the longest, and how long a failure is remembered. */
const FIRST = 1000, LONGEST = 60_000, MEMORY = 600_000;

/** Names and addresses that are remembered at a time. */
const KEYS = 10_000;

interface Record {
  readonly count: number;
  /** When it failed last, and when it may try again. */
  readonly failed: number;
  readonly until: number;
}

/** The failures of names and addresses. */
export class Failures {
  readonly #clock: Clock;
  readonly #records = new Map<string, Record>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it is too early for another try. */
  delays(key: string): boolean {
    const record = this.#records.get(key);
    return record !== undefined && this.#clock.now() < record.until;
  }

  /** Adds a failure; after `most` of them in a row, the next try has to wait. */
  add(key: string, most: number): void {
    const now = this.#clock.now(), before = this.#records.get(key);
    const count = (before && now - before.failed < MEMORY ? before.count : 0) + 1;
    const delay = count >= most ? Math.min(LONGEST, FIRST * 2 ** (count - most)) : 0;
    this.#records.delete(key);
    this.#records.set(key, { count, failed: now, until: now + delay }); // behind all others
    if (this.#records.size > KEYS) this.#records.delete(this.#records.keys().next().value!);
  }

  /** It has not failed. */
  forget(key: string): void {
    this.#records.delete(key);
  }
}
