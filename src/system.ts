// The whole system on one page. Connections are streams of packets; what they publish is merged, passes the user's operators between
// `published` and `routed`, and what is routed goes, through an index by topic filter, to the sessions of clients and to the observers
// in this process. Here is the flow, who shares what, and in which order it ends.
import { timeOfDay, WallTime } from "./clock.ts";
import { Decoder } from "./codec/decode.ts";
import { PublishEncoder } from "./codec/encode.ts";
import { Admission } from "./connection/admission.ts";
import type { ConnectionContext } from "./connection/connection.ts";
import { Connections } from "./connection/connections.ts";
import { converse } from "./connection/conversation.ts";
import { ChunkPool } from "./connection/chunk_pool.ts";
import { Trace } from "./connection/trace.ts";
import { Deadlines } from "./deadlines.ts";
import { Durability } from "./durability.ts";
import { Front } from "./front.ts";
import { Journal } from "./journal.ts";
import { Memory } from "./memory.ts";
import type { Message } from "./message.ts";
import { type BrokerOptions, resolveOptions } from "./options.ts";
import { Router } from "./routing/router.ts";
import { Subject } from "./rx.ts";
import { keeperOf, restoredMessage } from "./session/restore.ts";
import { Sessions } from "./session/sessions.ts";
import { compileRoute, type Subscriber } from "./session/subscription.ts";
import { RetainedMessages } from "./topics/retained.ts";
import { SharedGroups } from "./topics/shared.ts";
import { TopicIndex } from "./topics/topic_index.ts";
import { Traffic } from "./traffic.ts";
import type { ByteStream } from "./transport/transport.ts";
import { Turn } from "./turn.ts";

/** The parts of one broker, and what flows between them. */
export class System {
  readonly journal: Journal;
  readonly trace: Trace = new Trace();
  readonly turn: Turn;
  readonly router: Router;
  readonly index: TopicIndex<Subscriber, readonly Subscriber[]> = new TopicIndex(compileRoute);
  readonly groups: SharedGroups = new SharedGroups(this.index);
  readonly retained: RetainedMessages;
  readonly connections: Connections = new Connections();
  readonly front: Front;
  /** What connections share. */
  readonly context: ConnectionContext;
  /** Completes when the broker has closed, and with it every observed topic. */
  readonly end: Subject<never> = new Subject();
  readonly #closed = Promise.withResolvers<void>();
  readonly #abort = (): void => void this.close();
  #closing = false;

  constructor(given: BrokerOptions) {
    const options = resolveOptions(given), { routing, limits, clock, store, signal, overload, origins } = options;
    const turn = this.turn = new Turn(clock, store && ((turn) => durability!.pass(turn)));
    const deadlines = new Deadlines(clock, (work) => turn.run(work)), memory = new Memory(limits.memory);
    const { report } = this.journal = new Journal(turn, () => timeOfDay(clock));
    const durability = store && new Durability({ store, clock, report });
    const wallTime = new WallTime(clock), records = store && { store, wallTime };
    const keeper = records && keeperOf(records, durability!);
    const retained = this.retained = new RetainedMessages({ deadlines, memory, limits, keeper });
    this.router = new Router(routing, report, (message) => this.#deliver(message));
    const sessions = new Sessions({
      index: this.index,
      groups: this.groups,
      retained,
      limits,
      memory,
      report,
      deadlines,
      turn,
      records,
      overload,
      publish: (will) => this.router.incoming.next(will),
    });
    this.context = {
      options,
      turn,
      sessions,
      deadlines,
      decoder: new Decoder(),
      encoder: new PublishEncoder(),
      pool: new ChunkPool(memory),
      trace: this.trace,
      report,
      retained,
      admission: new Admission(limits, memory),
      memory,
      traffic: new Traffic(),
      durability,
    };
    this.front = new Front({ origins, clock, closing: () => this.closing, accept: (stream) => this.accept(stream) });
    this.#compose();
    signal?.addEventListener("abort", this.#abort);
    turn.run(() => {
      for (const message of store?.retained() ?? []) retained.restore(restoredMessage(message, wallTime), turn.now);
      sessions.load();
    });
    if (signal?.aborted) this.close();
  }

  /** The flow: what every connection publishes becomes one stream, which the router hands on through the operators to `#deliver`. */
  #compose(): void {
    this.connections.opened
      .pipe(converse())
      .subscribe((message) => this.router.incoming.next(message));
  }

  /** The end of the flow: a routed message reaches those whose topic filter matches. */
  #deliver(message: Message): void {
    if (!this.retained.update(message)) {
      const { topic } = message;
      this.journal.report({ type: "dropped", client: undefined, topic, reason: "retained-full", count: 1 });
    }
    const subscribers = this.index.match(message.topic);
    this.turn.delivers(subscribers.length);
    for (let i = 0; i < subscribers.length; i++) this.#hand(message, subscribers[i]!);
  }

  /** What goes wrong with one subscriber does not concern the others. */
  #hand(message: Message, subscriber: Subscriber): void {
    try {
      subscriber.next(message);
    } catch (error) {
      this.journal.report({ type: "observer-error", error });
    }
  }

  /** Serves a client to its end. Never rejects. */
  async accept(stream: ByteStream): Promise<void> {
    await this.connections.accept(stream, this.context)?.over;
  }

  /** True from the first call of `close` on. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Resolves when everything has ended. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Ends everything, once: what is under way is still sent for `drain` milliseconds. */
  close(drain = 5000): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#shutDown(drain).then(this.#closed.resolve, this.#closed.reject);
    }
    return this.closed;
  }

  async #shutDown(drain: number): Promise<void> {
    const { options, durability, deadlines } = this.context;
    await this.connections.close(drain, this.context);
    await durability?.close();
    options.signal?.removeEventListener("abort", this.#abort);
    this.journal.report({ type: "closed" });
    this.router.close();
    deadlines.close();
    this.end.complete();
    this.trace.complete();
    this.journal.close();
  }
}
