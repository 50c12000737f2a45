// A process and its store, up to the moment when the process is killed: from then on nothing that it does reaches the store, and it
// sends nothing any more, because none of its commits ends. In the test's own process the dead broker is still there.
import type { Store } from "../../src/store/store.ts";

/** The methods that read. */
const reading: ReadonlySet<string> = new Set(["sessions", "retained", "deliveries"] satisfies (keyof Store)[]);

/** The life of one process. */
export class Life {
  /** The store as this process sees it. */
  readonly store: Store;
  readonly #deathAfter: number;
  readonly #die: () => void;
  #steps = 0;
  #dead = false;

  /**
   * @param store what it has
   * @param deathAfter how many changes and commits it lives to see the end of
   * @param die called when it dies of that
   */
  constructor(store: Store, deathAfter = Infinity, die: () => void = () => {}) {
    this.#deathAfter = deathAfter;
    this.#die = die;
    this.store = new Proxy(store, { get: (_, name) => this.#get(store, name as keyof Store) });
  }

  /** How many changes and commits there were. */
  get steps(): number {
    return this.#steps;
  }

  /** Whether it has been killed. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Kills it. */
  end(): void {
    this.#dead = true;
  }

  #get(store: Store, name: keyof Store): unknown {
    if (name === "pending") return this.#dead ? NaN : store.pending; // which is never what it was
    if (name === "urgent") return this.#dead || store.urgent;
    return (...args: unknown[]) => this.#call(store, name, args);
  }

  #call(store: Store, name: Exclude<keyof Store, "pending" | "urgent">, args: unknown[]): unknown {
    if (this.#dead) return reading.has(name) ? [] : name === "commit" ? new Promise(() => {}) : undefined;
    const result = (store[name] as (...args: unknown[]) => unknown).apply(store, args);
    if (reading.has(name) || ++this.#steps < this.#deathAfter) return result;
    this.end();
    this.#die();
    return name === "commit" ? new Promise(() => {}) : result;
  }
}
