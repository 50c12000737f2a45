// The store that --store names.
import type { Store } from "../store/store.ts";
import type { Settings } from "./settings.ts";

/**
 * Opens the store, where one is named.
 *
 * @throws {Error} where that is not possible
 */
export async function openStore({ store, durability }: Settings): Promise<{ readonly store?: Store }> {
  if (store === undefined) return {};
  const { openStore } = await import("../store/sqlite.ts");
  try {
    return { store: openStore(store, { durability }) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const how = "deno run --allow-net --allow-read --allow-write mod.ts";
    throw new Error(`Store "${store}" needs the permission to read and to write: ${how} --store ${store}`, {
      cause: error,
    });
  }
}
