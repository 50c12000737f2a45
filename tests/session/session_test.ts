// A session without a socket: its link only writes down what it is given.
import { assertEquals } from "@std/assert";
import type { BrokerEvent } from "../../src/events.ts";
import { Message, payloadBytes, type QoS } from "../../src/message.ts";
import type { Delivery } from "../../src/session/queue.ts";
import { type Link, Session, type SessionContext } from "../../src/session/session.ts";
import { compileRoute, type Subscriber } from "../../src/session/subscription.ts";
import { RetainedMessages } from "../../src/topics/retained.ts";
import { TopicIndex } from "../../src/topics/topic_index.ts";

/** What a client would get, as text: `topic:qos#identifier`, with `+dup` and `+retain`, and `pubrel#identifier`. */
class RecordingLink implements Link {
  writable = true;
  readonly #sent: string[] = [];

  publish({ message, qos, retain }: Delivery, packetId: number, dup: boolean): void {
    const id = packetId > 0 ? `#${packetId}` : "";
    this.#sent.push(`${message.topic}:${qos}${id}${dup ? "+dup" : ""}${retain ? "+retain" : ""}`);
  }

  release(packetId: number): void {
    this.#sent.push(`pubrel#${packetId}`);
  }

  /** What was sent since the last time. */
  take(): string[] {
    return this.#sent.splice(0);
  }
}

/** A session and its surroundings. */
class Scene {
  readonly events: BrokerEvent[] = [];
  readonly index = new TopicIndex<Subscriber, readonly Subscriber[]>(compileRoute);
  readonly retained = new RetainedMessages();
  readonly link = new RecordingLink();
  readonly session: Session;

  constructor(limits: Partial<SessionContext["limits"]> = {}, attached = true) {
    this.session = new Session("c", false, {
      index: this.index,
      retained: this.retained,
      limits: { inflight: 100, queuedMessages: 100, queuedBytes: 10_000, ...limits },
      report: (event) => this.events.push(event),
    });
    if (attached) this.session.attach(this.link);
  }

  /** Routes a message as the broker does. */
  publish(topic: string, qos: QoS, retain = false, payload = "x"): void {
    const message = new Message({ topic, payload: payloadBytes(payload), qos, retain, client: "p" });
    this.retained.update(message);
    for (const subscriber of this.index.match(topic)) subscriber.next(message);
  }

  /** Publishes at one QoS, and at no other. */
  publishAll(qos: QoS, ...topics: readonly string[]): void {
    for (const topic of topics) this.publish(topic, qos);
  }

  /** What was sent since the last time. */
  take(): string[] {
    return this.link.take();
  }

  /** The drops that were reported, as `topic:reason*count`. */
  drops(): string[] {
    return this.events.map((event) =>
      event.type === "dropped" ? `${event.topic}:${event.reason}*${event.count}` : event.type
    );
  }
}

for (const published of [0, 1, 2] as QoS[]) {
  for (const granted of [0, 1, 2] as QoS[]) {
    const qos = Math.min(published, granted);
    Deno.test(`Published at QoS ${published} and granted ${granted}, a message is sent at ${qos} [MQTT-3.8.4-6]`, () => {
      const scene = new Scene();
      scene.session.subscribe("a", granted);
      scene.publish("a", published);
      assertEquals(scene.take(), [qos > 0 ? `a:${qos}#1` : "a:0"]);
    });
  }
}

Deno.test("A session gets a message once, at the highest QoS of the filters that match [MQTT-3.3.5-1]", () => {
  const scene = new Scene();
  for (const [filter, qos] of [["a/#", 1], ["a/+", 2], ["#", 0], ["a/b", 1]] as const) {
    scene.session.subscribe(filter, qos);
  }
  scene.publish("a/b", 2);
  assertEquals(scene.take(), ["a/b:2#1"]);
});

Deno.test("Subscribing again replaces the QoS, and nothing else [MQTT-3.8.4-3]", () => {
  const scene = new Scene();
  scene.session.subscribe("a", 2);
  scene.session.subscribe("a", 0);
  scene.publish("a", 2);
  assertEquals(scene.take(), ["a:0"]);
  assertEquals([scene.session.unsubscribe("a"), scene.session.unsubscribe("a")], [true, false]);
  scene.publish("a", 2);
  assertEquals(scene.take(), []);
});

Deno.test("A message is not marked as retained for a subscription that was there before [MQTT-3.3.1-9]", () => {
  const scene = new Scene();
  scene.session.subscribe("a", 0);
  scene.publish("a", 0, true);
  assertEquals(scene.take(), ["a:0"]);
  scene.session.replay("a", 0);
  assertEquals(scene.take(), ["a:0+retain"]); // [MQTT-3.3.1-8]
});

Deno.test("As many messages as the limit says are in flight; the others follow in order as they are acknowledged", () => {
  const scene = new Scene({ inflight: 2 });
  scene.session.subscribe("#", 2);
  scene.publishAll(1, "a", "b", "c", "d");
  assertEquals(scene.take(), ["a:1#1", "b:1#2"]);
  scene.session.acknowledge(2);
  assertEquals(scene.take(), ["c:1#3"]);
  scene.session.acknowledge(1);
  assertEquals(scene.take(), ["d:1#4"]);
});

Deno.test("QoS 0 does not need a place in flight, but never overtakes what waits", () => {
  const scene = new Scene({ inflight: 1 });
  scene.session.subscribe("#", 2);
  scene.publish("a", 1);
  scene.publish("zero", 0);
  assertEquals(scene.take(), ["a:1#1", "zero:0"]);
  scene.publish("b", 1);
  scene.publish("late", 0);
  assertEquals(scene.take(), []);
  scene.session.acknowledge(1);
  assertEquals(scene.take(), ["b:1#2"]);
  scene.session.acknowledge(2);
  assertEquals(scene.take(), ["late:0"]);
});

Deno.test("A message of QoS 2 holds its place until its PUBCOMP [MQTT-4.3.3-1]", () => {
  const scene = new Scene({ inflight: 1 }), { session } = scene;
  session.subscribe("#", 2);
  scene.publishAll(2, "a", "b");
  session.release(1);
  assertEquals(scene.take(), ["a:2#1", "pubrel#1"]);
  session.complete(1);
  assertEquals(scene.take(), ["b:2#2"]);
});

Deno.test("An acknowledgement that does not fit changes nothing; an unknown PUBREC gets its PUBREL all the same", () => {
  const scene = new Scene({ inflight: 2 }), { session } = scene;
  session.subscribe("#", 2);
  scene.publish("one", 1);
  scene.publish("two", 2);
  scene.publish("wait", 2);
  scene.take();
  session.acknowledge(2); // of a message of QoS 2
  session.acknowledge(9); // of none
  session.complete(2); // before its PUBREC
  assertEquals(scene.take(), []);
  session.release(1); // of a message of QoS 1
  session.release(9); // of none
  assertEquals(scene.take(), ["pubrel#1", "pubrel#9"]);
  session.acknowledge(1); // of "one", which is still in flight
  assertEquals(scene.take(), ["wait:2#3"]);
});

Deno.test("While the link has no room everything waits, and goes on in order when there is", () => {
  const scene = new Scene();
  scene.session.subscribe("#", 1);
  scene.link.writable = false;
  scene.publish("a", 0);
  scene.publish("b", 1);
  assertEquals(scene.take(), []);
  scene.link.writable = true;
  scene.session.resume();
  scene.publish("c", 0);
  assertEquals(scene.take(), ["a:0", "b:1#1", "c:0"]);
});

Deno.test("Without a link QoS 1 and 2 wait, and QoS 0 is dropped and reported", () => {
  const scene = new Scene({}, false);
  scene.session.subscribe("#", 2);
  scene.publish("one", 1);
  scene.publish("zero", 0);
  scene.publish("two", 2);
  assertEquals(scene.drops(), ["zero:client-offline*1"]);
  scene.session.attach(scene.link);
  assertEquals(scene.take(), ["one:1#1", "two:2#2"]);
});

Deno.test("A new link gets PUBRELs and unacknowledged messages again, with DUP, then what waits [MQTT-4.4.0-1]", () => {
  const scene = new Scene({ inflight: 3 }), { session } = scene;
  session.subscribe("#", 2);
  scene.publish("one", 1);
  scene.publish("two", 2);
  scene.publish("released", 2);
  scene.publish("wait", 1);
  session.release(3);
  session.detach();
  scene.take();
  session.attach(scene.link);
  assertEquals(scene.take(), ["pubrel#3", "one:1#1+dup", "two:2#2+dup"]);
  session.complete(3);
  assertEquals(scene.take(), ["wait:1#4"]);
});

Deno.test("Nothing is sent over a link that was taken back", () => {
  const scene = new Scene(), { session } = scene;
  session.subscribe("#", 1);
  scene.publish("a", 1);
  session.detach();
  scene.take();
  session.acknowledge(1);
  session.release(7);
  scene.publish("b", 1);
  session.resume();
  assertEquals(scene.take(), []);
});

Deno.test("What does not fit into the queue is dropped and reported, each with its topic", () => {
  const scene = new Scene({ queuedMessages: 1 }, false);
  scene.session.subscribe("#", 1);
  scene.publishAll(1, "kept", "lost", "lost/too");
  assertEquals(scene.drops(), ["lost:queue-full*1", "lost/too:queue-full*1"]);
});

Deno.test("Retained messages come as fast as they are acknowledged, at the lower QoS, before what is published later", () => {
  const scene = new Scene({ inflight: 1 });
  scene.publish("r/1", 2, true);
  scene.publish("r/2", 2, true);
  scene.session.subscribe("r/#", 1);
  scene.session.replay("r/#", 1);
  scene.publish("r/3", 1);
  const first = scene.take();
  scene.session.acknowledge(1);
  const second = scene.take(); // the two come in any order
  assertEquals([...first, ...second].map((text) => text.slice(0, 3)).sort(), ["r/1", "r/2"]);
  assertEquals([...first, ...second].map((text) => text.slice(3)), [":1#1+retain", ":1#2+retain"]);
  scene.session.acknowledge(2);
  assertEquals(scene.take(), ["r/3:1#3"]);
});

Deno.test("A session that ends takes its subscriptions along, and reports what it had not delivered", () => {
  const scene = new Scene({ inflight: 1 });
  scene.session.subscribe("#", 1);
  scene.publishAll(1, "a", "b", "c");
  scene.session.end();
  assertEquals([scene.index.match("a"), scene.drops()], [[], ["undefined:session-ended*3"]]);
});

Deno.test("A session that has delivered everything ends without a word", () => {
  const scene = new Scene();
  scene.session.subscribe("#", 1);
  scene.publish("a", 1);
  scene.session.acknowledge(1);
  scene.session.end();
  assertEquals(scene.events, []);
});
