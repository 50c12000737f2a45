// The last retained message of each topic (3.1.1 section 3.3.1.3), kept level by level, so that a new subscription finds those
// that match without a look at the others.
import type { Deadline, Deadlines } from "../deadlines.ts";
import { levelKeys } from "../keys.ts";
import type { Memory } from "../memory.ts";
import type { Message, QoS } from "../message.ts";

class Level {
  readonly children = new Map<string, Level>();
  message: Message | undefined;
  /** The number of the update that set the message. */
  version = 0;
  expiry: Deadline | undefined;
}

const nothing = new Level();

/** What a level takes beside its message, in bytes: a message on a topic of its own can bring as many as a topic may have. */
const LEVEL = 250;

/** How many levels a search looks at before it lets others go on. */
const PATIENCE = 1000;

/** A place in the tree during a search: what is left to be looked at in one level. */
interface Step {
  readonly levels: Iterator<Level, undefined>;
  readonly depth: number;
}

/** Keeps retained messages beyond the process. */
export interface RetainedKeeper {
  retain(message: Message): void;
  /** @param qos that of the message which says so; 0 where time does */
  forget(topic: string, qos: QoS): void;
}

/** What retained messages need of their broker. */
export interface RetainedOptions {
  readonly deadlines: Deadlines;
  readonly memory: Memory;
  /** What keeps them beyond the process. */
  readonly keeper?: RetainedKeeper | undefined;
  /** The bounds of all of them. */
  readonly limits: { readonly retainedMessages: number; readonly retainedBytes: number };
}

/** The retained messages of a broker. */
export class RetainedMessages {
  readonly #root = new Level();
  readonly #options: RetainedOptions;
  #size = 0;
  #bytes = 0;
  #version = 0;

  constructor(options: RetainedOptions) {
    this.#options = options;
  }

  /** How many messages are retained. */
  get size(): number {
    return this.#size;
  }

  /** The bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes notice of a published message: one with RETAIN replaces the last one of its topic, or, where empty, removes it. False where
   * there is no room for it.
   */
  update(message: Message): boolean {
    if (!message.retain) return true; // [MQTT-3.3.1-12]
    if (message.size === 0) this.#delete(message.topic, message.qos); // [MQTT-3.3.1-10], [MQTT-3.3.1-11]
    else if (!this.hasRoom(message)) return false;
    else {
      const kept = this.#set(message);
      this.#options.keeper?.retain(kept);
    }
    return true;
  }

  /** Takes up one that was kept, unless it has expired `now`. */
  restore(message: Message, now: number): void {
    if (message.expiresAt !== undefined && message.expiresAt <= now) this.#options.keeper?.forget(message.topic, 0);
    else this.#set(message, message.expiresAt === undefined ? undefined : message.expiresAt - now);
  }

  /** Whether a message can be retained within the limits. */
  hasRoom(message: Message): boolean {
    const { memory, limits: { retainedMessages, retainedBytes } } = this.#options;
    if (this.#size < retainedMessages && this.#bytes + message.weight <= retainedBytes && !memory.full) return true;
    const former = this.#at(message.topic); // in whose place it would come
    if (!former) return false;
    const more = message.weight - former.weight;
    return more <= 0 || this.#bytes + more <= retainedBytes && !memory.full;
  }

  #at(topic: string): Message | undefined {
    let level: Level | undefined = this.#root;
    for (const name of levelKeys(topic)) level = level?.children.get(name);
    return level?.message;
  }

  #count(former: Message | undefined, next: Message | undefined): void {
    const bytes = (next?.weight ?? 0) - (former?.weight ?? 0);
    this.#size += (next ? 1 : 0) - (former ? 1 : 0);
    this.#bytes += bytes;
    this.#options.memory.add(bytes);
  }

  /** @param expiresIn milliseconds; default: the expiry interval of the message */
  #set(message: Message, expiresIn = expiryOf(message)): Message {
    let level = this.#root;
    for (const name of levelKeys(message.topic)) {
      let child = level.children.get(name);
      if (!child) {
        level.children.set(name, child = new Level());
        this.#options.memory.add(LEVEL + name.length);
      }
      level = child;
    }
    const payload = new Uint8Array(message.size); // its own: the message's may be a small view of a large buffer
    message.copyTo(payload, 0);
    const kept = message.with({ payload });
    this.#count(level.message, kept);
    level.message = kept;
    level.version = ++this.#version;
    level.expiry?.cancel();
    level.expiry = expiresIn === undefined
      ? undefined
      : this.#options.deadlines.start(expiresIn, { expired: () => this.#delete(message.topic) });
    return kept;
  }

  #delete(topic: string, qos: QoS = 0): void {
    const path = [this.#root], names = levelKeys(topic);
    for (const name of names) {
      const child = path.at(-1)!.children.get(name);
      if (!child) return;
      path.push(child);
    }
    if (path.at(-1)!.message) this.#options.keeper?.forget(topic, qos);
    this.#count(path.at(-1)!.message, undefined);
    path.at(-1)!.message = undefined;
    path.at(-1)!.expiry?.cancel();
    for (let depth = names.length; depth > 0; depth--) {
      const { message, children } = path[depth]!;
      if (message || children.size > 0) return;
      path[depth - 1]!.children.delete(names[depth - 1]!);
      this.#options.memory.add(-(LEVEL + names[depth - 1]!.length));
    }
  }

  /**
   * The retained messages that match a filter, found one by one as they are asked for. One that comes after this call is left
   * out: a subscriber gets it when it is published, and getting it here would be out of order [MQTT-4.6.0-6].
   */
  *matching(filter: string): Generator<Message, void, undefined> {
    for (const message of this.search(filter)) if (message) yield message;
  }

  /** The same, with nothing in between where it takes long to find the next one: the search can go on later. */
  search(filter: string): Generator<Message | undefined, void, undefined> {
    return this.#find(filter, this.#version);
  }

  *#find(filter: string, version: number): Generator<Message | undefined, void, undefined> {
    const wanted = levelKeys(filter), path: Step[] = [{ levels: [this.#root].values(), depth: 0 }];
    for (let visited = 1; path.length > 0; visited++) {
      const { levels, depth } = path.at(-1)!, { value: level } = levels.next(), name = wanted[depth];
      if (visited % PATIENCE === 0) yield undefined;
      if (!level) {
        path.pop();
        continue;
      }
      const found = (depth === wanted.length || name === "#") && level.message;
      if (found && level.version <= version) yield found;
      if (name === "#") path.push({ levels: this.#visible(level), depth });
      else if (name === "+") path.push({ levels: this.#visible(level), depth: depth + 1 });
      else if (name !== undefined && level.children.has(name)) {
        path.push({ levels: [level.children.get(name)!].values(), depth: depth + 1 });
      }
    }
  }

  /**
   * The children that a wildcard stands for: at the first level not those that start with $ [MQTT-4.7.2-1]. In place of each of
   * those comes one where nothing is to be found: to pass over it is a step of the search, too.
   */
  *#visible(level: Level): Generator<Level, undefined, undefined> {
    for (const [name, child] of level.children) {
      yield level === this.#root && name.startsWith("$") ? nothing : child;
    }
  }
}

function expiryOf({ properties }: Message): number | undefined {
  return properties?.messageExpiryInterval === undefined ? undefined : properties.messageExpiryInterval * 1000;
}
