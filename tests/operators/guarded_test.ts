// A fault that is not caught would end the process, and with it this test run: each test lets the event loop turn at its end.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { GuardedObservable } from "../../src/operators/guarded.ts";
import { serialize } from "../../src/operators/serialize.ts";
import * as rx from "../../src/rx.ts";
import * as otherCopy from "npm:rxjs@7.8.1";
import { connected } from "../support/client.ts";
import { settle } from "../support/clock.ts";

const fault = new Error("observer failed");
const fail = (): never => {
  throw fault;
};

/** A guarded stream, what was reported of its observers, and what another observer of it has seen. */
class Scene {
  readonly source = new rx.Subject<number>();
  readonly reports: unknown[] = [];
  readonly seen: unknown[] = [];
  /** How many are subscribed. */
  subscribed = 0;
  readonly guarded = new GuardedObservable<number>((error) => this.reports.push(error), (subscriber) => {
    this.subscribed++;
    subscriber.add(() => this.subscribed--);
    return this.source.subscribe(subscriber);
  });

  /** Subscribes in a way that fails, then another observer; values flow, and the stream ends. */
  async run(subscribe: (guarded: rx.Observable<number>) => unknown): Promise<void> {
    subscribe(this.guarded);
    this.guarded.subscribe({ next: (value) => this.seen.push(value), complete: () => this.seen.push("|") });
    for (const value of [1, 2]) this.source.next(value);
    this.source.complete();
    await settle();
  }
}

const failing: readonly (readonly [
  what: string,
  subscribe: (guarded: rx.Observable<number>) => unknown,
  reported: number,
])[] = [
  ["a function that throws at each value", (guarded) => guarded.subscribe(fail), 2],
  ["an observer that throws at each value", (guarded) => guarded.subscribe({ next: fail }), 2],
  ["an observer that throws at the end", (guarded) => guarded.subscribe({ complete: fail }), 1],
  ["a handler of the end that throws, given by itself", (guarded) => guarded.subscribe(null, null, fail), 1],
  // deno-lint-ignore require-await
  ["an async observer that rejects", (guarded) => guarded.subscribe(async () => fail()), 2],
  [
    "an observer that returns a rejected promise at the end",
    (guarded) => guarded.subscribe({ complete: () => Promise.reject(fault) }),
    1,
  ],
  ["an operator that throws, and nobody who handles its error", (guarded) => guarded.pipe(rx.map(fail)).subscribe(), 1],
  ["an error handler that throws", (guarded) => guarded.pipe(rx.map(fail)).subscribe({ error: fail }), 1],
  ["an error handler that throws, given by itself", (guarded) => guarded.pipe(rx.map(fail)).subscribe(null, fail), 1],
  [
    "an observer behind operators",
    (guarded) =>
      guarded.pipe(rx.filter(() => true), rx.mergeMap((value) => [value]), rx.scan((a, b) => a + b)).subscribe(fail),
    2,
  ],
  ["an observer behind serialize()", (guarded) => guarded.pipe(serialize()).subscribe(fail), 2],
  ["an observer behind share()", (guarded) => guarded.pipe(rx.share()).subscribe(fail), 2],
  ["an inner stream that fails", (guarded) => guarded.pipe(rx.switchMap(() => rx.throwError(fail))).subscribe(), 1],
  [
    "a promise of an operator that rejects",
    (guarded) => guarded.pipe(rx.mergeMap(() => Promise.reject(fault))).subscribe(),
    1,
  ],
  ["an operator of another copy of RxJS that throws", (guarded) => other(guarded, otherCopy.map(fail)).subscribe(), 1],
  [
    "an observer behind an operator of another copy",
    (guarded) => other(guarded, otherCopy.filter(() => true)).subscribe(fail),
    2,
  ],
];

/** Applies an operator of another copy of RxJS, whose types do not fit. */
function other(source: rx.Observable<number>, operator: unknown): rx.Observable<unknown> {
  return source.pipe(operator as rx.OperatorFunction<number, unknown>);
}

for (const [what, subscribe, reported] of failing) {
  Deno.test(`The process and other observers survive ${what}, and it is reported`, async () => {
    const scene = new Scene();
    await scene.run(subscribe);
    assertEquals(scene.reports, Array(reported).fill(fault));
    assertEquals([scene.seen, scene.subscribed], [[1, 2, "|"], 0]);
  });
}

Deno.test("An error that is handled is not reported", async () => {
  const scene = new Scene(), handled: unknown[] = [];
  await scene.run((guarded) => guarded.pipe(rx.map(fail)).subscribe({ error: (error) => handled.push(error) }));
  assertEquals([handled, scene.reports], [[fault], []]);
});

Deno.test("The handlers of an observer are called as its methods", async () => {
  const observer = {
    values: [] as unknown[],
    next(value: number) {
      this.values.push(value);
    },
    complete() {
      this.next(0);
    },
  };
  await new Scene().run((guarded) => guarded.subscribe(observer));
  assertEquals(observer.values, [1, 2, 0]);
});

Deno.test("A Subject may be the observer, and passes on what it gets", async () => {
  const subject = new rx.Subject<number>(), seen: number[] = [];
  subject.subscribe((value) => seen.push(value));
  await new Scene().run((guarded) => guarded.subscribe(subject));
  assertEquals(seen, [1, 2]);
});

Deno.test("subscribe() without an observer starts the pipeline", async () => {
  const scene = new Scene(), seen: number[] = [];
  await scene.run((guarded) => guarded.pipe(rx.tap((value) => seen.push(value))).subscribe());
  assertEquals(seen, [1, 2]);
});

for (const [copy, take] of [["ours", rx.take], ["another copy", otherCopy.take]] as const) {
  Deno.test(`An operator that has enough leaves the source: take() of ${copy}`, async () => {
    const scene = new Scene(), seen: unknown[] = [];
    other(scene.guarded, take(1)).subscribe((value) => seen.push(value));
    const later = other(scene.guarded, take(9)).subscribe();
    assertEquals(scene.subscribed, 2);
    scene.source.next(1);
    assertEquals(scene.subscribed, 1);
    later.unsubscribe();
    assertEquals([scene.subscribed, seen], [0, [1]]);
    await settle();
  });
}

Deno.test("An observer that unsubscribes gets nothing more, also where its handler has thrown", () => {
  const scene = new Scene();
  const subscription = scene.guarded.subscribe(fail);
  scene.source.next(1);
  subscription.unsubscribe();
  scene.source.next(2);
  assertEquals([scene.reports.length, scene.subscribed], [1, 0]);
});

for (const stream of ["events", "published", "routed", "packets", "topic"] as const) {
  for (const [kind, observer] of [["throws", fail], ["rejects", () => Promise.reject(fault)]] as const) {
    Deno.test(`An observer of ${stream} that ${kind} becomes an event, and others get everything`, async () => {
      await using broker = createBroker();
      const seen: string[] = [], faults: unknown[] = [];
      const source: rx.Observable<unknown> = stream === "topic" ? broker.topic("#") : broker[stream];
      source.subscribe(observer);
      broker.topic("#").subscribe(({ topic }) => seen.push(topic));
      broker.events.subscribe((event) => event.type === "observer-error" && faults.push(event.error));
      const client = await connected(broker, "c");
      await client.publish("a", "");
      await broker.publish("b", "");
      await client.disconnect();
      await settle();
      assertEquals(seen, ["a", "b"]);
      assertEquals([faults.length > 0, faults.every((error) => error === fault)], [true, true]);
    });
  }
}

Deno.test("An observer of the events that fails is not told of its own failures for ever: they are counted", async () => {
  for (const observer of [fail, () => Promise.reject(fault)]) {
    const broker = createBroker(), seen: string[] = [];
    broker.events.subscribe(observer);
    broker.events.pipe(rx.map(({ type }) => type)).subscribe((type) => seen.push(type));
    await broker.listen({ port: 0 }).close();
    await settle();
    await broker.close();
    await settle();
    assertEquals(seen, ["listening", "observer-error", "closed"]);
    assertEquals(broker.counters.get("observer-error"), 3);
  }
});
