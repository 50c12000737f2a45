// Who may look at a broker over HTTP: whoever may connect to it. A browser also sends what a page of somebody else makes it send, so
// that here three things are asked for: the name that the browser believes to talk to, the page that a request comes from, and who the
// user is.
import { type Authenticate, refusal } from "../access/access.ts";
import type { Clock } from "../clock.ts";
import { withPort } from "../transport/tcp.ts";

/** What a server tells of a request beside it, such as `Deno.serve` does. */
export interface RequestInfo {
  readonly remoteAddr: Deno.Addr;
}

/** How long a password that was right is taken again without asking the hook, in milliseconds, and how many are remembered. */
const REMEMBERED = 60_000, MOST = 1000;

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Whether a request names a host that it may mean. Whoever comes from this machine may have been led here by a name that somebody else
 * has made to mean this machine (DNS rebinding): only names of the machine itself are taken then, and those in `names`.
 */
export function isExpectedHost(request: Request, info?: RequestInfo, names: readonly string[] = []): boolean {
  const host = hostOf(request), address = info && addressOf(info);
  if (address !== undefined && !LOOPBACK.test(address.includes(":") ? `[${address}]` : address)) return true;
  return LOOPBACK.test(host) || names.includes(host);
}

/** Whether a request comes from a page of this very server, or from no page at all. */
export function isSameOrigin(request: Request): boolean {
  const origin = request.headers.get("origin");
  if (origin === null) return ["same-origin", "none", null].includes(request.headers.get("sec-fetch-site"));
  return URL.canParse(origin) && new URL(origin).host === new URL(request.url).host;
}

/** The name of the host without its port. */
function hostOf(request: Request): string {
  return new URL(request.url).hostname;
}

function addressOf({ remoteAddr }: RequestInfo): string | undefined {
  return "hostname" in remoteAddr ? remoteAddr.hostname.replace(/^::ffff:/, "") : undefined;
}

/** Asks for user name and password by HTTP's Basic authentication (RFC 7617), and has the hook decide. */
export class Gate {
  readonly #authenticate: Authenticate | undefined;
  readonly #clock: Clock;
  /** When those that were let in have to be asked about again, by the digest of what they said. */
  readonly #known = new Map<string, number>();

  /** @param authenticate decides; without it everybody is let in */
  constructor(authenticate: Authenticate | undefined, clock: Clock) {
    this.#authenticate = authenticate;
    this.#clock = clock;
  }

  /** Nothing where the request may pass, or else the answer to it. */
  async refusal(request: Request, info?: RequestInfo): Promise<Response | undefined> {
    if (!this.#authenticate) return undefined;
    const said = request.headers.get("authorization"), given = said && credentialsOf(said);
    return given && await this.#knows(said, given, info) ? undefined : unauthorized();
  }

  async #knows(said: string, given: readonly [string, string], info: RequestInfo | undefined): Promise<boolean> {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(said))).toHex();
    if ((this.#known.get(digest) ?? -Infinity) > this.#clock.now()) return true;
    if (!await this.#asks(given, info)) return false;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(digest, this.#clock.now() + REMEMBERED);
    return true;
  }

  async #asks([username, password]: readonly [string, string], info: RequestInfo | undefined): Promise<boolean> {
    const passwordBytes = new TextEncoder().encode(password);
    const remote = info && "hostname" in info.remoteAddr
      ? withPort(info.remoteAddr.hostname, info.remoteAddr.port)
      : "http";
    try {
      return !refusal(
        await this.#authenticate!({ clientId: `http-${username}`, username, password, passwordBytes, remote }),
      );
    } catch {
      return false; // a hook that fails lets nobody in
    }
  }
}

function credentialsOf(header: string): readonly [string, string] | undefined {
  const [, encoded] = /^basic +([\w+/=]+)$/i.exec(header) ?? [];
  if (encoded === undefined) return undefined;
  try {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(encoded)), colon = text.indexOf(":");
    return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
  } catch {
    return undefined;
  }
}

function unauthorized(): Response {
  const headers = { "www-authenticate": 'Basic realm="Brook", charset="UTF-8"', "cache-control": "no-store" };
  return new Response("User name and password are needed\n", { status: 401, headers });
}
