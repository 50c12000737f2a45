// How much goes through a broker, as Mosquitto tells it below $SYS/broker/load: moving averages of what there is in a minute, over about
// one, five and fifteen minutes. Of counters that are looked at now and then; the intervals between need not be the same.

/** Over how many seconds. */
const windows: Readonly<Record<string, number>> = { "1min": 60, "5min": 300, "15min": 900 };

/** Moving averages of counters. */
export class Load {
  readonly #averages = new Map<string, number>();
  #former: Readonly<Record<string, number>> | undefined;

  /**
   * Takes what the counters say now.
   *
   * @param seconds since the last time
   * @returns the averages of each counter, as `name/1min`, `name/5min` and `name/15min`
   */
  update(counters: Readonly<Record<string, number>>, seconds: number): ReadonlyMap<string, number> {
    for (const [name, count] of Object.entries(counters)) {
      const more = count - (this.#former ?? counters)[name]!, rate = seconds > 0 ? more / seconds * 60 : 0;
      for (const [window, length] of Object.entries(windows)) {
        const key = `${name}/${window}`, old = this.#averages.get(key) ?? 0;
        this.#averages.set(key, rate + Math.exp(-seconds / length) * (old - rate));
      }
    }
    this.#former = counters;
    return this.#averages;
  }
}
