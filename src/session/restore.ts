// From what a store has kept to a session, when the broker starts. Nothing of a queue is read before its client is there.
import type { WallTime } from "../clock.ts";
import type { Durability } from "../durability.ts";
import { Message, type QoS } from "../message.ts";
import { type OverloadPolicy, policyOf } from "../overload.ts";
import type { RetainedKeeper } from "../topics/retained.ts";
import { parseFilter } from "../topics/shared.ts";
import type { StoredMessage, StoredSession, SubscriptionTerms } from "../store/store.ts";
import { Backlog } from "./backlog.ts";
import { Delivery } from "./queue.ts";
import { type RecordContext, SessionRecord } from "./record.ts";
import { type FormerState, Session } from "./session.ts";
import type { SessionContext } from "./sessions.ts";

/** A session as it was when the broker was stopped, without a connection. */
export function restoreSession(stored: StoredSession, context: SessionContext, records: RecordContext): Session {
  const { clientId, expiry, nextSequence, subscriptions } = stored;
  const record = new SessionRecord(clientId, records, expiry === 0, nextSequence);
  const policies = new Map(
    [...subscriptions].map(([filter, terms]) => [filter, chosen(clientId, filter, terms, context)]),
  );
  const session = new Session(clientId, expiry, context, record, formerState(stored, commonPolicy(policies), records));
  for (const [filter, terms] of subscriptions) {
    session.subscriptions.restore(filter, { ...terms, overload: policies.get(filter)! });
  }
  return session;
}

/** The policy of a subscription is not stored: it is chosen anew, as far as its client is known. */
function chosen(id: string, filter: string, { qos }: SubscriptionTerms, context: SessionContext): OverloadPolicy {
  const client = { id, username: undefined, remote: "" };
  return policyOf(context.overload, { client, filter: parseFilter(filter).filter, qos }, context.report);
}

/** That of what waits: through which subscription it came is not known any more. */
function commonPolicy(policies: ReadonlyMap<string, OverloadPolicy>): OverloadPolicy {
  const [policy = "drop-newest", ...others] = new Set(policies.values());
  return others.length > 0 ? "drop-newest" : policy;
}

function formerState(stored: StoredSession, overload: OverloadPolicy, records: RecordContext): FormerState {
  const { received, released, deliveries: { count, bytes, sent } } = stored;
  const read = (after: number) => restored(stored.clientId, after, overload, records);
  return {
    count,
    received,
    released,
    inFlight: () => take(sent, read(0), ({ packetId }) => packetId > 0),
    backlog(inFlight) {
      const rest = inFlight.reduce((rest, { message }) => rest - message.weight, bytes);
      return new Backlog((after) => take(Infinity, read(after), ({ packetId }) => packetId === 0), count - sent, rest);
    },
  };
}

/** The first ones that are wanted. */
function* take(
  count: number,
  deliveries: Iterable<Delivery>,
  wanted: (delivery: Delivery) => boolean,
): Generator<Delivery, void, undefined> {
  if (count === 0) return;
  for (const delivery of deliveries) {
    if (!wanted(delivery)) continue;
    yield delivery;
    if (--count === 0) return;
  }
}

function* restored(
  clientId: string,
  after: number,
  overload: OverloadPolicy,
  { store, wallTime }: RecordContext,
): Generator<Delivery, void, undefined> {
  for (const { sequence, packetId, terms, message } of store.deliveries(clientId, after)) {
    const delivery = new Delivery(restoredMessage(message, wallTime), { overload, ...terms });
    delivery.sequence = sequence;
    delivery.packetId = packetId;
    yield delivery;
  }
}

/** A message whose time of acceptance is one of the broker's clock. */
export function restoredMessage({ acceptedAt, ...message }: StoredMessage, wallTime: WallTime): Message {
  return new Message({ ...message, acceptedAt: acceptedAt && wallTime.toClock(acceptedAt) });
}

/** What the broker tells of itself every few seconds is told anew after a start. */
function isPassing({ topic, qos, client }: Message): boolean {
  return qos === 0 && client === undefined && topic.startsWith("$SYS/");
}

/**
 * Keeps retained messages in a store. While that can't be written to, those of QoS 0 go on: their publishers have been promised
 * nothing, and their subscribers need not wait.
 */
export function keeperOf({ store, wallTime }: RecordContext, durability: Durability): RetainedKeeper {
  const change = (qos: QoS, change: () => void) => {
    if (qos === 0 && durability.failing) durability.aside(change);
    else change();
  };
  return {
    retain(message) {
      if (!isPassing(message)) change(message.qos, () => store.retain(message, wallTime.of(message.acceptedAt)));
    },
    forget: (topic, qos) => change(qos, () => store.deleteRetained(topic)),
  };
}
