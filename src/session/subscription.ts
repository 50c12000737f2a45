// A session's subscription, as the topic index keeps it, and how the subscribers of one topic become the list of those that are
// called for a message: a session is called once, however many of its filters match.
import type { Message, QoS } from "../message.ts";
import type { Session } from "./session.ts";

/** Whoever takes routed messages: a subscription of a session, or an observer in the broker's process. */
export interface Subscriber {
  next(message: Message): void;
}

/** One topic filter of a session (3.1.1 section 3.8). */
export class Subscription implements Subscriber {
  readonly session: Session;
  readonly filter: string;
  /** The granted maximum. */
  readonly qos: QoS;

  constructor(session: Session, filter: string, qos: QoS) {
    this.session = session;
    this.filter = filter;
    this.qos = qos;
  }

  /** Delivers at the lower of the published and the granted quality of service [MQTT-3.8.4-6]. */
  next(message: Message): void {
    this.session.deliver(message, lower(message.qos, this.qos), false); // [MQTT-3.3.1-9]
  }
}

/** The lower of two qualities of service. */
export function lower(a: QoS, b: QoS): QoS {
  return a < b ? a : b;
}

/** Of the subscriptions of one session that match, the one with the highest quality of service [MQTT-3.3.5-1]. */
export function compileRoute(subscribers: Subscriber[]): readonly Subscriber[] {
  const route = new Map<unknown, Subscriber>();
  for (const subscriber of subscribers) {
    if (!(subscriber instanceof Subscription)) {
      route.set(subscriber, subscriber);
      continue;
    }
    const other = route.get(subscriber.session) as Subscription | undefined;
    if (!other || other.qos < subscriber.qos) route.set(subscriber.session, subscriber);
  }
  return [...route.values()];
}
