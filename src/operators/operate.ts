// How an operator of our own is made: through `lift`, as RxJS makes its own. An observable that is made anew would not be guarded as
// its source is (guarded.ts), and whoever observes it could end the process.
import type { Observable, OperatorFunction, Subscriber, TeardownLogic } from "../rx.ts";

/** An operator. @param listen subscribes to the source for a subscriber of the result */
export function operate<T, R>(
  listen: (source: Observable<T>, subscriber: Subscriber<R>) => TeardownLogic,
): OperatorFunction<T, R> {
  return (source) => source.lift({ call: (subscriber: Subscriber<R>, source) => listen(source, subscriber) });
}
