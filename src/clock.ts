// The one place that time comes from. A broker is given a clock, and whatever in it waits for a length of time that
// MQTT or an option sets (keep-alives, time-outs, expiries, drains) asks that clock, so that a test advances time
// instead of sleeping. Only two waits are the event loop's own timers: giving way to others (turn.ts), and trying again
// after an accept that failed (tcp.ts).

/** Where a broker takes its time from. */
export interface Clock {
  /** The current time in milliseconds; only differences count. */
  now(): number;
  /** What `now()` counts from, in milliseconds since 1970; default: worked out from the machine's time of day. */
  readonly origin?: number;
  /** Calls `callback` once after `delay` milliseconds; the result cancels that. */
  schedule(callback: () => void, delay: number): () => void;
}

/**
 * The clock of the machine: not its time of day, which is set now and then, by years where a device without a clock of its own has
 * just been started.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(callback, delay) {
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};

/** The time of day by a clock. */
export function timeOfDay(clock: Clock): Date {
  return new Date(clock.origin === undefined ? Date.now() : clock.origin + clock.now());
}

/** What outlasts the process is told in wall time: that of the moment, for a clock that counts from somewhere. */
export class WallTime {
  readonly #clock: Clock;
  readonly #start: number;
  #last = NaN;
  #lastWall = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#start = clock.now();
  }

  /** Milliseconds since 1970. */
  now(): number {
    return timeOfDay(this.#clock).getTime();
  }

  /** The same for a time of the clock; default: now. Messages that come together have one time. */
  of(time: number = this.#clock.now()): number {
    if (time !== this.#last) [this.#last, this.#lastWall] = [time, time + this.#offset];
    return this.#lastWall;
  }

  /** The time of the clock for milliseconds since 1970 that were told before it began: where the time of day was set back, when it did. */
  toClock(wall: number): number {
    return Math.min(wall - this.#offset, this.#start);
  }

  get #offset(): number {
    return this.now() - this.#clock.now();
  }
}

/** Resolves after `delay` milliseconds of `clock`, or as soon as `sooner` settles: it never rejects. */
export function within(clock: Clock, delay: number, sooner: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(resolve, delay);
    const settled = () => {
      cancel();
      resolve();
    };
    sooner.then(settled, settled);
  });
}
