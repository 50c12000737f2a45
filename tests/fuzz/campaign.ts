// Runs of the fuzzer, one after the other. A run is a new plan, or one that has shown something new before, with some changes; which
// one, and which changes, is up to the seed and to what the runs before have shown, so that a seed repeats all of them.
import { checkBroker } from "./broker_target.ts";
import { checkCodec } from "./codec_target.ts";
import { type Features, normalised, Seen } from "./features.ts";
import { type Input } from "./input.ts";
import { changed, inputOf, newPlan, type Plan } from "./plan.ts";
import { Random } from "./random.ts";

/** What inputs are put through. */
export const targets = ["codec", "broker"] as const;

export type Target = typeof targets[number];

/** An input that something went wrong with. */
export interface Finding {
  readonly target: Target;
  readonly input: Input;
  readonly error: Error;
}

/** Plans that are kept to be changed further. */
const KEPT = 500;

/** Puts an input through a target; returns what was seen. Rejects where something is wrong. */
export async function check(input: Input, target: Target): Promise<Features> {
  return target === "codec" ? checkCodec(input) : await checkBroker(input);
}

/** What is wrong with an input, if anything is. @param features gets what was seen */
export async function findingIn(input: Input, target: Target, features: string[] = []): Promise<Finding | undefined> {
  try {
    features.push(...await check(input, target));
  } catch (error) {
    return { target, input, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** What two findings have in common that are of one fault. */
export function kindOf({ target, error }: Finding): string {
  return `${target} ${error.name} ${normalised(error.message)}`;
}

/** Runs by a seed. */
export class Campaign {
  readonly seed: number;
  /** How many runs there were. */
  runs = 0;
  readonly #targets: readonly Target[];
  readonly #pool: Plan[] = [];
  readonly #seen = new Seen();

  constructor(seed: number, targets: readonly Target[]) {
    this.seed = seed;
    this.#targets = targets;
  }

  /** How many different things were seen. */
  get seen(): number {
    return this.#seen.size;
  }

  /** One more run. */
  async run(): Promise<Finding | undefined> {
    const random = new Random(Math.imul(this.seed, 0x9e3779b1) ^ Math.imul(this.runs++, 0x85ebca6b));
    const plan = this.#plan(random), input = inputOf(plan), features: string[] = [];
    for (const target of this.#targets) {
      const finding = await findingIn(input, target, features);
      if (finding) return finding;
    }
    if (!this.#seen.add(features)) return;
    if (this.#pool.length < KEPT) this.#pool.push(plan);
    else this.#pool[random.below(KEPT)] = plan;
  }

  #plan(random: Random): Plan {
    const fresh = this.#pool.length === 0 || random.oneIn(4);
    let plan = fresh ? newPlan(random) : random.pick(this.#pool);
    for (let changes = random.pick([0, 1, 1, 2, 3, 6]); changes > 0; changes--) {
      plan = changed(random, plan, this.#pool.length > 0 ? random.pick(this.#pool) : newPlan(random));
    }
    return plan;
  }
}
