// Random choices that a seed repeats: splitmix32, which is small, fast and good enough to choose tests with.

/** A source of random choices; the same seed makes the same ones. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number of 32 bits. */
  next(): number {
    this.#state = this.#state + 0x9e3779b9 | 0;
    let mixed = this.#state ^ this.#state >>> 16;
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed = Math.imul(mixed ^ mixed >>> 15, 0x735a2d97);
    return (mixed ^ mixed >>> 15) >>> 0;
  }

  /** A whole number from 0 to `end`, which is not included. */
  below(end: number): number {
    return Math.floor(this.next() / 0x1_0000_0000 * end);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** One of the items, which begin with how often each comes. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.below(items.reduce((sum, [weight]) => sum + weight, 0));
    return items.find(([weight]) => (left -= weight) < 0)![1];
  }

  /** What `make` makes, or nothing as often. */
  maybe<T>(make: () => T): T | undefined {
    return this.oneIn(2) ? make() : undefined;
  }

  /** So many of what `make` makes. */
  list<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }
}
