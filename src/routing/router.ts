// From published to routed: the part of the flow that users extend by RxJS operators.
// Invariant: messages are published and routed one at a time, in order, also those that are published from within (serialize).
import type { Report } from "../events.ts";
import type { Message } from "../message.ts";
import { Listener } from "../operators/listener.ts";
import { serialize } from "../operators/serialize.ts";
import { Source } from "../operators/source.ts";
import type { RoutingOperator } from "../options.ts";
import { Subscription } from "../rx.ts";
import { Stage } from "./stage.ts";

/** Composes the published messages and the user's operators into the routed messages. */
export class Router {
  /** Takes every accepted message. */
  readonly incoming: Source<Message> = new Source();
  /** Every accepted message, in order. */
  readonly published: Source<Message> = new Source();
  /** Every message that has passed the stages, in order. */
  readonly routed: Source<Message> = new Source();

  readonly #report: Report;
  readonly #outgoing = new Source<Message>();
  readonly #running = new Subscription();
  #first: Stage | undefined;
  /** How many stages have been added. */
  #used = 0;

  /** @param deliver takes every routed message to its subscribers */
  constructor(operators: readonly RoutingOperator[], report: Report, deliver: (message: Message) => void = () => {}) {
    this.#report = report;
    for (const operator of operators) this.use(operator);

    const routed = new Listener<Message>((message) => {
      deliver(message);
      if (this.routed.observed) message.keep(); // also for those who have come meanwhile
      this.routed.next(message);
    });
    const published = new Listener<Message>((message) => {
      if (this.#first || this.published.observed || this.routed.observed) message.keep(); // for whoever may hold it
      this.published.next(message); // those who observe both streams see a message here first
      this.#enter(this.#first, message);
    });
    this.#outgoing.pipe(serialize()).subscribe(routed);
    this.incoming.pipe(serialize()).subscribe(published);
  }

  /** Adds a stage behind the others; the result removes it. */
  use(operator: RoutingOperator): () => void {
    const stage = new Stage({
      operator,
      order: this.#used++,
      running: this.#running,
      emit: (message, from) => this.#enter(this.#behind(from), message),
      onError: (error, message) => this.#report({ type: "routing-error", topic: message?.topic, error }),
    });
    this.#link(this.#before(undefined), stage);
    return () => {
      if (stage.removed) return;
      this.#link(this.#before(stage), stage.next);
      stage.remove();
    };
  }

  /** Completes both streams and stops the operators: nothing is routed after that. */
  close(): void {
    this.#running.unsubscribe();
    // What is unsubscribed from does not always end: `groupBy` with a duration waits for its source, and keeps the process alive.
    for (let stage = this.#first; stage; stage = stage.next) stage.remove();
    this.incoming.complete();
    this.published.complete();
    this.routed.complete();
  }

  #enter(stage: Stage | undefined, message: Message): void {
    if (!stage) this.#outgoing.next(message);
    else if (!stage.enter(message)) {
      this.#report({ type: "dropped", client: undefined, topic: message.topic, reason: "routing-ended", count: 1 });
    }
  }

  /** The stage behind `stage`; where that was removed, others may have come since. */
  #behind(stage: Stage): Stage | undefined {
    if (!stage.removed) return stage.next;
    let next = this.#first;
    while (next && next.order < stage.order) next = next.next;
    return next;
  }

  /** The stage before `stage`, or the last one before the end. */
  #before(stage: Stage | undefined): Stage | undefined {
    let before: Stage | undefined;
    for (let at = this.#first; at !== stage; at = at?.next) before = at;
    return before;
  }

  #link(before: Stage | undefined, stage: Stage | undefined): void {
    if (before) before.next = stage;
    else this.#first = stage;
  }
}
