// A hot observable to emit into that has one subscriber at most, where there are 100,000 of them: it keeps no list, and makes nothing
// for an unsubscription, which the subscriber itself knows of.
import { Observable, type Subscriber } from "../rx.ts";

/** An Observable for one subscriber, whose values come from `next`. */
export class Unicast<T> extends Observable<T> {
  #subscriber: Subscriber<T> | undefined;

  /** Called by `subscribe`; what it throws is the error of the stream for that subscriber. */
  protected _subscribe(subscriber: Subscriber<T>): void {
    if (this.#subscriber) throw new Error("Stream has its one subscriber already");
    this.#subscriber = subscriber;
  }

  /** Emits a value. */
  next(value: T): void {
    this.#subscriber?.next(value);
  }

  /** Ends the stream. */
  complete(): void {
    this.#subscriber?.complete();
  }
}
