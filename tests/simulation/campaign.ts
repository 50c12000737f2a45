// Many runs one after the other, and what they come to together.
import { type Outcome, simulate, SimulationError, type SimulationOptions } from "./simulation.ts";

/** What many runs have come to. */
export class Campaign {
  runs = 0;
  seconds = 0;
  steps = 0;
  /** How often each kind of thing has happened. */
  readonly counts: Map<string, number> = new Map();
  readonly failures: SimulationError[] = [];
  readonly #first: number;
  readonly #options: SimulationOptions;

  /** @param first the seed of the first run; those of the others follow it */
  constructor(first: number, options: SimulationOptions = {}) {
    this.#first = first;
    this.#options = options;
  }

  /** One more run. */
  async run(): Promise<void> {
    try {
      this.#add(await simulate(this.#first + this.runs++, this.#options));
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      this.failures.push(error);
    }
  }

  #add({ seconds, steps, counts }: Outcome): void {
    this.seconds += seconds;
    this.steps += steps;
    for (const [kind, count] of counts) this.counts.set(kind, (this.counts.get(kind) ?? 0) + count);
  }

  /** In words. */
  toString(): string {
    const { runs, seconds, steps, counts, failures } = this, crashes = counts.get("crash") ?? 0;
    return `${runs} runs from seed ${this.#first}: ${Math.round(seconds)} virtual seconds, ${steps} steps, ` +
      `${crashes} crashes, ${failures.length} failed`;
  }
}
