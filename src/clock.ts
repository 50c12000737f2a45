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

/** The clock of the machine: not its time of day, which is set back now and then. */
export const systemClock: Clock = {
  now: () => performance.now(),
  origin: performance.timeOrigin,
  schedule(callback, delay) {
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};

/** The time of day by a clock. */
export function timeOfDay(clock: Clock): Date {
  return new Date(clock.origin === undefined ? Date.now() : clock.origin + clock.now());
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
