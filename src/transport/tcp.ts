// MQTT over TCP. Each of the ways in which a socket of Deno can fail is turned into the one that the interface knows: a read or
// write that rejects ends its own connection, and an accept that fails for one peer does not end the others.
import type { Acceptor, ByteStream } from "./transport.ts";

/** Where to listen. */
export interface TcpOptions {
  /** Default 1883; 0 lets the system choose. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
}

/** The default backlog of 511 makes a burst of thousands of connections wait for seconds. */
const BACKLOG = 4096;

/** How long to wait after an accept has failed, in milliseconds. */
const RETRY = 50;

/** How an accept fails for a peer that has reset the connection meanwhile. */
const gone = [Deno.errors.NotConnected, Deno.errors.ConnectionAborted, Deno.errors.ConnectionReset];

/**
 * Listens on a TCP port.
 *
 * @throws {Deno.errors.AddrInUse} where the port is taken
 */
export function listenTcp({ port = 1883, hostname = "127.0.0.1" }: TcpOptions): Acceptor {
  const listener = listenAt(hostname, port);
  const { port: actual } = listener.addr;
  return {
    address: `mqtt://${withPort(hostname, actual)}`,
    port: actual,
    [Symbol.asyncIterator]: () => accepted(listener, tcpStream),
    close: () => closed(listener),
  };
}

/** Of a port that is taken Deno does not say which one it is. */
function listenAt(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ port, hostname, tcpBacklog: BACKLOG });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    throw new Deno.errors.AddrInUse(`Port ${port} of ${hostname} is in use: another one is needed, or 0 for any`, {
      cause,
    });
  }
}

/** The connections that a listener accepts, until it is closed. */
export function accepted<Conn>(
  listener: { accept(): Promise<Conn> },
  stream: (conn: Conn) => ByteStream,
): AsyncIterator<ByteStream> {
  return {
    async next(): Promise<IteratorResult<ByteStream>> {
      for (;;) {
        try {
          return { value: stream(await listener.accept()), done: false };
        } catch (error) {
          if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) { // closed
            return { value: undefined, done: true };
          }
          // Too many open files take a while to change. For a peer that has gone already nobody has to wait: there may be thousands.
          if (!gone.some((type) => error instanceof type)) await new Promise((resolve) => setTimeout(resolve, RETRY));
        }
      }
    },
  };
}

/** A connected socket as a stream. */
export function tcpStream(conn: Deno.TcpConn): ByteStream {
  conn.setNoDelay(true);
  return new ConnStream(conn, undefined);
}

/** Any connection of Deno's as a stream. */
export function connStream(conn: Deno.Conn, remote: string): ByteStream {
  return new ConnStream(conn, remote);
}

class ConnStream implements ByteStream {
  readonly #conn: Deno.Conn;
  readonly #remote: string | undefined;

  /** @param remote the address and port of the other side; default: as the connection says */
  constructor(conn: Deno.Conn, remote: string | undefined) {
    this.#conn = conn;
    this.#remote = remote;
  }

  get remote(): string {
    const { hostname, port } = this.#conn.remoteAddr as Deno.NetAddr;
    return this.#remote ?? withPort(hostname, port);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite().catch(() => {}); // the peer may have reset the connection
  }

  close(): void {
    closed(this.#conn);
  }
}

/** Closes what may be closed already. */
export function closed(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It was closed before.
  }
}

/** An address and a port as text. */
export function withPort(hostname: string, port: number): string {
  return [hostname.includes(":") ? `[${hostname}]` : hostname, port].join(":"); // which is one piece, and not a tree of three
}
