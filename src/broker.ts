// The whole system on one page. Connections are streams of packets; the broker merges what they publish, composes the user's
// operators between `published` and `routed`, and hands what is routed, through an index by topic filter, to the sessions of its
// clients and to the observers in its own process.
import { within } from "./clock.ts";
import { PublishEncoder } from "./codec/encode.ts";
import { Connection, type ConnectionContext, type PacketTrace } from "./connection/connection.ts";
import { converse } from "./connection/conversation.ts";
import { Deadlines } from "./connection/deadlines.ts";
import { ChunkPool } from "./connection/outbox.ts";
import { MqttError } from "./errors.ts";
import { type BrokerEvent, counterOf } from "./events.ts";
import { Message, type Payload, payloadBytes, type QoS } from "./message.ts";
import { GuardedObservable } from "./operators/guarded.ts";
import { serialize } from "./operators/serialize.ts";
import { type BrokerOptions, type ResolvedOptions, resolveOptions, type RoutingOperator } from "./options.ts";
import { Router } from "./routing/router.ts";
import { merge, mergeMap, type Observable, Subject } from "./rx.ts";
import { Sessions } from "./session/sessions.ts";
import { compileRoute, type Subscriber } from "./session/subscription.ts";
import { type Captures, topicFilterFault, topicNameFault } from "./topics/filter.ts";
import { RetainedMessages } from "./topics/retained.ts";
import { TopicIndex } from "./topics/topic_index.ts";
import { listenTcp, type TcpOptions } from "./transport/tcp.ts";
import type { Acceptor, ByteStream } from "./transport/transport.ts";
import { Turn } from "./turn.ts";

/** How a message of this process is published. */
export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS;
  /** Whether future subscribers get it too; default false. */
  readonly retain?: boolean;
}

/** A listening port. */
export interface Listener extends AsyncDisposable {
  /** Where it listens, such as `mqtt://127.0.0.1:1883`. */
  readonly address: string;
  /** The port, also where the system chose it. */
  readonly port: number;
  /** Stops to accept; connections that exist go on. */
  close(): Promise<void>;
}

/** An MQTT broker. Made by {@linkcode createBroker}. */
export class Broker implements AsyncDisposable {
  /** Every accepted message before the routing operators, in order. */
  readonly published: Observable<Message>;
  /** Every message that passed the routing operators, in order. */
  readonly routed: Observable<Message>;
  /** What happens in the broker. */
  readonly events: Observable<BrokerEvent>;
  /** Every packet that comes or goes; costs nothing while nobody observes it. */
  readonly packets: Observable<PacketTrace>;
  /** How often each kind of event has happened, as `type` or `type/reason`. */
  readonly counters: ReadonlyMap<string, number>;
  /** Resolves when the broker has closed. */
  readonly closed: Promise<void>;

  readonly #options: ResolvedOptions;
  readonly #router: Router;
  readonly #turn = new Turn();
  readonly #index = new TopicIndex<Subscriber, readonly Subscriber[]>(compileRoute);
  readonly #retained = new RetainedMessages();
  readonly #connected = new Subject<Connection>();
  readonly #local = new Subject<Message>();
  readonly #happened = new Subject<BrokerEvent>();
  readonly #events = new Subject<BrokerEvent>();
  readonly #counters = new Map<string, number>();
  readonly #connections = new Set<Connection>();
  readonly #acceptors = new Set<Acceptor>();
  readonly #context: ConnectionContext;
  /** Completes when the broker has closed, and with it every observed topic. */
  readonly #end = new Subject<never>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #abort = (): void => void this.close();
  #closing = false;

  /** Use {@linkcode createBroker}. */
  constructor(options: BrokerOptions) {
    const { routing, limits, clock, signal } = this.#options = resolveOptions(options);
    const report = (event: BrokerEvent) => this.#report(event), trace = new Subject<PacketTrace>();
    this.#context = {
      options: this.#options,
      turn: this.#turn,
      sessions: new Sessions({ index: this.#index, retained: this.#retained, limits, report }),
      deadlines: new Deadlines(clock),
      encoder: new PublishEncoder(),
      pool: new ChunkPool(),
      trace,
      report,
      connectionCount: () => this.#connections.size,
    };
    this.#router = new Router(routing, report);
    this.published = this.#router.published;
    this.routed = this.#router.routed;
    // An observer of the events that fails hears of its own failure: were it told each time, that would go on for ever.
    this.events = new GuardedObservable(
      (error, again) => this.#report({ type: "observer-error", error }, again),
      (s) => this.#events.subscribe(s),
    );
    this.packets = this.#guard(trace);
    this.counters = this.#counters;
    this.closed = this.#closed.promise;
    this.#compose();
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.close();
  }

  /** The flow. */
  #compose(): void {
    const fromClients = this.#connected.pipe(mergeMap((connection) => connection.packets.pipe(converse(connection))));
    merge(fromClients, this.#local).subscribe(this.#router.incoming);
    this.#happened.pipe(serialize()).subscribe(this.#events); // what an event leads to comes behind it
    this.#router.routed.subscribe((message) => {
      this.#retained.update(message);
      for (const subscriber of this.#index.match(message.topic)) subscriber.next(message);
    });
  }

  /**
   * The messages whose topic matches a filter: the same as `routed.pipe(filter(matches(topicFilter)))`, at a cost that does not
   * grow with the number of observers of other topics. Retained messages are not repeated.
   *
   * @param topicFilter such as `home/+/temp`; `captures` of each message tells what the wildcards stood for
   * @throws {TypeError} where the filter is not valid (3.1.1 section 4.7)
   */
  topic<const Filter extends string>(topicFilter: Filter): Observable<Message<Captures<Filter>>> {
    const fault = topicFilterFault(topicFilter);
    if (fault) throw new TypeError(fault);
    return new GuardedObservable((error) => this.#report({ type: "observer-error", error }), (observer) => {
      const subscriber = {
        next: (message: Message) => observer.next(new Message<Captures<Filter>>(message, topicFilter)),
      };
      this.#index.add(topicFilter, subscriber);
      observer.add(this.#end.subscribe({ complete: () => observer.complete() }));
      return () => this.#index.delete(topicFilter, subscriber);
    });
  }

  /**
   * Publishes a message of this process. Text goes as UTF-8, bytes as they are, any other value as JSON.
   *
   * @returns a promise that resolves where a client would get its PUBACK
   * @throws {TypeError} at once where the topic name is not valid (3.1.1 section 4.7)
   * @throws {MqttError} at once where the broker has been closed
   */
  publish(topic: string, payload: Payload, { qos = 0, retain = false }: PublishOptions = {}): Promise<void> {
    const fault = topicNameFault(topic);
    if (fault) throw new TypeError(fault);
    if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`QoS is ${qos}, not 0, 1 or 2`);
    if (this.#closing) throw new MqttError("server-shutting-down", "Broker is closed: it takes no messages");
    const ended = this.#turn.ended();
    this.#local.next(new Message({ topic, payload: payloadBytes(payload), qos, retain, client: undefined }));
    return ended;
  }

  /** Adds a routing operator behind those that there are; disposing of the result removes it. */
  use(operator: RoutingOperator): Disposable {
    const remove = this.#router.use(operator);
    return { [Symbol.dispose]: remove };
  }

  /**
   * Listens for MQTT over TCP.
   *
   * @throws {Deno.errors.AddrInUse} where the port is taken
   * @throws {MqttError} where the broker has been closed
   */
  listen(options: TcpOptions = {}): Listener {
    if (this.#closing) throw new MqttError("server-shutting-down", "Broker is closed: it can't listen");
    const acceptor = listenTcp(options);
    this.#acceptors.add(acceptor);
    const accepting = this.#acceptFrom(acceptor);
    this.#report({ type: "listening", address: acceptor.address });
    const close = () => {
      this.#acceptors.delete(acceptor);
      acceptor.close();
      return accepting;
    };
    return { address: acceptor.address, port: acceptor.port, close, [Symbol.asyncDispose]: close };
  }

  async #acceptFrom(acceptor: Acceptor): Promise<void> {
    for await (const stream of acceptor) this.accept(stream);
  }

  /** Serves a client over any stream of bytes; resolves when that connection has ended. Never rejects. */
  async accept(stream: ByteStream): Promise<void> {
    if (this.#closing) return stream.close();
    const connection = new Connection(stream, this.#context);
    this.#connections.add(connection);
    this.#connected.next(connection);
    await connection.run();
    this.#connections.delete(connection);
  }

  /**
   * Closes the broker: accepts no more, and sends what is under way for at most `drain` milliseconds. May be called again.
   *
   * @returns `closed`
   */
  close({ drain = 5000 }: { readonly drain?: number } = {}): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#shutDown(drain).then(this.#closed.resolve, this.#closed.reject);
    }
    return this.closed;
  }

  async #shutDown(drain: number): Promise<void> {
    for (const acceptor of this.#acceptors) acceptor.close();
    const connections = [...this.#connections];
    this.#turn.run(() => {
      for (const connection of connections) connection.close("server-shutting-down", "The broker closes", drain);
    });
    await within(this.#options.clock, drain + 2000, Promise.all(connections.map((connection) => connection.closed)));
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#report({ type: "closed" });
    this.#router.close();
    for (const subject of [this.#end, this.#happened, this.#context.trace]) subject.complete();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #guard<T>(source: Observable<T>): Observable<T> {
    return new GuardedObservable(
      (error) => this.#report({ type: "observer-error", error }),
      (s) => source.subscribe(s),
    );
  }

  #report(event: BrokerEvent, countOnly = false): void {
    const key = counterOf(event);
    this.#counters.set(key, (this.#counters.get(key) ?? 0) + ("count" in event ? event.count : 1));
    if (!countOnly) this.#happened.next(event);
  }
}

/**
 * Creates a broker. It listens to nobody until told to, and shares nothing with other brokers.
 *
 * @throws {TypeError} for an unknown option or one of the wrong type
 * @throws {RangeError} for a limit out of its range
 *
 * @example
 * ```ts
 * import { createBroker, rx } from "@brook/mqtt";
 *
 * await using broker = createBroker({
 *   routing: [rx.filter((message) => message.payload.length < 64_000)],
 *   authorize: ({ topic }) => topic.startsWith("home/"),
 * });
 * broker.topic("home/+/temp").subscribe(({ captures: [room], payload }) => console.log(room, payload.length));
 * broker.listen({ port: 0 });
 * ```
 */
export function createBroker(options: BrokerOptions = {}): Broker {
  return new Broker(options);
}
