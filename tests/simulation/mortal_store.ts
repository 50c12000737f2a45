// The store as a broker sees it that may die between any two changes and commits: at the end of one of them it is dead, and goes no
// further than its present turn, of which nothing reaches the store.
import type { Store } from "../../src/store/store.ts";

/** The methods that change nothing. */
const reading: ReadonlySet<string> = new Set(["sessions", "retained", "deliveries"] satisfies (keyof Store)[]);

/** @param survives called after each change and commit; false where the broker dies of it */
export function mortal(store: Store, survives: () => boolean): Store {
  return instead(store, (name, call) => {
    const result = call();
    if (reading.has(name) || survives()) return result;
    return name === "commit" ? new Promise(() => {}) : result;
  });
}

/** A store of which something else is done than is asked for. */
export function instead(store: Store, act: (name: keyof Store, call: () => unknown) => unknown): Store {
  const get = (_: Store, name: keyof Store) => {
    const value = store[name] as unknown;
    if (typeof value !== "function") return value;
    return (...args: unknown[]) => act(name, () => value.apply(store, args));
  };
  return new Proxy(store, { get: get as never });
}
