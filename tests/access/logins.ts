// What a client says that logs in, as the hooks get it.
import type { Credentials } from "../../src/access/access.ts";

/** The two refusals of `passwords`. */
export const BAD = "bad-user-name-or-password", LATER = "connection-rate-exceeded";

/** Credentials with a password as text, or without one. */
export function login(
  username: string | undefined,
  password: string | undefined,
  rest: Partial<Credentials> = {},
): Credentials {
  const passwordBytes = password === undefined ? undefined : new TextEncoder().encode(password);
  return { clientId: "c", username, password, passwordBytes, remote: "192.0.2.1:50000", ...rest };
}
