// The broker behind a web server: MQTT over WebSocket at two paths, and whatever pages others have to show at the rest. Invariant: a
// web page of a stranger gets no connection: browsers would let it open one to any address that they can reach, this machine's included.
import type { Clock } from "./clock.ts";
import { hostFault, hostsOf, isLoopback } from "./hosts.ts";
import type { ByteStream } from "./transport/transport.ts";
import { upgrade } from "./transport/websocket.ts";

/** What a web server tells of a request: where it comes from. */
export interface RequestInfo {
  readonly remoteAddr: Deno.Addr;
}

/** Answers a request, or leaves it to others. */
export type Pages = (request: Request, info?: RequestInfo) => Response | Promise<Response> | undefined;

/** What it needs of the broker. */
interface Surroundings {
  /** Origins whose pages may connect, besides those of the host itself; `*` stands for all. */
  readonly origins: readonly string[];
  readonly clock: Clock;
  /** True once the broker takes no more connections. */
  closing(): boolean;
  accept(stream: ByteStream): Promise<void>;
}

/** Where MQTT is. */
const PATHS = ["/mqtt", "/"];

/** What a web server asks. */
export class Front {
  readonly #around: Surroundings;
  readonly #pages: Pages[] = [];

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Adds pages behind those that there are; the result removes them. */
  serve(pages: Pages): () => void {
    this.#pages.push(pages);
    return () => {
      const index = this.#pages.indexOf(pages);
      if (index >= 0) this.#pages.splice(index, 1);
    };
  }

  /** Answers a request. */
  answer(request: Request, info?: RequestInfo): Response | Promise<Response> {
    if (!URL.canParse(request.url)) return new Response("The host is none\n", { status: 400 }); // it is as the client sent it
    const { pathname } = new URL(request.url);
    const wanted = request.headers.get("upgrade")?.toLowerCase(); // it may be HTTP/2, which a server may leave out
    if (PATHS.includes(pathname) && wanted === "websocket") return this.#connect(request, info);
    for (const pages of this.#pages) {
      const response = pages(request, info);
      if (response) return response;
    }
    if (PATHS.includes(pathname)) return this.#connect(request, info); // which says what is missing
    return new Response("There is nothing here: MQTT over WebSocket is at /mqtt\n", { status: 404 });
  }

  #connect(request: Request, info: RequestInfo | undefined): Response {
    const { origins, clock, closing, accept } = this.#around, origin = request.headers.get("origin");
    if (closing()) return new Response("The broker is closed\n", { status: 503 });
    const refused = origin === null ? undefined : refusal(origin, request, origins); // programs that are no browser name none
    if (refused) return refused;
    return upgrade(request, accept, { clock, ...info && { info } });
  }
}

/**
 * The answer to a page that may not connect. One of the host that it asks may, whatever the port, and so may one of this machine that
 * asks this machine; but the name of the host counts only where it can't be anybody's. Where the page came over TLS it can't: its server
 * had to have a certificate, and no browser lets such a page connect to another server without one.
 */
function refusal(origin: string, request: Request, origins: readonly string[]): Response | undefined {
  if (origins.includes("*") || origins.includes(origin)) return undefined;
  const page = URL.canParse(origin) ? new URL(origin) : undefined, { hostname } = new URL(request.url);
  if (page?.hostname !== hostname && !(page && isLoopback(page.hostname) && isLoopback(hostname))) {
    const wanted =
      `those of "${hostname}" may, and those of an origin which the broker was told of, such as by --origin`;
    return new Response(`Pages of ${JSON.stringify(origin)} may not connect: ${wanted}\n`, { status: 403 });
  }
  const fault = page.protocol === "https:" ? undefined : hostFault(request, hostsOf(origins));
  return fault === undefined ? undefined : new Response(`${fault}\n`, { status: 421 });
}
