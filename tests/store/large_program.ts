// Opens a store and reads what a broker reads when it starts: all sessions, the first delivery of each, all retained messages. Prints
// how many there are of each, and what that took: seconds, and megabytes of memory.
import { openStore } from "../../src/store/sqlite.ts";

const start = performance.now(), store = openStore(Deno.args[0]!);
let sessions = 0, queued = 0, read = 0, retained = 0;
for (const { clientId, deliveries } of store.sessions()) {
  sessions++;
  queued += deliveries.count;
  for (const _ of store.deliveries(clientId)) {
    read++;
    break;
  }
}
for (const _ of store.retained()) retained++;
const seconds = (performance.now() - start) / 1000, megabytes = Deno.memoryUsage().rss / 1e6;
console.log(JSON.stringify({ sessions, queued, read, retained, seconds, megabytes }));
