// The sessions of a broker by client identifier: one session space, whoever connects. Who owns a session's connection is known
// here too, because a client identifier has one connection at most [MQTT-3.1.4-2].
import { Session, type SessionContext } from "./session.ts";

/** Whoever holds a session at present, and must give it up when the client connects again. */
export interface Holder {
  /** Ends at once, so that the session is free when this returns. */
  takeOver(): void;
}

/** Creates, finds and ends sessions. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #holders = new Map<string, Holder>();
  readonly #context: SessionContext;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Hands the session of a client to a new holder; `present` tells whether there was one (3.1.1 section 3.2.2.2). */
  open(clientId: string, clean: boolean, holder: Holder): { session: Session; present: boolean } {
    this.#holders.get(clientId)?.takeOver();
    this.#holders.set(clientId, holder);
    const stored = this.#sessions.get(clientId);
    if (stored && !clean) return { session: stored, present: true };
    if (stored) this.#end(stored); // [MQTT-3.1.2-6]
    const session = new Session(clientId, clean, this.#context);
    this.#sessions.set(clientId, session);
    return { session, present: false };
  }

  /** The holder's connection is over: the session waits for the next one, or ends. */
  close(session: Session): void {
    this.#holders.delete(session.clientId);
    session.detach();
    if (session.clean) this.#end(session);
  }

  #end(session: Session): void {
    this.#sessions.delete(session.clientId);
    session.end();
  }
}
