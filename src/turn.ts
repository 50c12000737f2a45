// One turn. Whatever starts work (a read, a timer, a publication of the process itself) handles everything that is
// there, synchronously; at the end of the turn every connection that has something to send writes once (where there is a
// store, once that has committed: durability.ts). Acknowledgements and deliveries are only bytes in an outbox until then,
// so that batching comes for free. Work that starts on its own, such as a user's delayed message, opens a turn that ends
// with the current microtasks.
import { setImmediate } from "node:timers";
import type { Clock } from "./clock.ts";

/** How many deliveries are made before the clock is looked at. */
const HEAVY = 1000;

/** Something with bytes to send. */
export interface Flushable {
  /** Where it is now: what comes later is not to be sent with what is there. Nothing where it waits for nobody, and has gone. */
  mark(): number | undefined;
  /** Starts to write what was collected, up to a mark. Must not throw. */
  flush(upTo: number): void;
}

/** A turn that is over, and what it wants to send. */
export class Ended {
  readonly touched: readonly Flushable[];
  /** Called when it is released. */
  readonly waiting: readonly (() => void)[];

  constructor(touched: readonly Flushable[], waiting: readonly (() => void)[]) {
    this.touched = touched;
    this.waiting = waiting;
  }

  /** Lets it go, but for what is held back. */
  release(held?: ReadonlySet<Flushable>): void {
    const { touched, waiting } = this;
    for (let i = 0; i < touched.length; i++) if (!held?.has(touched[i]!)) touched[i]!.flush(Infinity);
    for (let i = 0; i < waiting.length; i++) waiting[i]!();
  }
}

/** How long clients that send without end may go on, in milliseconds. */
const LONG = 20;

/** While it is busy, Deno's event loop looks at sockets in one of 61 rounds only. A round with nothing to do takes 3 microseconds. */
const ROUNDS = 64;

/** The turns of one broker. */
export class Turn {
  readonly #clock: Clock;
  readonly #pass: (turn: Ended) => void;
  #now: number | undefined;
  #running = false;
  #scheduled = false;
  /** Deliveries since the clock was looked at. */
  #deliveries = 0;
  #touched: Flushable[] = [];
  #waiting: (() => void)[] = [];
  /** When a client was last found to send without end, and since when there are such. */
  #strained = -Infinity;
  #since = 0;
  #resting: Promise<void> | undefined;

  /** @param pass lets a turn that is over go, at once or when it may */
  constructor(clock: Clock, pass: (turn: Ended) => void = (turn) => turn.release()) {
    this.#clock = clock;
    this.#pass = pass;
  }

  /** The time in milliseconds, the same for all of a turn. */
  get now(): number {
    if (this.#now === undefined) {
      this.#now = this.#clock.now();
      this.#schedule();
    }
    return this.#now;
  }

  /** Notes that so many deliveries are made. */
  delivers(count: number): void {
    this.#deliveries += count;
  }

  /** True once after every so many deliveries: whoever goes on working had better look at the clock. */
  get heavy(): boolean {
    if (this.#deliveries < HEAVY) return false;
    this.#deliveries = 0;
    return true;
  }

  /** Does the work and ends the turn; within another turn, it becomes a part of that. */
  run(work: () => void): void {
    if (this.#running) return work();
    this.#running = true;
    try {
      work();
    } finally {
      this.#running = false;
      this.#end();
    }
  }

  /** Notes that a client has sent more than a read takes. */
  strain(): void {
    this.#strained = this.#clock.now();
  }

  /** True where there have been such clients all the time for long. */
  get tired(): boolean {
    const now = this.#clock.now();
    if (now - this.#strained > LONG) this.#since = now;
    return now - this.#since > LONG;
  }

  /**
   * Resolves when everybody's sockets have been looked at. Deno resolves a read at once where something is there already, without a
   * look at others: a few clients that send without end would be all that it serves. So all of them wait for the same moment.
   */
  rest(): Promise<void> {
    return this.#resting ??= new Promise((resolve) => {
      let rounds = 0;
      const round = (): unknown => {
        if (rounds++ < ROUNDS) return setImmediate(round);
        this.#since = this.#strained = this.#clock.now();
        this.#resting = undefined;
        resolve();
      };
      round();
    });
  }

  /** Does the work in a turn of its own, after whatever has come in meanwhile. */
  later(work: () => void): void {
    setTimeout(() => this.run(work), 0);
  }

  /** Has `flushable` flushed at the end of the turn; to be called once a turn by each. */
  touch(flushable: Flushable): void {
    this.#touched.push(flushable);
    this.#schedule();
  }

  /** Resolves at the end of the turn. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#running || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#end();
    });
  }

  #end(): void {
    this.#now = undefined;
    const ended = new Ended(this.#touched, this.#waiting);
    this.#touched = [];
    this.#waiting = [];
    this.#pass(ended);
  }
}
