import { assertEquals } from "@std/assert";
import type { Message } from "../../src/message.ts";
import type { RoutingOperator } from "../../src/options.ts";
import * as rx from "../../src/rx.ts";
import { held, mark, messageOf, on, Scene } from "./scene.ts";

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

Deno.test("What an observer makes an operator let go comes behind the message that it observes, for everybody", () => {
  const { operator, release } = held(), scene = new Scene(), last: string[] = [], remove = scene.router.use(operator);
  scene.publish("held");
  remove();
  scene.router.routed.subscribe(() => release());
  scene.router.routed.subscribe(({ topic }) => last.push(topic));
  scene.publish("a");
  assertEquals([scene.routed, last], [["a", "held"], ["a", "held"]]);
});

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

Deno.test("close() ends the groups of an operator, too, whose duration RxJS would wait for", () => {
  const ended: string[] = [];
  const scene = new Scene(
    rx.pipe(
      rx.groupBy(({ topic }: Message) => topic, {
        duration: (group) => group.pipe(rx.ignoreElements(), rx.finalize(() => ended.push(group.key))),
      }),
      rx.mergeMap((group) => group),
    ),
  );
  scene.publish("a", "b");
  scene.router.close();
  assertEquals([scene.routed, ended, scene.events], [["a", "b"], ["a", "b"], []]);
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
