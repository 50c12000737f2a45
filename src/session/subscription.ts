// A session's subscription, and how the subscribers of one topic become the list of those that are called for a message: a
// session is called once, however many of its filters match.
import type { Message, QoS } from "../message.ts";
import type { OverloadPolicy } from "../overload.ts";
import { type Member, SharedGroup } from "../topics/shared.ts";
import type { Session } from "./session.ts";
import { plainTerms, TermsTable } from "./terms.ts";

/** Whoever takes routed messages: a session, a shared subscription, or an observer in the broker's process. */
export interface Subscriber {
  next(message: Message): void;
}

/** How a client subscribes (5.0 section 3.8.3.1); up to 3.1.1 only the quality of service can be chosen. */
export interface SubscriptionOptions {
  /** The granted maximum. */
  readonly qos: QoS;
  /** Does not get what the client itself publishes. */
  readonly noLocal: boolean;
  /** Gets RETAIN as it was published. */
  readonly retainAsPublished: boolean;
  /** A number that comes with each delivery. */
  readonly identifier: number | undefined;
  /** What happens to its messages where the session's queue is full; default `drop-newest`. */
  readonly overload?: OverloadPolicy;
}

/** One topic filter of a session (section 3.8). */
export class Subscription implements Member {
  readonly session: Session;
  readonly options: SubscriptionOptions;
  /** The shared subscription that it belongs to. */
  readonly group: SharedGroup | undefined;
  readonly #terms: TermsTable;
  #route: Subscriber | undefined;

  constructor(session: Session, options: SubscriptionOptions, group: SharedGroup | undefined) {
    const { qos, retainAsPublished: keepRetain, identifier, overload = "drop-newest" } = options;
    this.session = session;
    this.options = options;
    this.group = group;
    this.#terms = identifier === undefined && !group
      ? plainTerms(qos, keepRetain, overload)
      : new TermsTable({ qos, keepRetain, identifiers: identifier === undefined ? [] : [identifier], overload, group });
  }

  get readiness(): number {
    return this.session.readiness;
  }

  /** What a topic is routed to that no other subscription of the session matches: the same for all such topics. */
  get route(): Subscriber {
    return this.#route ??= new SessionRoute(this.session, [this]);
  }

  hasRoom(message: Message): boolean {
    try {
      return this.session.hasRoom(message, this.#terms.of(message.qos, message.retain).qos);
    } catch {
      return false; // a store can't read what waits there already
    }
  }

  /** Takes a message that the group has chosen this member for. */
  next(message: Message): void {
    this.session.deliver(message, this.#terms.of(message.qos, message.retain));
  }
}

/** All subscriptions of one session that match a topic: one delivery [MQTT-3.3.5-1], [MQTT5-3.3.4-2]. */
class SessionRoute implements Subscriber {
  readonly #session: Session;
  readonly #all: TermsTable;
  /** For what the client itself has published: without those that asked for no local; nothing where all did. */
  readonly #own: TermsTable | undefined;

  constructor(session: Session, subscriptions: readonly Subscription[]) {
    const own = subscriptions.filter(({ options }) => !options.noLocal);
    this.#session = session;
    this.#all = merge(subscriptions);
    this.#own = own.length === subscriptions.length ? this.#all : own.length > 0 ? merge(own) : undefined;
  }

  next(message: Message): void {
    const terms = message.client === this.#session.clientId ? this.#own : this.#all;
    if (terms) this.#session.deliver(message, terms.of(message.qos, message.retain));
  }
}

/** The terms of several subscriptions: the first one with the highest quality of service says what happens to what finds no room. */
function merge(subscriptions: readonly Subscription[]): TermsTable {
  const qos = subscriptions.reduce<QoS>((highest, { options: { qos } }) => qos > highest ? qos : highest, 0);
  const identifiers = subscriptions.flatMap(({ options: { identifier } }) =>
    identifier === undefined ? [] : [identifier]
  );
  const keepRetain = subscriptions.some(({ options }) => options.retainAsPublished);
  const overload = subscriptions.find(({ options }) => options.qos === qos)?.options.overload ?? "drop-newest";
  return identifiers.length === 0
    ? plainTerms(qos, keepRetain, overload)
    : new TermsTable({ qos, keepRetain, identifiers, overload });
}

/** The list to call for a topic. */
export function compileRoute(subscribers: Subscriber[]): readonly Subscriber[] {
  const route: Subscriber[] = [], sessions = new Map<Session, Subscription[]>();
  for (const subscriber of subscribers) {
    if (!(subscriber instanceof Subscription)) route.push(subscriber);
    else {
      const others = sessions.get(subscriber.session);
      if (others) others.push(subscriber);
      else sessions.set(subscriber.session, [subscriber]);
    }
  }
  for (const [session, subscriptions] of sessions) {
    route.push(subscriptions.length === 1 ? subscriptions[0]!.route : new SessionRoute(session, subscriptions));
  }
  return route;
}
