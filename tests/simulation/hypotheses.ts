// What may be true after a crash. Whoever has got no answer does not know whether the broker had come so far: so for each point of the
// last step up to which its work may have been kept there is a hypothesis, a model that has seen the effects up to there and none of the
// others. What is seen later refutes those that are wrong; where none is left, the broker has broken a promise. What was answered
// before the crash was done in any case: a hypothesis without it does not expect that answer.
import type { Deliveries } from "./deliveries.ts";
import { type Happening, Violation } from "./history.ts";
import { Model } from "./model.ts";
import type { SessionLimits } from "./sessions.ts";

interface Step {
  readonly happenings: readonly Happening[];
  readonly now: number;
}

interface Hypothesis {
  readonly model: Model;
  /** What the model has seen. */
  readonly steps: Step[];
}

/** What happens to the broker itself, and what is seen of its work from outside: there is no doubt about that. */
const seen: ReadonlySet<Happening["type"]> = new Set(["written", "accepted", "crash", "closing", "disaster", "note"]);

/** The models that explain what has happened. */
export class Hypotheses {
  readonly #limits: SessionLimits;
  readonly #durable: boolean;
  #left: readonly Hypothesis[];

  /** @param durable whether sessions and retained messages outlive the broker */
  constructor(limits: SessionLimits, durable: boolean) {
    this.#limits = limits;
    this.#durable = durable;
    this.#left = [this.#after([])];
  }

  /** Topics of the messages that are retained, or may be. */
  get retained(): readonly string[] {
    return this.#left.flatMap(({ model }) => model.retained);
  }

  /** The deliveries of all sessions that there are. */
  get deliveries(): readonly Deliveries[] {
    return this.#left[0]!.model.deliveries;
  }

  /** Takes notice of what has happened in one step; throws a Violation where that must not be. */
  absorb(happenings: readonly Happening[], now: number): void {
    const forks = this.#durable && happenings.some(({ type }) => type === "crash") ? this.#fork(happenings, now) : [];
    this.#test(({ model, steps }) => {
      model.absorb(happenings, now);
      if (this.#durable && happenings.length > 0) steps.push({ happenings, now });
    }, forks);
  }

  /** Everybody is connected, and has had the time to take everything: nothing may be open. */
  complete(): void {
    this.#test(({ model }) => model.complete());
  }

  /** The hypotheses by which the last effects of a step have been lost. */
  #fork(happenings: readonly Happening[], now: number): readonly Hypothesis[] {
    return this.#left.flatMap(({ steps }) =>
      cuts(happenings).flatMap((kept) => {
        try {
          return [this.#after([...steps, { happenings: kept, now }])];
        } catch (error) {
          if (error instanceof Violation) return [];
          throw error;
        }
      })
    );
  }

  #after(steps: Step[]): Hypothesis {
    const model = new Model(this.#limits, this.#durable);
    for (const { happenings, now } of steps) model.absorb(happenings, now);
    return { model, steps };
  }

  /** Keeps the hypotheses that pass, and those beside them; throws what refutes the first one where none is left. */
  #test(pass: (hypothesis: Hypothesis) => void, others: readonly Hypothesis[] = []): void {
    const faults: Violation[] = [],
      passed = this.#left.filter((hypothesis) => {
        try {
          pass(hypothesis);
          return true;
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          faults.push(error);
          return false;
        }
      });
    this.#left = [...passed, ...others];
    if (this.#left.length === 0) throw faults[0]!;
  }
}

/** The same step without its last effect, without the last two, and so on. */
function cuts(happenings: readonly Happening[]): readonly (readonly Happening[])[] {
  const effects = happenings.filter(({ type }) => !seen.has(type));
  return effects.map((_, count) => {
    const lost = new Set(effects.slice(count));
    return happenings.filter((happening) => !lost.has(happening));
  }).reverse();
}
