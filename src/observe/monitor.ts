// What people and programs see of a broker over HTTP: a page, the JSON that it shows, metrics and health. To be mounted in any server
// that answers a Request with a Response; what is not its own it leaves to others.
import type { Authenticate } from "../access/access.ts";
import type { RequestInfo } from "../front.ts";
import type { LedgerEntry, LedgerQuery } from "../ledger.ts";
import { VERSION } from "../version.ts";
import { hostFault } from "../hosts.ts";
import { Gate, isSameOrigin } from "./gate.ts";
import { countsOf } from "./metrics.ts";
import page from "./page.html" with { type: "text" };
import { healthResponse, metricsResponse } from "./prometheus.ts";
import type { ClientStatus, Status } from "./status.ts";

/** What is looked at: a broker. */
export interface Monitored {
  readonly status: Status;
  why(query: LedgerQuery): readonly LedgerEntry[];
}

/** Who may look. */
export interface MonitorOptions {
  /** Decides who may look, and disconnect clients; default: the broker's own hook, so that whoever may connect may do that. */
  readonly authenticate?: Authenticate;
  /**
   * Host names, without a port, by which it may be asked, besides addresses and local names; `*` stands for all. Default: those of the
   * origins whose pages may connect.
   */
  readonly hosts?: readonly string[];
}

/** Answers a request; nothing where it is meant for somebody else. */
export type MonitorHandler = (request: Request, info?: RequestInfo) => Promise<Response> | undefined;

/** How many clients and losses are shown at once. */
const SHOWN = 200;

/**
 * Shows a broker at `/`, `/api/`, `/metrics` and `/healthz`. Where the broker authenticates its clients, all but the last one ask for
 * user name and password.
 *
 * @example
 * ```ts
 * import { createBroker } from "@brook/mqtt";
 * import { monitor } from "./monitor.ts";
 *
 * await using broker = createBroker();
 * const show = monitor(broker);
 * await using _server = Deno.serve({ port: 0, hostname: "127.0.0.1" }, (request, info) => {
 *   return show(request, info) ?? new Response("Not found", { status: 404 });
 * });
 * ```
 */
export function monitor(broker: Monitored, options: MonitorOptions = {}): MonitorHandler {
  const { status } = broker, { authenticate = status.authenticate, hosts = status.hosts } = options;
  const gate = new Gate(authenticate, status.clock);
  return (request, info) => {
    if (!URL.canParse(request.url)) return undefined; // it holds the client's Host as that sent it
    const url = new URL(request.url), answer = routeOf(broker, request.method, url);
    if (!answer) return undefined;
    const guarded = async () => {
      const fault = hostFault(request, hosts);
      if (fault) return text(421, fault);
      if (request.method === "POST" && !isSameOrigin(request)) return text(403, "The request is from another site");
      if (url.pathname === "/healthz") return answer();
      return await gate.refusal(request, info) ?? answer();
    };
    return guarded();
  };
}

type Answer = () => Response | Promise<Response>;

/** What answers a path; nothing where it is none of these. */
function routeOf(broker: Monitored, method: string, { pathname, searchParams }: URL): Answer | undefined {
  const { status } = broker, disconnect = /^\/api\/clients\/([^/]+)\/disconnect$/.exec(pathname)?.[1];
  if (disconnect !== undefined) return only("POST", method, () => disconnected(status, disconnect));
  const answers: Readonly<Record<string, Answer>> = {
    "/": pageResponse,
    "/metrics": () => metricsResponse(status),
    "/healthz": () => healthResponse(status),
    "/api/overview": () => json(overview(status)),
    "/api/clients": () => json(clients(status, searchParams.get("search") ?? "")),
    "/api/why": () => losses(broker, searchParams),
  };
  if (Object.hasOwn(answers, pathname)) return only("GET", method, answers[pathname]!);
  return pathname.startsWith("/api/") ? () => text(404, "Not found") : undefined;
}

function only(wanted: string, method: string, answer: Answer): Answer {
  if (method === wanted || method === "HEAD" && wanted === "GET") return answer; // of which the server leaves out the body
  return () => text(405, `Method ${method} is not for this, ${wanted} is`, { allow: wanted });
}

/** What flows, and what there is. */
function overview(status: Status): object {
  const { uptime, fault, gauges, traffic, counters } = status;
  const losses = ["dropped", "denied", "refused", "disconnected"].map((type) => [type, countsOf(counters, type)]);
  return { version: VERSION, uptime, fault, gauges, traffic, ...Object.fromEntries(losses) };
}

/** The first clients whose identifier, user name or address contains a text, and how many there are. */
function clients(status: Status, search: string): { readonly total: number; readonly clients: ClientStatus[] } {
  const wanted = search.toLowerCase(), found: ClientStatus[] = [];
  let total = 0;
  for (const client of status.clients()) {
    const texts = [client.id, client.username, client.remote];
    if (!texts.some((text) => text?.toLowerCase().includes(wanted))) continue;
    if (++total <= SHOWN) found.push(client);
  }
  return { total, clients: found };
}

function losses(broker: Monitored, query: URLSearchParams): Response {
  const client = query.get("client"), topic = query.get("topic");
  try {
    const entries = broker.why({ ...client && { client }, ...topic && { topic } });
    return json({ total: entries.length, entries: entries.slice(0, SHOWN) });
  } catch (error) {
    if (error instanceof TypeError) return text(400, error.message);
    throw error;
  }
}

function disconnected(status: Status, name: string): Response {
  try {
    const client = decodeURIComponent(name);
    return status.disconnect(client) ? new Response(null, { status: 204 }) : text(404, `"${client}" is not connected`);
  } catch (error) {
    if (error instanceof URIError) return text(400, "Client identifier is not encoded as it should be");
    throw error;
  }
}

/** The page may run nothing but its own script, and talk to nobody but this server. */
let policy: Promise<string> | undefined;

async function pagePolicy(): Promise<string> {
  const [, script = ""] = /<script>([^]*?)<\/script>/.exec(page) ?? [];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script))).toBase64();
  return `default-src 'none'; script-src 'sha256-${digest}'; style-src 'unsafe-inline'; connect-src 'self'; ` +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

async function pageResponse(): Promise<Response> {
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": await (policy ??= pagePolicy()),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
  };
  return new Response(page, { headers });
}

function json(value: object): Response {
  return Response.json(value, { headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" } });
}

function text(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${message}\n`, { status, headers: { "cache-control": "no-store", ...headers } });
}
