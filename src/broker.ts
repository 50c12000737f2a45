// What users call: a broker as a value, which checks what it is given and says what it throws. How it works inside is system.ts.
import type { MessageProperties } from "./codec/properties.ts";
import type { PacketTrace } from "./connection/trace.ts";
import type { Listener } from "./connection/connections.ts";
import { reauthorizeAll } from "./connection/reauthorize.ts";
import { MqttError } from "./errors.ts";
import type { BrokerEvent } from "./events.ts";
import type { Pages, RequestInfo } from "./front.ts";
import type { LedgerEntry, LedgerQuery } from "./ledger.ts";
import {
  Message,
  ownProperties,
  type Payload,
  payloadBytes,
  payloadFault,
  propertiesFault,
  type QoS,
} from "./message.ts";
import { Status } from "./observe/status.ts";
import { type BrokerOptions, changeLimits, type Limits, type RoutingOperator } from "./options.ts";
import { observeTopic, type TopicOptions } from "./routing/observe_topic.ts";
import type { Observable } from "./rx.ts";
import { System } from "./system.ts";
import { type Captures, topicFilterFault, topicNameFault } from "./topics/filter.ts";
import { groupNameFault } from "./topics/shared.ts";
import {
  acceptorOf,
  identityOf,
  type ListenOptions,
  type TlsListenOptions,
  type TlsServerIdentity,
} from "./transport/listen.ts";
import type { FailedConnection } from "./transport/prepared.ts";
import type { TlsAcceptor } from "./transport/tls.ts";
import type { Acceptor, ByteStream } from "./transport/transport.ts";

/** How a message of this process is published. */
export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS;
  /** Whether future subscribers get it too; default false. */
  readonly retain?: boolean;
  /** What MQTT 5.0 says of it. */
  readonly properties?: MessageProperties;
}

/** A listening port with TLS. */
export interface TlsListener extends Listener {
  /**
   * Serves new connections with other certificates; those that exist go on. Where this throws, nothing has changed.
   *
   * @throws {TypeError} where a certificate or a key is wrong
   */
  replace(identity: TlsServerIdentity): void;
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
  /** What there is in the broker now, and what has gone through it. */
  readonly status: Status;
  /** Resolves when the broker has closed. */
  readonly closed: Promise<void>;

  readonly #system: System;

  /** Use {@linkcode createBroker}. */
  constructor(options: BrokerOptions) {
    const { journal, router, trace, context, closed } = this.#system = new System(options);
    this.published = journal.guard(router.published);
    this.routed = journal.guard(router.routed);
    this.packets = journal.guard(trace);
    this.events = journal.events;
    this.counters = journal.counters;
    this.status = new Status(context, this.counters, () => this.#system.closing);
    this.closed = closed;
  }

  /**
   * The messages whose topic matches a filter: the same as `routed.pipe(filter(matches(topicFilter)))`, at a cost that does not
   * grow with the number of observers of other topics.
   *
   * @param topicFilter such as `home/+/temp`; `captures` of each message tells what the wildcards stood for
   * @throws {TypeError} where the filter (section 4.7) or the name of the group is not valid
   *
   * @example
   * ```ts
   * import { createBroker } from "@brook/mqtt";
   * import { assertEquals } from "@std/assert";
   *
   * await using broker = createBroker();
   * await broker.publish("home/hall/lamp", "on", { retain: true });
   * const seen: string[] = [];
   * broker.topic("home/+/lamp", { retained: true }).subscribe(({ captures: [room], ...lamp }) => seen.push(`${room} ${lamp.retain}`));
   * assertEquals(seen, ["hall true"]);
   * ```
   */
  topic<const Filter extends string>(
    topicFilter: Filter,
    options: TopicOptions = {},
  ): Observable<Message<Captures<Filter>>> {
    const fault = topicFilterFault(topicFilter) ??
      (options.group === undefined ? undefined : groupNameFault(options.group));
    if (fault) throw new TypeError(fault);
    return this.#system.journal.guard(observeTopic(topicFilter, options, this.#system));
  }

  /**
   * Publishes a message of this process. Text goes as UTF-8, bytes as they are, any other value as JSON.
   *
   * @returns a promise that resolves where a client would get its PUBACK
   * @throws {RangeError} at once where the quality of service is not 0, 1 or 2, or the payload is too long for a PUBLISH
   * @throws {TypeError} at once where the topic name (3.1.1 section 4.7) or a property is not valid
   * @throws {MqttError} at once where the broker has been closed
   */
  publish(
    topic: string,
    payload: Payload,
    { qos = 0, retain = false, properties }: PublishOptions = {},
  ): Promise<void> {
    const fault = topicNameFault(topic) ?? propertiesFault(properties);
    if (fault) throw new TypeError(fault);
    if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`QoS is ${qos}, not 0, 1 or 2`);
    const { router, turn, closing } = this.#system;
    if (closing) throw new MqttError("server-shutting-down", "Broker is closed: it takes no messages");
    const bytes = payloadBytes(payload), tooLong = payloadFault(topic, bytes);
    if (tooLong) throw new RangeError(tooLong);
    const fields = { topic, payload: bytes, qos, retain, client: undefined, properties: ownProperties(properties) };
    const ended = turn.ended();
    router.incoming.next(new Message({ ...fields, acceptedAt: turn.now }));
    return ended;
  }

  /**
   * Why something did not arrive: the latest losses, refusals and faults that concern a client or a topic, latest first.
   *
   * @param query the client that missed something, the topic that it was about, or both; default: everything that is known
   * @throws {TypeError} where the topic is not a valid topic filter (section 4.7)
   *
   * @example
   * ```ts
   * import { createBroker } from "@brook/mqtt";
   * import { assertEquals } from "@std/assert";
   *
   * await using broker = createBroker({ limits: { retainedMessages: 0 } });
   * await broker.publish("home/lamp", "on", { retain: true });
   * const [loss] = broker.why({ topic: "home/#" });
   * assertEquals([loss?.topic, loss?.reason, loss?.count], ["home/lamp", "retained-full", 1]);
   * ```
   */
  why(query: LedgerQuery = {}): readonly LedgerEntry[] {
    const { journal } = this.#system;
    journal.flush();
    return journal.ledger.find(query);
  }

  /**
   * Adds a routing operator behind those that there are; disposing of the result removes it.
   *
   * @throws whatever the operator throws when it is applied
   *
   * @example
   * ```ts
   * import { createBroker, rx } from "@brook/mqtt";
   * import { assertEquals } from "@std/assert";
   *
   * await using broker = createBroker();
   * const seen: string[] = [];
   * broker.topic("#").subscribe(({ topic }) => seen.push(topic));
   * {
   *   using _quiet = broker.use(rx.filter(({ topic }) => !topic.startsWith("debug/")));
   *   await broker.publish("debug/a", "");
   * }
   * await broker.publish("debug/b", "");
   * assertEquals(seen, ["debug/b"]);
   * ```
   */
  use(operator: RoutingOperator): Disposable {
    const remove = this.#system.router.use(operator);
    return { [Symbol.dispose]: remove };
  }

  /**
   * Listens for MQTT over TCP, or over TLS where there are a certificate and a key; or takes what an acceptor of another kind
   * accepts, and closes it in the end.
   *
   * @throws {Deno.errors.AddrInUse} where the port is taken
   * @throws {TypeError} where a certificate or a key is wrong: which, and what was found
   * @throws {MqttError} where the broker has been closed
   */
  listen(options: TlsListenOptions): TlsListener;
  listen(options?: ListenOptions | Acceptor): Listener;
  listen(from: ListenOptions | TlsListenOptions | Acceptor = {}): Listener {
    const { connections, context } = this.#system;
    const around = { clock: context.options.clock, onFailure: this.#failed };
    let acceptor: Acceptor | TlsAcceptor;
    const open = () => acceptor = Symbol.asyncIterator in from ? from : acceptorOf(from, around);
    const listener = connections.listen(open, context);
    const replace = (identity: TlsServerIdentity) => (acceptor as TlsAcceptor).replace(identityOf(identity));
    return "cert" in from ? Object.assign(listener, { replace }) : listener;
  }

  /** A connection that did not come as far as MQTT: its TLS handshake or its PROXY header was wrong. */
  readonly #failed = ({ remote, error: { message } }: FailedConnection): void =>
    this.#system.journal.report({
      type: "refused",
      client: undefined,
      remote,
      reason: "protocol-error",
      detail: message,
    });

  /**
   * Answers a request to a web server: MQTT over WebSocket at `/mqtt` and `/`, the pages of `serve`, and 404 otherwise. Web pages of
   * other hosts get no connection, but those of the option `origins`.
   *
   * @param info what `Deno.serve` tells of the client
   *
   * @example
   * ```ts
   * import { createBroker } from "@brook/mqtt";
   *
   * await using broker = createBroker();
   * await using _server = Deno.serve({ port: 0, hostname: "127.0.0.1" }, broker.fetch); // otherwise the whole network may connect
   * ```
   */
  readonly fetch = (request: Request, info?: RequestInfo): Response | Promise<Response> =>
    this.#system.front.answer(request, info);

  /** Adds pages to `fetch`, for the requests that they answer; disposing of the result removes them. */
  serve(pages: Pages): Disposable {
    const remove = this.#system.front.serve(pages);
    return { [Symbol.dispose]: remove };
  }

  /**
   * Changes the limits while the broker runs; those that are not named become what they are by default. What clients have been told
   * holds for their connections: the limits of a connection are those of the time when it began.
   *
   * @returns the names of those that can't be changed any more and stay as they were, such as `memory`
   * @throws {TypeError} for an unknown limit or a value of the wrong type: nothing has changed
   * @throws {RangeError} for a limit out of its range: nothing has changed
   */
  setLimits(limits: Limits): readonly (keyof Limits)[] {
    return changeLimits(this.#system.context.options.limits, limits);
  }

  /**
   * Asks `authorize` again about every subscription of every session, such as after its rules have changed. Those that it refuses or
   * fails at are deleted, each with an event "denied" and one "unsubscribed": the client gets no more of them, but what was queued for it
   * already. Sessions that a store has kept are asked about when their client comes back.
   *
   * @returns a promise that resolves when all have been asked about
   */
  reauthorize(): Promise<void> {
    return reauthorizeAll(this.#system.context);
  }

  /** Serves a client over any stream of bytes; resolves when that connection has ended. Never rejects. */
  accept(stream: ByteStream): Promise<void> {
    return this.#system.accept(stream);
  }

  /**
   * Closes the broker: accepts no more, and sends what is under way for at most `drain` milliseconds, 5000 where nothing else is said.
   * May be called again.
   *
   * @returns `closed`
   */
  close({ drain }: { readonly drain?: number } = {}): Promise<void> {
    return this.#system.close(drain);
  }

  /** Closes the broker: `await using` does that at the end of its block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
