// An endless series of batches of changes, each of which follows from its number alone: whoever knows how many were committed knows
// what the store must hold.
import type { Store } from "../../src/store/store.ts";
import { messageOf, plain } from "./stores.ts";

const clientIds = ["a", "b", "c", "d", "e"];

/** Makes the changes of a batch, counted from 0; the caller commits. */
export function applyBatch(store: Store, batch: number): void {
  const one = clientIds[batch % clientIds.length]!;
  for (const clientId of batch === 0 ? clientIds : [one]) {
    if (batch % 25 === 24) store.deleteSession(clientId);
    store.saveSession({ clientId, expiry: batch, disconnectedAt: batch % 2 ? batch : undefined });
  }
  addDeliveries(store, batch);
  endDeliveries(store, batch - 3, (sequence) => sequence % 5 > 0);
  endDeliveries(store, batch - 40, () => true);
  store.addReceived(one, batch % 50 + 1);
  store.deleteReceived(one, batch * 3 % 50 + 1);
  store.addReleased(one, batch % 50 + 1);
  store.deleteReleased(one, batch * 3 % 50 + 1);
  store.saveSubscription(one, `f/${batch % 7}`, { ...plain, identifier: batch + 1 });
  store.deleteSubscription(one, `f/${batch % 3}`);
  store.retain(messageOf(`t/${batch % 20}`, String(batch)), batch);
  store.deleteRetained(`t/${(batch + 10) % 20}`);
  if (batch % 4 === 0) store.saveWill(one, messageOf("w", String(batch)), { delay: batch, dueAt: undefined });
  if (batch % 4 === 2) store.deleteWill(one);
}

/** The numbers of the deliveries that a batch adds. */
function numbersOf(batch: number): number[] {
  return Array.from({ length: batch % 5 }, (_, i) => batch * 10 + i + 1);
}

function addDeliveries(store: Store, batch: number): void {
  for (const sequence of numbersOf(batch)) {
    const message = messageOf("t", String(sequence).padStart(batch % 3 === 0 ? 3000 : 10));
    for (const [i, clientId] of clientIds.entries()) {
      if ((batch + i) % 3 > 0) store.addDelivery(clientId, sequence, message, batch, { qos: 1, retain: false });
      if (sequence % 2 > 0) store.sent(clientId, sequence, sequence % 65_535 + 1);
    }
  }
}

function endDeliveries(store: Store, batch: number, which: (sequence: number) => boolean): void {
  if (batch < 0) return;
  for (const clientId of clientIds) {
    for (const sequence of numbersOf(batch).filter(which)) store.deleteDelivery(clientId, sequence);
  }
}
