// SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11): several topic filters are handled one after the other, and answered together.
// The answer leaves before the retained messages that the new subscriptions bring. A packet can hold a quarter of a million filters:
// after some of them others have their turn.
import type { Refusal } from "../access/access.ts";
import type { SubscribePacket, SubscriptionRequest, UnsubscribePacket } from "../codec/packet.ts";
import { MqttError, type Reason } from "../errors.ts";
import type { QoS } from "../message.ts";
import type { Session } from "../session/session.ts";
import { policyOf } from "../overload.ts";
import { topicSizeFault } from "../topics/filter.ts";
import { parseFilter, sharedFilterFault } from "../topics/shared.ts";
import type { Connection } from "./connection.ts";
import { decide } from "./decide.ts";

/** How many topic filters are handled in one turn. */
const BATCH = 1000;

/** Answers a SUBSCRIBE. */
export function subscribe(connection: Connection, session: Session, packet: SubscribePacket): void {
  const { messageId, subscriptions, properties } = packet, { dialect } = connection;
  const identifier = properties?.subscriptionIdentifier, results: (QoS | Reason)[] = [], replays: (() => void)[] = [];
  inBatches(connection, subscriptions, (batch, next) => {
    decide(connection, "authorize", batch.map((request) => questionOf(connection, request)), (refusals) => {
      for (const [i, request] of batch.entries()) { // [MQTT-3.9.3-1]
        const refused = refusals[i] ?? quotaFault(connection, session, request);
        if (!refused) replays.push(add(connection, session, request, identifier));
        else denied(connection, request, refused);
        results.push(refused?.reason ?? request.qos);
      }
      next();
    });
  }, () => {
    connection.send(dialect.suback(messageId, results));
    for (const replay of replays) replay();
  });
}

/** Works through filters batch by batch, and does what is to be done then; the packets behind wait, as far as it goes on. */
function inBatches<T>(
  connection: Connection,
  filters: readonly T[],
  work: (batch: readonly T[], next: () => void) => void,
  then: () => void,
  from = 0,
): void {
  const { turn } = connection.context, to = from + BATCH;
  work(from === 0 && filters.length <= to ? filters : filters.slice(from, to), () => {
    if (filters.length <= to) return then();
    const goOn = () => connection.attempt(() => inBatches(connection, filters, work, then, to));
    connection.wait(turn.rest().then(() => turn.run(goOn)));
  });
}

function questionOf({ client, context }: Connection, { topic, qos, nl }: SubscriptionRequest): () => unknown {
  const { authorize } = context.options, { group, filter } = parseFilter(topic);
  if (group !== undefined && nl) {
    throw new MqttError("protocol-error", `No local on the shared subscription "${topic}"`); // [MQTT5-3.8.3-4]
  }
  if (sharedFilterFault(topic) || topicSizeFault(filter, context.options.limits)) {
    return () => "topic-filter-invalid";
  }
  return () => authorize?.({ action: "subscribe", client: client!, topic: filter, group, qos, retain: false }) ?? true;
}

function quotaFault(
  { context: { memory, options: { limits } } }: Connection,
  { subscriptions }: Session,
  { topic }: SubscriptionRequest,
): Refusal | undefined {
  const full = subscriptions.size >= limits.subscriptions || memory.full ||
    subscriptions.shared >= limits.sharedSubscriptions && parseFilter(topic).group !== undefined;
  return full && !subscriptions.has(topic) ? { reason: "quota-exceeded" } : undefined;
}

function denied({ client, context }: Connection, { topic }: SubscriptionRequest, { reason }: Refusal): void {
  context.report({ type: "denied", action: "subscribe", client: client!.id, topic, reason });
}

/** Subscribes; the result sends the retained messages, if any are wanted. Those of shared subscriptions are not. */
function add(
  connection: Connection,
  session: Session,
  request: SubscriptionRequest,
  identifier: number | undefined,
): () => void {
  const { topic, qos } = request, { client, context, dialect } = connection;
  const subscription = { client: client!, filter: parseFilter(topic).filter, qos };
  const overload = policyOf(context.options.overload, subscription, context.report);
  const options = { ...dialect.subscription(request, identifier), overload };
  const isNew = session.subscriptions.set(topic, options);
  context.report({ type: "subscribed", client: session.clientId, filter: topic, qos });
  if (parseFilter(topic).group !== undefined || !dialect.wantsRetained(request, isNew)) return () => {};
  return () => session.replay(topic, qos, identifier, options.noLocal);
}

/** Answers an UNSUBSCRIBE, also where nothing was subscribed [MQTT-3.10.4-5]. */
export function unsubscribe(connection: Connection, session: Session, packet: UnsubscribePacket): void {
  const { context: { report }, dialect } = connection, { messageId, unsubscriptions } = packet, existed: boolean[] = [];
  inBatches(connection, unsubscriptions, (batch, next) => {
    for (const filter of batch) {
      const did = session.subscriptions.delete(filter);
      if (did) report({ type: "unsubscribed", client: session.clientId, filter });
      existed.push(did);
    }
    next();
  }, () => connection.send(dialect.unsuback(messageId, existed))); // [MQTT5-3.11.3-1]
}
