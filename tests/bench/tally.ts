// What a load test has counted: messages, and what is wrong with them, told by the sequence numbers of each publisher.

/** Each bucket of a histogram is so much wider than the one before: figures are right to 2 %. */
const STEP = Math.log(1.02), BUCKETS = 1024;

/** Durations from a microsecond to ten minutes, in buckets. */
export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #max = 0;

  /** Adds a duration, in milliseconds. */
  add(duration: number): void {
    const bucket = duration > 0.001 ? Math.ceil(Math.log(duration * 1000) / STEP) : 0;
    this.#counts[Math.min(bucket, BUCKETS - 1)]!++;
    this.#total++;
    if (duration > this.#max) this.#max = duration;
  }

  /** The longest duration, in milliseconds. */
  get max(): number {
    return this.#max;
  }

  /** The duration that a share of all, from 0 to 1, did not exceed; 0 where there is none. */
  quantile(share: number): number {
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen > 0 && seen >= share * this.#total) return Math.min(Math.exp(bucket * STEP) / 1000, this.#max);
    }
    return 0;
  }
}

/** The counts of one load test, while it runs and at its end. */
export class Tally {
  /** Messages published, or connections tried. */
  sent = 0;
  /** Messages that have come, each once, or connections accepted. */
  received = 0;
  lost = 0;
  duplicated = 0;
  reordered = 0;
  corrupted = 0;
  readonly latency: Histogram = new Histogram();

  /** How much went wrong. */
  get faults(): number {
    return this.lost + this.duplicated + this.reordered + this.corrupted;
  }
}

/** What one subscriber gets of one publisher: the numbers 0, 1, 2 and so on, if all is well. */
export class Sequence {
  readonly #tally: Tally;
  readonly #missing = new Set<number>();
  /** The number that is awaited. */
  next = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Notes that a number has come. */
  take(number: number): void {
    if (number < this.next && !this.#missing.delete(number)) {
      this.#tally.duplicated++;
      return;
    }
    this.#tally.received++;
    if (number < this.next) this.#tally.reordered++;
    for (; this.next < number; this.next++) this.#missing.add(this.next);
    if (number === this.next) this.next++;
  }

  /** Counts what is still missing of `sent` numbers. */
  end(sent: number): void {
    this.#tally.lost += this.#missing.size + sent - this.next;
  }
}
