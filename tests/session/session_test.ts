import { assertEquals } from "@std/assert";
import type { QoS } from "../../src/message.ts";
import { Scene } from "./scene.ts";

for (const published of [0, 1, 2] as QoS[]) {
  for (const granted of [0, 1, 2] as QoS[]) {
    const qos = Math.min(published, granted);
    Deno.test(`Published at QoS ${published} and granted ${granted}, a message is sent at ${qos} [MQTT-3.8.4-6]`, () => {
      const scene = new Scene();
      scene.subscribe("a", granted);
      scene.publishAll(published, "a");
      assertEquals(scene.take(), [qos > 0 ? `a:${qos}#1` : "a:0"]);
    });
  }
}

Deno.test("A session gets a message once, at the highest QoS of the filters that match [MQTT-3.3.5-1]", () => {
  const scene = new Scene();
  for (const [filter, qos] of [["a/#", 1], ["a/+", 2], ["#", 0], ["a/b", 1]] as const) {
    scene.subscribe(filter, qos);
  }
  scene.publishAll(2, "a/b");
  assertEquals(scene.take(), ["a/b:2#1"]);
});

Deno.test("Subscribing again replaces the QoS, and nothing else [MQTT-3.8.4-3]", () => {
  const scene = new Scene();
  scene.subscribe("a", 2);
  scene.subscribe("a", 0);
  scene.publishAll(2, "a");
  assertEquals(scene.take(), ["a:0"]);
  const unsubscribe = () => scene.session.subscriptions.delete("a");
  assertEquals([unsubscribe(), unsubscribe()], [true, false]);
  scene.publishAll(2, "a");
  assertEquals(scene.take(), []);
});

Deno.test("A message is not marked as retained for a subscription that was there before [MQTT-3.3.1-9]", () => {
  const scene = new Scene();
  scene.subscribe("a", 0);
  scene.route({ topic: "a", qos: 0, retain: true });
  assertEquals(scene.take(), ["a:0"]);
  scene.session.replay("a", 0, undefined);
  assertEquals(scene.take(), ["a:0+retain"]); // [MQTT-3.3.1-8]
});

Deno.test("As many messages as the limit says are in flight; the others follow in order as they are acknowledged", () => {
  const scene = new Scene({ inflight: 2 });
  scene.subscribe("#", 2);
  scene.publishAll(1, "a", "b", "c", "d");
  assertEquals(scene.take(), ["a:1#1", "b:1#2"]);
  scene.session.acknowledge(2, false);
  assertEquals(scene.take(), ["c:1#3"]);
  scene.session.acknowledge(1, false);
  assertEquals(scene.take(), ["d:1#4"]);
});

Deno.test("QoS 0 does not need a place in flight, but never overtakes what waits", () => {
  const scene = new Scene({ inflight: 1 });
  scene.subscribe("#", 2);
  scene.publishAll(1, "a");
  scene.publishAll(0, "zero");
  assertEquals(scene.take(), ["a:1#1", "zero:0"]);
  scene.publishAll(1, "b");
  scene.publishAll(0, "late");
  assertEquals(scene.take(), []);
  scene.session.acknowledge(1, false);
  assertEquals(scene.take(), ["b:1#2"]);
  scene.session.acknowledge(2, false);
  assertEquals(scene.take(), ["late:0"]);
});

Deno.test("A message of QoS 2 holds its place until its PUBCOMP [MQTT-4.3.3-1]", () => {
  const scene = new Scene({ inflight: 1 }), { session } = scene;
  scene.subscribe("#", 2);
  scene.publishAll(2, "a", "b");
  assertEquals([session.release(1), session.release(1)], [true, true]); // its PUBREC may come twice
  assertEquals(scene.take(), ["a:2#1"]);
  session.complete(1);
  assertEquals(scene.take(), ["b:2#2"]);
});

Deno.test("An acknowledgement that does not fit changes nothing; an unknown PUBREC is told apart", () => {
  const scene = new Scene({ inflight: 2 }), { session } = scene;
  scene.subscribe("#", 2);
  scene.publishAll(1, "one");
  scene.publishAll(2, "two");
  scene.publishAll(2, "wait");
  scene.take();
  session.acknowledge(2, false); // of a message of QoS 2
  session.acknowledge(9, false); // of none
  session.complete(2); // before its PUBREC
  assertEquals(scene.take(), []);
  assertEquals(session.release(1), false); // of a message of QoS 1
  assertEquals(session.release(9), false); // of none
  assertEquals(scene.take(), []);
  session.acknowledge(1, false); // of "one", which is still in flight
  assertEquals(scene.take(), ["wait:2#3"]);
});

Deno.test("While the link has no room everything waits, and goes on in order when there is", () => {
  const scene = new Scene();
  scene.subscribe("#", 1);
  scene.link.writable = false;
  scene.publishAll(0, "a");
  scene.publishAll(1, "b");
  assertEquals(scene.take(), []);
  scene.link.writable = true;
  scene.session.resume();
  scene.publishAll(0, "c");
  assertEquals(scene.take(), ["a:0", "b:1#1", "c:0"]);
});

Deno.test("Without a link QoS 1 and 2 wait, and QoS 0 is dropped and reported", () => {
  const scene = new Scene({}, false);
  scene.subscribe("#", 2);
  scene.publishAll(1, "one");
  scene.publishAll(0, "zero");
  scene.publishAll(2, "two");
  assertEquals(scene.drops(), ["zero:client-offline*1"]);
  scene.session.attach(scene.link);
  assertEquals(scene.take(), ["one:1#1", "two:2#2"]);
});

Deno.test("A new link gets PUBRELs and unacknowledged messages again, with DUP, then what waits [MQTT-4.4.0-1]", () => {
  const scene = new Scene({ inflight: 3 }), { session } = scene;
  scene.subscribe("#", 2);
  scene.publishAll(1, "one");
  scene.publishAll(2, "two");
  scene.publishAll(2, "released");
  scene.publishAll(1, "wait");
  session.release(3);
  session.detach();
  scene.take();
  session.attach(scene.link);
  assertEquals(scene.take(), ["pubrel#3", "one:1#1+dup", "two:2#2+dup"]);
  session.complete(3);
  assertEquals(scene.take(), ["wait:1#4"]);
});

Deno.test("A new link that takes fewer messages at a time gets the old ones one after the other", () => {
  const scene = new Scene(), { session, link } = scene;
  scene.subscribe("#", 2);
  scene.publishAll(1, "one");
  scene.publishAll(2, "two");
  scene.publishAll(1, "three");
  session.detach();
  scene.take();
  link.receiveMaximum = 1;
  session.attach(link);
  scene.publishAll(0, "zero");
  scene.publishAll(1, "four");
  assertEquals(scene.take(), ["one:1#1+dup"]);
  session.acknowledge(3, false); // it came over the former link
  assertEquals(scene.take(), []);
  session.acknowledge(1, false);
  assertEquals([scene.take(), session.release(2)], [["two:2#2+dup"], true]);
  session.complete(2);
  assertEquals(scene.take(), ["zero:0", "four:1#4"]);
});

Deno.test("A link that has no room yet, or is lost again, gets nothing twice", () => {
  const scene = new Scene(), { session, link } = scene;
  scene.subscribe("#", 1);
  scene.publishAll(1, "one", "two");
  scene.take();
  link.writable = false;
  session.attach(link);
  assertEquals(scene.take(), []);
  session.detach();
  link.writable = true;
  session.attach(link);
  session.resume();
  assertEquals(scene.take(), ["one:1#1+dup", "two:1#2+dup"]);
});

Deno.test("Nothing is sent over a link that was taken back", () => {
  const scene = new Scene(), { session } = scene;
  scene.subscribe("#", 1);
  scene.publishAll(1, "a");
  session.detach();
  scene.take();
  session.acknowledge(1, false);
  session.release(7);
  scene.publishAll(1, "b");
  session.resume();
  assertEquals(scene.take(), []);
});

Deno.test("What does not fit into the queue is dropped and reported, each with its topic", () => {
  const scene = new Scene({ queuedMessages: 1 }, false);
  scene.subscribe("#", 1);
  scene.publishAll(1, "kept", "lost", "lost/too");
  assertEquals(scene.drops(), ["lost:queue-full*1", "lost/too:queue-full*1"]);
});

Deno.test("Retained messages come as fast as they are acknowledged, at the lower QoS, before what is published later", () => {
  const scene = new Scene({ inflight: 1 });
  scene.route({ topic: "r/1", qos: 2, retain: true });
  scene.route({ topic: "r/2", qos: 2, retain: true });
  scene.subscribe("r/#", 1);
  scene.session.replay("r/#", 1, undefined);
  scene.publishAll(1, "r/3");
  const first = scene.take();
  scene.session.acknowledge(1, false);
  const second = scene.take(); // the two come in any order
  assertEquals([...first, ...second].map((text) => text.slice(0, 3)).sort(), ["r/1", "r/2"]);
  assertEquals([...first, ...second].map((text) => text.slice(3)), [":1#1+retain", ":1#2+retain"]);
  scene.session.acknowledge(2, false);
  assertEquals(scene.take(), ["r/3:1#3"]);
});

Deno.test("A session that ends takes its subscriptions along, and reports what it had not delivered", () => {
  const scene = new Scene({ inflight: 1 });
  scene.subscribe("#", 1);
  scene.publishAll(1, "a", "b", "c");
  scene.session.end();
  assertEquals([scene.index.match("a"), scene.drops()], [[], ["undefined:session-ended*3"]]);
});

Deno.test("A session that has delivered everything ends without a word", () => {
  const scene = new Scene();
  scene.subscribe("#", 1);
  scene.publishAll(1, "a");
  scene.session.acknowledge(1, false);
  scene.session.end();
  assertEquals(scene.events, []);
});
