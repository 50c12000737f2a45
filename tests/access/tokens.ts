// Keys, tokens that are signed with them, and hooks that check these at a time that stands still.
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "npm:jose@^6";
import type { Credentials } from "../../src/access/access.ts";
import { jwt, type JwtAccess, type JwtOptions } from "../../src/access/jwt.ts";
import { login } from "./logins.ts";

/** Seconds since 1970, at which everything happens. */
export const NOW = 1_900_000_000;

export const SECRET = "0123456789abcdef0123456789abcdef";

/** Pairs of keys for these algorithms; `other` is one that nothing is checked with. */
export const [es256, other, rs256, ed25519] = await Promise.all(
  ["ES256", "ES256", "RS256", "EdDSA"].map((name) => generateKeyPair(name, { extractable: true })),
) as [CryptoKeyPair, CryptoKeyPair, CryptoKeyPair, CryptoKeyPair];

/** The public key of `es256`. */
export const pem = await exportSPKI(es256.publicKey), jwk = await exportJWK(es256.publicKey);

/** What a token says where a test says nothing else. */
export const usual: JWTPayload = { sub: "lamp", exp: NOW + 60 };

/** A token. */
export function token(
  claims: JWTPayload = usual,
  key: CryptoKey | Uint8Array = es256.privateKey,
  header: { alg: string; kid?: string } = { alg: "ES256" },
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

/** What the client with a token says. */
export function loginWith(token: string | undefined, who: Partial<Credentials> = {}): Credentials {
  return login("lamp", token, { clientId: "lamp 1", remote: "192.0.2.1:1", ...who });
}

/** Hooks that check with the public key of `es256` where nothing else is said. */
export function access(options: Partial<JwtOptions> = {}): Promise<JwtAccess> {
  return jwt({ key: pem, algorithms: ["ES256"], now: () => NOW * 1000, ...options });
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
