// The keys that tokens are checked with, from the text of a file or from a URL. Invariant: a key is only ever used with
// the algorithms that were named, and of a kind that fits them: a public key is no shared secret, nor the other way round.
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  importJWK,
  importSPKI,
  importX509,
  type JWK,
  type JWTVerifyGetKey,
} from "./jose.ts";

/** Bytes that a shared secret has at least: as many as its hash (RFC 7518 section 3.2). */
const secretLengths: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

const otherAlgorithms = /^((RS|PS|ES)(256|384|512)|EdDSA|Ed25519)$/;

/**
 * What finds the key of a token.
 *
 * @throws {TypeError} where the key can't be used, or not with these algorithms
 */
export async function keyGetter(key: string | URL, algorithms: readonly string[]): Promise<JWTVerifyGetKey> {
  if (algorithms.length === 0) throw new TypeError("There are no algorithms: tokens need one that is accepted");
  const unknown = algorithms.find((name) => !isSecret(name) && !otherAlgorithms.test(name));
  if (unknown !== undefined) throw new TypeError(`Algorithm "${unknown}" is not one for tokens, such as "ES256"`);
  if (key instanceof URL) return remoteSet(key, algorithms);
  const text = key.trim(), json = text.startsWith("{") ? parse(text) : undefined;
  if (json && "keys" in json) return localSet(json, algorithms);
  const read = json ? (name: string) => importJWK(json, name) : (name: string) => readText(text, name);
  const keys = new Map(await Promise.all(algorithms.map(async (name) => [name, await fitting(read, name)] as const)));
  return ({ alg }) => keys.get(alg)!; // it is one of them: jwtVerify() has looked
}

function isSecret(algorithm: string): boolean {
  return Object.hasOwn(secretLengths, algorithm);
}

function parse(text: string): JWK {
  try {
    return JSON.parse(text);
  } catch { // what it says would hold a part of the key
    throw new TypeError('Key begins with "{", but is not JSON');
  }
}

function localSet(set: object, algorithms: readonly string[]): JWTVerifyGetKey {
  requirePublic(algorithms);
  const { keys } = set as { keys: JWK[] };
  if (Array.isArray(keys) && keys.some((key) => key?.d !== undefined || key?.kty === "oct")) {
    throw new TypeError("Set of keys holds a private key: only public ones are wanted");
  }
  return createLocalJWKSet({ keys });
}

function remoteSet(url: URL, algorithms: readonly string[]): JWTVerifyGetKey {
  requirePublic(algorithms);
  if (url.protocol !== "https:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    throw new TypeError(`URL of keys is "${url}": it needs https, or anybody on the way could give keys`);
  }
  return createRemoteJWKSet(url);
}

function requirePublic(algorithms: readonly string[]): void {
  const secret = algorithms.find(isSecret);
  if (secret) throw new TypeError(`Algorithm "${secret}" needs a shared secret, not a set of public keys`);
}

/** As jose has it: its types of keys depend on whether those of Node.js are there. */
type Key = Awaited<ReturnType<typeof importJWK>>;

/** The key for an algorithm, which must be one that can be used with it. */
async function fitting(read: (algorithm: string) => Promise<Key>, algorithm: string): Promise<Key> {
  const key = await read(algorithm).catch(({ message }) => {
    throw new TypeError(`Key does not fit algorithm "${algorithm}": ${message}`);
  });
  if (!(key instanceof Uint8Array)) {
    if (key.type !== "public") throw new TypeError("Key is a private one: only the public one is wanted");
    return key;
  }
  const least = secretLengths[algorithm];
  if (least === undefined) throw new TypeError(`Key is a shared secret: algorithm "${algorithm}" needs a public key`);
  if (key.length < least) {
    throw new TypeError(`Shared secret is ${key.length} bytes long: algorithm "${algorithm}" needs at least ${least}`);
  }
  return key;
}

/** A key that is no JSON: PEM, or a shared secret. */
async function readText(text: string, algorithm: string): Promise<Key> {
  const [block, label] = /-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/s.exec(text) ?? [];
  if (block === undefined || label === undefined) {
    if (/^https?:/.test(text)) throw new TypeError("it is a URL as text: new URL(…) makes one of it");
    return new TextEncoder().encode(text);
  }
  if (isSecret(algorithm)) throw new TypeError(`it is a ${label}, not a shared secret`);
  if (label === "PUBLIC KEY") return await importSPKI(block, algorithm);
  if (label === "CERTIFICATE") return await importX509(block, algorithm);
  throw new TypeError(`it is a ${label}, not a PUBLIC KEY or a CERTIFICATE`);
}
