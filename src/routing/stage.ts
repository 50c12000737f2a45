// One stage of the routing: an RxJS operator between the stage before it and the stage behind it. Each has a subject of its own
// as its input, so that a stage can come or go while messages flow and the others keep their state. Invariant: an operator that
// throws is reported and subscribed again; the message that it threw at is lost, no other one.
import type { Message } from "../message.ts";
import type { RoutingOperator } from "../options.ts";
import { Subject } from "../rx.ts";

/** A link in the chain of stages. */
export class Stage {
  /** The stage behind this one. */
  next: Stage | undefined;
  /** Removed stages take nothing more, but what they still hold (a delayed message, say) goes on to the next stage. */
  removed = false;
  readonly #input = new Subject<Message>();
  readonly #operator: RoutingOperator;
  readonly #emit: (message: Message, from: Stage) => void;
  readonly #onError: (error: unknown, message: Message | undefined) => void;
  #current: Message | undefined;

  constructor(
    operator: RoutingOperator,
    emit: (message: Message, from: Stage) => void,
    onError: (error: unknown, message: Message | undefined) => void,
  ) {
    this.#operator = operator;
    this.#emit = emit;
    this.#onError = onError;
    this.#subscribe();
  }

  /** Runs a message through the operator; false where that has completed and takes no more. */
  enter(message: Message): boolean {
    if (!this.#input.observed) return false;
    this.#current = message;
    this.#input.next(message);
    this.#current = undefined;
    return true;
  }

  /** Tells the operator that no more messages will come. */
  remove(): void {
    this.removed = true;
    this.#input.complete();
  }

  #subscribe(): void {
    let subscribing = true;
    this.#operator(this.#input).subscribe({
      next: (message) => this.#emit(message, this),
      error: (error) => {
        this.#onError(error, this.#current);
        if (!subscribing && !this.removed) this.#subscribe(); // one that fails at once would fail for ever
      },
    });
    subscribing = false;
  }
}
