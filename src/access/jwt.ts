// JSON Web Tokens (RFC 7519) as passwords: who a client is, and what it may do, is what somebody has signed. Stands beside
// the API, not in it: only whoever imports this file loads npm:jose, which checks the signatures. Invariant: a connection
// has the rights of the token that it came with, lasts as long as that is valid, and no token gets into an error or event.
import { errors, type JWTPayload, jwtVerify } from "./jose.ts";
import { keyGetter } from "./jwt_keys.ts";
import { covers } from "../topics/covers.ts";
import { topicFilterFault } from "../topics/filter.ts";
import type { Authenticate, Authorize, Credentials, Decision, Refusal } from "./access.ts";
import { Grants } from "./grants.ts";

/** Where something stands in a token: the name of a claim, or the names on the way into one, such as `["acl", "publish"]`. */
export type Claim = string | readonly string[];

/** How tokens are checked. */
export interface JwtOptions {
  /**
   * What tokens are checked with: the text of a PEM file (PUBLIC KEY or CERTIFICATE), of a JSON Web Key or of a set of
   * them, or a shared secret, where white space around it does not count; or the URL where a set of keys is kept.
   */
  readonly key: string | URL;
  /** The algorithms that tokens may be signed with, such as `["ES256"]`: no others are accepted. */
  readonly algorithms: readonly string[];
  /** Who issues tokens, if they must say so: the claim `iss`. */
  readonly issuer?: string | readonly string[];
  /** Whom tokens are for, if they must say so: the claim `aud`. */
  readonly audience?: string | readonly string[];
  /** Seconds that clocks may differ by; default 0. */
  readonly clockTolerance?: number;
  /** Whether a token has to say when it expires; default true. */
  readonly requireExpiry?: boolean;
  /** Where tokens say things; default: `sub`, `client_id`, and `publish` and `subscribe` within `acl`. */
  readonly claims?: {
    readonly username?: Claim;
    readonly clientId?: Claim;
    readonly publish?: Claim;
    readonly subscribe?: Claim;
  };
  /** The current time, in milliseconds since 1970; default: the machine's. */
  readonly now?: () => number;
}

/** The hooks for a broker whose clients have tokens. */
export interface JwtAccess {
  /** Lets those in whose password is a valid token. */
  readonly authenticate: Authenticate;
  /** Permits what the token of a connection does; nothing to those that came in without one. */
  readonly authorize: Authorize;
}

interface Grant {
  /** Milliseconds since 1970. */
  readonly expires: number;
  readonly publish: readonly (readonly string[])[];
  readonly subscribe: readonly (readonly string[])[];
}

const claimNames: Required<NonNullable<JwtOptions["claims"]>> = {
  username: "sub",
  clientId: "client_id",
  publish: ["acl", "publish"],
  subscribe: ["acl", "subscribe"],
};

const expired: Refusal = { reason: "not-authorized", message: "Token has expired" };

/**
 * Hooks for clients whose password is a JSON Web Token.
 *
 * A token tells who its client is: where the client sends a user name, it must be the token's (`sub`), and where the token
 * names a client identifier (`client_id`), the client must have it; other tokens are good for every identifier. What the
 * client may do are lists of topic filters: `{ "acl": { "publish": ["home/1/#"], "subscribe": ["home/+/state"] } }`. A
 * subscription has to be covered by one of them. Without a list, nothing is permitted: `anyOf(tokens.authorize, …)` gives
 * more. Where there are passwords, too, `anyOf` had better ask for tokens first: they would count as wrong passwords.
 *
 * When a token expires, its client may publish and subscribe no more, and its connection ends within a second. It may come again with
 * another token; the subscriptions of its session that this one does not permit are gone then.
 *
 * @throws {TypeError} where the key can't be used, or not with these algorithms
 *
 * @example
 * ```ts
 * import { createBroker } from "@brook/mqtt";
 * import { jwt } from "@brook/mqtt/jwt";
 *
 * const { authenticate, authorize } = await jwt({
 *   key: new URL("https://login.example/.well-known/jwks.json"),
 *   algorithms: ["ES256"],
 *   issuer: "https://login.example",
 *   audience: "mqtt",
 * });
 * await using broker = createBroker({ authenticate, authorize });
 * ```
 */
export async function jwt(options: JwtOptions): Promise<JwtAccess> {
  const { now = Date.now, clockTolerance = 0 } = options, claims = { ...claimNames, ...options.claims };
  const verify = await verifier(options, now), grants = new Grants<Grant>();
  const admit = (credentials: Credentials, payload: JWTPayload): Decision => {
    if (!isFor(credentials, payload, claims)) return "bad-user-name-or-password";
    const publish = filtersOf(payload, claims.publish), subscribe = filtersOf(payload, claims.subscribe);
    if (!publish || !subscribe) {
      return { reason: "not-authorized", message: "Token permits something that is not a topic filter" };
    }
    const expires = ((payload.exp ?? Infinity) + clockTolerance) * 1000;
    grants.add(credentials, { expires, publish, subscribe });
    if (expires < Infinity) credentials.endAfter?.(expires - now());
    return true;
  };
  return {
    authenticate: (credentials) =>
      verify(credentials.password ?? "").then((payload) => admit(credentials, payload), refusalFor),
    authorize({ client, action, topic }) {
      const grant = grants.of(client), levels = topic.split("/");
      if (!grant) return "not-authorized";
      if (now() >= grant.expires) return expired;
      return grant[action].some((filter) => covers(filter, levels)) || "not-authorized";
    },
  };
}

/** What resolves to the claims of a token that is valid now. */
async function verifier(
  { key, algorithms, issuer, audience, clockTolerance = 0, requireExpiry = true }: JwtOptions,
  now: () => number,
): Promise<(token: string) => Promise<JWTPayload>> {
  const getKey = await keyGetter(key, algorithms);
  const checks = {
    algorithms: [...algorithms],
    clockTolerance,
    requiredClaims: requireExpiry ? ["exp"] : [],
    ...issuer !== undefined && { issuer: [issuer].flat() },
    ...audience !== undefined && { audience: [audience].flat() },
  };
  return async (token) => (await jwtVerify(token, getKey, { ...checks, currentDate: new Date(now()) })).payload;
}

/** A client says who it is by its token, or says the same. */
function isFor({ username, clientId }: Credentials, payload: JWTPayload, claims: typeof claimNames): boolean {
  const name = claimOf(payload, claims.username), id = claimOf(payload, claims.clientId);
  return (username === undefined || username === name) && (id === undefined || id === clientId);
}

function claimOf(payload: JWTPayload, claim: Claim): unknown {
  return [claim].flat().reduce<unknown>(
    (found, name) =>
      typeof found === "object" && found !== null && Object.hasOwn(found, name)
        ? found[name as keyof typeof found]
        : undefined,
    payload,
  );
}

/** The filters of a claim as levels; `undefined` where it holds something else. */
function filtersOf(payload: JWTPayload, claim: Claim): string[][] | undefined {
  const filters = [claimOf(payload, claim) ?? []].flat();
  return filters.every(isFilter) ? filters.map((filter) => filter.split("/")) : undefined;
}

function isFilter(value: unknown): value is string {
  return typeof value === "string" && topicFilterFault(value) === undefined;
}

/** Faults of jose's that are a token's; all others are ours, or those of whoever keeps the keys. */
const faults =
  /^ERR_(JWT_|JWS_|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS)/;

function refusalFor(error: unknown): Decision {
  if (error instanceof errors.JWTExpired) return expired;
  if (error instanceof errors.JOSEError && faults.test(error.code)) return "bad-user-name-or-password";
  throw new Error(`Keys for tokens can't be had: ${(error as Error).message}`, { cause: error });
}
