// A limit of so many per second: a bucket that holds as many tokens as may come at once, and regains them over a second.

/** One thing that is limited. */
export class TokenBucket {
  readonly perSecond: number;
  readonly #size: number;
  #tokens: number;
  #filled: number;

  /** @param perSecond how many, above 0 @param now in milliseconds */
  constructor(perSecond: number, now: number) {
    this.perSecond = perSecond;
    this.#size = this.#tokens = Math.max(1, perSecond);
    this.#filled = now;
  }

  /** Takes one; false where there is none. */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Whether all of them are there. */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#tokens === this.#size;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#size, this.#tokens + (now - this.#filled) / 1000 * this.perSecond);
    this.#filled = now;
  }
}
