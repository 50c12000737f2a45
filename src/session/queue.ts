// What a session has still to send, first in, first out, bounded in messages and in bytes. An entry may stand for many messages:
// a replay is an iterator (over the retained messages of a new subscription), asked for the next one only when that can be sent.
import type { Backlog } from "./backlog.ts";
import type { Memory } from "../memory.ts";
import type { Message } from "../message.ts";
import type { Terms } from "./terms.ts";

/** A message for one client. */
export class Delivery {
  message: Message;
  terms: Terms;
  /** Given when it is sent at QoS 1 or 2, and how many had been sent so by then. */
  packetId = 0;
  order = 0;
  /** Its number in the store; 0 where it is not kept there. */
  sequence = 0;

  constructor(message: Message, terms: Terms) {
    this.message = message;
    this.terms = terms;
  }
}

/** Deliveries one by one; nothing for now where the next one takes long to find. */
type Replay = Iterator<Delivery | undefined, void>;

/** The bounds of a queue. */
export interface QueueLimits {
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

type Entry = Delivery | Replay | undefined;

/** Why a message had no room. */
export type NoRoom = "queue-full" | "memory-full";

/** What a newer message may replace: one of the same topic, and of the same shared subscription where it is of one. */
function sequenceOf({ message: { topic }, terms: { group } }: Delivery): string {
  return group ? `${topic}\0${group.name}` : topic;
}

/** What a replay takes while it waits, in bytes. */
const REPLAY = 1000;

/** The messages that wait in one session. */
export class DeliveryQueue {
  readonly #limits: QueueLimits;
  readonly #memory: Memory;
  /** It stands before everything else. */
  #backlog: Backlog | undefined;
  #entries: Entry[] = [];
  #head = 0;
  /** Where the first delivery stands, or behind replays and holes that are passed over in search of it. */
  #oldest = 0;
  /** How many places are empty because what stood there was dropped. */
  #holes = 0;
  #messages = 0;
  #bytes = 0;
  /** Where the newest message of a topic waits, where others may replace it: nothing of that topic is behind it. */
  #latest: Map<string, Delivery> | undefined;

  constructor(limits: QueueLimits, memory: Memory, backlog?: Backlog) {
    this.#limits = limits;
    this.#memory = memory;
    if (!backlog || backlog.count === 0) return;
    this.#backlog = backlog;
    this.#messages = backlog.count;
    this.#bytes = backlog.bytes;
  }

  /** True where nothing waits. */
  get empty(): boolean {
    return this.#head === this.#entries.length && !this.#backlog;
  }

  /** How many messages wait; a replay counts as one. */
  get messages(): number {
    return this.#messages;
  }

  /** The bytes of those that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many of them are still in the store alone. */
  get stored(): number {
    return this.#backlog?.count ?? 0;
  }

  /** The deliveries that wait, replays left out, and without the backlog. */
  get deliveries(): readonly Delivery[] {
    return this.#entries.slice(this.#head).filter((entry) => entry instanceof Delivery);
  }

  /** Takes the deliveries of the backlog out, one by one. */
  *takeBacklog(): Generator<Delivery, void, undefined> {
    for (let next = this.#shiftBacklog(); next; next = this.#shiftBacklog()) yield next;
  }

  /**
   * Appends a delivery, or returns why there is no room for it.
   *
   * @param used how much memory may be used after that, also where it is full
   */
  push(delivery: Delivery, used = 0): NoRoom | undefined {
    const noRoom = this.noRoom(delivery.message, used);
    if (noRoom) return noRoom;
    this.#entries.push(delivery);
    this.#hold(delivery);
    return undefined;
  }

  /** Why there is no room for a message, if there is none. */
  noRoom(message: Message, used = 0): NoRoom | undefined {
    const { queuedMessages, queuedBytes } = this.#limits;
    if (this.#messages >= queuedMessages || this.#bytes + message.weight > queuedBytes) return "queue-full";
    return this.#memory.full && this.#memory.with(message) > used ? "memory-full" : undefined;
  }

  /**
   * Puts a message in the place of the one that waits on the same topic: both deliveries, or nothing where there is none. The queue may be
   * overfull after that.
   */
  replace(delivery: Delivery): { readonly former: Delivery; readonly waiting: Delivery } | undefined {
    this.#load();
    const waiting = this.#latest?.get(sequenceOf(delivery));
    if (!waiting) return undefined;
    const former = new Delivery(waiting.message, waiting.terms);
    former.sequence = waiting.sequence;
    this.#count(former.message, -1);
    waiting.message = delivery.message;
    waiting.terms = delivery.terms;
    waiting.sequence = 0;
    this.#count(delivery.message, 1);
    return { former, waiting };
  }

  /** Why more waits than may, if it does, where so much memory was used before. */
  overfull(used: number): NoRoom | undefined {
    if (this.#bytes > this.#limits.queuedBytes) return "queue-full";
    return this.#memory.full && this.#memory.used > used ? "memory-full" : undefined;
  }

  /** Appends a replay, which counts as one message, or returns why there is no room for it: one may wait in any case. */
  pushReplay(replay: Replay): NoRoom | undefined {
    if (this.#messages >= Math.max(this.#limits.queuedMessages, 1)) return "queue-full";
    if (this.#messages > 0 && this.#memory.full) return "memory-full";
    this.#entries.push(replay);
    this.#messages++;
    this.#memory.add(REPLAY);
    return undefined;
  }

  /** Removes those in front that have expired, and returns them. */
  expire(now: number): Delivery[] {
    const expired: Delivery[] = [];
    while (isExpired(this.#backlog?.first, now)) expired.push(this.#shiftBacklog()!);
    if (this.#backlog) return expired;
    for (let next = this.#entries[this.#head]; isExpired(next, now); next = this.#entries[this.#head]) {
      expired.push(next);
      this.#dropHead(next);
    }
    return expired;
  }

  /** Removes the delivery that has waited longest, and returns it; replays stay. */
  dropOldest(): Delivery | undefined {
    const stored = this.#shiftBacklog();
    if (stored) return stored;
    for (this.#oldest = Math.max(this.#oldest, this.#head); this.#oldest < this.#entries.length; this.#oldest++) {
      const entry = this.#entries[this.#oldest];
      if (!(entry instanceof Delivery)) continue;
      if (this.#oldest === this.#head) this.#dropHead(entry);
      else this.#leaveHole(entry);
      return entry;
    }
    return undefined;
  }

  /** Removes and returns the next delivery; nothing where the queue is empty, or where a replay has to search on for a while. */
  shift(): Delivery | undefined {
    const stored = this.#shiftBacklog();
    if (stored) return stored;
    while (!this.empty) {
      const entry = this.#entries[this.#head];
      if (entry instanceof Delivery) {
        this.#dropHead(entry);
        return entry;
      }
      const next = entry?.next();
      if (next && !next.done) return next.value;
      this.#dropHead(entry);
    }
    return undefined;
  }

  /** Lets go of everything. */
  clear(): void {
    for (const entry of this.#entries) {
      if (entry instanceof Delivery) this.#memory.release(entry.message);
      else if (entry) this.#memory.add(-REPLAY);
    }
    this.#entries = [];
    this.#backlog = undefined;
    this.#head =
      this.#oldest =
      this.#holes =
      this.#messages =
      this.#bytes =
        0;
    this.#latest = undefined;
  }

  #shiftBacklog(): Delivery | undefined {
    const backlog = this.#backlog;
    if (!backlog) return undefined;
    const { count, bytes } = backlog, delivery = backlog.shift();
    this.#messages -= count - backlog.count;
    this.#bytes -= bytes - backlog.bytes;
    if (backlog.count === 0) this.#backlog = undefined;
    return delivery;
  }

  /** Takes the whole backlog into memory: what is in it may be replaced. */
  #load(): void {
    if (!this.#backlog) return;
    const loaded = [...this.takeBacklog()];
    for (const delivery of loaded) this.#hold(delivery);
    this.#entries = [...loaded, ...this.#entries.slice(this.#head).filter((entry) => entry !== undefined)];
    this.#head = this.#oldest = this.#holes = 0;
  }

  #hold(delivery: Delivery): void {
    this.#messages++;
    this.#count(delivery.message, 1);
    if (delivery.terms.overload === "latest-per-topic") {
      (this.#latest ??= new Map()).set(sequenceOf(delivery), delivery);
    } else this.#latest?.delete(sequenceOf(delivery)); // what comes next must not overtake this one
  }

  #dropHead(entry: Entry): void {
    if (entry instanceof Delivery) this.#forget(entry);
    else if (entry) {
      this.#messages--;
      this.#memory.add(-REPLAY);
    } else this.#holes--;
    this.#entries[this.#head++] = undefined; // not held until the next copy
    if (this.#head === this.#entries.length || this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = this.#oldest = 0;
    }
  }

  /** Behind a replay that waits, holes would pile up with every message that comes: they are closed before they are too many. */
  #leaveHole(delivery: Delivery): void {
    this.#forget(delivery);
    this.#entries[this.#oldest] = undefined;
    if (++this.#holes <= 1024 || this.#holes * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head).filter((entry) => entry !== undefined);
    this.#head = this.#oldest = this.#holes = 0;
  }

  #forget(delivery: Delivery): void {
    const sequence = sequenceOf(delivery);
    this.#messages--;
    this.#count(delivery.message, -1);
    if (this.#latest?.get(sequence) === delivery) this.#latest.delete(sequence);
  }

  #count(message: Message, sign: 1 | -1): void {
    this.#bytes += sign * message.weight;
    if (sign > 0) this.#memory.hold(message);
    else this.#memory.release(message);
  }
}

function isExpired(entry: Entry, now: number): entry is Delivery {
  if (!(entry instanceof Delivery)) return false;
  const { expiresAt } = entry.message;
  return expiresAt !== undefined && expiresAt <= now;
}
