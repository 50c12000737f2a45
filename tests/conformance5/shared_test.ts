// Shared subscriptions (5.0 section 4.8.2): their filters, and that each message goes to one member, on that member's terms.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { field } from "../conformance/support.ts";
import { receiveAll, upTo } from "../conformance/script.ts";
import { violationsOf } from "../conformance/violations.ts";
import type { TestClient } from "../support/client.ts";
import { connected5, expectAll5, faults, resumed5, subscribe5, unsubscribe5, type Wish } from "./clients.ts";
import { packet, propertiesIn, property, publishFrame, RecordingClient } from "./packets.ts";

const TOPIC_FILTER_INVALID = 0x8f;

/** A member of the group "g" of the topic "t". */
async function member(broker: Broker, clientId: string, wish: Wish = {}): Promise<TestClient> {
  const client = await resumed5(broker, clientId);
  await subscribe5(client, "$share/g/t", wish);
  return client;
}

/** How many messages each client has, which together have to be the texts from 1 to `count`, each once. */
async function shares(clients: readonly TestClient[], count: number): Promise<number[]> {
  const texts = await Promise.all(
    clients.map(async (client) => (await receiveAll(client)).map(({ payload }) => `${payload}`)),
  );
  assertEquals(texts.flat().map(Number).toSorted((a, b) => a - b), upTo(count));
  return texts.map(({ length }) => length);
}

async function publishAll(broker: Broker, count: number, qos: 0 | 1 | 2 = 0): Promise<void> {
  for (const i of upTo(count)) await broker.publish("t", `${i}`, { qos });
}

Deno.test("a shared subscription is $share, a name and a filter, whatever these are [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]", async () => {
  await using broker = createBroker();
  const cases = {
    "$share/g/t": "t",
    "$share/ü/t/#": "t",
    "$share/g//t": "/t",
    "$share/$share/+/b": "a/b",
    "$share/ /#": "x",
  };
  for (const [filter, topic] of Object.entries(cases)) {
    await using one = await connected5(broker, "one");
    await using other = await connected5(broker, "other");
    for (const client of [one, other]) await subscribe5(client, filter, { qos: 1 });
    for (const i of upTo(4)) await broker.publish(topic, `${i}`);
    assertEquals(await shares([one, other], 4), [2, 2]);
    for (const client of [one, other]) await client.disconnect();
  }
});

Deno.test("a filter that only looks like one is an ordinary filter [MQTT5-4.8.2-1]", async () => {
  for (const filter of ["$share", "$shared/g/t", "$SHARE/g/t", "share/g/t", "/$share/g/t"]) {
    await using broker = createBroker();
    await using one = await connected5(broker, "one");
    await using other = await connected5(broker, "other");
    for (const client of [one, other]) await subscribe5(client, filter);
    await broker.publish("t", "x");
    await broker.publish(filter, "to both");
    for (const client of [one, other]) await expectAll5(client, ["publish qos0 to both"]);
  }
});

Deno.test("without a name, or with a name of wildcards, or without a filter it is refused with 0x8F, for itself alone [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  const wrong = ["$share/", "$share//t", "$share//", "$share/g", "$share/g/", "$share/+/t", "$share/#"];
  const filters = ["before", ...wrong, "behind"];
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
  await client.expect({ cmd: "suback", granted: [1, ...wrong.map(() => TOPIC_FILTER_INVALID), 1] });
  for (const topic of ["t", "before", "behind"]) await broker.publish(topic, topic);
  await expectAll5(client, ["publish qos0 before", "publish qos0 behind"]);
  await unsubscribe5(client, filters, [0, ...wrong.map(() => 0x11), 0]);
  assertEquals(broker.counters.get("denied/topic-filter-invalid"), wrong.length);
});

Deno.test("where the name or the filter has a wildcard at a wrong place it is malformed [MQTT5-4.8.2-2] [MQTT5-4.7.1-1]", async (t) => {
  const filters = ["$share/a+b/t", "$share/g#/t", "$share/#/t", "$share/g/t#", "$share/g/#/t", "$share/g/+t"];
  await faults(violationsOf(filters, (filter) => packet(0x82, 0, 1, 0, ...field(filter), 0)), "malformed-packet")(t);
});

Deno.test("each message goes to one member, to each in its turn, whatever the QoS", async () => {
  for (const qos of [0, 1, 2] as const) {
    await using broker = createBroker();
    const members = await Promise.all(["a", "b", "c"].map((id) => member(broker, id, { qos: 2 })));
    await publishAll(broker, 30, qos);
    assertEquals(await shares(members, 30), [10, 10, 10]);
    await members[1]!.disconnect(); // it is a member still, but nobody's turn is lost for it
    await publishAll(broker, 30, qos);
    assertEquals(await shares([members[0]!, members[2]!], 30), [15, 15]);
    await unsubscribe5(members[0]!, ["$share/g/t"], [0]);
    await publishAll(broker, 30, qos);
    assertEquals(await shares([members[2]!], 30), [30]);
    for (const client of members) await client.drop();
  }
});

Deno.test("every group, and every subscription that is not shared, has a copy of its own", async () => {
  await using broker = createBroker();
  const filters = ["t", "+", "$share/g/t", "$share/g/t", "$share/g/+", "$share/h/t", "$share/h/t"];
  const clients = await Promise.all(filters.map(async (filter, i) => {
    const client = await connected5(broker, `client ${i}`);
    await subscribe5(client, filter);
    return client;
  }));
  await publishAll(broker, 6);
  const counts = await Promise.all(clients.map(async (client) => (await receiveAll(client)).length));
  assertEquals(counts, [6, 6, 3, 3, 6, 3, 3]);
  for (const client of clients) await client.drop();
});

Deno.test("each member gets its messages on its own terms: QoS, identifier, retain as published [MQTT5-4.8.2-3]", async () => {
  for (const published of [0, 1, 2] as const) {
    await using broker = createBroker();
    const wishes = [0, 1, 2].map((qos) => ({ qos, rap: qos > 0, subscriptionIdentifier: qos + 1 }));
    const members = await Promise.all(wishes.map((wish, i) => member(broker, `m${i}`, wish)));
    for (const _ of members) await broker.publish("t", "x", { qos: published, retain: true });
    for (const [i, client] of members.entries()) {
      const [packet] = await receiveAll(client), { qos, retain, properties } = packet!;
      assertEquals([qos, retain, properties.subscriptionIdentifier], [Math.min(i, published), i > 0, i + 1]);
      await client.drop();
    }
  }
});

Deno.test("a shared subscription brings no retained messages, whatever its retain handling is [MQTT5-3.3.1-9]", async () => {
  await using broker = createBroker();
  await broker.publish("t", "kept", { retain: true });
  await using client = await connected5(broker, "client");
  for (const rh of [0, 1, 2]) await subscribe5(client, "$share/g/t", { rh });
  await client.expectNothing();
});

Deno.test("who subscribes to it again is one member still, on the new terms [MQTT5-4.8.2-3]", async () => {
  await using broker = createBroker();
  await using one = await member(broker, "one", { qos: 2 });
  await using other = await member(broker, "other", { qos: 1 });
  for (const qos of [1, 0]) await subscribe5(one, "$share/g/t", { qos });
  await publishAll(broker, 4, 2);
  await expectAll5(other, ["publish 1 qos1 1", "publish 2 qos1 3"]);
  await expectAll5(one, ["publish qos0 2", "publish qos0 4"]);
});

Deno.test("a member that can take no more at present is passed over", async () => {
  await using broker = createBroker();
  await using busy = await resumed5(broker, "busy", { receiveMaximum: 2 });
  await subscribe5(busy, "$share/g/t", { qos: 1 });
  await using idle = await member(broker, "idle", { qos: 1 });
  await publishAll(broker, 20, 1);
  assertEquals(await shares([busy, idle], 20), [2, 18]);
});

Deno.test("while no member is connected, messages wait for one of them [MQTT5-4.5.0-1]", async () => {
  await using broker = createBroker();
  for (const clientId of ["one", "other"]) await (await member(broker, clientId, { qos: 1 })).disconnect();
  await publishAll(broker, 10, 1);
  await using one = await resumed5(broker, "one");
  await using other = await resumed5(broker, "other");
  assertEquals(await shares([one, other], 10), [5, 5]);
});

Deno.test("the messages that members get have all properties, in order [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "$share/g/t");
  client.taken();
  const list = [property.contentType("c"), property.user("b", "1"), property.user("a", "2"), property.user("b", "0")];
  await using publisher = await connected5(broker, "publisher");
  await publisher.sendBytes(publishFrame({ properties: list }));
  assertEquals(propertiesIn(await client.publishBytes()), list);
});
