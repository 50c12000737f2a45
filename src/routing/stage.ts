// One stage of the routing: an RxJS operator between the stage before it and the stage behind it. Each has a subject of its own
// as its input, so that a stage can come or go while messages flow and the others keep their state. Invariant: an operator that
// throws is reported and started anew: the message that it threw at is lost, and what it was holding, but nothing else.
import { type Message, messageFault } from "../message.ts";
import type { RoutingOperator } from "../options.ts";
import { GuardedObservable } from "../operators/guarded.ts";
import { Listener } from "../operators/listener.ts";
import { Source } from "../operators/source.ts";
import type { Subscription } from "../rx.ts";

/** What a stage needs of its surroundings. */
export interface StageOptions {
  readonly operator: RoutingOperator;
  /** The number of stages that came before it. */
  readonly order: number;
  /** What runs until the router closes. */
  readonly running: Subscription;
  /** Takes what the operator emits. */
  readonly emit: (message: Message, from: Stage) => void;
  /** Is told of the operator's errors, and of the message that it was at. */
  readonly onError: (error: unknown, message: Message | undefined) => void;
}

/** A link in the chain of stages. */
export class Stage {
  /** The stage behind this one. */
  next: Stage | undefined;
  /** Removed stages take nothing more, but what they still hold (a delayed message, say) goes on to the next stage. */
  removed = false;
  /** Stages are added behind the others: those with a higher number are behind this one. */
  readonly order: number;
  readonly #options: StageOptions;
  #input = new Source<Message>();
  #output: Subscription | undefined;
  #current: Message | undefined;

  /** @throws whatever the operator throws when it is applied */
  constructor(options: StageOptions) {
    this.order = options.order;
    this.#options = options;
    this.#start();
  }

  /** Runs a message through the operator; false where that has completed and takes no more. */
  enter(message: Message): boolean {
    if (!this.#input.observed || this.#output?.closed) return false;
    const outer = this.#current;
    this.#current = message;
    this.#input.next(message);
    this.#current = outer;
    if (this.removed && !outer) this.#input.complete();
    return true;
  }

  /** Tells the operator that no more messages will come, once it is through with the one that it is at. */
  remove(): void {
    this.removed = true;
    if (!this.#current) this.#input.complete();
  }

  #start(): void {
    const { operator, running } = this.#options, input = this.#input = new Source<Message>();
    // An operator may have observers of its own, which must not end the process either.
    const guarded = new GuardedObservable<Message>(
      (error) => this.#fail(error),
      (subscriber) => input.subscribe(subscriber),
    );
    let starting = true;
    const output = this.#output = new Listener<Message>((message) => this.#emit(message), (error) => {
      this.#fail(error);
      if (!starting && !this.removed) this.#restart(); // one that fails at once would fail for ever
    });
    operator(guarded).subscribe(output);
    running.add(output);
    starting = false;
  }

  /** What an operator has made itself is looked at: it would fail at each of its subscribers, or at their clients. */
  #emit(message: Message): void {
    const fault = message === this.#current ? undefined : messageFault(message, this.#current?.properties);
    if (fault) this.#fail(new TypeError(fault));
    else this.#options.emit(message, this);
  }

  #restart(): void {
    this.#input.complete(); // for whoever else may listen there
    try {
      this.#start();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#options.onError(error, this.#current);
  }
}
