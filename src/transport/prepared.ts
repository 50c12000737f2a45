// An acceptor whose connections have something to say before MQTT begins, such as a TLS handshake. All of them do so at
// the same time, so that one that keeps silent is in nobody's way; each is handed on as soon as it is ready. Invariant:
// whoever is not, by an error or because its time is over, is closed, and only so many are getting ready at a time.
import { type Clock, systemClock, within } from "../clock.ts";
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

/** How connections are prepared. */
export interface PreparedOptions {
  /** Told of each connection that fails. */
  readonly onFailure?: OnFailure | undefined;
  /** Where the time comes from; default: the machine's. */
  readonly clock?: Clock | undefined;
  /** How many may be getting ready at a time; default 1000. */
  readonly most?: number;
}

/** How long somebody may take, in milliseconds, before it makes room for others that wait. */
const FAIR = 1000;

/**
 * The connections of another acceptor, prepared. While as many are getting ready as may be, nobody else is accepted, until one of them
 * is ready; or until the one that has been at it longest has had a second, and is closed. So a crowd of honest clients is served in
 * turn, and one that keeps silent can't fill the memory, nor keep others out.
 */
export function prepared(
  acceptor: Acceptor,
  prepare: Prepare,
  { onFailure = () => {}, clock = systemClock, most = 1000 }: PreparedOptions = {},
): Acceptor {
  const pending = new Map<ByteStream, Pending>();
  let closing = false, left = Promise.withResolvers<void>();
  const make = async (stream: ByteStream, use: Use): Promise<void> => {
    try {
      const ready = await prepare(stream);
      if (closing) ready.close();
      else use(ready);
    } catch (error) {
      stream.close();
      const reason = pending.get(stream)?.crowdedOut ?? error as Error;
      if (!closing) onFailure({ remote: stream.remote, error: reason });
    }
    pending.delete(stream);
    left.resolve();
    left = Promise.withResolvers();
  };
  const room = async (): Promise<void> => {
    while (pending.size >= most && !closing) {
      const [oldest, about] = pending.entries().next().value!;
      await within(clock, about.since + FAIR - clock.now(), left.promise);
      if (pending.size < most || about.crowdedOut) continue;
      about.crowdedOut = new Error(
        `It made room for others after ${FAIR} ms: ${most} connections were getting ready at a time`,
      );
      oldest.close();
      await left.promise;
    }
  };
  const makeAll = async (use: Use): Promise<void> => {
    for await (const stream of acceptor) {
      await room();
      if (closing) stream.close();
      else pending.set(stream, { since: clock.now(), crowdedOut: undefined, made: make(stream, use) });
    }
    await Promise.all([...pending.values()].map(({ made }) => made));
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

/** A connection that is getting ready. */
interface Pending {
  /** When it began. */
  readonly since: number;
  /** Why it was closed for others. */
  crowdedOut: Error | undefined;
  readonly made: Promise<void>;
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
