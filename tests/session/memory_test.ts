// What sessions hold is on the broker's account, and off it again, in whatever way it goes.
import { assert, assertEquals } from "@std/assert";
import { Sessions } from "../../src/session/sessions.ts";
import { RecordingLink, Scene } from "./scene.ts";
import { plain, Surroundings } from "./surroundings.ts";

const payload = new Uint8Array(100_000), roomy = { queuedBytes: 10_000_000 };

/** A session with these messages under way or waiting, subscribed to everything. */
function holding(topics: string): Scene {
  const scene = new Scene({ inflight: 2, ...roomy });
  scene.subscribe("#", 2);
  for (const topic of topics) scene.route({ topic, payload, qos: 2 });
  return scene;
}

/** How many messages are held, to the nearest. */
function held({ memory }: Surroundings): number {
  return Math.floor(memory.used / payload.length);
}

const ways: readonly (readonly [way: string, before: number, go: (scene: Scene) => void, after: number])[] = [
  ["acknowledged", 3, ({ session }) => session.acknowledge(1, true), 2],
  ["received, with only its PUBREL under way", 3, ({ session }) => session.release(1), 2],
  ["sent and not acknowledged", 3, ({ session }) => session.detach(), 3],
  ["sent again over another link", 3, ({ session }) => session.attach(new RecordingLink()), 3],
  ["too large for the next link", 3, ({ session }) => {
    const link = new RecordingLink();
    for (const topic of "abc") link.tooLarge.add(topic);
    session.attach(link);
  }, 0],
  ["left behind by its session", 3, ({ session }) => session.end(), 0],
  ["handed from the queue to the link", 3, ({ session }) => [1, 2].forEach((id) => session.acknowledge(id, true)), 1],
];

for (const [way, before, go, after] of ways) {
  Deno.test(`A message that is ${way} is on the account as long as it is held`, () => {
    const scene = holding("abc");
    assertEquals(held(scene), before);
    go(scene);
    assertEquals(held(scene), after);
    scene.session.end();
    assertEquals(scene.memory.used, 0);
  });
}

Deno.test("A message of QoS 0 that is sent at once is not held, one that waits is", () => {
  const scene = new Scene(roomy), before = scene.memory.used;
  scene.route({ topic: "t", qos: 0, payload });
  assertEquals(scene.memory.used, before);
  scene.subscribe("t", 0);
  const subscribed = scene.memory.used;
  scene.route({ topic: "t", qos: 0, payload });
  assertEquals(scene.memory.used, subscribed);
  scene.link.writable = false;
  scene.route({ topic: "t", qos: 0, payload });
  assert(scene.memory.used > subscribed + payload.length);
  scene.link.writable = true;
  scene.session.resume();
  assertEquals(scene.memory.used, subscribed);
});

Deno.test("A message that many sessions hold is one, and there until the last one lets go of it", () => {
  const scene = new Surroundings(roomy), sessions = new Sessions(scene);
  const all = Array.from(
    { length: 10 },
    (_, i) => sessions.open(`${i}`, true, 0, { remote: "here", takeOver() {} }).session,
  );
  for (const session of all) session.subscriptions.set("t", { ...plain, qos: 1 });
  scene.route({ topic: "t", payload });
  for (const session of all) {
    assertEquals(held(scene), 1);
    sessions.close(session, undefined);
  }
  assertEquals(scene.memory.used, 0);
});

Deno.test("A session and its subscriptions count, each as often as it is there", () => {
  const scene = new Surroundings(roomy), sessions = new Sessions(scene), used: number[] = [];
  const note = () => used.push(scene.memory.used);
  const { session } = sessions.open("c", false, 10, { remote: "here", takeOver() {} });
  note();
  for (const filter of ["t", "t", "$share/g/t", "a/b/c"]) (session.subscriptions.set(filter, plain), note());
  const [empty = 0, one = 0, again = 0, shared = 0, three = 0] = used;
  assert(empty >= 500 && one > empty + 300, `${used}`);
  assertEquals(again, one);
  assert(shared > again + 300 && three > shared + 500, `${used}`);
  for (const filter of ["a/b/c", "a/b/c", "never", "$share/g/t"]) (session.subscriptions.delete(filter), note());
  assertEquals(used.slice(5), [shared, shared, shared, one]);
  session.subscriptions.set("more", plain);
  sessions.close(session, undefined);
  assert(scene.memory.used > one); // while it waits for its client
});

Deno.test("A session that expires gives everything back", async () => {
  const scene = new Surroundings(roomy), sessions = new Sessions(scene);
  const { session } = sessions.open("c", false, 10, { remote: "here", takeOver() {} });
  session.subscriptions.set("#", { ...plain, qos: 1 });
  sessions.close(session, undefined);
  for (const topic of "abc") scene.route({ topic, payload });
  assertEquals(held(scene), 3);
  await scene.clock.advance(11_000);
  assertEquals(scene.memory.used, 0);
});

Deno.test("Messages that expire while they wait are held no longer than until the next one comes, or the client", async () => {
  const scene = new Scene({ ...roomy, queuedMessages: 2 }), before = scene.memory.used;
  scene.session.detach();
  scene.subscribe("t", 1);
  const publish = (seconds: number) =>
    scene.route({ topic: "t", payload, properties: { messageExpiryInterval: seconds } });
  for (const seconds of [1, 1]) publish(seconds);
  await scene.clock.advance(2000);
  for (const seconds of [1, 1]) publish(seconds);
  assertEquals([held(scene), scene.drops()], [2, Array(2).fill("t:expired*1")]);
  await scene.clock.advance(2000);
  scene.session.attach(scene.link);
  scene.session.subscriptions.delete("t");
  assertEquals([scene.memory.used, scene.take()], [before, []]);
});

Deno.test("A filter or a retained topic of many levels counts with its levels", () => {
  const scene = new Scene(), deep = "a/".repeat(199) + "a", used = () => scene.memory.used, before = used();
  scene.session.subscriptions.set(deep, plain);
  assert(used() > before + 20_000);
  scene.session.subscriptions.delete(deep);
  assertEquals(used(), before);
  scene.route({ topic: deep, retain: true });
  assert(used() > before + 40_000);
  scene.route({ topic: "a/a/b", retain: true });
  scene.route({ topic: deep, retain: true, payload: new Uint8Array() });
  assert(used() > before && used() < before + 2000); // what is left of the levels that both have
  scene.route({ topic: "a/a/b", retain: true, payload: new Uint8Array() });
  assertEquals(used(), before);
});

const growths:
  readonly (readonly [what: string, least: number, grow: (scene: Scene) => void, shrink: (scene: Scene) => void])[] = [
    ["An identifier of a QoS 2 message that has come", 1000 * 20, ({ session }) => {
      for (let id = 1; id <= 1000; id++) session.receive(id);
      session.receive(1);
    }, ({ session }) => {
      for (let id = 0; id <= 1000; id++) session.received(id);
    }],
    ["An identifier that awaits its PUBCOMP", 50 * 20, (scene) => {
      scene.subscribe("#", 2);
      for (let id = 1; id <= 50; id++) (scene.publishAll(2, "t"), scene.session.release(id));
    }, ({ session }) => {
      for (let id = 1; id <= 50; id++) session.complete(id);
      session.subscriptions.delete("#");
    }],
    ["A user name", 60_000, ({ session }) => {
      for (const length of [10, 60_000]) session.client = { id: "c", username: "x".repeat(length), remote: "" };
    }, ({ session }) => {
      session.client = { id: "c", username: undefined, remote: "" };
    }],
  ];

for (const [what, least, grow, shrink] of growths) {
  Deno.test(`${what} is on the account until it goes, or its session`, () => {
    const scene = new Scene(), { memory } = scene, before = memory.used;
    grow(scene);
    assert(memory.used >= before + least, `${memory.used - before}`);
    shrink(scene);
    assertEquals(memory.used, before);
    grow(scene);
    scene.session.end();
    assertEquals(memory.used, 0);
  });
}

const willEnds:
  readonly (readonly [how: string, end: (sessions: Sessions, scene: Surroundings) => unknown, published: number])[] = [
    ["is published", (_, { clock }) => clock.advance(6000), 1],
    ["is not wanted any more", (sessions) => sessions.open("c", false, 10, { remote: "here", takeOver() {} }), 0],
    [
      "is published with the end of its session",
      (sessions) => sessions.open("c", true, 10, { remote: "here", takeOver() {} }),
      1,
    ],
  ];

for (const [how, end, published] of willEnds) {
  Deno.test(`A will that waits is on the account until it ${how}`, async () => {
    const scene = new Surroundings(roomy), sessions = new Sessions(scene);
    const { session } = sessions.open("c", false, 10, { remote: "here", takeOver() {} });
    assertEquals(held(scene), 0);
    assertEquals(sessions.close(session, { message: scene.message({ topic: "will", payload }), delay: 5 }), undefined);
    assertEquals(held(scene), 1);
    await end(sessions, scene);
    assertEquals([held(scene), scene.wills.length], [0, published]);
  });
}
