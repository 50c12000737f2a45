// In RxJS an observer that throws, or that has no handler for an error, ends the process: the exception is thrown again from a
// timer, where nobody can catch it. What the broker hands out are therefore guarded observables: at the end of every pipeline
// that starts with one, such faults are reported and everybody else goes on. It works through `lift`, by which an operator of
// RxJS makes the observable that it returns: the guard is handed down the pipeline.
import { Observable, type Observer, type Operator, Subscriber, type Subscription, type TeardownLogic } from "../rx.ts";

/** Told what an observer throws, and whether that one has thrown before. */
type Report = (error: unknown, again: boolean) => void;

type Listener<T> = Partial<Observer<T>> | ((value: T) => unknown) | null;

/** An observable whose observers can't harm anybody by throwing. */
export class GuardedObservable<T> extends Observable<T> {
  readonly #report: Report;

  /** @param report is told what an observer throws @param subscribe as for any Observable */
  constructor(report: Report, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(subscribe);
    this.#report = report;
  }

  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.#report);
    lifted.source = this;
    lifted.operator = operator as Operator<unknown, R> | undefined;
    return lifted;
  }

  override subscribe(
    listener?: Listener<T>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (isOperator(listener)) return super.subscribe(listener); // it is not the end of the pipeline
    const { next, error: onError = error, complete: onComplete = complete } = typeof listener === "object"
      ? listener ?? {}
      : { next: listener };
    const { call, report } = this.#guard(listener);
    return super.subscribe({
      next: (value) => call(next, value),
      error: (fault) => onError ? call(onError, fault) : report(fault),
      complete: () => call(onComplete),
    });
  }

  #guard(self: unknown) {
    let failures = 0;
    const report = (fault: unknown) => this.#report(fault, failures++ > 0);
    return {
      report,
      /** Calls a handler; what it throws, or what the promise that it returns rejects with, is reported. */
      call<A extends unknown[]>(handler: ((...args: A) => unknown) | null | undefined, ...args: A): void {
        try {
          const result = handler?.apply(self, args);
          if (result instanceof Promise) result.catch(report);
        } catch (fault) {
          report(fault);
        }
      },
    };
  }
}

/** True for the subscriber by which an operator listens, also one of another copy of RxJS. */
function isOperator<T>(listener: unknown): listener is Subscriber<T> {
  return listener instanceof Subscriber ||
    typeof listener === "object" && listener !== null && "add" in listener && "unsubscribe" in listener;
}
