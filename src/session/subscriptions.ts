// The subscriptions of one session, by topic filter, and their places in the index of the broker.
import { keyOf, nameOf } from "../keys.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./sessions.ts";
import { Subscription, type SubscriptionOptions } from "./subscription.ts";

/** What a subscription takes beside its filter, and about what each level of that takes in the index, in bytes. */
const SUBSCRIPTION = 300, LEVEL = 100;

function weightOf(filter: string): number {
  return SUBSCRIPTION + filter.length + LEVEL * filter.split("/").length;
}

/** What a session has subscribed to. */
export class Subscriptions {
  readonly #session: Session;
  readonly #context: SessionContext;
  #byFilter: Map<string, Subscription> | undefined;
  #shared = 0;

  constructor(session: Session, context: SessionContext) {
    this.#session = session;
    this.#context = context;
  }

  /** How many there are. */
  get size(): number {
    return this.#byFilter?.size ?? 0;
  }

  /** How many of these are shared. */
  get shared(): number {
    return this.#shared;
  }

  /** Whether there is one with exactly this filter. */
  has(filter: string): boolean {
    return this.#byFilter?.has(keyOf(filter)) ?? false;
  }

  /** The one with exactly this filter. */
  get(filter: string): Subscription | undefined {
    return this.#byFilter?.get(keyOf(filter));
  }

  /** All of them, by filter. */
  *entries(): Generator<readonly [filter: string, subscription: Subscription], void, undefined> {
    for (const [key, subscription] of this.#byFilter ?? []) yield [nameOf(key), subscription];
  }

  /** Takes up a subscription that was kept. */
  restore(filter: string, options: SubscriptionOptions): void {
    this.#add(filter, options);
  }

  /** Subscribes, or replaces the subscription with the same filter without a gap [MQTT-3.8.4-3]. True where it is new. */
  set(filter: string, options: SubscriptionOptions): boolean {
    this.#session.record?.subscribe(filter, options);
    return this.#add(filter, options);
  }

  #add(filter: string, options: SubscriptionOptions): boolean {
    const all = this.#byFilter ??= new Map(), former = all.get(keyOf(filter)), group = this.#context.groups.get(filter);
    const subscription = new Subscription(this.#session, options, group);
    all.set(keyOf(filter), subscription);
    if (group) {
      group.add(subscription);
      this.#shared++;
    } else this.#context.index.add(filter, subscription);
    if (former) this.#remove(filter, former);
    else this.#context.memory.add(weightOf(filter));
    return former === undefined;
  }

  /** Deletes the subscription with exactly this filter; what has been queued for it stays [MQTT-3.10.4-1..3]. */
  delete(filter: string): boolean {
    const key = keyOf(filter), subscription = this.#byFilter?.get(key);
    if (!subscription) return false;
    this.#byFilter!.delete(key);
    this.#session.record?.unsubscribe(filter);
    this.#context.memory.add(-weightOf(filter));
    this.#remove(filter, subscription);
    return true;
  }

  /** Takes them all out of the index: the session is over, and with it what is kept of them. */
  clear(): void {
    for (const [key, subscription] of this.#byFilter ?? []) {
      const filter = nameOf(key);
      this.#context.memory.add(-weightOf(filter));
      this.#remove(filter, subscription);
    }
    this.#byFilter = undefined;
  }

  #remove(filter: string, subscription: Subscription): void {
    const { index, groups } = this.#context;
    if (subscription.group) {
      groups.leave(filter, subscription);
      this.#shared--;
    } else index.delete(filter, subscription);
  }
}
