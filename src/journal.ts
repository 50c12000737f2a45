// What has happened: every event of the broker, told in order and counted. Also what the observables that the broker hands out
// are guarded with, because the failure of an observer is such an event.
import { type BrokerEvent, counterOf } from "./events.ts";
import { GuardedObservable } from "./operators/guarded.ts";
import { serialize } from "./operators/serialize.ts";
import { type Observable, Subject } from "./rx.ts";

/** The events of one broker. */
export class Journal {
  readonly events: Observable<BrokerEvent>;
  readonly #happened = new Subject<BrokerEvent>();
  readonly #told = new Subject<BrokerEvent>();
  readonly #counters = new Map<string, number>();

  constructor() {
    this.#happened.pipe(serialize()).subscribe(this.#told); // what an event leads to comes behind it
    // An observer of the events that fails hears of its own failure: were it told each time, that would go on for ever.
    this.events = new GuardedObservable(
      (error, again) => this.#note({ type: "observer-error", error }, again),
      (observer) => this.#told.subscribe(observer),
    );
  }

  /** How often each kind of event has happened, as `type` or `type/reason`. */
  get counters(): ReadonlyMap<string, number> {
    return this.#counters;
  }

  /** Notes an event. */
  readonly report = (event: BrokerEvent): void => this.#note(event, false);

  /** The same observable, whose observers can't harm anybody by throwing. */
  guard<T>(source: Observable<T>): Observable<T> {
    const report = (error: unknown) => this.report({ type: "observer-error", error });
    return new GuardedObservable(report, (observer) => source.subscribe(observer));
  }

  /** Tells that no more will happen. */
  close(): void {
    this.#happened.complete();
  }

  #note(event: BrokerEvent, onlyCount: boolean): void {
    const key = counterOf(event);
    this.#counters.set(key, (this.#counters.get(key) ?? 0) + ("count" in event ? event.count : 1));
    if (!onlyCount) this.#happened.next(event);
  }
}
