// SCRAM-SHA-256 (RFC 5802, RFC 7677) as a method of enhanced authentication: client and server each prove that they
// know the password, and neither sends it; the server keeps only what a stolen copy can't log in with. On Web Crypto.
import type { AuthenticationMethod } from "./authentication.ts";

/** What the server keeps of a password. */
export interface ScramSecret {
  /** Random bytes of this user, which the client is told. */
  readonly salt: Uint8Array<ArrayBuffer>;
  /** Rounds of PBKDF2, which the client is told. */
  readonly iterations: number;
  /** The hash of the key by which the client proves that it knows the password (RFC 5802 section 3). */
  readonly storedKey: Uint8Array<ArrayBuffer>;
  /** The key by which the server proves that it knows this secret (RFC 5802 section 3). */
  readonly serverKey: Uint8Array<ArrayBuffer>;
}

/** Finds the secret of a user; `undefined` for somebody unknown. */
export type ScramSecrets = (username: string) => ScramSecret | undefined | Promise<ScramSecret | undefined>;

type Bytes = Uint8Array<ArrayBuffer>;

/** What RFC 7677 asks for at least. */
const ITERATIONS = 4096, LENGTH = 32;

const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true });
const bytes = (text: string): Bytes => encoder.encode(text);

/**
 * What to keep of a password.
 *
 * @param password the password; it is used as it is, without SASLprep
 * @param iterations of PBKDF2; default 4096, more cost an attacker and every login more
 * @param salt default: 16 random bytes
 */
export async function scramSecret(
  password: string,
  iterations: number = ITERATIONS,
  salt: Bytes = crypto.getRandomValues(new Uint8Array(16)),
): Promise<ScramSecret> {
  const material = await crypto.subtle.importKey("raw", bytes(password), "PBKDF2", false, ["deriveBits"]);
  const derived = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations },
    material,
    LENGTH * 8,
  );
  const salted = new Uint8Array(derived);
  const storedKey = await sha256(await hmac(salted, bytes("Client Key")));
  return { salt, iterations, storedKey, serverKey: await hmac(salted, bytes("Server Key")) };
}

/**
 * SCRAM-SHA-256, to be used as `authenticationMethods: { "SCRAM-SHA-256": scramSha256(find) }`.
 *
 * @example
 * ```ts
 * import { createBroker, scramSecret, scramSha256 } from "@brook/mqtt";
 *
 * const users = new Map([["lamp1", await scramSecret("secret")]]);
 * await using broker = createBroker({
 *   authenticationMethods: { "SCRAM-SHA-256": scramSha256((username) => users.get(username)) },
 *   authenticate: () => false, // no other way in
 * });
 * ```
 */
export function scramSha256(find: ScramSecrets): AuthenticationMethod {
  const decoy = scramSecret(crypto.randomUUID()); // for unknown users: they take as long, and see as much
  const pepper = crypto.getRandomValues(new Uint8Array(LENGTH));
  return async ({ data, challenge }) => {
    const first = parseFirst(text(data));
    if (!first) return "not-authorized";
    const known = await find(first.username);
    const secret = known ?? { ...await decoy, salt: (await hmac(pepper, bytes(first.username))).slice(0, 16) };
    const nonce = first.nonce + base64(crypto.getRandomValues(new Uint8Array(18)));
    const offer = `r=${nonce},s=${base64(secret.salt)},i=${secret.iterations}`;
    const final = parseFinal(text(await challenge(bytes(offer))));
    if (!final || final.nonce !== nonce || final.binding !== base64(bytes(first.header))) return "not-authorized";
    const signed = bytes(`${first.bare},${offer},${final.withoutProof}`);
    if (!await proves(final.proof, secret.storedKey, signed) || !known) return "not-authorized";
    return { username: first.username, data: bytes(`v=${base64(await hmac(secret.serverKey, signed))}`) };
  };
}

async function proves(proof: Bytes, storedKey: Bytes, signed: Bytes): Promise<boolean> {
  const signature = await hmac(storedKey, signed);
  if (proof.length !== signature.length) return false;
  return equal(await sha256(proof.map((byte, i) => byte ^ signature[i]!)), storedKey);
}

/** In a time that does not tell where they differ. */
function equal(a: Bytes, b: Bytes): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** `n,,n=user,r=nonce`: no channel binding, no other identity. */
function parseFirst(message: string) {
  const [, header, bare, name, nonce] = /^([ny],,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+))$/.exec(message) ??
    [];
  if (header === undefined || bare === undefined || name === undefined || nonce === undefined) return undefined;
  if (/=(?!2C|3D)/.test(name)) return undefined;
  return { header, bare, nonce, username: name.replaceAll("=2C", ",").replaceAll("=3D", "=") };
}

/** `c=binding,r=nonce,p=proof`. */
function parseFinal(message: string) {
  const [, withoutProof, binding, nonce, proof] = /^(c=([^,]+),r=([^,]+)),p=([A-Za-z0-9+/]+=*)$/.exec(message) ?? [];
  if (withoutProof === undefined || binding === undefined || nonce === undefined || proof === undefined) {
    return undefined;
  }
  try {
    return { withoutProof, binding, nonce, proof: Uint8Array.fromBase64(proof) };
  } catch {
    return undefined;
  }
}

function text(data: Uint8Array): string {
  try {
    return decoder.decode(data);
  } catch {
    return "";
  }
}

function base64(data: Uint8Array): string {
  return data.toBase64();
}

async function hmac(key: Bytes, data: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}

async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}
