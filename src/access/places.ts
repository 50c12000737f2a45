// Work of which only so much may be under way at once. Invariant: what waits is bounded, and served in order.

/** Places for work. */
export class Places {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param count how much may be under way at once @param waiting how much may wait for that */
  constructor(count: number, waiting: number) {
    this.#free = count;
    this.#limit = waiting;
  }

  /** Does the work as soon as there is a place; `undefined` where too much waits already. */
  run<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#free === 0 && this.#waiting.length >= this.#limit) return undefined;
    return this.#inTurn(work);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next(); // the place goes from hand to hand
      else this.#free++;
    }
  }
}
