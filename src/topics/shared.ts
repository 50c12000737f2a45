// Shared subscriptions, `$share/group/filter` (5.0 section 4.8.2): each message goes to one member of the group. A group stands in
// the topic index like any other subscriber.
import type { Message } from "../message.ts";
import { topicFilterFault } from "./filter.ts";

/** Who shares a subscription. */
export interface Member {
  /** 2 for one that takes a message at once, 1 for one that is connected, 0 for one that is not. */
  readonly readiness: number;
  /** Takes a message. */
  next(message: Message): void;
  /** Whether it can take a message that was another one's, and loses nothing for it; default: yes. */
  hasRoom?(message: Message): boolean;
}

/** A filter as it was subscribed to, taken apart; no group where it is not shared. */
export interface ParsedFilter {
  readonly group: string | undefined;
  readonly filter: string;
}

/** Takes `$share/group/filter` apart. */
export function parseFilter(filter: string): ParsedFilter {
  if (!filter.startsWith("$share/")) return { group: undefined, filter };
  const end = filter.indexOf("/", 7);
  return { group: filter.slice(7, end < 0 ? undefined : end), filter: end < 0 ? "" : filter.slice(end + 1) };
}

/** What is wrong with a filter that may be shared, as a sentence, or `undefined` [MQTT5-4.8.2-1], [MQTT5-4.8.2-2]. */
export function sharedFilterFault(filter: string): string | undefined {
  const parsed = parseFilter(filter);
  if (parsed.group === undefined) return topicFilterFault(filter);
  return groupNameFault(parsed.group) ?? topicFilterFault(parsed.filter);
}

/** What is wrong with the name of a shared subscription, as a sentence, or `undefined`. */
export function groupNameFault(group: string): string | undefined {
  if (group === "") return "Name of a shared subscription is empty: it needs at least one character";
  if (/[/+#]/.test(group)) return `Name of a shared subscription "${group}" holds "/", "+" or "#"`;
}

/** How many members are asked to take a message that one of them leaves, and how often they may say no to all of those. */
const ASKED = 32, REFUSALS = 10_000;

/** The members of one shared subscription. */
export class SharedGroup {
  /** The filter that it was subscribed to with, `$share/group/filter`. */
  readonly name: string;
  readonly #members: Member[] = [];
  #last = -1;
  /** Who is asked next to take what another one leaves. */
  #heir = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** True where nobody is left. */
  get empty(): boolean {
    return this.#members.length === 0;
  }

  add(member: Member): void {
    this.#members.push(member);
  }

  delete(member: Member): void {
    const position = this.#members.indexOf(member);
    if (position < 0) return;
    this.#members.splice(position, 1);
    if (position <= this.#last) this.#last--;
  }

  /** Hands the message to the next member in turn, of those that are readiest. False where there is none. */
  next(message: Message): boolean {
    const members = this.#members;
    let best = -1, readiness = -1;
    for (let i = 1; i <= members.length && readiness < 2; i++) {
      const position = (this.#last + i) % members.length, found = members[position]!.readiness;
      if (found > readiness) [best, readiness] = [position, found];
    }
    if (best < 0) return false;
    this.#last = best;
    members[best]!.next(message);
    return true;
  }

  /** Shares out what a former member leaves, to the readiest first. Returns how many messages nobody has room for. */
  inherit(messages: readonly Message[]): number {
    return [2, 1, 0].reduce((left, readiness) => this.#shareOut(left, readiness), messages).length;
  }

  /** Gives each message to the next one in turn of those that are just so ready, as long as that is so; the result is what is left. */
  #shareOut(messages: readonly Message[], readiness: number): readonly Message[] {
    const heirs = this.#members.filter((member) => member.readiness === readiness),
      most = Math.min(heirs.length, ASKED);
    let refusals = 0;
    return messages.filter((message) => {
      for (let asked = 0; asked < most && refusals < REFUSALS; asked++, refusals++) {
        const heir = heirs[this.#heir++ % heirs.length]!;
        if (heir.readiness !== readiness || heir.hasRoom?.(message) === false) continue;
        heir.next(message);
        return false;
      }
      return true;
    });
  }
}

/** Where groups stand to be found by topic. */
interface Index {
  add(filter: string, group: SharedGroup): void;
  delete(filter: string, group: SharedGroup): void;
}

/** The shared subscriptions of a broker, by `$share/group/filter`. */
export class SharedGroups {
  readonly #index: Index;
  readonly #groups = new Map<string, SharedGroup>();

  constructor(index: Index) {
    this.#index = index;
  }

  /** True where there is none. */
  get empty(): boolean {
    return this.#groups.size === 0;
  }

  /** The group of a filter, made where it is the first of its kind; `undefined` for a filter that is not shared. */
  get(shared: string): SharedGroup | undefined {
    const { group, filter } = parseFilter(shared);
    if (group === undefined) return undefined;
    let found = this.#groups.get(shared);
    if (!found) {
      this.#groups.set(shared, found = new SharedGroup(shared));
      this.#index.add(filter, found);
    }
    return found;
  }

  /** Leaves messages to the group that has this name now. Returns how many of them nobody has room for. */
  leaveTo(shared: string, messages: readonly Message[]): number {
    return this.#groups.get(shared)?.inherit(messages) ?? messages.length;
  }

  /** Takes a member out, and the group out of the index with its last one. */
  leave(shared: string, member: Member): void {
    const group = this.#groups.get(shared);
    group?.delete(member);
    if (!group?.empty) return;
    this.#groups.delete(shared);
    this.#index.delete(parseFilter(shared).filter, group);
  }
}
