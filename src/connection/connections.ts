// All connections of a broker, and the listeners that they come from. Each new one is emitted before it reads its first byte.
import { within } from "../clock.ts";
import { MqttError } from "../errors.ts";
import { Source } from "../operators/source.ts";
import type { Acceptor, ByteStream } from "../transport/transport.ts";
import { Connection, type ConnectionContext, LINGER } from "./connection.ts";

/** A listening port. */
export interface Listener extends AsyncDisposable {
  /** Where it listens, such as `mqtt://127.0.0.1:1883`. */
  readonly address: string;
  /** The port, also where the system chose it. */
  readonly port: number;
  /** Stops to accept; connections that exist go on. */
  close(): Promise<void>;
}

/** The connections of one broker. */
export class Connections {
  /** Every new connection. */
  readonly opened: Source<Connection> = new Source();
  readonly #acceptors = new Set<Acceptor>();
  #closing = false;

  /** Accepts what an acceptor brings. */
  listen(listen: () => Acceptor, context: ConnectionContext): Listener {
    if (this.#closing) throw new MqttError("server-shutting-down", "Broker is closed: it can't listen");
    const acceptor = listen(), { address, port } = acceptor;
    this.#acceptors.add(acceptor);
    const accepting = this.#acceptFrom(acceptor, context);
    context.report({ type: "listening", address });
    const close = () => {
      this.#acceptors.delete(acceptor);
      acceptor.close();
      return accepting;
    };
    return { address, port, close, [Symbol.asyncDispose]: close };
  }

  async #acceptFrom(acceptor: Acceptor, context: ConnectionContext): Promise<void> {
    for await (const stream of acceptor) this.accept(stream, context);
  }

  /** Serves one client, unless there are too many. */
  accept(stream: ByteStream, context: ConnectionContext): Connection | undefined {
    if (this.#closing) return closed(stream);
    const connection = new Connection(stream, context), refused = context.admission.enter(connection);
    if (refused) {
      const { reason, message: detail } = refused;
      context.report({ type: "refused", client: undefined, remote: stream.remote, reason, detail });
      return closed(stream);
    }
    this.opened.next(connection);
    connection.start();
    return connection;
  }

  /** Accepts no more, and ends all connections: what is under way to clients is still sent, for `drain` milliseconds. */
  async close(drain: number, { turn, admission, options: { clock } }: ConnectionContext): Promise<void> {
    this.#closing = true;
    for (const acceptor of this.#acceptors) acceptor.close();
    const connections = [...admission.connections];
    turn.run(() => {
      for (const connection of connections) connection.close("server-shutting-down", "The broker closes", drain);
    });
    await within(clock, drain + 2 * LINGER, Promise.all(connections.map((connection) => connection.over)));
  }
}

/** Closes a stream that is somebody else's, and may throw. */
function closed(stream: ByteStream): undefined {
  Promise.try(() => stream.close()).catch(() => {});
}
