// Opens a store, says whether that went well, and keeps it until its standard input ends.
import { openStore } from "../../src/store/sqlite.ts";
import { StoreError } from "../../src/store/store.ts";

try {
  const store = openStore(Deno.args[0]!);
  console.log("opened");
  await new Response(Deno.stdin.readable).arrayBuffer();
  store.close();
} catch (error) {
  console.log(error instanceof StoreError ? `${error.kind}: ${error.message}` : String(error));
}
