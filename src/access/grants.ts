// What each connection was granted when it came in, for as long as it stays. The hooks of a broker have no connection in
// common, but what it says of itself; once it asks for something, its grant goes by the object that stands for it from
// then on. Invariant: grants of connections that have gone do not pile up.
import type { ClientInfo, Credentials } from "./access.ts";

/** Grants of connections that have asked for nothing yet: as many as a broker has connections by default. */
const PENDING = 100_000;

/** The grants of connections. */
export class Grants<Grant> {
  readonly #pending = new Map<string, Grant>();
  readonly #held = new WeakMap<ClientInfo, Grant>();

  /** Grants something to a connection that is about to be accepted. */
  add({ clientId, username, remote }: Credentials, grant: Grant): void {
    const key = keyOf(clientId, username, remote);
    this.#pending.delete(key);
    this.#pending.set(key, grant); // behind all others
    if (this.#pending.size > PENDING) this.#pending.delete(this.#pending.keys().next().value!);
  }

  /** What was granted to a connection, if anything. */
  of(client: ClientInfo): Grant | undefined {
    const held = this.#held.get(client);
    if (held) return held;
    const key = keyOf(client.id, client.username, client.remote), grant = this.#pending.get(key);
    if (!grant) return undefined;
    this.#pending.delete(key);
    this.#held.set(client, grant);
    return grant;
  }
}

function keyOf(...names: readonly (string | undefined)[]): string {
  return JSON.stringify(names);
}
