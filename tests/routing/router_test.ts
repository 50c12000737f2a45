import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BrokerEvent } from "../../src/events.ts";
import { Message } from "../../src/message.ts";
import type { RoutingOperator } from "../../src/options.ts";
import { Router } from "../../src/routing/router.ts";
import * as rx from "../../src/rx.ts";
import { settle } from "../support/clock.ts";

function messageOf(topic: string): Message {
  return new Message({ topic, payload: new Uint8Array(), qos: 0, retain: false, client: undefined });
}

/** A router, and what has come out of it. */
class Scene {
  readonly events: BrokerEvent[] = [];
  readonly published: string[] = [];
  readonly routed: string[] = [];
  readonly router: Router;

  constructor(...operators: readonly RoutingOperator[]) {
    this.router = new Router(operators, (event) => this.events.push(event));
    this.router.published.subscribe(({ topic }) => this.published.push(topic));
    this.router.routed.subscribe(({ topic }) => this.routed.push(topic));
  }

  publish(...topics: readonly string[]): void {
    for (const topic of topics) this.router.incoming.next(messageOf(topic));
  }

  /** The events, as `type:topic:what`. */
  reports(): string[] {
    return this.events.map((event) => {
      if (event.type === "routing-error") return `${event.type}:${event.topic}:${(event.error as Error).message}`;
      return event.type === "dropped" ? `${event.type}:${event.topic}:${event.reason}*${event.count}` : event.type;
    });
  }
}

/** An operator that marks what passes. */
function mark(sign: string): RoutingOperator {
  return rx.map((message) => message.with({ topic: message.topic + sign }));
}

/** An operator that does something on the way. */
function on(topic: string, action: () => void): RoutingOperator {
  return rx.tap((message) => message.topic === topic && action());
}

/** An operator that holds everything until it is told to let it go. */
function held(): { readonly operator: RoutingOperator; readonly release: () => void } {
  const gate = new rx.Subject<void>();
  return { operator: rx.delayWhen(() => gate), release: () => gate.next() };
}

const fail = (): never => {
  throw new Error("failed");
};

Deno.test("Without stages, what is published is routed", () => {
  const scene = new Scene();
  scene.publish("a", "b");
  assertEquals([scene.published, scene.routed], [["a", "b"], ["a", "b"]]);
});

Deno.test("Stages are passed in order, and may drop, change, double and derive", () => {
  const scene = new Scene(rx.filter(({ topic }) => topic !== "drop"), mark("1"), rx.mergeMap((m) => [m, m]), mark("2"));
  scene.publish("a", "drop", "b");
  assertEquals([scene.published, scene.routed], [["a", "drop", "b"], ["a12", "a12", "b12", "b12"]]);
  assertEquals(scene.events, []);
});

const reentrant: readonly (readonly [where: string, scene: (react: () => void) => Scene])[] = [
  ["an operator", (react) => new Scene(on("a", react))],
  ["a later operator", (react) => new Scene(mark(""), on("a", react), mark(""))],
  ["an observer of what is published", (react) => {
    const scene = new Scene();
    scene.router.published.subscribe(({ topic }) => topic === "a" && react());
    return scene;
  }],
  ["an observer of what is routed", (react) => {
    const scene = new Scene();
    scene.router.routed.subscribe(({ topic }) => topic === "a" && react());
    return scene;
  }],
];

for (const [where, setUp] of reentrant) {
  Deno.test(`What is published by ${where} comes behind the message that caused it, for everybody`, () => {
    const scene = setUp(() => scene.publish("b", "c")), last: string[] = [];
    scene.router.routed.subscribe(({ topic }) => last.push(topic));
    scene.publish("a", "d");
    const order = ["a", "b", "c", "d"];
    assertEquals([scene.published, scene.routed, last], [order, order, order]);
  });
}

Deno.test("An operator that throws loses the message that it threw at, and no other", () => {
  const scene = new Scene(mark("1"), rx.tap(({ topic }) => topic === "bad1" && fail()), mark("2"));
  scene.publish("a", "bad", "b", "bad", "c");
  assertEquals(scene.routed, ["a12", "b12", "c12"]);
  assertEquals(scene.reports(), ["routing-error:bad1:failed", "routing-error:bad1:failed"]);
});

Deno.test("An operator that throws at every message is started anew each time", () => {
  const scene = new Scene(rx.map(fail));
  scene.publish("a", "b");
  assertEquals([scene.routed, scene.reports()], [[], ["routing-error:a:failed", "routing-error:b:failed"]]);
});

Deno.test("An operator that fails later, at no message of its own, is reported without a topic", async () => {
  const bad = Promise.reject(new Error("later"));
  const scene = new Scene(rx.mergeMap((message) => message.topic === "bad" ? bad : [message]));
  scene.publish("bad", "a");
  await settle();
  scene.publish("b");
  assertEquals([scene.routed, scene.reports()], [["a", "b"], ["routing-error:undefined:later"]]);
});

Deno.test("An operator that completes takes nothing more: its messages are dropped, and each is reported", () => {
  const scene = new Scene(mark("1"), rx.take(1), mark("2"));
  scene.publish("a", "b", "c");
  assertEquals(scene.routed, ["a12"]);
  assertEquals(scene.reports(), ["dropped:b1:routing-ended*1", "dropped:c1:routing-ended*1"]);
});

const failsAtOnce: readonly (readonly [how: string, operator: RoutingOperator])[] = [
  ["with an error", () => rx.throwError(() => new Error("failed"))],
  ["by throwing when it is subscribed to", () => new rx.Observable(fail)],
];

for (const [how, operator] of failsAtOnce) {
  Deno.test(`An operator that fails at once, ${how}, is reported and not tried for ever`, () => {
    const scene = new Scene(operator);
    scene.publish("a");
    assertEquals(scene.reports(), ["routing-error:undefined:failed", "dropped:a:routing-ended*1"]);
  });
}

Deno.test("An operator that can't be started anew after a failure is reported, and its messages are dropped", async () => {
  let started = 0;
  const scene = new Scene((source) => started++ === 0 ? source.pipe(rx.map(fail)) : fail());
  scene.publish("a", "b");
  await settle();
  const failure = "routing-error:a:failed";
  assertEquals(scene.reports(), [failure, failure, "dropped:b:routing-ended*1"]);
});

const wrong: readonly (readonly [what: string, make: (message: Message) => unknown, fault: string])[] = [
  ["nothing", () => undefined, "Routing operator made undefined, not a Message"],
  ["a copy without its class", (message) => ({ ...message }), "Routing operator made {"],
  ["a topic filter as topic", (message) => message.with({ topic: "a/#" }), 'Topic name "a/#" holds a wildcard'],
  ["an empty topic", (message) => message.with({ topic: "" }), "Topic name is empty"],
  [
    "a topic that is too long",
    (message) => message.with({ topic: "x".repeat(70_000) }),
    "Topic name is 70000 bytes long",
  ],
  ["no topic", (message) => message.with({ topic: 1 as never }), "Topic name is number, not a string"],
  ["text as payload", (message) => message.with({ payload: "x" as never }), 'Payload of "bad" is string, not bytes'],
  ["another QoS", (message) => message.with({ qos: 3 as never }), 'QoS of "bad" is 3, not 0, 1 or 2'],
];

for (const [what, make, fault] of wrong) {
  Deno.test(`An operator that makes ${what} loses that message, and no client sees it`, () => {
    const scene = new Scene(rx.map((message) => message.topic === "bad" ? make(message) as Message : message));
    scene.publish("a", "bad", "b");
    assertEquals([scene.routed, scene.events.length], [["a", "b"], 1]);
    assertStringIncludes(scene.reports()[0]!, `routing-error:bad:${fault}`);
  });
}

Deno.test("Stages come and go while messages flow, and the others keep their state", () => {
  const count: RoutingOperator = rx.map((message, i) => message.with({ topic: `${message.topic}${i}` }));
  const scene = new Scene(count);
  scene.publish("a");
  const removeX = scene.router.use(mark("x")), removeY = scene.router.use(mark("y"));
  scene.publish("b");
  removeX();
  removeX();
  scene.publish("c");
  removeY();
  scene.router.use(count);
  scene.publish("d");
  assertEquals(scene.routed, ["a0", "b1xy", "c2y", "d30"]);
});

Deno.test("A stage may be removed, or added, by a message that is on its way through", () => {
  const scene = new Scene(), remove = scene.router.use(on("remove", () => remove()));
  scene.router.use(mark("2"));
  scene.router.use(on("add2", () => void scene.router.use(mark("3"))));
  scene.publish("remove", "add", "a");
  assertEquals(scene.routed, ["remove2", "add23", "a23"]);
});

Deno.test("What a removed stage holds arrives, by the stages behind it", () => {
  const { operator, release } = held(), scene = new Scene(mark("1")), remove = scene.router.use(operator);
  scene.router.use(mark("2"));
  scene.publish("held");
  remove();
  scene.publish("a");
  release();
  assertEquals(scene.routed, ["a12", "held12"]);
});

Deno.test("What a removed stage holds passes the stages that were added meanwhile, too: they are behind it", () => {
  const { operator, release } = held(), scene = new Scene();
  const removals = [operator, mark("removed")].map((operator) => scene.router.use(operator));
  scene.publish("held");
  for (const remove of removals) remove();
  for (const sign of ["1", "2"]) scene.router.use(mark(sign));
  release();
  assertEquals(scene.routed, ["held12"]);
});

Deno.test("A removed stage is told that nothing more comes, and may say a last word", () => {
  const scene = new Scene(), remove = scene.router.use(rx.takeLast(1));
  scene.router.use(mark("2"));
  scene.publish("a", "b");
  assertEquals(scene.routed, []);
  remove();
  assertEquals(scene.routed, ["b2"]);
});

Deno.test("A removed stage that fails at its end is reported, and not started anew", () => {
  const scene = new Scene(), remove = scene.router.use(rx.throwIfEmpty(() => new Error("nothing came")));
  remove();
  scene.publish("a");
  assertEquals([scene.routed, scene.reports()], [["a"], ["routing-error:undefined:nothing came"]]);
});

Deno.test("close() ends both streams, and nothing is routed after that", () => {
  const { operator, release } = held(), scene = new Scene(operator), ends: string[] = [];
  for (const name of ["published", "routed"] as const) {
    scene.router[name].subscribe({ complete: () => ends.push(name) });
  }
  scene.publish("held");
  scene.router.close();
  release();
  scene.publish("late");
  assertEquals([ends, scene.published, scene.routed], [["published", "routed"], ["held"], []]);
});

Deno.test("close() lets no operator run on, also none that was removed", () => {
  const scheduler = new rx.VirtualTimeScheduler(), ended: string[] = [];
  const ticking = (name: string): RoutingOperator => (source) =>
    rx.merge(source, rx.interval(10, scheduler).pipe(rx.map((i) => messageOf(name + i)))).pipe(
      rx.finalize(() => ended.push(name)),
    );
  const scene = new Scene(ticking("a")), remove = scene.router.use(ticking("b"));
  remove();
  scheduler.maxFrames = 10;
  scheduler.flush();
  scene.router.close();
  assertEquals([scene.routed, ended, scheduler.actions.length], [["a0", "b0"], ["a", "b"], 0]);
});

Deno.test("An observer that throws is reported, and is not in the way of any other", () => {
  const scene = new Scene();
  for (const name of ["published", "routed"] as const) scene.router[name].subscribe(fail);
  scene.publish("a");
  assertEquals([scene.published, scene.routed], [["a"], ["a"]]);
  assertEquals(scene.reports(), ["observer-error", "observer-error"]);
});
