// Both ends of connections over every transport: the server's is the one that the broker would get.
import { assert } from "@std/assert";
import { connect as connectTls } from "node:tls";
import { memoryPair } from "../../src/transport/memory.ts";
import { overProxy } from "../../src/transport/proxy_protocol.ts";
import { connStream, listenTcp, tcpStream } from "../../src/transport/tcp.ts";
import { listenTls, overTls } from "../../src/transport/tls.ts";
import { TlsStream, Wire } from "../../src/transport/tls_stream.ts";
import type { Acceptor, ByteStream } from "../../src/transport/transport.ts";
import { listenUnix } from "../../src/transport/unix.ts";
import { upgrade, type WebSocketOptions } from "../../src/transport/websocket.ts";
import type { Ends } from "../suites/stream.ts";
import { identity } from "./certificates.ts";
import { RawWebSocket } from "./raw_websocket.ts";
import { send } from "./streams.ts";

/** Takes what an acceptor accepts. */
export class Accepting implements Disposable {
  readonly acceptor: Acceptor;
  readonly #streams: AsyncIterator<ByteStream>;

  constructor(acceptor: Acceptor) {
    this.acceptor = acceptor;
    this.#streams = acceptor[Symbol.asyncIterator]();
  }

  /** The next connection. */
  async next(): Promise<ByteStream> {
    const { value, done } = await this.#streams.next();
    assert(!done, "The acceptor has been closed");
    return value;
  }

  /** Resolves when it accepts no more. */
  async ended(): Promise<void> {
    const { done } = await this.#streams.next();
    assert(done, "Another connection came");
  }

  [Symbol.dispose](): void {
    this.acceptor.close();
  }
}

/** Connects to an acceptor, which is closed with the connection. */
async function endsOver(acceptor: Acceptor, connect: (port: number) => Promise<ByteStream>): Promise<Ends> {
  const accepting = new Accepting(acceptor);
  const [tested, peer] = await Promise.all([accepting.next(), connect(acceptor.port)]);
  return ends(tested, peer, () => Promise.resolve(acceptor.close()));
}

function ends(tested: ByteStream, peer: ByteStream, close: () => Promise<void>): Ends {
  return {
    tested,
    peer,
    async [Symbol.asyncDispose]() {
      tested.close();
      peer.close();
      await close();
    },
  };
}

const hostname = "127.0.0.1";

/** In the memory of the process. */
export function memoryEnds(): Promise<Ends> {
  const [peer, tested] = memoryPair();
  return Promise.resolve(ends(tested, peer, () => Promise.resolve()));
}

/** Over TCP. */
export function tcpEnds(): Promise<Ends> {
  return endsOver(listenTcp({ port: 0 }), async (port) => tcpStream(await Deno.connect({ port, hostname })));
}

/** Over TCP, behind a header of the PROXY protocol. */
export function proxyEnds(): Promise<Ends> {
  return endsOver(overProxy(listenTcp({ port: 0 })), async (port) => {
    const stream = tcpStream(await Deno.connect({ port, hostname }));
    await send(stream, "PROXY TCP4 192.0.2.1 192.0.2.2 1000 1883\r\n");
    return stream;
  });
}

/** Over a Unix socket. */
export async function unixEnds(): Promise<Ends> {
  const folder = await Deno.makeTempDir(), path = `${folder}/socket`;
  const connect = async () => connStream(await Deno.connect({ transport: "unix", path }), path);
  const both = await endsOver(await listenUnix({ path }), connect);
  return ends(both.tested, both.peer, async () => {
    await both[Symbol.asyncDispose]();
    await Deno.remove(folder);
  });
}

/** Over TLS; the client is Deno's own. */
export function tlsEnds(): Promise<Ends> {
  const { authority, server } = identity(), caCerts = [authority.own.certificate];
  return endsOver(listenTls({ port: 0, ...server }), async (port) => {
    const conn = await Deno.connectTls({ port, hostname, caCerts });
    await conn.handshake();
    return connStream(conn, "tls");
  });
}

/** Over TLS that goes over another stream, which takes a few bytes at a time; the client is that of node:tls. */
export async function tlsOverMemoryEnds(): Promise<Ends> {
  const { authority, server } = identity(), [near, far] = memoryPair(1000), wire = new Wire(near);
  const acceptor: Acceptor = {
    address: "mqtt://memory",
    port: 0,
    async *[Symbol.asyncIterator]() {
      yield far;
    },
    close: () => {},
  };
  const ca = authority.own.certificate, client = connectTls({ socket: wire, ca, servername: "localhost" });
  const secure = new Promise((resolve, reject) => client.on("secureConnect", resolve).on("error", reject));
  const [tested] = await Promise.all([new Accepting(overTls(acceptor, server)).next(), secure]);
  return ends(tested, new TlsStream(client, wire, "memory"), () => Promise.resolve());
}

/** A server of WebSockets, and what it accepts. */
export class WebSocketServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #accepted: ByteStream[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(options: WebSocketOptions = {}, wrap = (handler: Deno.ServeHandler): Deno.ServeHandler => handler) {
    const handler = wrap((request, info) => upgrade(request, (stream) => this.#accept(stream), { info, ...options }));
    this.#server = Deno.serve({ port: 0, hostname, onListen() {} }, handler);
    this.port = this.#server.addr.port;
  }

  #accept(stream: ByteStream): void {
    this.#accepted.push(stream);
    this.#changed.resolve();
  }

  /** The next connection. */
  async next(): Promise<ByteStream> {
    if (this.#accepted.length === 0) await this.#changed.promise;
    this.#changed = Promise.withResolvers();
    return this.#accepted.shift()!;
  }

  /** All connections must have been ended by their clients: the server can't. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }
}

/** Over a WebSocket. */
export async function webSocketEnds(options?: WebSocketOptions): Promise<Ends> {
  const server = new WebSocketServer(options);
  const [tested, peer] = await Promise.all([server.next(), RawWebSocket.accepted(server.port)]);
  return ends(tested, peer, () => server[Symbol.asyncDispose]());
}
