// Which sessions there are, who is connected, and what is due when somebody is not: the end of a session, and a will. The broker may be
// a little late with what is due at a time, and so nobody knows of a session that is about to end whether it has.
import type { PacketLike } from "../support/client.ts";
import { Deliveries } from "./deliveries.ts";
import type { Moment } from "./delivery.ts";
import { type Published, Violation } from "./history.ts";
import type { Routing, Subscriber } from "./routing.ts";

/** How late the broker may be, in milliseconds. */
export const LATE = 500;

/** Why a connection is over that the broker has not lived to see the end of. */
export const CRASH = "crash";

const FOREVER = 0xffff_ffff;

/** The limits of the broker that its clients notice. */
export interface SessionLimits {
  readonly inflight: number;
  /** Seconds. */
  readonly sessionExpiry: number;
}

/** What the broker has to remember of a client. */
export interface Session extends Subscriber {
  /** Identifiers of QoS 2 messages that have been accepted. */
  readonly received: Set<number>;
  connection: Connection | undefined;
  /** Seconds. */
  expiry: number;
  endsAt: number;
}

/** A connection whose CONNECT has been read. */
export interface Connection {
  /** The name of its link. */
  readonly name: string;
  readonly connect: PacketLike;
  /** Answers that are to be written, in order. */
  readonly answers: string[];
  /** The topics that the broker has given aliases. */
  readonly aliases: Map<number, string>;
  session: Session | undefined;
  will: Published | undefined;
  /** When the broker has last heard of the client. */
  heard: number;
  /** The broker has been told that it is gone. */
  lost: boolean;
  /** Why it is over. */
  ended: string | undefined;
  /** It has been sent a DISCONNECT. */
  dismissed: boolean;
}

interface DueWill {
  readonly message: Published;
  readonly session: Session;
  readonly from: number;
  readonly to: number;
  /** The session ends with it: somebody wants a new one. */
  endsSession: boolean;
}

/** All sessions of a broker. */
export class Sessions {
  readonly #sessions: Map<string, Session>;
  readonly #routing: Routing;
  readonly #moment: Moment;
  readonly #limits: SessionLimits;
  readonly #wills = new Set<DueWill>();
  /** When the present broker has started. */
  #begin = 0;
  /** Those that have ended in this step. */
  readonly #ended = new Set<Session>();

  constructor(sessions: Map<string, Session>, routing: Routing, moment: Moment, limits: SessionLimits) {
    this.#sessions = sessions;
    this.#routing = routing;
    this.#moment = moment;
    this.#limits = limits;
  }

  /** Those that a client has, or has had in this step: what is dropped may be told after their end. */
  of(client: string | undefined): readonly Session[] {
    return [...this.#sessions.values(), ...this.#ended].filter((session) => session.client === client);
  }

  /** A step begins: from its end on a session may be gone. */
  begin(): void {
    this.#ended.clear();
    for (const session of this.#sessions.values()) {
      if (this.#moment.now < session.endsAt || session.ending) continue;
      session.ending = true;
      this.#routing.passOn(session);
    }
  }

  /** A step is over: what must have happened by now? */
  watch(): void {
    const { now } = this.#moment;
    for (const { message, to } of this.#wills) {
      if (now >= to) throw new Violation(`Will "${message.text}" of ${message.client} is not published`);
    }
    for (const session of this.#sessions.values()) {
      if (now >= Math.max(session.endsAt, this.#begin) + LATE) this.#endSession(session);
    }
  }

  /** A CONNECT has been read. */
  claim({ clientId, clean }: PacketLike): void {
    const stored = this.#sessions.get(clientId);
    if (stored?.connection) this.end(stored.connection, "session-taken-over");
    const will = [...this.#wills].find(({ session, to }) => session === stored && to <= this.#moment.now);
    if (clean && will) will.endsSession = true;
    else if (clean && stored) this.#endSession(stored);
  }

  /** The client is let in. */
  open(connection: Connection, present: boolean): void {
    const { clientId, protocolVersion: level, clean, properties = {} } = connection.connect;
    const stored = this.#sessions.get(clientId), { now } = this.#moment;
    if (present && !stored) throw new Violation(`${clientId} finds a session where there is none`);
    if (!present && stored && now < stored.endsAt) throw new Violation(`${clientId} does not find its session`);
    if (!present && stored) this.#endSession(stored);
    const session = this.#sessions.get(clientId) ?? newSession(clientId);
    for (const will of [...this.#wills].filter((will) => will.session === session && will.to > now)) {
      if (will.from <= now) throw new Violation(`Will "${will.message.text}" of ${clientId} was due before it is back`);
      this.#wills.delete(will);
    }
    const seconds = level === 5 ? properties.sessionExpiryInterval ?? 0 : clean ? 0 : FOREVER;
    Object.assign(session, { connection, expiry: this.expiry(seconds), endsAt: Infinity, ending: false });
    this.#sessions.set(clientId, session);
    connection.session = session;
    session.deliveries.attach(Math.min(this.#limits.inflight, properties.receiveMaximum ?? Infinity), level);
  }

  /** How long a session lasts, in seconds. */
  expiry(seconds: number): number {
    return Math.min(seconds === FOREVER ? Infinity : seconds, this.#limits.sessionExpiry);
  }

  /** A connection is over: its session goes on without it, or ends. */
  end(connection: Connection, reason: string): void {
    const { session, will, connect } = connection, { now } = this.#moment;
    connection.ended ??= reason;
    if (!session || session.connection !== connection) return;
    session.connection = undefined;
    session.deliveries.detach();
    session.endsAt = now + session.expiry * 1000;
    const from = now + Math.min(connect.will?.properties?.willDelayInterval ?? 0, session.expiry) * 1000;
    const to = from > now ? from + LATE : now;
    if (will) this.#wills.add({ message: will, session, from, to, endsSession: false });
    if (session.expiry === 0 && reason !== CRASH) this.#endSession(session);
  }

  /** The broker has crashed. */
  crash(): void {
    for (const { deliveries } of this.#sessions.values()) deliveries.crash(this.#moment.now);
  }

  /** Another broker goes on: connections count as lost from here, and what has become due meanwhile may take it a moment. */
  restart(lost: Iterable<Connection>): void {
    const { now } = this.#moment;
    this.#begin = now;
    for (const connection of lost) this.end(connection, CRASH);
    for (const will of [...this.#wills]) {
      this.#wills.delete(will);
      this.#wills.add({ ...will, to: Math.max(will.to, now + LATE) });
    }
    for (const { expiry, deliveries } of this.#sessions.values()) {
      deliveries.restart();
      if (expiry > 0) continue; // what ends with its connection is not kept
      for (const share of deliveries.shares) share.mayBeLost = true;
    }
  }

  /** With the session the delay of its will ends. */
  #endSession(session: Session): void {
    const { now } = this.#moment;
    this.#sessions.delete(session.client);
    this.#ended.add(session);
    this.#routing.passOn(session);
    for (const will of [...this.#wills].filter((will) => will.session === session && will.to > now)) {
      this.#wills.delete(will);
      this.#wills.add({ ...will, from: Math.min(will.from, now), to: now });
    }
  }

  /** The will with this text is published. */
  publishWill(text: string): void {
    const due = [...this.#wills].find(({ message }) => message.text === text);
    if (!due) throw new Violation(`Will "${text}" is published, and must not be`);
    const early = due.from - this.#moment.now;
    if (early > 0) throw new Violation(`Will "${text}" is published ${early} ms too early`);
    this.#wills.delete(due);
    this.#routing.route(due.message);
    if (due.endsSession) this.#endSession(due.session);
  }

  /** Nothing is kept. */
  clear(): void {
    this.#sessions.clear();
    this.#wills.clear();
  }
}

function newSession(client: string): Session {
  const state = { connection: undefined, expiry: 0, endsAt: Infinity, ending: false };
  return { client, subscriptions: new Map(), deliveries: new Deliveries(client), received: new Set(), ...state };
}
