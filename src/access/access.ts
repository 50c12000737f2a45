// Who may do what: the two hooks by which a user decides, and how their answers are read. Hooks run before a message or
// a subscription is accepted and may refuse; routing operators run after that and never answer a client.
import { isReason, type Reason } from "../errors.ts";
import type { QoS } from "../message.ts";

/** A refusal that says more; what the version of MQTT has no words for is left out. */
export interface Refusal {
  /** Why; how much of it the client is told depends on its version of MQTT. */
  readonly reason: Reason;
  /** For people (5.0 section 3.2.2.3.9). */
  readonly message?: string;
  /** Where to go instead, with "use-another-server" and "server-moved" (5.0 section 4.11). */
  readonly serverReference?: string;
}

/** A hook's answer: yes, no, or no with a reason. */
export type Decision = boolean | Reason | Refusal;

/** What a client says of itself when it connects. */
export interface Credentials {
  /** The client identifier; the one that the broker assigned where the client sent none. */
  readonly clientId: string;
  /** The user name; `undefined` where none was sent. */
  readonly username: string | undefined;
  /** The password as text; `undefined` where none was sent. */
  readonly password: string | undefined;
  /** The password as it was sent: it need not be text (3.1.1 section 3.1.3.5). */
  readonly passwordBytes: Uint8Array | undefined;
  /** Address and port of the other side. */
  readonly remote: string;
  /** The certificate that the client has proven to have, where TLS asked for one. */
  readonly certificate?: {
    /** The common name of its subject; empty where it has none. */
    readonly commonName: string;
    /** Its SHA-256 as pairs of upper-case hexadecimal digits with colons between them. */
    readonly fingerprint: string;
  } | undefined;
  /**
   * Ends the connection, accepted or not, once so many milliseconds have passed: a hook lets a client in for no longer than that. Of
   * several, the soonest counts; `NaN` throws a RangeError. A client of 5.0 is told "maximum-connect-time". `undefined` where there is no
   * connection, such as for a look at the page.
   */
  readonly endAfter?: (milliseconds: number) => void;
}

/** An accepted client. */
export interface ClientInfo {
  /** The client identifier. */
  readonly id: string;
  /**
   * The user name of its CONNECT, or the one that enhanced authentication has found; where it sent none, the common name of its
   * certificate. `undefined` without any.
   */
  readonly username: string | undefined;
  /** Address and port of the other side. */
  readonly remote: string;
}

/** What a client wants to do. */
export interface Access {
  /** What it wants: "publish" also stands for its will. */
  readonly action: "publish" | "subscribe";
  /** Who wants it. */
  readonly client: ClientInfo;
  /** A topic name for "publish", a topic filter for "subscribe". */
  readonly topic: string;
  /** The name of a shared subscription, whose filter is `topic` (5.0 section 4.8.2). */
  readonly group?: string | undefined;
  /** The quality of service of the message, or the highest one that the subscription asks for. */
  readonly qos: QoS;
  /** Whether the message is to be retained; always false for "subscribe". */
  readonly retain: boolean;
}

/**
 * Decides who may connect. A promise pauses that one connection; an exception or a rejection refuses it and becomes a
 * "hook-error" event.
 */
export type Authenticate = (credentials: Credentials) => Decision | Promise<Decision>;

/**
 * Decides on a publication, a will or a subscription, in the same way. Up to 3.1.1 a PUBLISH that is refused is
 * acknowledged all the same, because there is no word for no; one that the hook failed at ends the connection, so that
 * the client sends it again.
 */
export type Authorize = (access: Access) => Decision | Promise<Decision>;

/** The refusal in a decision, or nothing where it permits. Whatever is not plainly a yes refuses. */
export function refusal(decision: unknown): Refusal | undefined {
  if (decision === true) return undefined;
  if (isReason(decision)) return { reason: decision };
  const { reason } = (decision ?? {}) as Partial<Refusal>;
  return isReason(reason) ? decision as Refusal : { reason: "not-authorized" };
}
