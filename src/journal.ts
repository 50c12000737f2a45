// What has happened: every event of the broker, told in order, counted, and kept for a while where it explains a loss. Losses of one
// kind are gathered to the end of the turn: a flood of them must not become a flood of events. Also what the observables that the
// broker hands out are guarded with, because the failure of an observer is such an event.
import { type BrokerEvent, counterOf } from "./events.ts";
import { Ledger } from "./ledger.ts";
import { GuardedObservable } from "./operators/guarded.ts";
import { serialize } from "./operators/serialize.ts";
import { type Observable, Subject } from "./rx.ts";
import type { Flushable, Turn } from "./turn.ts";

type Drop = Extract<BrokerEvent, { type: "dropped" }>;

/** The events of one broker. */
export class Journal implements Flushable {
  readonly events: Observable<BrokerEvent>;
  readonly ledger: Ledger;
  readonly #turn: Turn;
  readonly #happened = new Subject<BrokerEvent>();
  readonly #told = new Subject<BrokerEvent>();
  readonly #counters = new Map<string, number>();
  /** The drops of this turn by client, topic and reason. */
  readonly #drops = new Map<string, Drop & { count: number }>();

  /** @param now tells the time of day */
  constructor(turn: Turn, now: () => Date = () => new Date()) {
    this.#turn = turn;
    this.ledger = new Ledger(now);
    this.#happened.pipe(serialize()).subscribe(this.#told); // what an event leads to comes behind it
    // An observer of the events that fails hears of its own failure: were it told each time, that would go on for ever.
    this.events = new GuardedObservable(
      (error, again) =>
        again ? this.#count({ type: "observer-error", error }) : this.#tell({ type: "observer-error", error }),
      (observer) => this.#told.subscribe(observer),
    );
  }

  /** How often each kind of event has happened, as `type` or `type/reason`. */
  get counters(): ReadonlyMap<string, number> {
    return this.#counters;
  }

  /** Notes an event. */
  readonly report = (event: BrokerEvent): void => {
    if (event.type === "dropped") return this.#gather(event);
    this.flush();
    this.#tell(event);
  };

  /** Whatever is told rests on nothing. */
  mark(): number {
    return 0;
  }

  /** Tells of the drops. */
  flush(): void {
    if (this.#drops.size === 0) return;
    const drops = [...this.#drops.values()];
    this.#drops.clear();
    for (const drop of drops) this.#tell(drop);
  }

  /** The same observable, whose observers can't harm anybody by throwing. */
  guard<T>(source: Observable<T>): Observable<T> {
    const report = (error: unknown) => this.report({ type: "observer-error", error });
    return new GuardedObservable(report, (observer) => source.subscribe(observer));
  }

  /** Tells that no more will happen. */
  close(): void {
    this.flush();
    this.#happened.complete();
  }

  #gather(drop: Drop): void {
    if (this.#drops.size === 0) this.#turn.touch(this);
    const { reason, client = "\0", topic = "\0" } = drop,
      key = `${reason}\0${client}\0${topic}`,
      known = this.#drops.get(key);
    if (known) known.count += drop.count;
    else this.#drops.set(key, { ...drop });
  }

  #tell(event: BrokerEvent): void {
    this.#count(event);
    this.ledger.note(event);
    this.#happened.next(event);
  }

  #count(event: BrokerEvent): void {
    const key = counterOf(event);
    this.#counters.set(key, (this.#counters.get(key) ?? 0) + ("count" in event ? event.count : 1));
  }
}
