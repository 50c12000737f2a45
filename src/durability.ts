// What a turn wants to send leaves when the changes of that turn are durable, and not before. Turns that end together share a commit:
// when many sockets have something to read, each read is a turn of its own, in a microtask of its own, and the commit is a microtask
// behind them. So a thousand small turns cost one transaction, and nobody waits for others. While the store can't be written to, what
// rests on a change stays where it is, whatever else there is goes on, and nothing new is accepted that would have to be kept.
import type { Clock } from "./clock.ts";
import type { Report } from "./events.ts";
import type { Store } from "./store/store.ts";
import type { Ended, Flushable } from "./turn.ts";

/** How long the end of deliveries may wait for others to be committed with, and how long until a commit is tried again, in ms. */
const SOON = 10, RETRY = 1000;

/** What the durability of a broker rests on. */
export interface DurabilityOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly report: Report;
}

/** What waits for a commit, of one turn or several. */
class Held {
  /** How far each may be flushed then: following turns add to it. */
  readonly marks = new Map<Flushable, number>();
  readonly #waiting: (() => void)[] = [];

  /** True where nothing is to be sent, and nobody waits. */
  get idle(): boolean {
    return this.marks.size === 0 && this.#waiting.length === 0;
  }

  add(touched: readonly Flushable[], waiting: readonly (() => void)[] = []): void {
    for (const flushable of touched) {
      const mark = flushable.mark();
      if (mark !== undefined) this.marks.set(flushable, mark);
    }
    for (const resolve of waiting) this.#waiting.push(resolve);
  }

  release(): void {
    for (const [flushable, mark] of this.marks) flushable.flush(mark);
    for (const resolve of this.#waiting) resolve();
  }
}

/** The commits of one broker: one at a time. */
export class Durability {
  readonly #options: DurabilityOptions;
  /** Turns that end together; their commit is the next thing to be done. */
  #round: Held | undefined;
  /** What rests on changes that are not durable yet, in order. */
  readonly #waiting: Held[] = [];
  /** Settles when the commit that is under way is over, and what it had to release is released; never rejects. */
  #committing: Promise<void> | undefined;
  #failing = false;
  /** What is held back while the store can't be written to. */
  readonly #held = new Set<Flushable>();
  /** Changes that waited at the end of the last turn. */
  #pending = 0;
  /** Whether the commit that is under way has taken changes of a turn along that had not ended. */
  #ahead = false;
  /** Stops the timer of a commit that was put off. */
  #stop: (() => void) | undefined;
  #closed = false;

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  /** True while the store can't be written to: nothing may be accepted that has to be kept. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Makes a change that nothing rests on: what the turn sends does not wait for it. */
  aside(change: () => void): void {
    const { store } = this.#options, before = store.pending;
    change();
    this.#pending += store.pending - before;
  }

  /** Ends a turn: what it has touched is flushed when its changes are durable. */
  pass(turn: Ended): void {
    if (this.#closed) return;
    const { store } = this.#options, pending = store.pending, ahead = this.#ahead;
    const changed = ahead || pending !== this.#pending;
    this.#pending = pending;
    this.#ahead = false;
    if (this.#round) return this.#join(turn);
    if (this.#failing) return this.#passWhileFailing(turn, changed);
    if (ahead || changed && store.urgent || this.#waiting.length > 0) return this.#join(turn);
    if (pending > 0) this.#later(SOON);
    turn.release();
  }

  /** What rests on no change may go, but for what stands behind something that does. */
  #passWhileFailing(turn: Ended, changed: boolean): void {
    if (changed) {
      const held = new Held();
      held.add(turn.touched, turn.waiting);
      return this.#wait(held);
    }
    const behind = turn.touched.filter((flushable) => this.#held.has(flushable));
    if (behind.length > 0) this.#waiting.at(-1)!.add(behind);
    turn.release(this.#held);
  }

  #join(turn: Ended): void {
    if (!this.#round) {
      this.#round = new Held();
      queueMicrotask(() => this.#endRound());
    }
    this.#round.add(turn.touched, turn.waiting);
  }

  #endRound(): void {
    this.#wait(this.#round!);
    this.#round = undefined;
    if (!this.#failing && !this.#committing) this.#commit();
  }

  #wait(held: Held): void {
    if (this.#failing) this.#hold(held);
    if (!held.idle) this.#waiting.push(held);
  }

  #hold({ marks }: Held): void {
    for (const flushable of marks.keys()) this.#held.add(flushable);
  }

  /** Makes everything durable that has been changed so far, and lets go what waits for that. */
  #commit(): void {
    const { store } = this.#options, count = this.#waiting.length, before = store.pending;
    try {
      const committing = store.commit();
      if (committing) this.#ahead ||= before !== this.#pending;
      this.#pending = store.pending;
      if (!committing) return this.#committed(count);
      const taken = before - this.#pending;
      this.#committing = committing.then(() => this.#committed(count), (error) => this.#failed(error, taken));
    } catch (error) {
      this.#failed(error);
    }
  }

  #committed(count: number): void {
    this.#committing = undefined;
    if (this.#failing) {
      this.#failing = false;
      this.#held.clear();
      this.#options.report({ type: "store-recovered" });
    }
    for (const held of this.#waiting.splice(0, count)) held.release();
    if (this.#closed) return;
    if (this.#waiting.length > 0) this.#commit(); // what has come while this commit was under way
    else if (this.#options.store.pending > 0) this.#later(SOON);
  }

  /** @param returned how many changes wait again: others may have been made by a turn that has not ended */
  #failed(error: unknown, returned = 0): void {
    this.#committing = undefined;
    this.#pending += returned;
    if (!this.#failing) {
      this.#failing = true;
      for (const held of this.#waiting) this.#hold(held);
      this.#options.report({ type: "store-failed", error });
    }
    if (!this.#closed) this.#later(RETRY);
  }

  #later(delay: number): void {
    this.#stop ??= this.#options.clock.schedule(() => {
      this.#stop = undefined;
      if (!this.#committing) this.#commit();
    }, delay);
  }

  /** Commits what is left, and gives the store back. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop?.();
    await this.#committing;
    try {
      await this.#options.store.close();
    } catch (error) {
      return this.#failed(error);
    }
    this.#committed(this.#waiting.length);
  }
}
