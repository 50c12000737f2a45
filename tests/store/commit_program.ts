// Commits batch after batch until it is killed, and prints the number of each that is committed. Arguments: the file, its durability,
// the number of the first batch.
import { RowStore } from "../../src/store/row_store.ts";
import { type Durability, SqliteFile } from "../../src/store/sqlite.ts";
import { applyBatch } from "../support/store_batches.ts";

const [path, durability, first] = Deno.args, file = new SqliteFile(path!);
file.start(durability as Durability);
const store = new RowStore(file, 20_000); // every few commits all deliveries go from the log to the tables
for (let batch = Number(first);; batch++) {
  applyBatch(store, batch);
  store.commit();
  Deno.stdout.writeSync(new TextEncoder().encode(`${batch}\n`));
}
