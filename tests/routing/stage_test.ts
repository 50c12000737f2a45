import { assertEquals, assertStringIncludes } from "@std/assert";
import { Message } from "../../src/message.ts";
import type { RoutingOperator } from "../../src/options.ts";
import * as rx from "../../src/rx.ts";
import { settle } from "../support/clock.ts";
import { fail, mark, on, Scene } from "./scene.ts";

Deno.test("An operator that throws loses the message that it threw at, and no other", () => {
  const scene = new Scene(mark("1"), rx.tap(({ topic }) => topic === "bad1" && fail()), mark("2"));
  scene.publish("a", "bad", "b", "bad", "c");
  assertEquals(scene.routed, ["a12", "b12", "c12"]);
  assertEquals(scene.reports(), ["routing-error:bad1:failed", "routing-error:bad1:failed"]);
});

Deno.test("An operator that throws loses what it was holding, too; other operators keep theirs", () => {
  const held: (() => void)[] = [];
  const hold = rx.mergeMap((message: Message) =>
    new rx.Observable<Message>((s) => void held.push(() => s.next(message)))
  );
  const scene = new Scene(hold, (source) => hold(source).pipe(rx.tap(({ topic }) => topic === "bad" && fail())));
  scene.publish("a", "bad", "b");
  for (const release of held.splice(0)) release(); // into the second one, which holds them again
  scene.publish("c");
  for (const release of held.splice(0)) release(); // at "bad" it throws, while it holds "b"
  for (const release of held.splice(0)) release();
  assertEquals(scene.routed, ["a", "c"]);
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

Deno.test("An operator that completes is missed also where it has left an observer behind", () => {
  const seen: string[] = [];
  const scene = new Scene((source) => {
    source.subscribe(({ topic }) => seen.push(topic));
    return source.pipe(rx.take(1));
  });
  scene.publish("a", "b");
  assertEquals([scene.routed, seen, scene.reports()], [["a"], ["a"], ["dropped:b:routing-ended*1"]]);
});

Deno.test("An operator that takes nothing more is missed also where it goes on to emit", () => {
  const scene = new Scene((source) => rx.merge(source.pipe(rx.take(1)), rx.NEVER));
  scene.publish("a", "b");
  assertEquals([scene.routed, scene.reports()], [["a"], ["dropped:b:routing-ended*1"]]);
});

Deno.test("An observer within an operator that throws is reported, and the message goes on", async () => {
  const scene = new Scene((source) => {
    source.subscribe(fail);
    return source;
  });
  scene.publish("a", "b");
  await settle();
  assertEquals([scene.routed, scene.reports()], [["a", "b"], ["routing-error:a:failed", "routing-error:b:failed"]]);
});

Deno.test("An operator that is started anew leaves no observer of its first life behind", () => {
  const log: string[] = [];
  const scene = new Scene((source) => {
    source.subscribe({ next: ({ topic }) => log.push(topic), complete: () => log.push("|") });
    return source.pipe(on("bad", fail));
  });
  scene.publish("a", "bad", "b");
  assertEquals([scene.routed, log], [["a", "b"], ["a", "bad", "|", "b"]]);
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
  [
    "text as payload",
    (message) => new Message({ ...message, payload: "x" as never }),
    'Payload of "bad" is string, not bytes',
  ],
  ["a payload of nothing", (message) => message.with({ payload: undefined as never }), "Payload is undefined"],
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

Deno.test("A removed stage that fails at its end is reported, and not started anew", () => {
  const scene = new Scene(), remove = scene.router.use(rx.throwIfEmpty(() => new Error("nothing came")));
  remove();
  scene.publish("a");
  assertEquals([scene.routed, scene.reports()], [["a"], ["routing-error:undefined:nothing came"]]);
});
