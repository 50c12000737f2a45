// How the broker itself listens to its streams, where every message passes. What RxJS makes of a function that is given to
// `subscribe` are two more objects to go through, and whatever that function throws ends the process from a timer; here it reaches
// whoever emitted.
import { Subscriber } from "../rx.ts";

/** Takes the values of a stream. */
export class Listener<T> extends Subscriber<T> {
  readonly #take: (value: T) => void;
  readonly #fail: ((error: unknown) => void) | undefined;

  /** @param take is given every value @param fail is given the error that ends the stream; without it there must be none */
  constructor(take: (value: T) => void, fail?: (error: unknown) => void) {
    super();
    this.#take = take;
    this.#fail = fail;
  }

  protected override _next(value: T): void {
    this.#take(value);
  }

  protected override _error(error: unknown): void {
    this.unsubscribe();
    this.#fail?.(error);
  }
}
