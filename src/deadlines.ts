// Time-outs of thousands of connections with one timer. A time-out that is almost always put off (every packet that comes puts
// the keep-alive off) is not moved each time: it only notes the time, and is looked at again when it would have expired.
import type { Clock } from "./clock.ts";

/** The resolution in milliseconds: a deadline expires less than two ticks late, never early. */
const TICK = 250;

/** How late a tick may be, in milliseconds, before the process is taken to have been paused. */
const LATE = 500;

/** Whose time-out it is. */
export interface Expiring {
  /** So many milliseconds have passed. */
  expired(delay: number): void;
}

/** A running time-out. */
export interface Deadline {
  /** Starts it anew from `now`. */
  putOff(now: number): void;
  /** Ends it. */
  cancel(): void;
}

class Entry implements Deadline {
  readonly delay: number;
  readonly owner: Expiring;
  since: number;
  bucket = 0;
  readonly #remove: (entry: Entry) => void;

  constructor(delay: number, since: number, owner: Expiring, remove: (entry: Entry) => void) {
    this.delay = delay;
    this.since = since;
    this.owner = owner;
    this.#remove = remove;
  }

  putOff(now: number): void {
    this.since = now;
  }

  cancel(): void {
    this.#remove(this);
  }
}

/** All time-outs of a broker, in buckets by the tick in which they are due. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #run: (work: () => void) => void;
  readonly #buckets = new Map<number, Set<Entry>>();
  #tick: number;
  #size = 0;
  #wasLate = false;
  /** Stops the timer; set while it runs. */
  #stop: (() => void) | undefined;

  /** @param run does the work of a tick: everything that expires together is one piece of work */
  constructor(clock: Clock, run: (work: () => void) => void = (work) => work()) {
    this.#clock = clock;
    this.#run = run;
    this.#tick = this.#current();
  }

  /** Tells the owner once `delay` milliseconds have passed without a `putOff`. */
  start(delay: number, owner: Expiring): Deadline {
    if (this.#size === 0) this.#tick = this.#current();
    // From the clock, not from the last tick: where ticks come late, deadlines would expire early.
    const entry = new Entry(delay, this.#clock.now(), owner, this.#remove);
    this.#size++;
    this.#insert(entry);
    this.#schedule();
    return entry;
  }

  /** Forgets all of them. */
  close(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#buckets.clear();
    this.#size = 0;
  }

  #current(): number {
    return Math.floor(this.#clock.now() / TICK);
  }

  #insert(entry: Entry): void {
    entry.bucket = Math.max(dueTick(entry), this.#tick + 1);
    const bucket = this.#buckets.get(entry.bucket);
    if (bucket) bucket.add(entry);
    else this.#buckets.set(entry.bucket, new Set([entry]));
  }

  readonly #remove = (entry: Entry): void => {
    const bucket = this.#buckets.get(entry.bucket);
    if (!bucket?.delete(entry)) return;
    this.#size--;
    if (bucket.size === 0) this.#buckets.delete(entry.bucket);
    if (this.#size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  };

  #schedule(): void {
    if (this.#size > 0) this.#stop ??= this.#nextTick();
  }

  #nextTick(): () => void {
    const due = this.#clock.now() + TICK;
    return this.#clock.schedule(() => {
      this.#stop = undefined;
      // After a pause of the whole process, what clients have sent meanwhile is read first.
      const late = this.#clock.now() - due > LATE;
      if (!late || this.#wasLate) this.#run(() => this.#advance());
      this.#wasLate = late;
      this.#schedule();
    }, TICK);
  }

  #advance(): void {
    for (const now = this.#current(); this.#tick < now;) this.#expire(++this.#tick);
  }

  #expire(tick: number): void {
    for (const entry of this.#buckets.get(tick) ?? []) {
      this.#remove(entry);
      if (dueTick(entry) <= tick) entry.owner.expired(entry.delay);
      else {
        this.#size++;
        this.#insert(entry);
      }
    }
  }
}

/** The first tick at which the whole delay has passed. */
function dueTick({ since, delay }: Entry): number {
  return Math.ceil((since + delay) / TICK);
}
