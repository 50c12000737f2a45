// What there is in a broker right now, and what has gone through it: the one place that metrics, $SYS topics and the page read from.
// Nothing is kept here: everything is looked at when somebody asks, so that it costs nothing while nobody does.
import type { Authenticate } from "../access/access.ts";
import type { Clock } from "../clock.ts";
import type { Connection, ConnectionContext } from "../connection/connection.ts";
import { hostsOf } from "../hosts.ts";
import type { TrafficCounts } from "../traffic.ts";

/** What there is, as numbers. */
export interface Gauges {
  /** Open connections, also of clients that have not said who they are. */
  readonly connections: number;
  /** Clients that are connected. */
  readonly clients: number;
  /** Sessions, with and without a connection. */
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
  /** Messages that wait in sessions. */
  readonly queuedMessages: number;
  /** Messages on their way to clients without their acknowledgement. */
  readonly inFlightMessages: number;
  /** Bytes that the broker holds for its clients, as the limit `memory` counts them. */
  readonly memoryBytes: number;
}

/** One client: its session, and its connection where it has one. */
export interface ClientStatus {
  readonly id: string;
  readonly connected: boolean;
  readonly username: string | undefined;
  /** Address and port; `undefined` without a connection. */
  readonly remote: string | undefined;
  /** Its version of MQTT, such as `MQTT 5.0`; `undefined` without a connection. */
  readonly version: string | undefined;
  readonly subscriptions: number;
  readonly queued: number;
  readonly inFlight: number;
}

/** What a broker can be asked; `Broker.status` is one. */
export class Status {
  readonly clock: Clock;
  /** Who may connect; nothing where everybody may. */
  readonly authenticate: Authenticate | undefined;
  /** Hosts by which web servers may be asked for it; `*` stands for all. */
  readonly hosts: readonly string[];
  /** How often each kind of event has happened, as `type` or `type/reason`. */
  readonly counters: ReadonlyMap<string, number>;
  readonly #context: ConnectionContext;
  readonly #closing: () => boolean;
  readonly #since: number;

  /** @param closing whether the broker takes nobody any more */
  constructor(context: ConnectionContext, counters: ReadonlyMap<string, number>, closing: () => boolean) {
    this.#context = context;
    this.counters = counters;
    this.clock = context.options.clock;
    this.authenticate = context.options.authenticate;
    this.hosts = hostsOf(context.options.origins);
    this.#closing = closing;
    this.#since = this.clock.now();
  }

  /** Milliseconds since the broker was created. */
  get uptime(): number {
    return this.clock.now() - this.#since;
  }

  /** True once the broker has been told to close: it takes nothing more. */
  get closing(): boolean {
    return this.#closing();
  }

  /** Why the broker does not do all that it should; nothing where it does. */
  get fault(): string | undefined {
    if (this.closing) return "Broker is closed";
    return this.#context.durability?.failing ? "Store can't be written to" : undefined;
  }

  /** What has gone through so far. */
  get traffic(): TrafficCounts {
    return this.#context.traffic.counts;
  }

  /** Counts what there is; the time that takes grows with the sessions. */
  get gauges(): Gauges {
    const { admission, retained, sessions, memory } = this.#context;
    let clients = 0, subscriptions = 0, queuedMessages = 0, inFlightMessages = 0;
    for (const session of sessions.all) {
      if (session.holder) clients++;
      subscriptions += session.subscriptions.size;
      queuedMessages += session.queued;
      inFlightMessages += session.inFlight;
    }
    return {
      connections: admission.connections.size,
      clients,
      sessions: sessions.size,
      subscriptions,
      retainedMessages: retained.size,
      retainedBytes: retained.bytes,
      queuedMessages,
      inFlightMessages,
      memoryBytes: memory.used,
    };
  }

  /** How many of the subscriptions are shared; the time that takes grows with the sessions. */
  get sharedSubscriptions(): number {
    let shared = 0;
    for (const { subscriptions } of this.#context.sessions.all) shared += subscriptions.shared;
    return shared;
  }

  /** The clients that have a connection or a session. */
  *clients(): Generator<ClientStatus, void, undefined> {
    const connected = this.#connected();
    for (const session of this.#context.sessions.all) {
      const connection = connected.get(session.clientId);
      yield {
        id: session.clientId,
        connected: connection !== undefined,
        username: connection?.client?.username,
        remote: connection?.remote,
        version: connection?.dialect.name,
        subscriptions: session.subscriptions.size,
        queued: session.queued,
        inFlight: session.inFlight,
      };
    }
  }

  /** Ends the connection of a client, which may come again; false where it has none. */
  disconnect(client: string): boolean {
    const connection = this.#connected().get(client);
    if (!connection) return false;
    this.#context.turn.run(() => connection.close("administrative-action", "Disconnected by an administrator"));
    return true;
  }

  #connected(): Map<string, Connection> {
    const connections = [...this.#context.admission.connections].filter(({ client, ended }) => client && !ended);
    return new Map(connections.map((connection) => [connection.client!.id, connection]));
  }
}
