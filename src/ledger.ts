// Why something did not arrive: what was dropped, refused or went wrong, kept for a while so that it can be asked for afterwards.
// Bounded: of each client its latest kinds of losses, of the clients those that were last heard of. The same loss again is counted, not
// kept again; and nothing that a client can make long is kept as long as it likes.
import type { BrokerEvent } from "./events.ts";
import { matches } from "./topics/filter.ts";

/** How many clients, and how many kinds of losses of each. */
const CLIENTS = 1000, KINDS = 50;

/** Longer client identifiers and topics are not kept, and longer details cut. */
const LONGEST = 256;

/** The events that explain a loss. */
export type Loss = Extract<
  BrokerEvent,
  {
    type:
      | "dropped"
      | "denied"
      | "refused"
      | "disconnected"
      | "routing-error"
      | "observer-error"
      | "hook-error"
      | "store-failed";
  }
>;

/** Something that was lost, refused or went wrong, once or several times in the same way. */
export interface LedgerEntry {
  /** The kind of event that told it. */
  readonly type: Loss["type"];
  /** The client that it concerns; `undefined` where no single one is concerned, and for an identifier of more than 256 characters. */
  readonly client: string | undefined;
  /** The topic name or filter; `undefined` for several at once, for none, and for one of more than 256 characters. */
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
  /** The number of its last time: times may be the same, or set back. */
  readonly order: number;
}

/** By client, the one that was last heard of last; of each the latest last. */
type Shelf = Map<string | undefined, Kept[]>;

/** The losses of one broker. */
export class Ledger {
  readonly #losses: Shelf = new Map();
  /** A place of their own: whoever is refused has claimed any identifier, and must not drive out what is known of others. */
  readonly #refused: Shelf = new Map();
  readonly #now: () => Date;
  #noted = 0;

  /** @param now tells the time */
  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Takes notice of an event. */
  note(event: BrokerEvent): void {
    const loss = lossOf(event);
    if (!loss) return;
    const { count, ...about } = loss, last = this.#now();
    const entries = latest(about.type === "refused" ? this.#refused : this.#losses, about.client);
    const at = entries.findLastIndex((entry) => sameKind(entry, about));
    const [known] = at >= 0 ? entries.splice(at, 1) : [];
    if (entries.length >= KINDS) entries.shift();
    const order = ++this.#noted;
    entries.push({ ...about, count: count + (known?.count ?? 0), first: known?.first ?? last, last, order });
  }

  /**
   * What is known, latest first.
   *
   * @throws {TypeError} where the topic is not a valid topic filter
   */
  find({ client, topic }: LedgerQuery = {}): readonly LedgerEntry[] {
    const matching = topic === undefined ? () => true : topicTest(topic), shelves = [this.#losses, this.#refused];
    const entries = client === undefined
      ? shelves.flatMap((shelf) => [...shelf.values()].flat())
      : shelves.flatMap((shelf) => [client, undefined].flatMap((client) => shelf.get(client) ?? []));
    return entries.filter((entry) => entry.topic === undefined || matching(entry.topic))
      .sort((a, b) => b.order - a.order)
      .map(({ order: _, ...entry }) => entry);
  }
}

/** The entries of a client, which is the last one from here on; in its place the one goes that was not heard of for the longest time. */
function latest(shelf: Shelf, client: string | undefined): Kept[] {
  const entries = shelf.get(client) ?? [];
  shelf.delete(client);
  if (shelf.size >= CLIENTS) shelf.delete(shelf.keys().next().value);
  shelf.set(client, entries);
  return entries;
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
      const { type, client, reason } = event, count = type === "dropped" ? event.count : 1;
      return { type, client: kept(client), topic: kept(event.topic), reason, detail: undefined, count };
    }
    case "refused":
    case "disconnected": {
      const { type, client, reason, detail } = event;
      if (reason === "disconnect") return undefined;
      return { type, client: kept(client), topic: undefined, reason, detail: short(detail), count: 1 };
    }
    case "routing-error":
    case "observer-error":
    case "hook-error":
    case "store-failed": {
      const topic = "topic" in event ? kept(event.topic) : undefined, reason = "hook" in event ? event.hook : "threw";
      return { type: event.type, client: undefined, topic, reason, detail: short(textOf(event.error)), count: 1 };
    }
  }
}

function kept(name: string | undefined): string | undefined {
  return name !== undefined && name.length > LONGEST ? undefined : name;
}

/** Put together anew: a part of a string keeps the whole of it alive. */
function short(text: string): string {
  return text.length > LONGEST ? `${[...text.slice(0, LONGEST)].join("")}...` : text;
}

/** What was thrown may be anything, also what has no text. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return Deno.inspect(error);
  }
}
