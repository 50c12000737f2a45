// An observer that takes its time: each value is worked on when the test says so.
import { assertEquals, assertThrows } from "@std/assert";
import { createBroker, MqttError, type OverloadPolicy } from "../../mod.ts";
import { paced, type PacedOptions } from "../../src/operators/paced.ts";
import { Subject, take } from "../../src/rx.ts";
import { settle } from "../support/clock.ts";

interface Sample {
  readonly topic: string;
  readonly n: number;
}

/** A source, what is worked on one by one, and what comes out. */
class Scene {
  readonly source = new Subject<Sample>();
  /** What comes out: results, an error, the end. */
  readonly seen: string[] = [];
  /** What work was begun on. */
  readonly begun: string[] = [];
  readonly dropped: string[] = [];
  #done: PromiseWithResolvers<string> | undefined;

  /** @param most how many results are wanted */
  constructor(options: PacedOptions<Sample> = {}, most = Infinity) {
    const onDrop = ({ topic, n }: Sample) => void this.dropped.push(`${topic}${n}`);
    this.source.pipe(paced((value) => this.#work(value), { onDrop, ...options }), take(most)).subscribe({
      next: (text) => this.seen.push(text),
      error: (error) => this.seen.push(`${error.name}: ${error.message}`),
      complete: () => this.seen.push("|"),
    });
  }

  #work({ topic, n }: Sample): Promise<string> {
    this.begun.push(`${topic}${n}`);
    return (this.#done = Promise.withResolvers()).promise;
  }

  /** Emits values, of which each is a letter and a number. */
  emit(...values: readonly string[]): this {
    for (const value of values) this.source.next({ topic: value[0]!, n: Number(value.slice(1)) });
    return this;
  }

  /** Ends the work that is under way. */
  async done(): Promise<void> {
    this.#done!.resolve(`done ${this.begun.at(-1)}`);
    await settle();
  }

  async fail(error: Error): Promise<void> {
    this.#done!.reject(error);
    await settle();
  }
}

Deno.test("paced() works on one value at a time, in order, and emits each result when it is there", async () => {
  const scene = new Scene().emit("a1", "b2", "c3");
  assertEquals([scene.begun, scene.seen], [["a1"], []]);
  await scene.done();
  assertEquals([scene.begun, scene.seen], [["a1", "b2"], ["done a1"]]);
  for (let i = 0; i < 2; i++) await scene.done();
  scene.emit("d4");
  assertEquals([scene.begun, scene.seen], [["a1", "b2", "c3", "d4"], ["done a1", "done b2", "done c3"]]);
});

const policies: readonly (readonly [
  policy: OverloadPolicy,
  emitted: readonly string[],
  worked: readonly string[],
  dropped: readonly string[],
])[] = [
  ["drop-newest", ["a1", "a2", "a3", "a4", "a5"], ["a1", "a2", "a3"], ["a4", "a5"]],
  ["drop-oldest", ["a1", "a2", "a3", "a4", "a5"], ["a1", "a4", "a5"], ["a2", "a3"]],
  ["latest-per-topic", ["a1", "a2", "b3", "a4", "b5", "a6"], ["a1", "a6", "b5"], ["a2", "b3", "a4"]],
  ["latest-per-topic", ["a1", "a2", "b3", "c4", "b5"], ["a1", "b5", "c4"], ["a2", "b3"]],
];

for (const [policy, emitted, worked, dropped] of policies) {
  Deno.test(`paced() with ${policy}, where two may wait: of ${emitted} it works on ${worked}`, async () => {
    const scene = new Scene({ limit: 2, policy }).emit(...emitted);
    assertEquals(scene.dropped, [...dropped]);
    while (scene.seen.length < worked.length) await scene.done();
    assertEquals([scene.begun, scene.seen], [[...worked], worked.map((value) => `done ${value}`)]);
  });
}

Deno.test("paced() with disconnect errors where more wait than may, and tells what it drops", async () => {
  const scene = new Scene({ limit: 1, policy: "disconnect" }).emit("a1", "a2", "a3");
  assertEquals(scene.seen, ["MqttError: More than 1 values wait"]);
  assertEquals([scene.dropped, scene.source.observed], [["a3"], false]);
  await scene.done();
  assertEquals([scene.begun, scene.seen.length], [["a1"], 1]);
});

Deno.test("paced() lets a thousand values wait, and drops the newest, where nothing else is said", () => {
  const scene = new Scene();
  for (let i = 0; i <= 1001; i++) scene.emit(`a${i}`);
  assertEquals(scene.dropped, ["a1001"]);
});

Deno.test("paced() tells values apart by another key, and those that wait by numbers too", async () => {
  const scene = new Scene({ policy: "latest-per-topic", key: ({ n }) => `${n % 2}` }).emit(
    "a0",
    "b2",
    "c4",
    "d5",
    "e0",
    "f3",
  );
  assertEquals(scene.dropped, ["b2", "c4", "d5"]);
  for (let i = 0; i < 3; i++) await scene.done();
  assertEquals(scene.begun, ["a0", "e0", "f3"]);
});

Deno.test("paced() errors where the work fails, at once or later, and begins no more", async () => {
  const scene = new Scene().emit("a1", "a2");
  await scene.fail(new RangeError("no"));
  assertEquals([scene.seen, scene.begun, scene.source.observed], [["RangeError: no"], ["a1"], false]);
  const source = new Subject<Sample>(), errors: unknown[] = [];
  source.pipe(paced((): Promise<void> => {
    throw new TypeError("at once");
  })).subscribe({ error: (error) => errors.push(String(error)) });
  source.next({ topic: "a", n: 1 });
  await settle();
  assertEquals(errors, ["TypeError: at once"]);
});

for (const hook of ["key", "onDrop"] as const) {
  Deno.test(`paced() errors where ${hook} throws`, async () => {
    const fail = () => {
      throw new TypeError("no");
    };
    const scene = new Scene({ policy: "latest-per-topic", limit: 1, [hook]: fail }).emit("a1", "a2", "a3");
    await settle();
    assertEquals(scene.seen, ["TypeError: no"]);
  });
}

Deno.test("paced() completes when everything has been worked on", async () => {
  const scene = new Scene().emit("a1", "a2");
  scene.source.complete();
  await scene.done();
  assertEquals(scene.seen, ["done a1"]);
  await scene.done();
  assertEquals(scene.seen, ["done a1", "done a2", "|"]);
  const empty = new Scene();
  empty.source.complete();
  assertEquals(empty.seen, ["|"]);
});

Deno.test("paced() passes an error of its source on at once", () => {
  const scene = new Scene().emit("a1");
  scene.source.error(new RangeError("no"));
  assertEquals(scene.seen, ["RangeError: no"]);
});

Deno.test("paced() begins nothing more for somebody who has enough", async () => {
  const scene = new Scene({}, 1).emit("a1", "a2");
  await scene.done();
  assertEquals([scene.seen, scene.begun, scene.source.observed], [["done a1", "|"], ["a1"], false]);
});

Deno.test("paced() takes values that the work itself causes, each in its turn", async () => {
  const source = new Subject<Sample>(), begun: number[] = [];
  source.pipe(paced(({ topic, n }) => {
    begun.push(n);
    if (n < 3) source.next({ topic, n: n + 1 });
    return Promise.resolve();
  })).subscribe();
  source.next({ topic: "a", n: 1 });
  assertEquals(begun, [1]);
  await settle();
  assertEquals(begun, [1, 2, 3]);
});

for (const limit of [0, -1, 1.5, NaN, Infinity]) {
  Deno.test(`paced() refuses a limit of ${limit}`, () => {
    const { message } = assertThrows(() => paced(() => Promise.resolve(), { limit }), RangeError);
    assertEquals(message, `Limit is ${limit}: it is a whole number from 1`);
  });
}

Deno.test("paced() refuses a policy that there is not", () => {
  const policy = "drop-all" as OverloadPolicy;
  const { message } = assertThrows(() => paced(() => Promise.resolve(), { policy }), TypeError);
  assertEquals(message, "Policy is none of drop-newest, drop-oldest, latest-per-topic, disconnect");
});

Deno.test("paced() behind an observable of the broker: what fails is reported, and neither the process nor anybody else ends", async () => {
  await using broker = createBroker();
  const errors: string[] = [], seen: string[] = [];
  broker.events.subscribe((event) => event.type === "observer-error" && errors.push(String(event.error)));
  broker.topic("t").pipe(paced(() => Promise.reject(new RangeError("can't be saved")))).subscribe();
  broker.topic("t").pipe(paced((message) => Promise.resolve(message.text()))).subscribe((text) => {
    seen.push(text);
    throw new TypeError("can't be shown");
  });
  for (const text of ["1", "2"]) await broker.publish("t", text);
  await settle();
  assertEquals(seen, ["1", "2"]);
  assertEquals(errors.toSorted(), ["RangeError: can't be saved", ...Array(2).fill("TypeError: can't be shown")]);
});

Deno.test("What paced() errors with where too many wait tells a program why", () => {
  const source = new Subject<Sample>(), reasons: unknown[] = [];
  source.pipe(paced(() => new Promise(() => {}), { limit: 1, policy: "disconnect" })).subscribe({
    error: (error) => reasons.push(error instanceof MqttError && error.reason),
  });
  for (const n of [1, 2, 3]) source.next({ topic: "a", n });
  assertEquals(reasons, ["quota-exceeded"]);
});
