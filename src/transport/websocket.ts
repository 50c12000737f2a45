// MQTT over WebSocket (section 6 of 3.1.1 and of 5.0), inside any server that answers a Request with a Response:
// Deno.serve, Hono and the like. Packets and frames have nothing to do with each other: what arrives is one stream of
// bytes, and what leaves is cut as it comes. The interface of WebSockets paces neither side, so both are bounded here.
// What goes out waits until the socket has let go of what it holds, which has to be asked again and again, as nothing
// tells it. What comes in can't be stopped: a client that sends faster than the broker reads, beyond a limit, loses its
// connection.
import { type Clock, systemClock } from "../clock.ts";
import { Inbox } from "./inbox.ts";
import { withPort } from "./tcp.ts";
import type { ByteStream } from "./transport.ts";

/** How a client over WebSocket is served. */
export interface WebSocketOptions {
  /** What `Deno.serve` tells of the client: its address. */
  readonly info?: { readonly remoteAddr: Deno.Addr };
  /**
   * Bytes that may lie unread when a message comes; beyond that the connection ends with the close code 1009. Default
   * 16 MiB. A single message may be larger: Deno takes up to 64 MiB.
   */
  readonly unread?: number;
  /** Where the time comes from; default: the machine's. */
  readonly clock?: Clock;
}

/** The subprotocols that are served, the better ones first; the second one is of the time before the standard. */
const PROTOCOLS = ["mqtt", "mqttv3.1"];

/** Bytes of the largest frame that is sent, and bytes in the socket above which writing waits. */
const FRAME = 65_536, BUFFERED = 65_536;

/** How long a waiting write lets pass until it looks again, at first and at most, in milliseconds. */
const SOON = 1, LATE = 256;

const UNREAD = 16 * 1024 * 1024;

/**
 * Answers a request for MQTT over WebSocket. The response has to be returned to the server as it is.
 *
 * @param accept gets the client's stream as soon as the connection is open; must neither throw nor reject
 * @returns 101, or 426 where the request wants no WebSocket, or 400 where it is wrong or does not offer the subprotocol
 *   `mqtt`
 *
 * @example
 * ```ts
 * import { createBroker } from "@brook/mqtt";
 * import { upgrade } from "./websocket.ts";
 *
 * await using broker = createBroker();
 * await using _server = Deno.serve({ port: 0 }, (request, info) => {
 *   return upgrade(request, (stream) => broker.accept(stream), { info });
 * });
 * ```
 */
export function upgrade(
  request: Request,
  accept: (stream: ByteStream) => void | Promise<void>,
  { info, unread = UNREAD, clock = systemClock }: WebSocketOptions = {},
): Response {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return unwanted();
  const offered = request.headers.get("sec-websocket-protocol")?.split(",").map((name) => name.trim()) ?? [];
  const protocol = PROTOCOLS.find((name) => offered.includes(name)); // [MQTT-6.0.0-3]
  if (!protocol) return refused(`Subprotocol "mqtt" is needed, the client offers ${quoted(offered)}`);
  const remote = remoteOf(info); // which can't be told any more behind the upgrade
  const upgraded = attempt(request, protocol);
  if (upgraded instanceof Response) return upgraded;
  const { socket, response } = upgraded;
  const stream = new SocketStream(socket, { remote, unread, clock });
  socket.addEventListener("open", () => accept(stream));
  return response;
}

function attempt(request: Request, protocol: string): Deno.WebSocketUpgrade | Response {
  try {
    return Deno.upgradeWebSocket(request, { protocol, idleTimeout: 0 });
  } catch (error) {
    if (error instanceof TypeError) return refused(error.message);
    throw error;
  }
}

function unwanted(): Response {
  const headers = { upgrade: "websocket", connection: "upgrade" };
  return new Response("This is MQTT over WebSocket: a WebSocket is needed\n", { status: 426, headers });
}

function refused(why: string): Response {
  return new Response(`${why}\n`, { status: 400 });
}

function quoted(names: readonly string[]): string {
  return names.length > 0 ? names.map((name) => `"${name}"`).join(", ") : "none";
}

function remoteOf(info: WebSocketOptions["info"]): string {
  const address = info?.remoteAddr;
  if (!address) return "websocket";
  return "hostname" in address ? withPort(address.hostname, address.port) : address.transport;
}

interface Surroundings {
  readonly remote: string;
  readonly unread: number;
  readonly clock: Clock;
}

/** An open WebSocket as a stream. */
class SocketStream implements ByteStream {
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #unread: number;
  readonly #clock: Clock;
  readonly #inbox = new Inbox();
  /** Why nothing can be written any more. */
  #broken: Error | undefined;
  /** Ends the waiting of a write. */
  #wake: (() => void) | undefined;

  constructor(socket: WebSocket, { remote, unread, clock }: Surroundings) {
    this.#socket = socket;
    this.remote = remote;
    this.#unread = unread;
    this.#clock = clock;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("error", (event) => this.#end(new Error((event as ErrorEvent).message)));
    socket.addEventListener("close", () => this.#end());
  }

  #receive(data: string | ArrayBuffer): void {
    // [MQTT-6.0.0-1]
    if (typeof data === "string") return this.#refuse(1003, "A text frame came: MQTT takes binary ones");
    if (this.#inbox.held > this.#unread) return this.#refuse(1009, "More has come than is read");
    this.#inbox.put(new Uint8Array(data));
  }

  /** Deno drops the connection, and maybe the code, where the client goes on sending. */
  #refuse(code: number, why: string): void {
    this.#break(new Error(why));
    this.#socket.close(code, why);
  }

  #end(error?: Error): void {
    this.#inbox.end(error);
    this.#broken ??= error ?? closedByPeer();
    this.#wake?.();
  }

  #break(error: Error): void {
    this.#inbox.break(error);
    this.#broken ??= error;
    this.#wake?.();
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#inbox.read(buffer);
  }

  async write(bytes: Uint8Array): Promise<number> {
    for (let delay = 0; this.#socket.bufferedAmount > BUFFERED; delay = Math.min(delay * 2 || SOON, LATE)) {
      await this.#pause(delay);
    }
    if (this.#broken || this.#socket.readyState !== WebSocket.OPEN) throw this.#broken ?? closedByPeer();
    const frame = bytes.subarray(0, FRAME) as Uint8Array<ArrayBuffer>;
    this.#socket.send(frame); // it takes a copy
    return frame.length;
  }

  /** Gives way to the event loop at first, which does not depend on the clock; after that, lets time pass. */
  async #pause(delay: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const clock = delay === 0 ? systemClock : this.#clock, cancel = clock.schedule(resolve, delay);
    await promise;
    cancel();
  }

  /** The other side answers with the same, which ends what can be read. */
  closeWrite(): Promise<void> {
    this.#broken ??= new Deno.errors.BrokenPipe("The WebSocket has been closed for writing");
    this.#wake?.();
    this.#socket.close(1000);
    return Promise.resolve();
  }

  /** Deno can't cut the connection: where the client neither reads nor leaves, it stays with Deno alone. */
  close(): void {
    this.#break(new Deno.errors.Interrupted("Stream was closed"));
    this.#socket.close(1000);
  }
}

function closedByPeer(): Error {
  return new Deno.errors.BrokenPipe("The other side has closed the WebSocket");
}
