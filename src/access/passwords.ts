// Passwords of a file, as a hook. Hashing is work for whole milliseconds: it is done in a thread, a few at a time, and
// what waits for that is bounded, so that a storm of logins does not disturb those who are in. Invariant: neither the
// answer nor the time it takes tells whether there is such a user.
import { type Clock, systemClock } from "../clock.ts";
import type { Authenticate, Credentials, Decision } from "./access.ts";
import { placeOf } from "../place.ts";
import { Failures } from "./failures.ts";
import { ITERATIONS, readPasswords } from "./password_file.ts";
import { isPassword, type PasswordHash } from "./password_hash.ts";
import { Places } from "./places.ts";
import { type Replaceable, replaceable } from "./replaceable.ts";

/** How `passwords` goes about it. */
export interface PasswordOptions {
  /** Passwords that are hashed at a time; default 2. */
  readonly hashing?: number;
  /** Logins that may wait for that; further ones are refused: "server-busy". Default 1000. */
  readonly waiting?: number;
  /** Wrong passwords in a row for a user before the next try has to wait; default 5, `Infinity` for no delay. */
  readonly failuresPerUser?: number;
  /** The same for an address, which many clients may share behind a proxy; default 20. */
  readonly failuresPerAddress?: number;
  /** Where time comes from; default: the machine's clock. */
  readonly clock?: Clock;
}

const defaults: Required<PasswordOptions> = {
  hashing: 2,
  waiting: 1000,
  failuresPerUser: 5,
  failuresPerAddress: 20,
  clock: systemClock,
};

/** Users that are known to come from an address, at a time. */
const TRUSTED = 10_000;

/**
 * The users of a password file in Mosquitto's format, as a hook. {@linkcode passwordEntry}, `brook passwd` and
 * `mosquitto_passwd` write such lines. Whoever sends no user name or no password is refused; `anyOf` lets others in.
 *
 * After too many wrong passwords the next try has to wait, for a second first and for a minute at most: until then it is
 * refused unheard, with "connection-rate-exceeded". That goes by the user and by the address (of IPv6, the network of 64
 * bits). A user who has been in from the same address has failures of its own there, so that nobody can lock it out by
 * guessing from elsewhere. A failure is forgotten after ten minutes. Replacing the file ends no connection.
 *
 * @param file the content of the file, or its lines
 * @throws {SyntaxError} where a line is faulty, with its number
 * @throws {RangeError} where an option is out of its range
 *
 * @example
 * ```ts
 * import { createBroker, passwordEntry, passwords } from "@brook/mqtt";
 *
 * const alice = await passwordEntry("alice", "correct horse");
 * const authenticate = passwords(`# people\n${alice}\n`); // or the text of a file
 * await using broker = createBroker({ authenticate });
 * authenticate.replace([alice, await passwordEntry("bob", "battery staple")]);
 * ```
 */
export function passwords(
  file: string | readonly string[],
  options: PasswordOptions = {},
): Authenticate & Replaceable<string | readonly string[]> {
  const login = new Login(options);
  return replaceable((file: string | readonly string[]) => {
    const byName = readPasswords(file), users = { byName, all: [...byName.values()] };
    return (credentials: Credentials) => login.check(credentials, users);
  }, file);
}

/** What a password of somebody unknown is compared with where the file is empty. */
const nobody: PasswordHash = { iterations: ITERATIONS, salt: new Uint8Array(12), hash: new Uint8Array(64) };

interface Users {
  readonly byName: ReadonlyMap<string, PasswordHash>;
  readonly all: readonly PasswordHash[];
}

class Login {
  readonly #places: Places;
  readonly #failures: Failures;
  readonly #options: Required<PasswordOptions>;
  readonly #trusted = new Set<string>();
  readonly #pepper = crypto.randomUUID();

  constructor(options: PasswordOptions) {
    const { hashing, waiting, clock } = this.#options = { ...defaults, ...options };
    for (const [name, least] of Object.entries({ hashing: 1, waiting: 0, failuresPerUser: 1, failuresPerAddress: 1 })) {
      const value = this.#options[name as keyof PasswordOptions];
      if (!(Number(value) >= least)) throw new RangeError(`Option "${name}" is ${value}: it is a number from ${least}`);
    }
    this.#places = new Places(hashing, waiting);
    this.#failures = new Failures(clock);
  }

  check(credentials: Credentials, users: Users): Decision | Promise<Decision> {
    const { username, passwordBytes, remote } = credentials;
    if (username === undefined || passwordBytes === undefined) return "bad-user-name-or-password";
    const decide = () => this.#decide(username, passwordBytes, placeOf(remote), users);
    return this.#places.run(decide) ?? "server-busy";
  }

  /** The delay is looked at here, and not before the wait: tries that came together have failed one after the other. */
  async #decide(username: string, password: Uint8Array, network: string, users: Users): Promise<Decision> {
    const name = await this.#digest(username), user = name.toBase64(), here = `${user} ${network}`;
    const keys = this.#trusted.has(here) ? [here] : [user, network];
    if (keys.some((key) => this.#failures.delays(key))) return "connection-rate-exceeded";
    const kept = users.byName.get(username);
    const isRight = await isPassword(password, kept ?? this.#decoy(name, users)) && kept !== undefined;
    if (isRight) this.#trust(here, keys[0]!);
    else this.#blame(keys);
    return isRight || "bad-user-name-or-password";
  }

  #trust(here: string, key: string): void {
    this.#failures.forget(key);
    this.#trusted.delete(here);
    this.#trusted.add(here); // behind all others
    if (this.#trusted.size > TRUSTED) this.#trusted.delete(this.#trusted.values().next().value!);
  }

  #blame([user, network]: readonly string[]): void {
    this.#failures.add(user!, this.#options.failuresPerUser);
    if (network !== undefined) this.#failures.add(network, this.#options.failuresPerAddress);
  }

  /** A name of any length becomes a key of the same one. */
  async #digest(username: string): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(this.#pepper + username)));
  }

  /** For an unknown name always the hash of the same user: where they differ in cost, so do unknown names. */
  #decoy(name: Uint8Array, { all }: Users): PasswordHash {
    return all[new DataView(name.buffer).getUint32(0) % all.length] ?? nobody;
  }
}
