// What MQTT 5.0 adds to a session and its subscriptions; session_test.ts has what is older.
import { assertEquals } from "@std/assert";
import { overloadPolicies } from "../../src/overload.ts";
import { Session } from "../../src/session/session.ts";
import type { SubscriptionOptions } from "../../src/session/subscription.ts";
import { RecordingLink, Scene } from "./scene.ts";
import { plain } from "./surroundings.ts";

/** A session with subscriptions by their filters. */
function subscribed(filters: Readonly<Record<string, Partial<SubscriptionOptions>>>): Scene {
  const scene = new Scene();
  for (const [filter, options] of Object.entries(filters)) {
    scene.session.subscriptions.set(filter, { ...plain, qos: 1, ...options });
  }
  return scene;
}

Deno.test("A delivery has the identifiers of all subscriptions that match [MQTT5-3.3.4-3] [MQTT5-3.3.4-4]", () => {
  const scene = subscribed({
    "a/+": { identifier: 7 },
    "a/#": { identifier: 268_435_455 },
    "#": {},
    "b": { identifier: 1 },
  });
  scene.publishAll(0, "a/b", "c", "b");
  assertEquals(scene.take(), ["a/b:0[7,268435455]", "c:0", "b:0[1]"]);
});

Deno.test("Subscribing again replaces the options, the identifier too [MQTT5-3.8.4-3]", () => {
  const scene = subscribed({ "a": { identifier: 7, retainAsPublished: true } });
  scene.session.subscriptions.set("a", { ...plain, identifier: 8 });
  scene.route({ topic: "a", qos: 1, retain: true });
  scene.session.subscriptions.set("a", plain);
  scene.route({ topic: "a", qos: 0 });
  assertEquals(scene.take(), ["a:0[8]", "a:0"]);
});

Deno.test("set() tells whether the subscription is new, delete() whether there was one", () => {
  const { session: { subscriptions } } = new Scene();
  const found = [
    subscriptions.set("a", plain),
    subscriptions.set("a", plain),
    subscriptions.set("$share/g/a", plain),
    subscriptions.set("$share/g/a", { ...plain, qos: 1 }),
    subscriptions.delete("$share/g/a"),
    subscriptions.delete("$share/g/a"),
    subscriptions.delete("a"),
  ];
  assertEquals(found, [true, false, true, false, true, false, true]);
});

Deno.test("No local keeps a client's own messages from it, and those of nobody else [MQTT5-3.8.3-3]", () => {
  const scene = subscribed({ "a": { noLocal: true } });
  for (const client of ["c", "p", undefined]) scene.route({ topic: "a", qos: 0, client });
  assertEquals(scene.take().length, 2);
});

Deno.test("Where one of several subscriptions is not no local, a client's own message comes on the terms of that one", () => {
  const scene = subscribed({ "a/#": { noLocal: true, qos: 2, identifier: 1 }, "a/b": { qos: 1, identifier: 2 } });
  scene.route({ topic: "a/b", qos: 2, client: "c" });
  scene.route({ topic: "a/b", qos: 2, client: "other" });
  assertEquals(scene.take(), ["a/b:1#1[2]", "a/b:2#2[1,2]"]);
});

Deno.test("RETAIN stays as published where one of the subscriptions asks for it [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]", () => {
  for (const [keep, text] of [[true, "a:0+retain"], [false, "a:0"]] as const) {
    const scene = subscribed({ "a": { retainAsPublished: keep }, "#": {} });
    scene.route({ topic: "a", qos: 0, retain: true });
    scene.route({ topic: "a", qos: 0, retain: false });
    assertEquals(scene.take(), [text, "a:0"]);
  }
});

Deno.test("Retained messages come with RETAIN and the identifier of their subscription", () => {
  const scene = subscribed({});
  scene.route({ topic: "r", qos: 2, retain: true });
  scene.session.replay("#", 1, 9);
  assertEquals(scene.take(), ["r:1#1+retain[9]"]);
});

Deno.test("As many messages are in flight as the client takes, if that is less than the limit [MQTT5-3.3.4-9]", () => {
  const scene = new Scene({ inflight: 2 }, false), { session, link } = scene;
  scene.subscribe("#", 1);
  scene.publishAll(1, "a", "b", "c");
  link.receiveMaximum = 1;
  session.attach(link);
  assertEquals(scene.take(), ["a:1#1"]);
  session.detach();
  link.receiveMaximum = 5;
  session.attach(link);
  assertEquals(scene.take(), ["a:1#1+dup", "b:1#2"]);
});

Deno.test("A client that refuses a message has done with it, at QoS 2 too [MQTT5-4.8.2-6]", () => {
  const scene = new Scene({ inflight: 1 }), { session } = scene;
  scene.subscribe("#", 2);
  scene.publishAll(2, "a", "b");
  scene.publishAll(1, "c");
  scene.take();
  session.acknowledge(1, true);
  assertEquals([scene.take(), session.release(1)], [["b:2#2"], false]);
  session.acknowledge(2, true);
  assertEquals(scene.take(), ["c:1#3"]);
});

Deno.test("A message that is too large for the client is dropped as if it had been delivered [MQTT5-3.1.2-25]", () => {
  const scene = new Scene({ inflight: 1 }), { session, link } = scene;
  scene.subscribe("#", 1);
  for (const topic of ["large", "huge"]) link.tooLarge.add(topic);
  scene.publishAll(1, "a", "large", "b", "c");
  scene.publishAll(0, "huge");
  for (const id of [1, 3]) session.acknowledge(id, false); // "large" has used an identifier
  assertEquals(scene.take(), ["a:1#1", "b:1#3", "c:1#4"]);
  session.acknowledge(4, false);
  assertEquals(scene.drops(), ["large:packet-too-large*1", "huge:packet-too-large*1"]);
  scene.publishAll(1, "d");
  link.tooLarge.add("d");
  session.detach();
  session.attach(link); // it takes less than before
  assertEquals(scene.drops().slice(2), ["d:packet-too-large*1"]);
  scene.publishAll(1, "e");
  assertEquals(scene.take(), ["d:1#5", "e:1#6"]);
});

Deno.test("What has expired while it waited is dropped, and what waits behind it comes [MQTT5-3.3.2-5]", async () => {
  const scene = new Scene({}, false);
  scene.subscribe("#", 1);
  for (const [topic, seconds] of [["short", 1], ["long", 60], ["now", 0]] as const) {
    scene.route({ topic, qos: 1, properties: { messageExpiryInterval: seconds } });
  }
  scene.publishAll(1, "forever");
  await scene.clock.advance(1000);
  scene.session.attach(scene.link);
  assertEquals(scene.take(), ["long:1#1", "forever:1#2"]);
  assertEquals(scene.drops(), ["short:expired*1", "now:expired*1"]);
});

Deno.test("What the client has begun to get is sent again, expired or not", async () => {
  const scene = new Scene(), { session, link } = scene;
  scene.subscribe("#", 1);
  scene.route({ topic: "a", qos: 1, properties: { messageExpiryInterval: 1 } });
  session.detach();
  scene.take();
  await scene.clock.advance(5000);
  session.attach(link);
  assertEquals([scene.take(), scene.drops()], [["a:1#1+dup"], []]);
});

/** Two sessions that share the subscription `$share/g/#`. */
class SharedScene extends Scene {
  readonly otherLink = new RecordingLink();
  readonly other = new Session("other", 0, this);

  constructor(inflight = 100, queuedMessages = 100) {
    super({ inflight, queuedMessages });
    this.other.attach(this.otherLink);
    for (const { subscriptions } of [this.session, this.other]) {
      subscriptions.set("$share/g/#", { ...plain, qos: 2, identifier: 5 });
    }
  }

  /** What the two have got since the last time. */
  takeBoth(): string[][] {
    return [this.link.take(), this.otherLink.take()];
  }
}

Deno.test("Each message of a shared subscription goes to one session, with its identifier [MQTT5-4.8.2-3]", () => {
  const scene = new SharedScene();
  scene.publishAll(1, "a", "b", "c");
  assertEquals(scene.takeBoth(), [["a:1#1[5]", "c:1#2[5]"], ["b:1#1[5]"]]);
});

Deno.test("A session that has a shared subscription and another one gets a message for each of them", () => {
  const scene = new SharedScene();
  scene.subscribe("#", 0);
  scene.publishAll(1, "a");
  assertEquals(scene.take().sort(), ["a:0", "a:1#1[5]"]);
});

Deno.test("When a session ends, what it was given of a shared subscription goes to another member, but for QoS 2 that it has begun to get [MQTT5-4.8.2-5]", () => {
  const scene = new SharedScene(2), { session } = scene;
  scene.publishAll(2, "begun", "x");
  scene.publishAll(1, "unacknowledged", "y");
  scene.link.writable = false; // so that the other one is preferred
  scene.otherLink.writable = false;
  scene.publishAll(2, "queued", "z");
  scene.otherLink.writable = true;
  scene.other.resume();
  assertEquals(scene.takeBoth(), [["begun:2#1[5]", "unacknowledged:1#2[5]"], ["x:2#1[5]", "y:1#2[5]"]]);
  session.end();
  for (const id of [1, 2]) {
    scene.other.acknowledge(id, true);
    scene.other.acknowledge(id, false);
  }
  assertEquals(scene.otherLink.take(), ["z:2#3[5]", "unacknowledged:1#4[5]"]);
  for (const id of [3, 4]) scene.other.acknowledge(id, true);
  assertEquals(scene.otherLink.take(), ["queued:2#5[5]"]);
  const refused = ["x", "y", "z", "unacknowledged"].map((topic) => `${topic}:refused-by-client*1`);
  assertEquals(scene.drops(), ["undefined:session-ended*1", ...refused]);
});

Deno.test("When the last member's session ends, its shared messages are lost, and counted", () => {
  const scene = new SharedScene();
  scene.publishAll(1, "a", "b");
  scene.session.end();
  scene.other.end();
  assertEquals([scene.drops(), scene.index.match("a")], [["undefined:session-ended*2"], []]);
});

Deno.test("A session that waits for its client gets of a shared subscription only what nobody else takes", () => {
  const scene = new SharedScene(), { session, other } = scene;
  session.detach();
  scene.publishAll(1, "a", "b");
  assertEquals(scene.takeBoth(), [[], ["a:1#1[5]", "b:1#2[5]"]]);
  other.detach();
  scene.publishAll(1, "c", "d");
  scene.publishAll(0, "lost");
  for (const [one, link] of [[session, scene.link], [other, scene.otherLink]] as const) one.attach(link);
  assertEquals(scene.takeBoth().map((sent) => sent.filter((text) => !text.includes("dup")).length), [1, 1]);
  assertEquals(scene.drops(), ["lost:client-offline*1"]);
});

for (const overload of overloadPolicies) {
  Deno.test(`${overload}: what a member leaves finds room with another one, or is its own loss: nobody else's`, () => {
    const scene = new SharedScene(100, 3);
    for (const session of [scene.session, scene.other]) {
      session.subscriptions.set("$share/g/#", { ...plain, qos: 1, overload });
      session.detach();
    }
    scene.link.writable = scene.otherLink.writable = false;
    scene.session.attach(scene.link);
    scene.publishAll(1, "a", "b", "c");
    scene.session.detach();
    scene.other.attach(scene.otherLink);
    scene.publishAll(1, "d");
    scene.session.end();
    assertEquals(scene.drops(), ["undefined:session-ended*1"]);
    scene.otherLink.writable = true;
    scene.other.resume();
    assertEquals(scene.otherLink.take().map((sent) => sent[0]), ["d", "a", "b"]);
  });
}
