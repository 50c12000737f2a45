// What waited in a session when the broker was stopped. It stays in the store, and is read from there one by one when it is its turn:
// a million messages may be waiting.
import type { Delivery } from "./queue.ts";

/** Reads the deliveries behind a number that have not been sent, in order. */
export type ReadDeliveries = (after: number) => Iterator<Delivery, void>;

/** The deliveries of one session that wait in the store. */
export class Backlog {
  readonly #read: ReadDeliveries;
  #count: number;
  #bytes: number;
  #reader: Iterator<Delivery, void> | undefined;
  /** The next one, once it has been read. */
  #first: Delivery | undefined;
  #after = 0;

  /** @param count how many there are: what is stored behind them waits elsewhere, too @param bytes of all of them */
  constructor(read: ReadDeliveries, count: number, bytes: number) {
    this.#read = read;
    this.#count = count;
    this.#bytes = bytes;
  }

  /** How many are left. */
  get count(): number {
    return this.#count;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The next one, if any is left.
   *
   * @throws {StoreError} where it can't be read; it may be tried again
   */
  get first(): Delivery | undefined {
    if (this.#first || this.#count === 0) return this.#first;
    try {
      this.#reader ??= this.#read(this.#after);
      this.#first = this.#reader.next().value ?? undefined;
    } catch (error) {
      this.#reader = undefined; // it does not go on after that
      throw error;
    }
    if (!this.#first) this.#count = this.#bytes = 0;
    return this.#first;
  }

  /** Removes the next one, and returns it. */
  shift(): Delivery | undefined {
    const { first } = this;
    if (!first) return undefined;
    this.#first = undefined;
    this.#after = first.sequence;
    this.#count--;
    this.#bytes = this.#count > 0 ? Math.max(0, this.#bytes - first.message.weight) : 0;
    return first;
  }
}
