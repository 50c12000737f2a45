// What has happened: every event of the broker, told in order, counted, and kept for a while where it explains a loss. Losses of one
// kind are gathered to the end of the turn: a flood of them must not become a flood of events. Also what the observables that the
// broker hands out are guarded with, because the failure of an observer is such an event.
import { type BrokerEvent, counterOf } from "./events.ts";
import { Ledger } from "./ledger.ts";
import { GuardedObservable } from "./operators/guarded.ts";
import { serialize } from "./operators/serialize.ts";
import { Source } from "./operators/source.ts";
import type { Observable } from "./rx.ts";
import type { Flushable, Turn } from "./turn.ts";

type Drop = Extract<BrokerEvent, { type: "dropped" }>;

/** Of how many topics a turn's drops of one client and reason are told one by one: a client chooses topics as it likes. */
const TOPICS = 10;

/** The events of one broker. */
export class Journal implements Flushable {
  readonly events: Observable<BrokerEvent>;
  readonly ledger: Ledger;
  readonly #turn: Turn;
  readonly #happened = new Source<BrokerEvent>();
  readonly #told = new Source<BrokerEvent>();
  readonly #counters = new Map<string, number>();
  /** The drops of this turn by reason and client, and then by topic. */
  readonly #drops = new Map<string, Map<string | undefined, Drop & { count: number }>>();

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

  /** What is told rests on nothing that a store would have to keep. */
  mark(): undefined {
    this.flush();
  }

  /** Tells of the drops. */
  flush(): void {
    if (this.#drops.size === 0) return;
    const drops = [...this.#drops.values()].flatMap((topics) => [...topics.values()]);
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
    const key = `${drop.reason}\0${drop.client ?? "\0"}`;
    let topics = this.#drops.get(key);
    if (!topics) this.#drops.set(key, topics = new Map());
    const topic = topics.has(drop.topic) || topics.size < TOPICS ? drop.topic : undefined, known = topics.get(topic);
    if (known) known.count += drop.count;
    else topics.set(topic, { ...drop, topic });
  }

  #tell(event: BrokerEvent): void {
    const times = this.#count(event);
    if ("error" in event && times === 1 && !this.#told.observed) {
      console.error(
        `Brook: ${event.type}, the first one; all are told to observers of \`broker.events\`:`,
        event.error,
      );
    }
    this.ledger.note(event);
    this.#happened.next(event);
  }

  /** Counts an event; the result is how often that kind has happened. */
  #count(event: BrokerEvent): number {
    const key = counterOf(event), times = (this.#counters.get(key) ?? 0) + ("count" in event ? event.count : 1);
    this.#counters.set(key, times);
    return times;
  }
}
