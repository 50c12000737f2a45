// What a reconnection brings: sessions, and the packets that are sent again (3.1.1 sections 4.1, 4.4 and 4.6).
import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { brief, expectAll, receiveAll, resumed, upTo } from "./script.ts";
import { bytesOf } from "./violations.ts";

const YEAR = 365 * 24 * 3600 * 1000;

Deno.test("a PUBLISH that is sent again has DUP 1, its identifier, and everything else as before [MQTT-3.3.1-1] [MQTT-4.4.0-1]", async () => {
  await using broker = createBroker();
  await broker.publish("kept", "k", { qos: 2, retain: true });
  await using client = await resumed(broker, "client", false);
  await client.subscribe("#", 2);
  await broker.publish("a", "1", { qos: 1 });
  await broker.publish("b", "2", { qos: 2 });
  const first = await receiveAll(client);
  assertEquals(first.map(brief), ["publish 1 qos2 k retain", "publish 2 qos1 1", "publish 3 qos2 2"]);
  await client.drop();
  for (const _ of upTo(3)) { // and so each time
    await using again = await resumed(broker, "client");
    const packets = await receiveAll(again);
    assertEquals(packets.map((packet) => ({ ...packet, dup: false })), first.map((packet) => ({ ...packet })));
    assert(packets.every(({ dup }) => dup));
  }
});

Deno.test("DUP tells of this transmission alone, not of the publisher's [MQTT-3.3.1-3]", async () => {
  await using broker = createBroker();
  await using subscriber = await resumed(broker, "subscriber", false);
  await subscriber.subscribe("#", 2);
  await using publisher = await connected(broker, "publisher");
  for (const qos of [1, 2]) {
    await publisher.send({ cmd: "publish", topic: "t", payload: "x", qos, messageId: qos, dup: true });
    await publisher.expect({ cmd: qos === 1 ? "puback" : "pubrec", messageId: qos });
  }
  await expectAll(subscriber, ["publish 1 qos1 x", "publish 2 qos2 x"]);
  await subscriber.drop();
  await publisher.publish("t", "y", { qos: 1, messageId: 3 });
  await using again = await resumed(broker, "subscriber");
  await expectAll(again, ["publish 1 qos1 x dup", "publish 2 qos2 x dup", "publish 3 qos1 y"]);
});

Deno.test("QoS 0 is never sent again [MQTT-3.3.1-2] [MQTT-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("#", 2);
  await broker.publish("t", "x");
  await expectAll(client, ["publish qos0 x"]);
  await client.drop();
  await using again = await resumed(broker, "client");
  await again.expectNothing();
});

Deno.test("what had not been sent before goes out after what is sent again, with DUP 0 [MQTT-4.6.0-1] [MQTT-3.3.1-3]", async () => {
  await using broker = createBroker({ limits: { inflight: 3 } });
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1);
  for (const i of upTo(5)) await broker.publish("t", `${i}`, { qos: 1 });
  await expectAll(client, upTo(3).map((i) => `publish ${i} qos1 ${i}`));
  await client.drop();
  await broker.publish("t", "6", { qos: 1 });
  await using again = await resumed(broker, "client");
  await expectAll(again, upTo(3).map((i) => `publish ${i} qos1 ${i} dup`));
  for (const messageId of [2, 1, 3]) await again.send({ cmd: "puback", messageId });
  await expectAll(again, [4, 5, 6].map((i) => `publish ${i} qos1 ${i}`));
});

Deno.test("hundreds of messages in flight go on where they were, in order [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.6.0-4]", async () => {
  await using broker = createBroker({ limits: { inflight: 1000 } });
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t/#", 2);
  const ids = upTo(600), qosOf = (id: number) => id % 3 === 0 ? 1 : 2;
  for (const id of ids) await broker.publish(`t/${id % 7}`, `${id}`, { qos: qosOf(id) });
  await expectAll(client, ids.map((id) => `publish ${id} qos${qosOf(id)} ${id}`));
  // Of each 12: 3 and 9 are acknowledged, 1, 5 and 10 received (backwards), and of these 5 completed.
  const acknowledged = ids.filter((id) => id % 6 === 3), completed = ids.filter((id) => id % 12 === 5);
  const received = ids.filter((id) => [1, 5, 10].includes(id % 12)).reverse();
  const released = received.filter((id) => !completed.includes(id));
  await client.sendBytes([
    ...acknowledged.flatMap((messageId) => bytesOf({ cmd: "puback", messageId })),
    ...received.flatMap((messageId) => bytesOf({ cmd: "pubrec", messageId })),
    ...completed.flatMap((messageId) => bytesOf({ cmd: "pubcomp", messageId })),
  ]);
  await expectAll(client, received.map((id) => `pubrel ${id}`));
  await client.drop();

  await using again = await resumed(broker, "client");
  const texts = (await receiveAll(again)).map(brief);
  const unsettled = ids.filter((id) => !acknowledged.includes(id) && !received.includes(id));
  assertEquals(texts.filter((text) => text.startsWith("pubrel")), released.map((id) => `pubrel ${id}`));
  assertEquals(
    texts.filter((text) => text.startsWith("publish")),
    unsettled.map((id) => `publish ${id} qos${qosOf(id)} ${id} dup`),
  );
  await again.sendBytes([
    ...released.flatMap((messageId) => bytesOf({ cmd: "pubcomp", messageId })),
    ...unsettled.flatMap((messageId) => bytesOf({ cmd: qosOf(messageId) === 1 ? "puback" : "pubrec", messageId })),
    ...unsettled.flatMap((messageId) => bytesOf({ cmd: "pubcomp", messageId })),
  ]);
  await expectAll(again, unsettled.filter((id) => qosOf(id) === 2).map((id) => `pubrel ${id}`));
  await again.drop();
  await using last = await resumed(broker, "client");
  await last.expectNothing();
});

Deno.test("a client that takes its own session over is sent everything again [MQTT-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1);
  await broker.publish("t", "x", { qos: 1 });
  await expectAll(client, ["publish 1 qos1 x"]);
  await using other = await resumed(broker, "client");
  await client.expectClosed();
  await expectAll(other, ["publish 1 qos1 x dup"]);
});

Deno.test("a lost socket is a reconnection like any other [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  const connect = async () => {
    const client = await TestClient.tcp(listener.port);
    await client.connect({ clientId: "client", clean: false });
    return client;
  };
  await using client = await connect();
  await client.subscribe("t", 2);
  for (const i of upTo(50)) await broker.publish("t", `${i}`, { qos: 2 });
  await expectAll(client, upTo(50).map((i) => `publish ${i} qos2 ${i}`));
  await client.drop();
  await using again = await connect();
  await expectAll(again, upTo(50).map((i) => `publish ${i} qos2 ${i} dup`));
});

Deno.test("a session keeps its subscriptions and its messages in every state, however long it takes [MQTT-4.1.0-1] [MQTT-4.5.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 2);
  await client.send({ cmd: "publish", topic: "x", payload: "", qos: 2, messageId: 40 });
  await client.expect({ cmd: "pubrec", messageId: 40 });
  for (const payload of ["released", "sent"]) await broker.publish("t", payload, { qos: 2 });
  await client.send({ cmd: "pubrec", messageId: 1 });
  await expectAll(client, ["publish 1 qos2 released", "publish 2 qos2 sent", "pubrel 1"]);
  await client.disconnect();
  await broker.publish("t", "waiting", { qos: 1 });
  await clock.advance(YEAR);

  await using again = await resumed(broker, "client");
  await expectAll(again, ["pubrel 1", "publish 2 qos2 sent dup", "publish 3 qos1 waiting"]);
  const published: string[] = [];
  broker.published.subscribe(({ topic }) => published.push(topic));
  await again.send({ cmd: "publish", topic: "x", payload: "", qos: 2, messageId: 40, dup: true });
  await again.expect({ cmd: "pubrec", messageId: 40 });
  assertEquals(published, []);
  await broker.publish("t", "subscribed");
  await expectAll(again, ["publish qos0 subscribed"]);
});

Deno.test("a session lasts as long as its connection, also with CleanSession 1 [MQTT-4.1.0-2]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected(broker, "client");
  await client.subscribe("t", 1);
  await broker.publish("t", "x", { qos: 1 });
  await client.send({ cmd: "publish", topic: "y", payload: "", qos: 2, messageId: 40 });
  await clock.advance(YEAR);
  for (const clientId of ["a", "b"]) await (await connected(broker, clientId)).disconnect();

  const published: string[] = [];
  broker.published.subscribe(({ topic }) => published.push(topic));
  await client.send({ cmd: "publish", topic: "y", payload: "", qos: 2, messageId: 40 });
  assertEquals((await receiveAll(client)).map(brief), ["publish 1 qos1 x", "pubrec 40", "pubrec 40"]);
  assertEquals(published, []);
  await broker.publish("t", "z", { qos: 1 });
  await expectAll(client, ["publish 2 qos1 z"]); // 1 is in use
});
