// Time-outs of thousands of connections with one timer. A time-out that is almost always put off (every packet that comes puts
// the keep-alive off) is not moved each time: it only notes the time, and is looked at again when it would have expired.
import type { Clock } from "../clock.ts";

/** The resolution in milliseconds: a deadline expires up to this much late, never early. */
const TICK = 250;

/** A running time-out. */
export interface Deadline {
  /** Starts it anew from now. */
  putOff(): void;
  /** Ends it. */
  cancel(): void;
}

interface Entry {
  readonly ticks: number;
  readonly expire: () => void;
  since: number;
  bucket: number;
}

/** All time-outs of a broker, in buckets by the tick in which they are due. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Set<Entry>>();
  #tick: number;
  #size = 0;
  #ticking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = this.#current();
  }

  /** Calls `expire` once `delay` milliseconds have passed without a `putOff`. */
  start(delay: number, expire: () => void): Deadline {
    if (this.#size === 0) this.#tick = this.#current();
    const entry: Entry = { ticks: Math.ceil(delay / TICK) + 1, expire, since: this.#tick, bucket: 0 };
    this.#size++;
    this.#insert(entry);
    this.#run();
    return { putOff: () => entry.since = this.#tick, cancel: () => this.#remove(entry) };
  }

  #current(): number {
    return Math.floor(this.#clock.now() / TICK);
  }

  #insert(entry: Entry): void {
    entry.bucket = entry.since + entry.ticks;
    const bucket = this.#buckets.get(entry.bucket);
    if (bucket) bucket.add(entry);
    else this.#buckets.set(entry.bucket, new Set([entry]));
  }

  #remove(entry: Entry): void {
    const bucket = this.#buckets.get(entry.bucket);
    if (!bucket?.delete(entry)) return;
    this.#size--;
    if (bucket.size === 0) this.#buckets.delete(entry.bucket);
  }

  #run(): void {
    if (this.#ticking || this.#size === 0) return;
    this.#ticking = true;
    this.#clock.schedule(() => {
      this.#ticking = false;
      this.#advance();
      this.#run();
    }, TICK);
  }

  #advance(): void {
    for (const now = this.#current(); this.#tick < now;) this.#expire(++this.#tick);
  }

  #expire(tick: number): void {
    for (const entry of this.#buckets.get(tick) ?? []) {
      this.#remove(entry);
      if (entry.since + entry.ticks <= tick) entry.expire();
      else {
        this.#size++;
        this.#insert(entry);
      }
    }
  }
}
