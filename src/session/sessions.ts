// The sessions of a broker by client identifier: one session space, whichever version of MQTT a client speaks. Who owns a
// session's connection is known here too, because a client identifier has one connection at most [MQTT-3.1.4-2]; and so is what is
// due when a session goes on without one: its end, and its will.
import type { Report } from "../events.ts";
import type { Memory } from "../memory.ts";
import type { Message } from "../message.ts";
import type { Deadline, Deadlines } from "../deadlines.ts";
import type { RetainedMessages } from "../topics/retained.ts";
import type { SharedGroups } from "../topics/shared.ts";
import type { TopicIndex } from "../topics/topic_index.ts";
import type { Turn } from "../turn.ts";
import type { QueueLimits } from "./queue.ts";
import { Session } from "./session.ts";
import type { Subscriber } from "./subscription.ts";

/** What the sessions of a broker share. */
export interface SessionContext {
  readonly index: TopicIndex<Subscriber, readonly Subscriber[]>;
  readonly groups: SharedGroups;
  readonly retained: RetainedMessages;
  readonly limits: QueueLimits & { readonly inflight: number };
  readonly memory: Memory;
  readonly report: Report;
  readonly deadlines: Deadlines;
  readonly turn: Turn;
  /** Publishes a will whose time has come. */
  publish(will: Message): void;
}

/** Whoever holds a session at present, and must give it up when the client connects again. */
export interface Holder {
  /** Ends at once, so that the session is free when this returns. */
  takeOver(): void;
}

/** A will, and how many seconds it waits for the client to come back (5.0 section 3.1.3.2.2). */
export interface Will {
  readonly message: Message;
  readonly delay: number;
}

/** A session without a connection, and what it waits for. */
interface Waiting {
  readonly end: Deadline | undefined;
  readonly willDue: Deadline | undefined;
  will: Message | undefined;
}

/** Creates, finds and ends sessions. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #waiting = new Map<Session, Waiting>();
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Hands the session of a client to a new holder; `present` tells whether there was one (section 3.2.2.2). */
  open(clientId: string, clean: boolean, expiry: number, holder: Holder): { session: Session; present: boolean } {
    this.#sessions.get(clientId)?.holder?.takeOver();
    const stored = this.#sessions.get(clientId);
    if (stored && !clean) {
      this.#stopWaiting(stored); // with it goes the will [MQTT5-3.1.3-9]
      stored.holder = holder;
      stored.expiry = expiry;
      return { session: stored, present: true };
    }
    if (stored) this.#end(stored); // [MQTT-3.1.2-6]
    const session = new Session(clientId, expiry, this.#context);
    session.holder = holder;
    this.#sessions.set(clientId, session);
    return { session, present: false };
  }

  /**
   * The holder's connection is over: the session waits for the next one, or ends. Returns the will where that is due at once; the
   * caller publishes it.
   */
  close(session: Session, will: Will | undefined): Message | undefined {
    session.holder = undefined;
    session.detach();
    if (session.expiry === 0) {
      this.#end(session);
      return will && this.#due(will.message);
    }
    const delayed = will && will.delay > 0 ? will : undefined;
    const waiting: Waiting = {
      end: this.#in(session.expiry, () => this.#end(session)),
      willDue: delayed && this.#in(delayed.delay, () => this.#publishWill(waiting)),
      will: delayed?.message,
    };
    this.#waiting.set(session, waiting);
    return will && !delayed ? this.#due(will.message) : undefined;
  }

  /** A will as it is published: its expiry counts from here, not from the CONNECT (5.0 section 3.1.3.2.4). */
  #due(will: Message): Message {
    return will.with({ acceptedAt: this.#context.turn.now });
  }

  #in(seconds: number, then: () => void): Deadline | undefined {
    return seconds === Infinity ? undefined : this.#context.deadlines.start(seconds * 1000, then);
  }

  #stopWaiting(session: Session): Waiting | undefined {
    const waiting = this.#waiting.get(session);
    this.#waiting.delete(session);
    waiting?.end?.cancel();
    waiting?.willDue?.cancel();
    return waiting;
  }

  #end(session: Session): void {
    const waiting = this.#stopWaiting(session);
    this.#sessions.delete(session.clientId);
    session.end();
    if (waiting) this.#publishWill(waiting); // the end of the session ends the delay [MQTT5-3.1.2-8]
  }

  #publishWill(waiting: Waiting): void {
    const { will } = waiting;
    waiting.will = undefined;
    if (will) this.#context.publish(this.#due(will));
  }
}
