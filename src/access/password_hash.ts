// What is kept of a password, as Mosquitto's files write it: "$7$iterations$salt$hash" is PBKDF2 with SHA-512,
// "$6$salt$hash" an older kind, one SHA-512 of password and salt. On Web Crypto, which hashes in a thread of its own.
// Invariant: no password and no hash gets into an error.

type Bytes = Uint8Array<ArrayBuffer>;

/** The hash of a password. */
export interface PasswordHash {
  /** Rounds of PBKDF2; `undefined` for the older kind. */
  readonly iterations: number | undefined;
  readonly salt: Bytes;
  readonly hash: Bytes;
}

/** Bytes of a hash; Mosquitto 2.0 wants a salt of this length. */
const LENGTH = 64, SALT_LENGTH = 12;

/** More would take a login minutes. */
const MOST_ITERATIONS = 10_000_000;

const form = /^\$(?:6|7\$(\d{1,8}))\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})$/;

/** Reads a hash; `undefined` for whatever is none. */
export function parseHash(text: string): PasswordHash | undefined {
  const [, rounds, salt, hash] = form.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const iterations = rounds === undefined ? undefined : Number(rounds);
  if (iterations !== undefined && !isCount(iterations)) return undefined;
  try {
    const parsed = { iterations, salt: Uint8Array.fromBase64(salt), hash: Uint8Array.fromBase64(hash) };
    return parsed.hash.length === LENGTH ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Hashes a password with a salt of its own, as text.
 *
 * @throws {RangeError} where the number of iterations is not possible
 */
export async function hashText(password: string, iterations: number): Promise<string> {
  if (!isCount(iterations)) {
    throw new RangeError(`Iterations are ${iterations}: they are a whole number from 1 to ${MOST_ITERATIONS}`);
  }
  const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH));
  const hash = await derive(new TextEncoder().encode(password), salt, iterations);
  return `$7$${iterations}$${salt.toBase64()}$${hash.toBase64()}`;
}

/** Whether this is the password; how long that takes does not tell how far it is from it. */
export async function isPassword(password: Uint8Array, { iterations, salt, hash }: PasswordHash): Promise<boolean> {
  const found = iterations === undefined ? await digest(password, salt) : await derive(password, salt, iterations);
  let difference = 0;
  for (let i = 0; i < LENGTH; i++) difference |= found[i]! ^ hash[i]!;
  return difference === 0;
}

function isCount(iterations: number): boolean {
  return Number.isInteger(iterations) && iterations >= 1 && iterations <= MOST_ITERATIONS;
}

async function derive(password: Uint8Array, salt: Bytes, iterations: number): Promise<Bytes> {
  const material = await crypto.subtle.importKey("raw", password as Bytes, "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-512", salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, material, LENGTH * 8));
}

async function digest(password: Uint8Array, salt: Bytes): Promise<Bytes> {
  const both = new Uint8Array(password.length + salt.length);
  both.set(password);
  both.set(salt, password.length);
  return new Uint8Array(await crypto.subtle.digest("SHA-512", both));
}
