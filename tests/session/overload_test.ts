// What a session does with messages that find its queue full, by the policy of their subscription; without a broker, so that each
// place in the queue can be looked at.
import { Backlog } from "../../src/session/backlog.ts";
import { assertEquals } from "@std/assert";
import type { QoS } from "../../src/message.ts";
import type { OverloadPolicy } from "../../src/overload.ts";
import { Delivery } from "../../src/session/queue.ts";
import { Session } from "../../src/session/session.ts";
import { RecordingLink, Scene } from "./scene.ts";
import { plain, Surroundings } from "./surroundings.ts";

/** A session whose link takes nothing for now, subscribed to "#" at QoS 1. */
function stuck(overload: OverloadPolicy, limits: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  const scene = new Scene(limits);
  scene.link.writable = false;
  subscribe(scene, "#", overload);
  return scene;
}

function subscribe({ session }: { readonly session: Session }, filter: string, overload: OverloadPolicy, qos: QoS = 1) {
  session.subscriptions.set(filter, { ...plain, qos, overload });
}

/** Publishes at QoS 1, each as `topic` or `topic*bytes`. */
function publish(scene: Scene, ...all: readonly string[]): void {
  for (const one of all) {
    const [topic = "", bytes = "1"] = one.split("*");
    scene.route({ topic, payload: new Uint8Array(Number(bytes)) });
  }
}

/** What the client gets once it takes messages again: topics, without what else is sent. */
function resumed(scene: Scene): string[] {
  scene.link.writable = true;
  scene.session.resume();
  return scene.take().map((sent) => sent.split(":")[0]!);
}

const cases: readonly (readonly [
  policy: OverloadPolicy,
  published: readonly string[],
  sent: readonly string[],
  drops: readonly string[],
])[] = [
  ["drop-newest", ["a", "b", "c", "d"], ["a", "b"], ["c:queue-full*1", "d:queue-full*1"]],
  ["drop-oldest", ["a", "b", "c", "d"], ["c", "d"], ["a:queue-full*1", "b:queue-full*1"]],
  ["disconnect", ["a", "b", "c"], ["overloaded", "a", "b"], ["c:queue-full*1"]],
  [
    "latest-per-topic",
    ["a", "b", "a", "b", "a"],
    ["a", "b"],
    Array(3).fill(0).map((_, i) => `${"aba"[i]}:superseded*1`),
  ],
  ["latest-per-topic", ["a", "b", "c"], ["b", "c"], ["a:queue-full*1"]],
];

for (const [policy, published, sent, drops] of cases) {
  Deno.test(`${policy}: where two may wait, of ${published} are sent ${sent}`, () => {
    const scene = stuck(policy, { queuedMessages: 2 });
    publish(scene, ...published);
    assertEquals([resumed(scene), scene.drops()], [[...sent], [...drops]]);
  });
}

Deno.test("drop-oldest drops as many as a large message needs, but none for one that would not fit by itself", () => {
  const scene = stuck("drop-oldest", { queuedBytes: 40 });
  publish(scene, "a*9", "b*9", "c*9", "d*9"); // of ten bytes each
  publish(scene, "large*40");
  assertEquals(scene.drops(), ["large:queue-full*1"]);
  publish(scene, "e*24");
  assertEquals(scene.drops().slice(1), ["a:queue-full*1", "b:queue-full*1", "c:queue-full*1"]);
  assertEquals(resumed(scene), ["d", "e"]);
});

Deno.test("latest-per-topic keeps to the limit of bytes where a newer message is larger: the oldest ones make room", () => {
  const scene = stuck("latest-per-topic", { queuedBytes: 100 });
  publish(scene, "a*9", "b*9", "c*9", "c*79");
  assertEquals(scene.drops(), ["c:superseded*1"]); // 100 bytes
  publish(scene, "b*49");
  assertEquals(scene.drops().slice(1), ["b:superseded*1", "a:queue-full*1", "b:queue-full*1"]);
  assertEquals(resumed(scene), ["c"]);
});

Deno.test("latest-per-topic leaves the older message where the newer one would not fit by itself", () => {
  const scene = stuck("latest-per-topic", { queuedBytes: 100 });
  publish(scene, "a*9", "b*9", "a*100");
  assertEquals([scene.drops(), resumed(scene)], [["a:queue-full*1"], ["a", "b"]]);
});

Deno.test("latest-per-topic keeps to the limit of memory: where it is full, a larger message drives out older ones", () => {
  const scene = stuck("latest-per-topic", { memory: 100_000 });
  publish(scene, "a*100", "b*100", "c*100", "d*100");
  scene.memory.add(100_000);
  const { used } = scene.memory;
  publish(scene, "d*100", "d*450");
  assertEquals(scene.memory.used <= used, true);
  assertEquals(scene.drops(), ["d:superseded*1", "d:superseded*1", "a:memory-full*1", "b:memory-full*1"]);
  assertEquals(resumed(scene), ["c", "d"]);
});

const full: readonly (readonly [policy: OverloadPolicy, sent: readonly string[], drops: readonly string[]])[] = [
  ["drop-newest", ["a", "b", "c"], ["d:memory-full*1", "a:memory-full*1"]],
  ["drop-oldest", ["c", "d", "a"], ["a:memory-full*1", "b:memory-full*1"]],
  ["latest-per-topic", ["c", "d", "a"], ["a:memory-full*1", "b:memory-full*1"]],
  ["disconnect", ["overloaded", "overloaded", "a", "b", "c"], ["d:memory-full*1", "a:memory-full*1"]],
];

for (const [policy, sent, drops] of full) {
  Deno.test(`${policy}: where memory is full because of others, ${sent} is what is left of a, b, c, d, a`, () => {
    const scene = stuck(policy, { memory: 100_000 });
    publish(scene, "a*100", "b*100", "c*100");
    scene.memory.add(100_000);
    const { used } = scene.memory;
    publish(scene, "d*100", "a*100");
    assertEquals(scene.memory.used <= used, true);
    assertEquals([resumed(scene), scene.drops()], [[...sent], [...drops]]);
  });
}

Deno.test("drop-oldest: where memory is full, what others hold too makes little room, and what they hold already takes little", () => {
  const scene = stuck("drop-oldest", { memory: 100_000 }), other = new Session("other", 0, scene);
  subscribe({ session: other }, "#", "drop-newest");
  publish(scene, ..."abcdefgh");
  scene.memory.add(100_000);
  const { used } = scene.memory;
  publish(scene, "i*199"); // takes 300 bytes
  const drops = [..."abc"].map((topic) => `${topic}:memory-full*1`);
  assertEquals([scene.drops(), scene.memory.used <= used], [[...drops, "i:memory-full*1"], true]);
  assertEquals(resumed(scene), [..."defghi"]);
});

Deno.test("drop-oldest: what waits in a store is not given up for a message that memory has no room for", () => {
  const scene = new Surroundings({ memory: 100_000 }), link = new RecordingLink();
  const terms = { qos: 1, retain: false, overload: "drop-oldest" } as const;
  const stored = ["a", "b"].map((topic) => new Delivery(scene.message({ topic }), terms));
  const backlog = () => new Backlog(() => stored.values(), 2, 4);
  const former = { received: [], released: [], inFlight: () => [], backlog, count: 2 };
  const session = new Session("c", 100, scene, undefined, former);
  subscribe({ session }, "#", "drop-oldest");
  scene.memory.add(200_000);
  scene.route({ topic: "c" });
  assertEquals(scene.drops(), ["c:memory-full*1"]);
  session.attach(link);
  assertEquals(link.take(), ["a:1#1", "b:1#2"]);
});

Deno.test("A subscription that comes to mean latest-per-topic later does not overtake what waits of the topic [MQTT-4.6.0-6]", () => {
  const scene = stuck("latest-per-topic"), sizes: number[] = [];
  scene.link.publish = ({ size }) => sizes.push(size) > 0;
  publish(scene, "t*1");
  subscribe(scene, "#", "drop-newest");
  publish(scene, "t*2");
  subscribe(scene, "#", "latest-per-topic");
  publish(scene, "t*3", "t*4");
  resumed(scene);
  assertEquals([sizes, scene.drops()], [[1, 2, 4], ["t:superseded*1"]]);
});

Deno.test("A shared subscription and another one of the same client do not supersede each other's message", () => {
  const scene = stuck("latest-per-topic");
  subscribe(scene, "$share/g/t", "latest-per-topic");
  publish(scene, "t", "t", "t");
  assertEquals([resumed(scene), scene.drops()], [["t", "t"], Array(4).fill("t:superseded*1")]);
});

Deno.test("While retained messages are replayed, those that are dropped behind them leave nothing", () => {
  const scene = new Scene({ queuedMessages: 3 });
  scene.link.writable = false;
  for (const topic of ["r1", "r2"]) scene.route({ topic, retain: true });
  subscribe(scene, "#", "drop-oldest");
  scene.session.replay("#", 1, undefined);
  const all = Array.from({ length: 5000 }, (_, i) => `t${i}`);
  publish(scene, ...all);
  assertEquals([resumed(scene), scene.drops().length], [["r1", "r2", "t4998", "t4999"], 4998]);
  assertEquals(scene.drops()[4997], "t4997:queue-full*1");
});

Deno.test("A replay that finds no room is a loss where there is something to be sent again, otherwise not", () => {
  const scene = stuck("drop-newest", { queuedMessages: 1 });
  publish(scene, "a");
  scene.session.replay("#", 1, undefined);
  assertEquals(scene.drops(), []);
  scene.retained.update(scene.message({ topic: "r", retain: true }));
  scene.session.replay("other", 1, undefined);
  assertEquals(scene.drops(), []);
  scene.session.replay("r", 1, undefined);
  assertEquals([scene.drops(), resumed(scene)], [["undefined:queue-full*1"], ["a"]]);
});

Deno.test("A policy holds for each subscription: of several that match, that of the highest QoS", () => {
  const scene = new Scene({ queuedMessages: 2 });
  scene.link.writable = false;
  subscribe(scene, "t/#", "drop-newest");
  subscribe(scene, "t/+", "drop-oldest", 2);
  subscribe(scene, "u/#", "drop-newest", 2);
  subscribe(scene, "u/+", "drop-oldest");
  publish(scene, "u/1", "u/2", "u/3");
  assertEquals(scene.drops(), ["u/3:queue-full*1"]);
  publish(scene, "t/1");
  assertEquals(scene.drops().slice(1), ["u/1:queue-full*1"]);
  assertEquals(resumed(scene), ["u/2", "t/1"]);
});

Deno.test("What has expired in front makes room before anything is dropped", () => {
  const scene = stuck("drop-oldest", { queuedMessages: 2 });
  scene.route({ topic: "brief", properties: { messageExpiryInterval: 0 } });
  publish(scene, "a", "b");
  assertEquals([scene.drops(), resumed(scene)], [["brief:expired*1"], ["a", "b"]]);
});

Deno.test("A client that does not take its messages slows down nobody else", () => {
  const scene = stuck("drop-newest", { queuedMessages: 2 }), link = new RecordingLink();
  const other = new Session("other", 0, scene);
  other.attach(link);
  subscribe({ session: other }, "#", "drop-newest");
  publish(scene, ..."abcdef");
  assertEquals(link.take().map((sent) => sent[0]), [..."abcdef"]);
  assertEquals(scene.drops().length, 4);
});

Deno.test("A session that ends while a message is on its way to it keeps nothing, and says so", () => {
  const scene = stuck("drop-newest"), [subscriber] = scene.index.match("t");
  scene.session.detach();
  publish(scene, "t");
  scene.session.end();
  subscriber!.next(scene.message({ topic: "t" }));
  assertEquals([scene.drops(), scene.memory.used], [["undefined:session-ended*1", "t:session-ended*1"], 0]);
});
