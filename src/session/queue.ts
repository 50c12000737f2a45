// What a session has still to send, first in, first out, bounded in messages and in bytes. An entry may stand for many messages:
// a replay is an iterator (over the retained messages of a new subscription), asked for the next one only when that can be sent.
import type { Message } from "../message.ts";
import type { Terms } from "./terms.ts";

/** A message for one client. */
export class Delivery {
  readonly message: Message;
  readonly terms: Terms;
  /** Given when it is sent at QoS 1 or 2, and how many had been sent so by then. */
  packetId = 0;
  order = 0;

  constructor(message: Message, terms: Terms) {
    this.message = message;
    this.terms = terms;
  }
}

/** What a user property takes beside its characters, in bytes: otherwise empty ones would be free. */
const PAIR = 64;

/** Deliveries one by one; nothing for now where the next one takes long to find. */
type Replay = Iterator<Delivery | undefined, void>;

/** The bounds of a queue. */
export interface QueueLimits {
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

/** The messages that wait in one session. */
export class DeliveryQueue {
  #entries: (Delivery | Replay | undefined)[] = [];
  #head = 0;
  #messages = 0;
  #bytes = 0;

  /** True where nothing waits. */
  get empty(): boolean {
    return this.#head === this.#entries.length;
  }

  /** The deliveries that wait, replays left out. */
  get deliveries(): readonly Delivery[] {
    return this.#entries.slice(this.#head).filter((entry) => entry instanceof Delivery);
  }

  /** Appends a delivery, or returns false where the queue is full. */
  push(delivery: Delivery, limits: QueueLimits): boolean {
    const bytes = this.#bytes + sizeOf(delivery);
    if (this.#messages >= limits.queuedMessages || bytes > limits.queuedBytes) return false;
    this.#entries.push(delivery);
    this.#messages++;
    this.#bytes = bytes;
    return true;
  }

  /** Appends a replay, which counts as one message, or returns false where the queue is full. */
  pushReplay(replay: Replay, limits: QueueLimits): boolean {
    if (this.#messages >= Math.max(limits.queuedMessages, 1)) return false;
    this.#entries.push(replay);
    this.#messages++;
    return true;
  }

  /** Removes those in front that have expired, and returns them. */
  expire(now: number): Delivery[] {
    const expired: Delivery[] = [];
    for (let next = this.#entries[this.#head]; next instanceof Delivery; next = this.#entries[this.#head]) {
      if (!(next.message.expiresAt !== undefined && next.message.expiresAt <= now)) break;
      expired.push(next);
      this.#drop(next);
    }
    return expired;
  }

  /** Removes and returns the next delivery; nothing where the queue is empty, or where a replay has to search on for a while. */
  shift(): Delivery | undefined {
    for (;;) {
      const entry = this.#entries[this.#head];
      if (entry === undefined) return undefined;
      if (entry instanceof Delivery) {
        this.#drop(entry);
        return entry;
      }
      const next = entry.next();
      if (!next.done) return next.value;
      this.#drop();
    }
  }

  #drop(delivery?: Delivery): void {
    this.#messages--;
    if (delivery) this.#bytes -= sizeOf(delivery);
    this.#entries[this.#head++] = undefined; // not held until the next copy
    if (this.#head === this.#entries.length || this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

function sizeOf({ message: { size, topic, properties } }: Delivery): number {
  return size + topic.length + (properties ? sizeOfProperties(properties) : 0);
}

function sizeOfProperties(properties: NonNullable<Message["properties"]>): number {
  const { contentType = "", responseTopic = "", correlationData = [], userProperties = [] } = properties;
  const user = userProperties.reduce((sum, [name, value]) => sum + PAIR + name.length + value.length, 0);
  return contentType.length + responseTopic.length + correlationData.length + user;
}
