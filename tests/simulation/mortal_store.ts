// The store as a broker sees it that may die between any two changes and commits: right before one of them, or right behind it. From then
// on nothing that the broker does reaches the store, and no commit ends.
import type { Store } from "../../src/store/store.ts";

/** The methods that change nothing. */
const reading: ReadonlySet<string> = new Set(["sessions", "retained", "deliveries"] satisfies (keyof Store)[]);

/** @param survives called before and after each change and commit; false where the broker dies there */
export function mortal(store: Store, survives: () => boolean): Store {
  return instead(store, (name, call) => {
    if (reading.has(name)) return call();
    const result = survives() ? call() : undefined;
    return survives() || name !== "commit" ? result : new Promise(() => {});
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
