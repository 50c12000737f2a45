// Retained messages (5.0 section 3.3.1.3): what is kept, who is sent it, and what RETAIN says, as the subscription options want it.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { receiveAll } from "../conformance/script.ts";
import { connected, type TestClient } from "../support/client.ts";
import { brief5, connected5, expectAll5, resumed5, subscribe5, unsubscribe5 } from "./clients.ts";
import { propertiesIn, property, publishFrame, RecordingClient } from "./packets.ts";

/** Publishes with RETAIN 1, and waits until that has been handled. */
async function keep(client: TestClient, topic: string, payload: string, qos = 0): Promise<void> {
  await client.publish(topic, payload, { qos, retain: true });
  await client.expectNothing();
}

/** What a new client is sent that subscribes to everything, in the order of the topics. */
async function retained(broker: Broker): Promise<string[]> {
  await using client = await connected5(broker, "future");
  await subscribe5(client, "#", { qos: 2 });
  const packets = await receiveAll(client);
  return packets.map(({ topic, payload, qos, retain }) => `${topic} ${payload} ${qos} ${retain}`).toSorted();
}

Deno.test("RETAIN 1 keeps the last message of a topic, with its QoS and its properties [MQTT5-3.3.1-5]", async () => {
  await using broker = createBroker();
  await using publisher = await connected5(broker, "publisher");
  for (const before of [0, 1, 2]) {
    for (const after of [0, 1, 2]) {
      await keep(publisher, "t", "before", before);
      await keep(publisher, "t", "after", after);
      assertEquals(await retained(broker), [`t after ${after} true`]);
    }
  }
  const list = [property.contentType("new"), property.user("z", "1"), property.user("a", "2")];
  await publisher.sendBytes(publishFrame({ retain: true, properties: [property.responseTopic("old")], payload: "x" }));
  await publisher.sendBytes(publishFrame({ retain: true, properties: list, payload: "x" }));
  await publisher.expectNothing();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "t");
  await client.expect({ cmd: "publish" });
  assertEquals(propertiesIn(client.taken().slice(6)), list); // behind the SUBACK
});

Deno.test("an empty message with RETAIN 1 goes out like any other, removes the retained one, and is not kept [MQTT5-3.3.1-6] [MQTT5-3.3.1-7]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "+", { qos: 2, rap: true });
  await using publisher = await connected5(broker, "publisher");
  for (const qos of [0, 1, 2]) {
    await keep(publisher, "a", "x", qos);
    await keep(publisher, "b", "y", qos);
    await keep(publisher, "a", "", qos);
    await keep(publisher, "c", "", qos);
    const seen = await receiveAll(subscriber);
    const expected = [["a", "x"], ["b", "y"], ["a", ""], ["c", ""]].map(([topic, text]) => [topic, text, qos, true]);
    assertEquals(seen.map(({ topic, payload, qos, retain }) => [topic, `${payload}`, qos, retain]), expected);
    assertEquals(await retained(broker), [`b y ${qos} true`]);
  }
});

Deno.test("RETAIN 0 keeps nothing, and leaves what is retained alone, also where it is empty [MQTT5-3.3.1-8]", async () => {
  await using broker = createBroker();
  await using publisher = await connected5(broker, "publisher");
  await keep(publisher, "t", "kept");
  for (const payload of ["other", ""]) {
    for (const qos of [0, 1, 2]) {
      for (const topic of ["t", "u"]) await publisher.publish(topic, payload, { qos });
      await publisher.expectNothing();
      assertEquals(await retained(broker), ["t kept 0 true"]);
    }
  }
});

/** What each of so many equal SUBSCRIBEs brings, with an UNSUBSCRIBE before the last one. */
async function brought(rh: number | undefined, filter: string): Promise<string[][]> {
  await using broker = createBroker();
  await broker.publish("t/1", "kept", { qos: 1, retain: true });
  await using client = await resumed5(broker, "client");
  const subscription = { topic: filter, qos: 0, ...rh !== undefined && { rh } }, seen: string[][] = [];
  const subscribe = async (client: TestClient) => {
    await client.send({ cmd: "subscribe", messageId: 1, subscriptions: [subscription] });
    await client.expect({ cmd: "suback", granted: [0] });
    seen.push((await receiveAll(client)).map(brief5));
  };
  await subscribe(client);
  await subscribe(client);
  await client.disconnect();
  await using again = await resumed5(broker, "client"); // the subscription is still there
  await subscribe(again);
  await unsubscribe5(again, [filter], [0]);
  await subscribe(again);
  return seen;
}

const kept = ["publish qos0 kept retain"];

Deno.test("retain handling 0, the default: retained messages come with every SUBSCRIBE [MQTT5-3.3.1-9] [MQTT5-3.8.4-4]", async () => {
  for (const rh of [undefined, 0]) {
    for (const filter of ["t/1", "t/+", "#"]) assertEquals(await brought(rh, filter), [kept, kept, kept, kept]);
  }
});

Deno.test("retain handling 1: they come with a subscription that did not exist [MQTT5-3.3.1-10]", async () => {
  for (const filter of ["t/1", "t/+", "#"]) assertEquals(await brought(1, filter), [kept, [], [], kept]);
});

Deno.test("retain handling 2: they do not come [MQTT5-3.3.1-11]", async () => {
  for (const filter of ["t/1", "t/+", "#"]) assertEquals(await brought(2, filter), [[], [], [], []]);
});

Deno.test("each filter of a SUBSCRIBE has its own retain handling [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11] [MQTT5-3.8.4-5]", async () => {
  await using broker = createBroker();
  for (const topic of ["a", "b", "c"]) await broker.publish(topic, topic, { retain: true });
  await using client = await connected5(broker, "client");
  await subscribe5(client, "b", { rh: 2 });
  const subscriptions = [["a", 0], ["b", 1], ["c", 2], ["a", 1], ["+", 2]].map(([topic, rh]) => ({
    topic,
    qos: 0,
    rh,
  }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await expectAll5(client, ["suback 1", "publish qos0 a retain"]);
});

Deno.test("messages of the moment come whatever the retain handling is [MQTT5-3.3.1-11] [MQTT5-3.3.1-12]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  for (const [i, rh] of [0, 1, 2].entries()) await subscribe5(client, `t/${i}`, { rh });
  for (const i of [0, 1, 2]) await broker.publish(`t/${i}`, "new", { retain: true });
  await expectAll5(client, Array(3).fill("publish qos0 new"));
});

Deno.test("without retain as published RETAIN is 0, with it RETAIN is as it was published [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]", async () => {
  await using broker = createBroker();
  await using publisher = await connected5(broker, "publisher");
  for (const rap of [undefined, false, true]) {
    const flags = [rap === true, false];
    await using client = await resumed5(broker, `rap ${rap}`);
    await client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 2, rh: 2, rap }] });
    await client.expect({ cmd: "suback" });
    for (const qos of [0, 1, 2]) {
      for (const retain of [true, false]) await publisher.publish("t", "x", { qos, retain });
      await publisher.expectNothing();
      assertEquals((await receiveAll(client)).map(({ retain }) => retain), flags);
    }
    await client.drop();
    for (const retain of [true, false]) await publisher.publish("t", "y", { qos: 1, retain });
    await using again = await resumed5(broker, `rap ${rap}`); // and so for what is sent again, and what has waited
    assertEquals((await receiveAll(again)).map(({ retain }) => retain), [...flags, ...flags, ...flags]);
  }
});

Deno.test("retained messages of a new subscription have RETAIN 1, whatever retain as published says [MQTT5-3.3.1-9] [MQTT5-3.3.1-13]", async () => {
  await using broker = createBroker();
  await broker.publish("t", "kept", { retain: true });
  await using client = await connected5(broker, "client");
  for (const rap of [false, true]) {
    await subscribe5(client, "t", { rap });
    await expectAll5(client, kept);
  }
});

Deno.test("a retained message comes at the lower of both QoS [MQTT5-3.8.4-8] [MQTT5-3.3.1-9]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  for (const published of [0, 1, 2] as const) {
    await broker.publish(`t/${published}`, "x", { qos: published, retain: true });
    for (const qos of [0, 1, 2]) {
      await subscribe5(client, `t/${published}`, { qos });
      await client.expect({ cmd: "publish", qos: Math.min(qos, published), retain: true });
    }
  }
});

Deno.test("what one version retains the other one is sent [MQTT5-3.3.1-5] [MQTT5-3.3.1-9]", async () => {
  await using broker = createBroker();
  await using old = await connected(broker, "old");
  await using young = await connected5(broker, "young");
  await keep(old, "by/old", "x", 1);
  await keep(young, "by/young", "y", 1);
  await subscribe5(young, "by/old", { qos: 1 });
  await expectAll5(young, ["publish 1 qos1 x retain"]);
  await old.subscribe("by/young", 1);
  await expectAll5(old, ["publish 1 qos1 y retain"]);
  await using other = await connected(broker, "other");
  await keep(other, "by/young", "");
  await using another = await connected5(broker, "another");
  await keep(another, "by/old", "");
  assertEquals(await retained(broker), []);
});
