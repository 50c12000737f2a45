// Why something did not arrive: what was dropped, refused or went wrong, kept for a while so that it can be asked for afterwards.
// Bounded: of each client its latest kinds of losses, of the clients those that were last heard of. The same loss again is counted, not
// kept again.
import type { BrokerEvent } from "./events.ts";
import { matches } from "./topics/filter.ts";

/** How many clients, and how many kinds of losses of each. */
const CLIENTS = 1000, KINDS = 50;

/** The events that explain a loss. */
type Loss = Extract<
  BrokerEvent,
  { type: "dropped" | "denied" | "refused" | "disconnected" | "routing-error" | "observer-error" | "hook-error" }
>;

/** Something that was lost, refused or went wrong, once or several times in the same way. */
export interface LedgerEntry {
  /** The kind of event that told it. */
  readonly type: Loss["type"];
  /** The client that it concerns; `undefined` where no single one is concerned. */
  readonly client: string | undefined;
  /** The topic name or filter; `undefined` for several at once, or none. */
  readonly topic: string | undefined;
  /** Why, as in the event. */
  readonly reason: string;
  /** More of it, for people. */
  readonly detail: string | undefined;
  /** How often. */
  readonly count: number;
  /** When it happened first, and last. */
  readonly first: Date;
  readonly last: Date;
}

/** What to look for; everything where nothing is said. */
export interface LedgerQuery {
  /** The client that missed something, or was refused. */
  readonly client?: string;
  /** A topic name or topic filter. */
  readonly topic?: string;
}

interface Kept extends LedgerEntry {
  count: number;
  last: Date;
  detail: string | undefined;
}

/** The losses of one broker. */
export class Ledger {
  readonly #byClient = new Map<string | undefined, Kept[]>();
  readonly #now: () => Date;

  /** @param now tells the time */
  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Takes notice of an event. */
  note(event: BrokerEvent): void {
    const loss = lossOf(event);
    if (!loss) return;
    const { count, ...about } = loss, now = this.#now(), entries = this.#of(about.client);
    const known = entries.findLast((entry) => sameKind(entry, about));
    if (known) {
      known.count += count;
      known.last = now;
      known.detail = about.detail;
      return;
    }
    if (entries.length >= KINDS) entries.splice(oldest(entries, ({ last }) => last), 1);
    entries.push({ ...about, count, first: now, last: now });
  }

  /**
   * What is known, latest first.
   *
   * @throws {TypeError} where the topic is not a valid topic filter
   */
  find({ client, topic }: LedgerQuery = {}): readonly LedgerEntry[] {
    const matching = topic === undefined ? () => true : topicTest(topic);
    const clients = client === undefined ? [...this.#byClient.keys()] : [client, undefined];
    return clients.flatMap((client) => this.#byClient.get(client) ?? [])
      .filter((entry) => entry.topic === undefined || matching(entry.topic))
      .sort((a, b) => b.last.getTime() - a.last.getTime())
      .map((entry) => ({ ...entry }));
  }

  #of(client: string | undefined): Kept[] {
    let entries = this.#byClient.get(client);
    if (entries) return entries;
    if (this.#byClient.size >= CLIENTS) {
      const clients = [...this.#byClient];
      this.#byClient.delete(clients[oldest(clients, ([, entries]) => entries.at(-1)!.last)]![0]);
    }
    this.#byClient.set(client, entries = []);
    return entries;
  }
}

/** The place of the one with the earliest time. */
function oldest<T>(list: readonly T[], time: (item: T) => Date): number {
  let found = 0;
  for (let i = 1; i < list.length; i++) if (time(list[i]!) < time(list[found]!)) found = i;
  return found;
}

/** A topic is meant by its own name, also where it is a filter that was refused. */
function topicTest(wanted: string): (topic: string) => boolean {
  const matching = matches(wanted);
  return (topic) => topic === wanted || matching({ topic });
}

/** Whether an event tells of something that was lost or refused, or went wrong. */
export function isLoss(event: BrokerEvent): boolean {
  return lossOf(event) !== undefined;
}

type About = Omit<LedgerEntry, "count" | "first" | "last">;

function sameKind(entry: LedgerEntry, { type, topic, reason }: About): boolean {
  return entry.type === type && entry.topic === topic && entry.reason === reason;
}

function lossOf(event: BrokerEvent): About & { readonly count: number } | undefined {
  switch (event.type) {
    case "dropped":
    case "denied": {
      const { type, client, topic, reason } = event;
      return { type, client, topic, reason, detail: undefined, count: event.type === "dropped" ? event.count : 1 };
    }
    case "refused":
    case "disconnected": {
      const { type, client, reason, detail } = event;
      return reason === "disconnect" ? undefined : { type, client, topic: undefined, reason, detail, count: 1 };
    }
    case "routing-error":
    case "observer-error":
    case "hook-error": {
      const topic = "topic" in event ? event.topic : undefined, reason = "hook" in event ? event.hook : "threw";
      return { type: event.type, client: undefined, topic, reason, detail: String(event.error), count: 1 };
    }
  }
}
