// RxJS calls observers synchronously. An observer that emits into the stream that it observes would overtake the value that is
// still on its way to the other observers: one of them would see the second value first. `serialize` cures that (RxJava has the
// same operator): a value that arrives while another is being handed on waits for its turn.
import { type MonoTypeOperatorFunction, Subscriber } from "../rx.ts";
import { operate } from "./operate.ts";

/**
 * Hands on one value at a time, in the order of arrival, also where values arrive from within.
 *
 * @example
 * ```ts
 * import { rx, serialize } from "@brook/mqtt";
 * import { assertEquals } from "@std/assert";
 *
 * const source = new rx.Subject<number>(), seen: string[] = [];
 * const shared = source.pipe(serialize(), rx.share());
 * shared.subscribe((n) => n < 3 && source.next(n + 1));
 * shared.subscribe((n) => seen.push(`second saw ${n}`));
 * source.next(1);
 * assertEquals(seen, ["second saw 1", "second saw 2", "second saw 3"]);
 * ```
 */
export function serialize<T>(): MonoTypeOperatorFunction<T> {
  return operate((source, subscriber) => source.subscribe(new Serializer(subscriber)));
}

class Serializer<T> extends Subscriber<T> {
  readonly #waiting: T[] = [];
  #busy = false;
  #completed = false;

  protected override _next(value: T): void {
    if (this.#busy) {
      this.#waiting.push(value);
      return;
    }
    const waiting = this.#waiting, { destination } = this;
    this.#busy = true;
    try {
      destination.next(value);
      for (let i = 0; i < waiting.length; i++) destination.next(waiting[i]!);
    } finally {
      waiting.length = 0;
      this.#busy = false;
    }
    if (this.#completed) super._complete();
  }

  protected override _complete(): void {
    this.#completed = true;
    if (!this.#busy) super._complete();
  }
}
