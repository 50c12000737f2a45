// Retained messages (3.1.1 section 3.3.1.3): what is kept for future subscribers, and what RETAIN says to whom.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { connected, type TestClient } from "../support/client.ts";
import { receiveAll } from "./script.ts";

/** What a new client is sent that subscribes to `filter`, by topic: "payload qos retain". */
async function retained(broker: Broker, filter: string): Promise<Record<string, string>> {
  await using client = await connected(broker, "future");
  await client.subscribe(filter, 2);
  const packets = await receiveAll(client), topics = packets.map(({ topic }) => topic);
  assertEquals(topics, [...new Set(topics)]); // each once
  return Object.fromEntries(packets.map(({ topic, payload, qos, retain }) => [topic, `${payload} ${qos} ${retain}`]));
}

async function keep(client: TestClient, topic: string, payload: string, qos = 0): Promise<void> {
  await client.publish(topic, payload, { qos, retain: true });
  await client.expectNothing();
}

Deno.test("RETAIN 1 keeps the message and its QoS, for subscribers to come, who get it with RETAIN 1 [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  for (const qos of [0, 1, 2]) await keep(publisher, `qos/${qos}`, "kept", qos);
  await publisher.disconnect();
  const all = { "qos/0": "kept 0 true", "qos/1": "kept 1 true", "qos/2": "kept 2 true" };
  assertEquals(await retained(broker, "qos/+"), all);
  assertEquals(await retained(broker, "#"), all); // also the next one, and the one after that
  assertEquals(await retained(broker, "qos/1"), { "qos/1": "kept 1 true" });
});

Deno.test("a new subscription is sent the retained message of each topic that matches, of no other one [MQTT-3.3.1-6]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  for (const topic of ["a", "a/b", "a/b/c", "a/c", "a/", "/a", "b/a", "A"]) await keep(publisher, topic, topic);
  const cases: Record<string, string[]> = {
    "a": ["a"],
    "a/b": ["a/b"],
    "a/+": ["a/", "a/b", "a/c"],
    "a/#": ["a", "a/", "a/b", "a/b/c", "a/c"],
    "+/+": ["/a", "a/", "a/b", "a/c", "b/a"],
    "+/b/#": ["a/b", "a/b/c"],
    "a/d": [],
  };
  for (const [filter, topics] of Object.entries(cases)) {
    assertEquals(Object.keys(await retained(broker, filter)).sort(), topics, filter);
  }
});

Deno.test("a new subscription is sent retained messages beyond the limit of those in flight [MQTT-3.3.1-6]", async () => {
  await using broker = createBroker({ limits: { inflight: 2, queuedMessages: 0 } });
  const topics = Array.from({ length: 20 }, (_, i) => `t/${i}`);
  for (const topic of topics) await broker.publish(topic, "x", { qos: 1, retain: true });
  await using client = await connected(broker, "client");
  await client.subscribe("t/#", 1);
  const seen: string[] = [];
  for (const _ of topics) {
    const { topic, messageId } = await client.expect({ cmd: "publish", retain: true, qos: 1 });
    seen.push(topic);
    await client.send({ cmd: "puback", messageId });
  }
  await client.expectNothing();
  assertEquals(seen.sort(), topics.sort());
});

Deno.test("a retained message replaces the last one of its topic, whatever the QoS of both [MQTT-3.3.1-5] [MQTT-3.3.1-6]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  for (const before of [0, 1, 2]) {
    for (const after of [0, 1, 2]) {
      await keep(publisher, "t", "before", before);
      await keep(publisher, "t", "after", after);
      assertEquals(await retained(broker, "t"), { t: `after ${after} true` });
    }
  }
});

Deno.test("RETAIN 1 with QoS 0 discards the message that was retained before [MQTT-3.3.1-7]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  await keep(publisher, "t", "before", 2);
  await keep(publisher, "t", "after", 0);
  assertEquals(await retained(broker, "#"), { t: "after 0 true" });
});

Deno.test("an established subscription gets RETAIN 0, connected or not [MQTT-3.3.1-9]", async () => {
  await using broker = createBroker();
  await using here = await connected(broker, "here");
  await here.subscribe("t", 1);
  await here.subscribe("#", 0); // overlapping ones, too
  await using before = await connected(broker, "away", { clean: false });
  await before.subscribe("t", 1);
  await before.disconnect();
  await using publisher = await connected(broker, "publisher");
  await keep(publisher, "t", "x", 1);
  await here.expect({ cmd: "publish", topic: "t", payload: "x", qos: 1, retain: false });
  await here.expectNothing();
  await using away = await connected(broker, "away", { clean: false });
  await away.expect({ cmd: "publish", topic: "t", payload: "x", qos: 1, retain: false, dup: false });
  await away.expectNothing();
});

Deno.test("an empty retained message is delivered as usual, and removes what was retained on its topic alone [MQTT-3.3.1-10]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("a/b", 0);
  await using publisher = await connected(broker, "publisher");
  for (const qos of [0, 1, 2]) {
    for (const topic of ["a", "a/b", "a/b/c"]) await keep(publisher, topic, "x", 1);
    await subscriber.expect({ cmd: "publish", topic: "a/b", payload: "x" });
    await keep(publisher, "a/b", "", qos);
    await subscriber.expect({ cmd: "publish", topic: "a/b", payload: "", retain: false });
    assertEquals(await retained(broker, "#"), { "a": "x 1 true", "a/b/c": "x 1 true" });
  }
  await subscriber.expectNothing();
});

Deno.test("an empty retained message is not stored [MQTT-3.3.1-11]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  for (const qos of [0, 1, 2]) {
    await keep(publisher, "t", "", qos);
    assertEquals(await retained(broker, "#"), {});
  }
});

Deno.test("RETAIN 0 stores nothing, and neither replaces nor removes what is retained [MQTT-3.3.1-12]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  for (const qos of [0, 1, 2]) await publisher.publish("t", "passing", { qos });
  await publisher.expectNothing();
  assertEquals(await retained(broker, "#"), {});
  await keep(publisher, "t", "kept", 1);
  for (const qos of [0, 1, 2]) {
    for (const payload of ["passing", ""]) await publisher.publish("t", payload, { qos });
  }
  await publisher.expectNothing();
  assertEquals(await retained(broker, "#"), { t: "kept 1 true" });
});

Deno.test("a retained message of QoS 2 that is sent again before its PUBREL is retained once [MQTT-3.3.1-5] [MQTT-4.3.3-2]", async () => {
  await using broker = createBroker();
  await using publisher = await connected(broker, "publisher");
  const first = { cmd: "publish", topic: "t", payload: "first", qos: 2, messageId: 1, retain: true } as const;
  await publisher.send(first);
  await publisher.expect({ cmd: "pubrec", messageId: 1 });
  await publisher.publish("t", "second", { qos: 2, retain: true, messageId: 2 });
  await publisher.send({ ...first, dup: true });
  await publisher.expect({ cmd: "pubrec", messageId: 1 });
  assertEquals(await retained(broker, "#"), { t: "second 2 true" });
});
