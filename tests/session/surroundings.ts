// What sessions live among, without connections: an index, groups, retained messages and a clock, all of them real ones.
import type { BrokerEvent } from "../../src/events.ts";
import { Deadlines } from "../../src/deadlines.ts";
import { Memory } from "../../src/memory.ts";
import { Message, type MessageFields, payloadBytes } from "../../src/message.ts";
import type { SessionContext } from "../../src/session/sessions.ts";
import { compileRoute, type Subscriber, type Subscription } from "../../src/session/subscription.ts";
import type { RetainedMessages } from "../../src/topics/retained.ts";
import { SharedGroups } from "../../src/topics/shared.ts";
import { TopicIndex } from "../../src/topics/topic_index.ts";
import { Turn } from "../../src/turn.ts";
import { VirtualClock } from "../support/clock.ts";
import { retainedMessages } from "../support/retained.ts";

/** The surroundings of sessions, and what has been told there. */
export class Surroundings implements SessionContext {
  readonly clock = new VirtualClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly turn = new Turn(this.clock);
  readonly index = new TopicIndex<Subscriber | Subscription, readonly Subscriber[]>(compileRoute);
  readonly groups = new SharedGroups(this.index);
  readonly limits: SessionContext["limits"] & { readonly memory: number };
  readonly memory: Memory;
  readonly retained: RetainedMessages;
  readonly records = undefined;
  readonly events: BrokerEvent[] = [];
  /** The wills whose time has come. */
  readonly wills: Message[] = [];

  constructor(limits: Partial<Surroundings["limits"]> = {}) {
    this.limits = { inflight: 100, queuedMessages: 100, queuedBytes: 10_000, memory: Infinity, ...limits };
    this.memory = new Memory(this.limits.memory);
    this.retained = retainedMessages(this.clock, { deadlines: this.deadlines, memory: this.memory });
  }

  readonly report = (event: BrokerEvent): void => void this.events.push(event);

  publish(will: Message): void {
    this.wills.push(will);
  }

  /** A message of another client. */
  message(fields: Partial<MessageFields> & { readonly topic: string }): Message {
    const others = {
      payload: payloadBytes("x"),
      qos: 1,
      retain: false,
      client: "p",
      acceptedAt: this.turn.now,
    } as const;
    return new Message({ ...others, ...fields });
  }

  /** Routes a message as the broker does. */
  route(fields: Partial<MessageFields> & { readonly topic: string }): void {
    const message = this.message(fields);
    this.retained.update(message);
    for (const subscriber of this.index.match(message.topic)) subscriber.next(message);
  }

  /** The drops that were reported, as `topic:reason*count`. */
  drops(): string[] {
    return this.events.map((event) =>
      event.type === "dropped" ? `${event.topic}:${event.reason}*${event.count}` : event.type
    );
  }
}

/** How a client subscribes that says nothing else. */
export const plain = { qos: 0, noLocal: false, retainAsPublished: false, identifier: undefined } as const;
