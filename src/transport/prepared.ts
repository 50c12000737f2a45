// An acceptor whose connections have something to say before MQTT begins, such as a TLS handshake. All of them do so at
// the same time, so that one that keeps silent is in nobody's way; each is handed on as soon as it is ready. Invariant:
// whoever is not, by an error or because its time is over, is closed.
import type { Acceptor, ByteStream } from "./transport.ts";

/** A connection that was closed before it was ready. */
export interface FailedConnection {
  /** Address and port of the other side. */
  readonly remote: string;
  /** What went wrong, as a sentence. */
  readonly error: Error;
}

/** Told of each connection that fails; must not throw. */
export type OnFailure = (failed: FailedConnection) => void;

/**
 * What makes a connection ready. When it rejects, the connection is closed; it has to settle when the connection is
 * closed.
 */
export type Prepare = (stream: ByteStream) => Promise<ByteStream>;

/** The connections of another acceptor, prepared. */
export function prepared(acceptor: Acceptor, prepare: Prepare, onFailure: OnFailure = () => {}): Acceptor {
  const pending = new Map<ByteStream, Promise<void>>();
  let closing = false;
  const make = async (stream: ByteStream, use: Use): Promise<void> => {
    try {
      const ready = await prepare(stream);
      if (closing) ready.close();
      else use(ready);
    } catch (error) {
      stream.close();
      if (!closing) onFailure({ remote: stream.remote, error: error as Error });
    }
    pending.delete(stream);
  };
  const makeAll = async (use: Use): Promise<void> => {
    for await (const stream of acceptor) pending.set(stream, make(stream, use));
    await Promise.all(pending.values());
  };
  return {
    address: acceptor.address,
    port: acceptor.port,
    [Symbol.asyncIterator]: () => queued(makeAll),
    close() {
      closing = true;
      acceptor.close();
      for (const stream of pending.keys()) stream.close();
    },
  };
}

type Use = (ready: ByteStream) => void;

/** What is made, one after the other, until nothing more is. */
function queued(makeAll: (use: Use) => Promise<void>): AsyncIterator<ByteStream> {
  const items = new ReadableStream<ByteStream>({
    start(controller) {
      makeAll((ready) => controller.enqueue(ready)).then(() => controller.close(), (error) => controller.error(error));
    },
  });
  return items[Symbol.asyncIterator]();
}
