// What was published and acknowledged, and who had subscribed at that time: from that follows what each subscriber must have received.
// All that it knows are the clients' own records. Times are counted, not measured: clients and book are one process.
import { matches } from "../../src/topics/filter.ts";
import type { FaithfulClient, Receipt } from "./faithful_client.ts";

/** Something that was begun, and acknowledged later, or not yet. */
interface Act {
  readonly begun: number;
  done: number;
}

interface Publication extends Act {
  readonly publisher: string;
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
}

/** How long a client was subscribed: from somewhere in `on` to somewhere in `off`. */
interface Subscription {
  readonly filter: string;
  readonly matches: (message: { readonly topic: string }) => boolean;
  readonly qos: number;
  readonly on: Act;
  off: Act;
}

const never: Act = { begun: Infinity, done: Infinity };

/** The records of all clients. */
export class Book {
  #time = 0;
  readonly #publications = new Map<string, Publication>();
  readonly #subscriptions = new Map<FaithfulClient, Subscription[]>();
  readonly #retained = new Map<string, string>();

  /** How many messages were published. */
  get published(): number {
    return this.#publications.size;
  }

  /** The last message of each topic that was retained, where that is not empty. */
  get retained(): ReadonlyMap<string, string> {
    return this.#retained;
  }

  /** Publishes a message with a payload that no other one has; of a topic, one client publishes. */
  async publish(client: FaithfulClient, topic: string, payload: string, qos: 1 | 2, retain = false): Promise<void> {
    const publication = { ...this.#begin(), publisher: client.id, topic, payload, qos };
    if (payload !== "") this.#publications.set(payload, publication);
    if (retain && payload !== "") this.#retained.set(topic, payload);
    else if (retain) this.#retained.delete(topic);
    await client.publish(topic, payload, qos, retain);
    publication.done = ++this.#time;
  }

  async subscribe(client: FaithfulClient, filter: string, qos: number): Promise<void> {
    const subscription = { filter, matches: matches(filter), qos, on: this.#begin(), off: never };
    const all = this.#subscriptions.get(client) ?? [];
    this.#subscriptions.set(client, [...all, subscription]);
    await client.subscribe(filter, qos);
    subscription.on.done = ++this.#time;
  }

  async unsubscribe(client: FaithfulClient, filter: string): Promise<void> {
    const off = this.#begin(), all = this.#subscriptions.get(client) ?? [];
    for (const subscription of all) {
      if (subscription.filter === filter && subscription.off === never) subscription.off = off;
    }
    await client.unsubscribe(filter);
    off.done = ++this.#time;
  }

  #begin(): Act {
    return { begun: ++this.#time, done: Infinity };
  }

  /** What is wrong, once everything has come to rest. */
  faults(): string[] {
    const unfinished = [...this.#publications.values()].filter(({ done }) => done === Infinity);
    return [
      ...unfinished.map(({ publisher, payload }) => `"${payload}" of ${publisher} was never acknowledged`),
      ...[...this.#subscriptions].flatMap(([client, subscriptions]) => this.#faultsOf(client, subscriptions)),
    ];
  }

  #faultsOf(client: FaithfulClient, subscriptions: readonly Subscription[]): string[] {
    const received = Map.groupBy(client.receipts.filter(({ retain }) => !retain), ({ payload }) => payload);
    const faults = client.faults.map((fault) => `${client.id}: ${fault}`);
    for (const publication of this.#publications.values()) {
      const { payload, qos } = publication, receipts = received.get(payload) ?? [];
      received.delete(payload);
      const wrong = countFault(publication, receipts, subscriptions);
      if (wrong) faults.push(`${client.id}: "${payload}" of QoS ${qos} ${wrong}`);
    }
    for (const payload of received.keys()) faults.push(`${client.id}: "${payload}" was never published`);
    return [...faults, ...this.#orderFaults(client)];
  }

  /** What was received for the first time is in the order of its publication, for each topic [MQTT-4.6.0-6]. */
  #orderFaults({ id, receipts }: FaithfulClient): string[] {
    const last = new Map<string, Publication>(), seen = new Set<string>(), faults: string[] = [];
    for (const { payload, retain } of receipts) {
      const publication = this.#publications.get(payload);
      if (retain || !publication || seen.has(payload)) continue;
      seen.add(payload);
      const before = last.get(publication.topic);
      last.set(publication.topic, publication);
      if (before && before.begun > publication.begun) {
        faults.push(`${id}: "${payload}" came behind "${before.payload}"`);
      }
    }
    return faults;
  }
}

/** What is wrong with how often a message was received. */
function countFault(
  publication: Publication,
  receipts: readonly Receipt[],
  subscriptions: readonly Subscription[],
): string | undefined {
  const { begun, done, qos } = publication, count = receipts.length;
  const possible = subscriptions.filter((one) =>
    one.matches(publication) && one.on.begun < done && one.off.done > begun
  );
  const certain = possible.filter(({ on, off }) => on.done < begun && off.begun > done);
  if (possible.length === 0) return count > 0 ? "was received by one who had not subscribed" : undefined;
  if (certain.length > 0 && count === 0) return "was not received";
  const granted = Math.min(qos, ...possible.map(({ qos }) => qos));
  if (granted === 2 && count > 1) return `was received ${count} times`;
  if (receipts.some((receipt) => receipt.qos < granted || receipt.qos > qos)) return `was received at another QoS`;
  if (receipts.some(({ topic }) => topic !== publication.topic)) return "was received with another topic";
}
