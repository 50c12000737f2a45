// What a turn wants to send leaves when the changes of that turn are durable, and not before: all changes of a turn are one commit of
// the store, and the outboxes that the turn has touched are flushed behind it, in the order of the turns. While the store can't be
// written to, what rests on a change stays where it is, and nothing new is accepted that would have to be kept.
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

/** The commits of one broker. */
export class Durability {
  readonly #options: DurabilityOptions;
  /** Turns whose changes are not durable yet, in order. */
  #waiting: Ended[] = [];
  /** The last of the commits that are under way. */
  #last: Promise<void> | undefined;
  #failing = false;
  /** Changes that waited at the end of the last turn. */
  #pending = 0;
  /** Stops the timer of a commit that was put off. */
  #stop: (() => void) | undefined;

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  /** True while the store can't be written to: nothing may be accepted that has to be kept. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Ends a turn: what it has touched is flushed when its changes are durable. */
  pass(turn: Ended): void {
    const { store } = this.#options, pending = store.pending, changed = pending !== this.#pending;
    this.#pending = pending;
    if (this.#failing) return this.#passWhileFailing(turn, changed);
    if (pending === 0 || !store.urgent) {
      if (pending > 0) this.#later(SOON);
      return this.#last ? this.#queue(turn) : turn.release();
    }
    this.#commit(turn);
  }

  /** Tries to commit what is left, and lets nothing go any more. */
  async close(): Promise<void> {
    this.#stop?.();
    try {
      await this.#last;
      await this.#options.store.close();
    } catch (error) {
      this.#options.report({ type: "store-failed", error });
    }
  }

  #commit(turn: Ended): void {
    try {
      const committing = this.#options.store.commit();
      if (!committing) this.#pending = this.#options.store.pending;
      if (!committing && !this.#last) return turn.release();
      this.#queue(turn);
      this.#last = Promise.all([this.#last, committing]).then(
        () => this.#committed(turn),
        (error) => this.#fail(error),
      );
    } catch (error) {
      this.#queue(turn);
      this.#fail(error);
    }
  }

  #queue(turn: Ended): void {
    turn.mark();
    this.#waiting.push(turn);
  }

  /** Everything up to this turn is durable. */
  #committed(turn: Ended): void {
    const end = this.#waiting.indexOf(turn) + 1;
    if (end === this.#waiting.length) this.#last = undefined;
    for (const each of this.#waiting.splice(0, end)) each.release();
  }

  /** What rests on no change may go, but for what stands behind something that does. */
  #passWhileFailing(turn: Ended, changed: boolean): void {
    const held = new Set<Flushable>(this.#waiting.flatMap(({ touched }) => touched));
    if (changed || turn.touched.some((flushable) => held.has(flushable))) this.#queue(turn);
    else turn.release();
  }

  #fail(error: unknown): void {
    this.#last = undefined;
    if (!this.#failing) this.#options.report({ type: "store-failed", error });
    this.#failing = true;
    this.#later(RETRY);
  }

  #later(delay: number): void {
    this.#stop ??= this.#options.clock.schedule(() => {
      this.#stop = undefined;
      this.#retry();
    }, delay);
  }

  async #retry(): Promise<void> {
    const { store, report } = this.#options, upTo = this.#waiting.at(-1);
    try {
      const committing = store.commit();
      if (committing) await committing;
    } catch (error) {
      return this.#fail(error);
    }
    this.#pending = store.pending;
    if (this.#failing) report({ type: "store-recovered" });
    this.#failing = false;
    if (upTo) this.#committed(upTo);
  }
}
