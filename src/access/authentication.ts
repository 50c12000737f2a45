// Enhanced authentication (5.0 section 4.12): a method is an asynchronous conversation with the client, written as one
// function that asks and gets answers. The connection carries the packets; the method knows nothing of them.
import type { Credentials, Decision } from "./access.ts";

/** A conversation under way. */
export interface AuthenticationExchange {
  /** What the client has said of itself when it connected. */
  readonly credentials: Credentials;
  /** The data that the client has opened with. */
  readonly data: Uint8Array;
  /** True where a client that is connected authenticates anew (5.0 section 4.12.1). */
  readonly again: boolean;
  /** Sends data to the client and resolves to its answer; rejects where the client leaves or breaks the rules. */
  challenge(data: Uint8Array): Promise<Uint8Array>;
}

/** The success of a conversation. */
export interface Authenticated {
  /** Who the client is; it replaces the user name of its CONNECT. */
  readonly username: string;
  /** Sent with the success. */
  readonly data?: Uint8Array;
}

/** A method of authentication. What it throws becomes a "hook-error" event and refuses the client. */
export type AuthenticationMethod = (exchange: AuthenticationExchange) => Promise<Decision | Authenticated>;

/** True for the success that says who the client is. */
export function isAuthenticated(outcome: unknown): outcome is Authenticated {
  return typeof outcome === "object" && outcome !== null && "username" in outcome;
}
