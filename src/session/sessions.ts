// The sessions of a broker by client identifier: one session space, whichever version of MQTT a client speaks. Who owns a
// session's connection is known here too, because a client identifier has one connection at most [MQTT-3.1.4-2]; and so is what is
// due when a session goes on without one: its end, and its will.
import type { Report } from "../events.ts";
import type { Memory } from "../memory.ts";
import { Message } from "../message.ts";
import type { ChooseOverload } from "../overload.ts";
import type { Deadline, Deadlines } from "../deadlines.ts";
import type { RetainedMessages } from "../topics/retained.ts";
import type { SharedGroups } from "../topics/shared.ts";
import type { TopicIndex } from "../topics/topic_index.ts";
import type { Turn } from "../turn.ts";
import type { QueueLimits } from "./queue.ts";
import { type RecordContext, SessionRecord } from "./record.ts";
import { restoreSession } from "./restore.ts";
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
  /** What keeps sessions; nothing where they last as long as the process. */
  readonly records: RecordContext | undefined;
  /** What happens to messages of sessions that the store has kept; default: the newest ones are dropped. */
  readonly overload?: ChooseOverload;
  /** Publishes a will whose time has come. */
  publish(will: Message): void;
}

/** Whoever holds a session at present, and must give it up when the client connects again. */
export interface Holder {
  /** Address and port of the client. */
  readonly remote: string;
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
  /** When it ends, and when its will is due, in milliseconds of the broker's clock: deadlines may come a little later. */
  readonly endsAt: number;
  readonly willDueAt: number;
  readonly end: Deadline | undefined;
  readonly willDue: Deadline | undefined;
  /** On the account of the broker as long as it is here. */
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

  /** The session of a client, if there is one. */
  find(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  /** How many there are. */
  get size(): number {
    return this.#sessions.size;
  }

  /** All sessions, those without a connection included. */
  get all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** Takes up what a store has kept: each session waits for its client from now on, or has come to its end meanwhile. */
  load(): void {
    const { records } = this.#context;
    if (!records) return;
    const now = records.wallTime.now();
    for (const stored of [...records.store.sessions()]) {
      const session = restoreSession(stored, this.#context, records), { disconnectedAt = now } = stored;
      const will = stored.will &&
        { ...stored.will, message: new Message({ ...stored.will.message, acceptedAt: undefined }) };
      this.#sessions.set(stored.clientId, session);
      if (stored.disconnectedAt === undefined && session.expiry > 0) this.#disconnected(session, will);
      // The time of day may have been set back meanwhile.
      const left = session.expiry - Math.max(0, now - disconnectedAt) / 1000;
      const willIn = will && Math.min(will.delay, ((will.dueAt ?? Infinity) - now) / 1000);
      this.#wait(session, left, will, willIn);
    }
  }

  /** Its connection is over: its expiry and the delay of its will count from now on, also where the broker stops again and again. */
  #disconnected(session: Session, will: Will | undefined): void {
    session.record?.save(session.expiry, false);
    if (will) session.record?.saveWill(will, will.delay * 1000);
  }

  /**
   * Hands the session of a client to a new holder; `present` tells whether there was one (section 3.2.2.2).
   *
   * @param will what is to be published when the holder is gone
   */
  open(
    clientId: string,
    clean: boolean,
    expiry: number,
    holder: Holder,
    will?: Will,
  ): { session: Session; present: boolean } {
    this.#sessions.get(clientId)?.holder?.takeOver();
    const stored = this.#sessions.get(clientId), present = stored !== undefined && !clean && !this.#isOver(stored);
    if (present) this.#takeUp(stored);
    else if (stored) this.#end(stored); // [MQTT-3.1.2-6]
    const session = present ? stored : this.#create(clientId, expiry, will !== undefined);
    session.holder = holder;
    session.expiry = expiry;
    session.record?.save(expiry, true);
    if (will) session.record?.saveWill(will);
    else if (present) session.record?.deleteWill();
    return { session, present };
  }

  #create(clientId: string, expiry: number, hasWill: boolean): Session {
    const kept = expiry > 0 || hasWill ? this.#context.records : undefined;
    const record = kept && new SessionRecord(clientId, kept, expiry === 0);
    const session = new Session(clientId, expiry, this.#context, record);
    this.#sessions.set(clientId, session);
    return session;
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
    this.#disconnected(session, delayed);
    if (!delayed) session.record?.deleteWill();
    this.#wait(session, session.expiry, delayed, delayed?.delay);
    return will && !delayed ? this.#due(will.message) : undefined;
  }

  /** Whether a session has come to its end, though its deadline has not yet: the broker may just have been started. */
  #isOver(session: Session): boolean {
    const { endsAt = Infinity } = this.#waiting.get(session) ?? {};
    return endsAt <= this.#context.turn.now;
  }

  /** The client is back: its will is not published any more, unless that has been due [MQTT5-3.1.3-9]. */
  #takeUp(session: Session): void {
    const waiting = this.#stopWaiting(session), will = waiting && this.#takeWill(waiting);
    if (will && waiting.willDueAt <= this.#context.turn.now) this.#context.publish(this.#due(will));
  }

  /** Without a connection a session waits for its end, and for its will to be due. */
  #wait(session: Session, expiry: number, will: Will | undefined, willIn: number | undefined): void {
    const { now } = this.#context.turn;
    const waiting: Waiting = {
      endsAt: now + expiry * 1000,
      willDueAt: now + (willIn ?? Infinity) * 1000,
      end: this.#in(expiry, () => this.#end(session)),
      willDue: willIn === undefined ? undefined : this.#in(willIn, () => {
        session.record?.deleteWill();
        this.#publishWill(waiting);
      }),
      will: will?.message,
    };
    if (will) this.#context.memory.hold(will.message);
    this.#waiting.set(session, waiting);
  }

  /** A will as it is published: its expiry counts from here, not from the CONNECT (5.0 section 3.1.3.2.4). */
  #due(will: Message): Message {
    return will.with({ acceptedAt: this.#context.turn.now });
  }

  #in(seconds: number, then: () => void): Deadline | undefined {
    if (seconds === Infinity) return undefined;
    return this.#context.deadlines.start(Math.max(0, seconds * 1000), { expired: () => this.#context.turn.run(then) });
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
    const will = this.#takeWill(waiting);
    if (will) this.#context.publish(this.#due(will));
  }

  #takeWill(waiting: Waiting): Message | undefined {
    const { will } = waiting;
    waiting.will = undefined;
    if (will) this.#context.memory.release(will);
    return will;
  }
}
