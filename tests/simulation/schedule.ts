// The only loop of a run: whatever waits (the broker's timers, bytes on their way, a client that makes up its mind) is a task here,
// and tasks run one at a time in the order of their virtual times. After each one all microtasks run out, which an immediate of the
// event loop tells in a microsecond. Invariant: what runs when depends on nothing but what was scheduled.
import { setImmediate } from "node:timers";
import type { Clock } from "../../mod.ts";

interface Task {
  readonly due: number;
  readonly work: () => void;
}

/** When a run begins, in milliseconds since 1970. */
export const BEGIN = 1_700_000_000_000;

/** Virtual time, and what is to be done in it. */
export class Schedule {
  #now = BEGIN;
  #owed = 0;
  #clock: BrokerClock | undefined;
  readonly #tasks: Task[] = [];

  /** The time in milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** How many tasks wait, but for the timers of brokers. */
  get owed(): number {
    return this.#owed;
  }

  /** Does the work after `delay` milliseconds. */
  after(delay: number, work: () => void): void {
    this.#owed++;
    this.#add(delay, () => {
      this.#owed--;
      work();
    });
  }

  /** Time for the next broker. */
  clock(): BrokerClock {
    return this.#clock = new BrokerClock(this.#now, () => this.#now, (delay, work) => this.#add(delay, work));
  }

  /**
   * Runs tasks while `goOn` says so and there are any; `settled` is called when everything that one has led to is over. The event
   * loop's own timers, by which the broker gives way to others, are tasks as well.
   */
  async run(goOn: () => boolean, settled: () => void): Promise<void> {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = ((work: () => void, delay = 0) => this.#giveWay(delay, work)) as never;
    try {
      while (this.#tasks.length > 0 && goOn()) {
        const { due, work } = this.#tasks.shift()!;
        this.#now = due;
        work();
        await new Promise((resolve) => setImmediate(resolve));
        settled();
      }
    } finally {
      globalThis.setTimeout = setTimeout;
    }
  }

  #giveWay(delay: number, work: () => void): void {
    const clock = this.#clock;
    this.after(delay, () => {
      if (!clock?.stopped) work();
    });
  }

  #add(delay: number, work: () => void): () => void {
    const task = { due: this.#now + delay, work };
    this.#tasks.splice(this.#tasks.findLastIndex(({ due }) => due <= task.due) + 1, 0, task);
    return () => {
      const place = this.#tasks.indexOf(task);
      if (place >= 0) this.#tasks.splice(place, 1);
    };
  }
}

/** The clock of one broker, which begins with it: what that has scheduled ends with it. */
export class BrokerClock implements Clock {
  readonly origin: number;
  readonly #time: () => number;
  readonly #add: (delay: number, work: () => void) => () => void;
  readonly #running = new Set<() => void>();
  #stopped = false;

  constructor(origin: number, time: () => number, add: (delay: number, work: () => void) => () => void) {
    this.origin = origin;
    this.#time = time;
    this.#add = add;
  }

  now(): number {
    return this.#time() - this.origin;
  }

  /** How many timers are running. */
  get pending(): number {
    return this.#running.size;
  }

  /** True where the broker is no more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  schedule(callback: () => void, delay: number): () => void {
    if (this.#stopped) return () => {};
    const cancel = this.#add(delay, () => {
      this.#running.delete(stop);
      callback();
    });
    const stop = () => {
      this.#running.delete(stop);
      cancel();
    };
    this.#running.add(stop);
    return stop;
  }

  /** The broker is no more: nothing that it waits for comes. */
  stop(): void {
    this.#stopped = true;
    for (const stop of this.#running) stop();
  }
}
