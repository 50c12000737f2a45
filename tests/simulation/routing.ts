// Who must get a message, told as simply as possible: each session is asked, each of its filters is tried. Here are the retained
// messages, too, and the shared subscriptions, of which it is only known that one of the members gets a message.
import type { Deliveries } from "./deliveries.ts";
import type { Accepted, Moment, Replay, Share, Terms } from "./delivery.ts";
import type { Published } from "./history.ts";

/** How a filter was subscribed to. */
export interface Options {
  readonly qos: number;
  readonly nl: boolean;
  readonly rap: boolean;
  readonly identifier: number | undefined;
}

/** A session, as far as messages are concerned. */
export interface Subscriber {
  readonly client: string;
  readonly subscriptions: Map<string, Options>;
  readonly deliveries: Deliveries;
  /** It may have ended already. */
  ending: boolean;
}

/** What is published to whom. */
export class Routing {
  readonly #subscribers: ReadonlyMap<string, Subscriber>;
  readonly #moment: Moment;
  readonly #retained = new Map<string, Accepted>();
  readonly #shares = new Set<Share>();

  constructor(subscribers: ReadonlyMap<string, Subscriber>, moment: Moment) {
    this.#subscribers = subscribers;
    this.#moment = moment;
  }

  /** Topics of the messages that are retained. */
  get retained(): readonly string[] {
    return [...this.#retained.keys()];
  }

  /** A message goes to its subscribers; it was accepted at a time in milliseconds. */
  route(published: Published, at = this.#moment.now): void {
    const { expiry = Infinity, topic, retain, text } = published, groups = new Set<string>();
    const message = { ...published, expiresAt: at + expiry * 1000 };
    if (retain && text === "") this.#retained.delete(topic);
    else if (retain) this.#retained.set(topic, message);
    for (const { client, subscriptions, deliveries } of this.#subscribers.values()) {
      const options: Options[] = [];
      for (const [filter, option] of subscriptions) {
        const { group, plain } = parse(filter);
        if (!matches(plain, topic)) continue;
        if (group) groups.add(filter);
        else if (!(option.nl && message.client === client)) options.push(option);
      }
      if (options.length > 0) deliveries.expect(message, termsOf(message, options), this.#moment);
    }
    for (const name of groups) {
      const share = {
        name,
        message,
        candidates: new Set<Deliveries>(),
        taken: false,
        mayBeLost: false,
        loose: false,
      };
      this.#shares.add(share);
      this.#offer(share);
    }
  }

  /** A filter has been subscribed to: the retained messages follow, where they are wanted. */
  subscribed({ client, deliveries }: Subscriber, filter: string, options: Options, wantsRetained: boolean): void {
    if (parse(filter).group) {
      for (const share of this.#shares) { // what is left of a session that is about to end
        const left = share.name === filter && share.loose && !share.taken;
        if (left) deliveries.expect(share.message, termsOf(share.message, [options]), this.#moment, { share });
      }
    } else if (wantsRetained) {
      const retains = (one: Accepted) => this.#retained.get(one.topic) === one && one.expiresAt > this.#moment.now;
      const replay: Replay = { retains };
      for (const message of this.#retained.values()) {
        const wanted = matches(filter, message.topic) && !(options.nl && message.client === client) &&
          replay.retains(message);
        const terms = { ...termsOf(message, [options]), retain: true };
        if (wanted) deliveries.expect(message, terms, this.#moment, { replay });
      }
    }
  }

  /** A session is over, or may be: the shared messages that it has go to the others. */
  passOn({ deliveries }: Subscriber): void {
    for (const share of deliveries.shares) {
      deliveries.lose(share);
      share.loose = true;
      if (!share.taken) this.#offer(share);
    }
  }

  /** A shared message that nobody has got, and somebody must have; such messages are told once. */
  missed(): Share | undefined {
    const missed = [...this.#shares].find(({ taken, mayBeLost }) => !taken && !mayBeLost);
    this.#shares.clear();
    return missed;
  }

  /** Nothing is kept. */
  clear(): void {
    this.#retained.clear();
    this.#shares.clear();
  }

  #offer(share: Share): void {
    const members = [...this.#subscribers.values()].filter(({ subscriptions }) => subscriptions.has(share.name));
    if (members.some(({ ending }) => ending)) share.loose = true; // it may be that one's, and then somebody else's
    for (const { deliveries, subscriptions } of members) {
      const terms = termsOf(share.message, [subscriptions.get(share.name)!]);
      deliveries.expect(share.message, terms, this.#moment, { share });
    }
    if (members.every(({ ending }) => ending)) share.mayBeLost = true;
  }
}

/** One delivery, however many filters match. */
function termsOf(message: Accepted, options: readonly Options[]): Terms {
  return {
    qos: Math.min(message.qos, Math.max(...options.map(({ qos }) => qos))),
    retain: message.retain && options.some(({ rap }) => rap),
    identifiers: options.flatMap(({ identifier }) => identifier ?? []).toSorted((a, b) => a - b),
  };
}

function parse(filter: string): { readonly group: string | undefined; readonly plain: string } {
  const [, group, plain] = /^\$share\/([^/]+)\/(.*)$/.exec(filter) ?? [undefined, undefined, filter];
  return { group, plain: plain! };
}

const patterns = new Map<string, RegExp>();

/** Whether a topic matches a filter, by a pattern that says the same. */
function matches(filter: string, topic: string): boolean {
  let pattern = patterns.get(filter);
  if (!pattern) {
    const levels = filter.replaceAll("$", "\\$").replaceAll("+", "[^/]*").replace(/^#$/, ".*").replace(
      /\/#$/,
      "(/.*)?",
    );
    patterns.set(filter, pattern = new RegExp(`^${/^[+#]/.test(filter) ? "(?!\\$)" : ""}${levels}$`));
  }
  return pattern.test(topic);
}
