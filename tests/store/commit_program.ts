// Commits batch after batch until it is killed, and prints the number of each that is committed. Arguments: the file, its durability,
// the number of the first batch.
import { openStore } from "../../src/store/sqlite.ts";
import { applyBatch } from "../support/store_batches.ts";

const [path, durability, first] = Deno.args, store = openStore(path!, { durability: durability as "full" | "normal" });
for (let batch = Number(first);; batch++) {
  applyBatch(store, batch);
  store.commit();
  Deno.stdout.writeSync(new TextEncoder().encode(`${batch}\n`));
}
