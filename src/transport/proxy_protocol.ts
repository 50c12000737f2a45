// The PROXY protocol, versions 1 and 2 (haproxy.org/download/3.0/doc/proxy-protocol.txt): a load balancer that passes
// connections on says first whose they are. Who can connect to such a port can claim to be anybody: nobody but the
// balancer should. Invariant: no byte of MQTT is handed on before a whole and valid header, which is never guessed at:
// anything else closes the connection.
import { type Clock, systemClock } from "../clock.ts";
import { type OnFailure, prepared } from "./prepared.ts";
import { parseHeader } from "./proxy_header.ts";
import type { Acceptor, ByteStream } from "./transport.ts";

/** How headers are waited for. */
export interface ProxyProtocolOptions {
  /** Milliseconds until the whole header must have come. Default 5000. */
  readonly timeout?: number;
  /** Told of each connection that is closed for its header, or for the lack of it. */
  readonly onFailure?: OnFailure;
  /** Where the time comes from; default: the machine's. */
  readonly clock?: Clock;
}

/** The largest header, in bytes: version 2 could announce 65,551, which nobody needs. */
const LARGEST = 4096;

/**
 * Connections that come through a load balancer: `remote` is what the balancer says. TLS, where there is any, comes
 * behind.
 */
export function overProxy(acceptor: Acceptor, options: ProxyProtocolOptions = {}): Acceptor {
  return prepared(acceptor, (stream) => withoutHeader(stream, options), options);
}

/** Reads the header of one connection, and resolves to what is behind it. The stream is closed where that fails. */
export async function withoutHeader(
  stream: ByteStream,
  { timeout = 5000, clock = systemClock }: Omit<ProxyProtocolOptions, "onFailure"> = {},
): Promise<ByteStream> {
  let late = false;
  const cancel = clock.schedule(() => {
    late = true;
    stream.close();
  }, timeout);
  try {
    return await readHeader(stream);
  } catch (error) {
    stream.close();
    throw late ? new Error(`No PROXY header came within ${timeout} ms`) : error;
  } finally {
    cancel();
  }
}

async function readHeader(stream: ByteStream): Promise<ByteStream> {
  const buffer = new Uint8Array(LARGEST);
  for (let length = 0;;) {
    const count = await stream.read(buffer.subarray(length));
    if (count === null) throw new Error(`Connection ended after ${length} bytes of a PROXY header`);
    length += count;
    const header = parseHeader(buffer.subarray(0, length), LARGEST);
    if (header) return behind(stream, header.source ?? stream.remote, buffer.slice(header.length, length));
  }
}

/** A stream without what has been read of it; `rest` has been read too far. */
function behind(stream: ByteStream, remote: string, rest: Uint8Array): ByteStream {
  return {
    remote,
    certificate: stream.certificate,
    read(buffer) {
      if (rest.length === 0) return stream.read(buffer);
      const count = Math.min(rest.length, buffer.length);
      buffer.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return Promise.resolve(count);
    },
    write: (bytes) => stream.write(bytes),
    closeWrite: () => stream.closeWrite(),
    close() {
      rest = rest.subarray(rest.length);
      stream.close();
    },
  };
}
