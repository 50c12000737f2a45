// From what a store has kept to a session, when the broker starts. Nothing of a queue is read before its client is there: a million
// messages may be waiting.
import { type Clock, timeOfDay } from "../clock.ts";
import type { Durability } from "../durability.ts";
import { Message, type QoS } from "../message.ts";
import type { RetainedKeeper } from "../topics/retained.ts";
import type { Store, StoredDelivery, StoredSession } from "../store/store.ts";
import { Delivery } from "./queue.ts";
import { SessionRecord, toWallTime } from "./record.ts";
import { type FormerState, Session } from "./session.ts";
import type { SessionContext } from "./sessions.ts";

/** A session as it was when the broker was stopped, without a connection. */
export function restoreSession(stored: StoredSession, context: SessionContext): Session {
  const { clientId, expiry, nextSequence, subscriptions } = stored, store = context.store!;
  const record = new SessionRecord(clientId, { store, clock: context.clock }, expiry === 0, nextSequence);
  const session = new Session(clientId, expiry, context, record, formerState(stored, context));
  for (const [filter, terms] of subscriptions) session.subscriptions.restore(filter, terms);
  return session;
}

function formerState(
  { clientId, received, released, deliveries }: StoredSession,
  context: SessionContext,
): FormerState {
  const store = context.store!;
  let last = 0;
  return {
    received,
    released,
    *inFlight() {
      for (const delivery of restored(store, clientId, 0, context)) {
        if (delivery.packetId === 0) return;
        last = delivery.sequence;
        yield delivery;
      }
    },
    backlog: { ...deliveries, deliveries: later(() => restored(store, clientId, last, context)) },
  };
}

/** An iterator that is made when it is asked for the first time. */
function* later<T>(make: () => Iterable<T>): Generator<T, void, undefined> {
  yield* make();
}

function* restored(
  store: Store,
  clientId: string,
  after: number,
  { clock }: SessionContext,
): Generator<Delivery, void, undefined> {
  for (const { sequence, packetId, terms, message } of store.deliveries(clientId, after)) {
    const delivery = new Delivery(restoredMessage(message, clock), { overload: "drop-newest", ...terms });
    delivery.sequence = sequence;
    delivery.packetId = packetId;
    yield delivery;
  }
}

/** A message whose time of acceptance is one of the broker's clock. */
export function restoredMessage({ acceptedAt, ...message }: StoredDelivery["message"], clock: Clock): Message {
  const offset = timeOfDay(clock).getTime() - clock.now();
  return new Message({ ...message, acceptedAt: acceptedAt === undefined ? undefined : acceptedAt - offset });
}

/**
 * Keeps retained messages in a store. While that can't be written to, those of QoS 0 go on: their publishers have been promised
 * nothing, and their subscribers need not wait.
 */
export function keeperOf(store: Store, clock: Clock, durability: Durability): RetainedKeeper {
  const change = (qos: QoS, change: () => void) => {
    if (qos === 0 && durability.failing) durability.aside(change);
    else change();
  };
  return {
    retain: (message) =>
      change(message.qos, () => store.retain(message, toWallTime(clock, message.acceptedAt ?? clock.now()))),
    forget: (topic, qos) => change(qos, () => store.deleteRetained(topic)),
  };
}
