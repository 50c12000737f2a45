// What it costs to keep messages: what turns do to a store, with their commits. Where a commit waits for the disk, at durability
// "full", the disk decides.
import { openStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { atLeastOnce, messageOf, saveSessions } from "../support/stores.ts";

const clientIds = Array.from({ length: 1000 }, (_, i) => `client-${i}`), payload = new Uint8Array(128);
const folder = Deno.makeTempDirSync({ prefix: "brook-bench-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** The numbers of the next deliveries of a session. */
let sequence = 1;

/** Sends messages to sessions, and commits. */
function send(store: Store, count: number, to: readonly string[]): void {
  for (let i = 0; i < count; i++, sequence++) {
    const message = messageOf("sensor/kitchen/temp", payload);
    for (const clientId of to) {
      store.addDelivery(clientId, sequence, message, 1, atLeastOnce);
      store.sent(clientId, sequence, sequence % 65_535 + 1);
    }
  }
  store.commit();
}

/** Ends what was sent, and commits. */
function acknowledge(store: Store, count: number, from: readonly string[], back = 0): void {
  for (const clientId of from) {
    for (let i = count; i > 0; i--) store.deleteDelivery(clientId, sequence - back - i);
  }
  store.commit();
}

const one = clientIds.slice(0, 1);

const turns: Readonly<Record<string, (store: Store) => void>> = {
  "1,000 messages to one session, and then their acknowledgements"(store) {
    send(store, 1000, one);
    acknowledge(store, 1000, one);
  },
  "10 messages to one session, and then their acknowledgements"(store) {
    send(store, 10, one);
    acknowledge(store, 10, one);
  },
  "1 message to one session, and then its acknowledgement"(store) {
    send(store, 1, one);
    acknowledge(store, 1, one);
  },
  "1 message to 1,000 sessions, and then their acknowledgements"(store) {
    send(store, 1, clientIds);
    acknowledge(store, 1, clientIds);
  },
  "1,000 messages into a queue of 10,000, and as many out of it"(store) {
    send(store, 1000, one);
    acknowledge(store, 1000, one, 9000);
  },
  "1,000 retained messages in the place of others"(store) {
    for (let i = 0; i < 1000; i++) store.retain(messageOf(`sensor/${i}/temp`, payload, { retain: true }), 1);
    store.commit();
  },
};

for (const durability of ["normal", "full"] as const) {
  const store = openStore(`${folder}/${durability}.db`, { durability });
  saveSessions(store, ...clientIds);
  store.commit();
  for (const [name, turn] of Object.entries(turns)) {
    Deno.bench(`${durability}: ${name}`, { group: name, baseline: durability === "normal" }, () => turn(store));
  }
}
