// What comes from outside in its own time, such as lines of a program or messages of a client: a test waits for the item that it
// wants, not for a while.

/** How long a test waits for an item that does not come, in milliseconds. */
const PATIENCE = 20_000;

/** Items that have come and were not taken yet, in order. */
export class Mailbox<T> {
  readonly #name: string;
  readonly #beside: Mailbox<unknown> | undefined;
  readonly #items: T[] = [];
  #ended = false;
  #changed = Promise.withResolvers<void>();

  /** What lies in `beside` is told, too, where a wanted item does not come. */
  constructor(name: string, beside?: Mailbox<unknown>) {
    this.#name = name;
    this.#beside = beside;
  }

  /** Adds an item. */
  put(item: T): void {
    this.#items.push(item);
    this.#notify();
  }

  /** Says that nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Takes out the first item that is wanted, as soon as there is one; others stay. */
  async take(wanted: (item: T) => boolean = () => true): Promise<T> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, PATIENCE);
    const isLate = late.promise.then(() => true);
    try {
      for (;;) {
        const index = this.#items.findIndex(wanted);
        if (index >= 0) return this.#items.splice(index, 1)[0]!;
        if (this.#ended || await Promise.race([this.#changed.promise, isLate])) throw this.#fault();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes out all items that are there and not wanted. */
  discard(unwanted: (item: T) => boolean): void {
    this.#items.splice(0, Infinity, ...this.#items.filter((item) => !unwanted(item)));
  }

  /** Takes out all items that are there. */
  rest(): T[] {
    return this.#items.splice(0);
  }

  #fault(): Error {
    const why = this.#ended ? "ended" : `waited ${PATIENCE} ms`;
    return new Error([`${why} without what was wanted`, this, this.#beside ?? ""].join("\n"));
  }

  toString(): string {
    return `${this.#name}: ${JSON.stringify(this.#items, null, 1)}`;
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
