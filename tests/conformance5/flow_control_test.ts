// Receive maximum (5.0 sections 3.3.4 and 4.9): how many messages of QoS 1 and 2 may be under way, in both directions, and that
// nothing else waits for that.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { brief, expectAll, receiveAll, resumed, upTo } from "../conformance/script.ts";
import { assertFault, connected5, expectAll5, resumed5, subscribe5, unsubscribe5 } from "./clients.ts";
import { publishFrame } from "./packets.ts";

const two = { receiveMaximum: 2 };

Deno.test("no more than the receive maximum is under way to a client, however much waits [MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2]", async () => {
  await using broker = createBroker();
  for (const receiveMaximum of [1, 2, 7]) {
    await using client = await connected5(broker, "client", { properties: { receiveMaximum } });
    await subscribe5(client, "t", { qos: 2 });
    for (const i of upTo(20)) await broker.publish("t", `${i}`, { qos: i % 2 ? 1 : 2 });
    const underWay = (await receiveAll(client)).map(({ messageId, qos }) => ({ messageId, qos }));
    assertEquals(underWay.length, receiveMaximum);
    for (const i of upTo(20)) { // each message that is settled lets one more come
      const { messageId, qos } = underWay.shift()!;
      await client.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
      if (qos === 2) await client.expect({ cmd: "pubrel", messageId });
      if (qos === 2) await client.send({ cmd: "pubcomp", messageId });
      const next = await receiveAll(client);
      assertEquals(next.map(({ payload }) => `${payload}`), i + receiveMaximum <= 20 ? [`${i + receiveMaximum}`] : []);
      underWay.push(...next.map(({ messageId, qos }) => ({ messageId, qos })));
    }
    await client.disconnect();
  }
});

Deno.test("PUBACK, PUBCOMP and a refusal give way to the next message, PUBREC does not [MQTT5-3.3.4-9] [MQTT5-4.9.0-2] [MQTT5-4.4.0-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client", { properties: two });
  await subscribe5(client, "t", { qos: 2 });
  for (const [i, qos] of ([2, 2, 1, 2, 1, 1] as const).entries()) await broker.publish("t", `m${i}`, { qos });
  await expectAll5(client, ["publish 1 qos2 m0", "publish 2 qos2 m1"]);
  await client.send({ cmd: "pubrec", messageId: 1 });
  await expectAll5(client, ["pubrel 1"]);
  await client.send({ cmd: "pubcomp", messageId: 1 });
  await expectAll5(client, ["publish 3 qos1 m2"]);
  await client.send({ cmd: "pubrec", messageId: 2, reasonCode: 0x97 });
  await expectAll5(client, ["publish 4 qos2 m3"]);
  await client.send({ cmd: "puback", messageId: 3, reasonCode: 0x80 });
  await expectAll5(client, ["publish 5 qos1 m4"]);
  await client.send({ cmd: "puback", messageId: 5, reasonCode: 0x10 });
  await expectAll5(client, ["publish 6 qos1 m5"]);
});

Deno.test("acknowledgements of nothing do not raise the quota [MQTT5-4.9.0-1] [MQTT5-4.9.0-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client", { properties: two });
  await subscribe5(client, "t", { qos: 2 });
  for (const messageId of upTo(5)) {
    for (const cmd of ["puback", "pubcomp"] as const) await client.send({ cmd, messageId });
    await client.send({ cmd: "pubrec", messageId, reasonCode: 0x80 });
  }
  for (const i of upTo(5)) await broker.publish("t", `${i}`, { qos: 1 });
  await expectAll5(client, ["publish 1 qos1 1", "publish 2 qos1 2"]);
});

Deno.test("all other packets are sent and answered while the quota is zero [MQTT5-3.3.4-10] [MQTT5-4.9.0-3]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client", { properties: two });
  await subscribe5(client, "t", { qos: 2 });
  for (const i of upTo(3)) await broker.publish("t", `${i}`, { qos: 2 });
  await expectAll5(client, ["publish 1 qos2 1", "publish 2 qos2 2"]);
  await subscribe5(client, "u", { qos: 1 });
  await unsubscribe5(client, ["u", "v"], [0, 0x11]);
  await client.publish("x", "", { qos: 1, messageId: 1 });
  await client.publish("x", "", { qos: 2, messageId: 2 });
  await client.send({ cmd: "pubrec", messageId: 2 });
  await expectAll5(client, ["pubrel 2"]);
  await client.send({ cmd: "pubrel", messageId: 77 });
  await expectAll5(client, ["pubcomp 77 0x92"]);
});

Deno.test("what is sent again counts too, and the receive maximum of each connection is a new one [MQTT5-3.3.4-9] [MQTT5-4.9.0-2] [MQTT5-4.4.0-1] [MQTT5-4.6.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client", { receiveMaximum: 5 });
  await subscribe5(client, "t", { qos: 2 });
  for (const i of upTo(7)) await broker.publish("t", `${i}`, { qos: i === 3 ? 1 : 2 });
  await client.send({ cmd: "pubrec", messageId: 1 });
  await expectAll5(client, [...upTo(5).map((i) => `publish ${i} qos${i === 3 ? 1 : 2} ${i}`), "pubrel 1"]);
  await client.drop();

  await using again = await resumed5(broker, "client", two);
  await expectAll5(again, ["pubrel 1", "publish 2 qos2 2 dup"]);
  await again.send({ cmd: "pubcomp", messageId: 1 });
  await expectAll5(again, ["publish 3 qos1 3 dup"]);
  await again.send({ cmd: "puback", messageId: 3 });
  await expectAll5(again, ["publish 4 qos2 4 dup"]);
  await again.drop();

  await using third = await resumed5(broker, "client", { receiveMaximum: 4 });
  await expectAll5(third, [...[2, 4, 5].map((i) => `publish ${i} qos2 ${i} dup`), "publish 6 qos2 6"]);
});

Deno.test("a session of a 3.1.1 client is resumed within the receive maximum [MQTT5-3.3.4-9] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1);
  for (const i of upTo(4)) await broker.publish("t", `${i}`, { qos: 1 });
  await expectAll(client, upTo(4).map((i) => `publish ${i} qos1 ${i}`));
  await client.drop();
  await using again = await resumed5(broker, "client", two);
  await expectAll5(again, upTo(2).map((i) => `publish ${i} qos1 ${i} dup`));
  await again.sendBytes([0x40, 2, 0, 1, 0x40, 2, 0, 2]);
  await expectAll5(again, [3, 4].map((i) => `publish ${i} qos1 ${i} dup`));
});

const limits = { receiveMaximum: 3 };

/** A PUBLISH of QoS 2. */
function qos2(id: number, topic = "t"): number[] {
  return publishFrame({ qos: 2, id, topic });
}

Deno.test("a client that has more under way than the CONNACK permits is told so with 0x93 [MQTT5-3.3.4-7]", async () => {
  await using broker = createBroker({ limits });
  const topics: string[] = [];
  broker.published.subscribe(({ topic }) => topics.push(topic));
  await using client = TestClient.memory(broker);
  const { properties } = await client.connect({ clientId: "offender", protocolVersion: 5 });
  assertEquals(properties.receiveMaximum, 3);
  await client.sendBytes(upTo(3).flatMap((id) => qos2(id)));
  await expectAll5(client, upTo(3).map((id) => `pubrec ${id}`));
  await assertFault(broker, client, qos2(4, "too much"), "receive-maximum-exceeded");
  assertEquals(topics, ["t", "t", "t", "sign/of/life"]);
});

Deno.test("QoS 1 beyond the receive maximum is too much as well, QoS 0 is not [MQTT5-3.3.4-7]", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected5(broker, "offender");
  await client.sendBytes(upTo(3).flatMap((id) => qos2(id)));
  await expectAll5(client, upTo(3).map((id) => `pubrec ${id}`));
  await client.sendBytes(publishFrame());
  await client.expectNothing();
  await assertFault(broker, client, publishFrame({ qos: 1, id: 9 }), "receive-maximum-exceeded");
});

Deno.test("a client may use its quota again and again [MQTT5-3.3.4-7] [MQTT5-4.9.0-3]", async () => {
  await using broker = createBroker({ limits, authorize: ({ topic }) => topic !== "no" });
  await using client = await connected5(broker, "client");
  for (const id of upTo(10)) { // what has been answered for good is no longer under way
    await client.sendBytes([...publishFrame({ qos: 1, id }), ...qos2(id + 20, "no")]);
    await expectAll5(client, [`puback ${id}`, `pubrec ${id + 20} 0x87`]);
  }
  for (const _ of upTo(3)) {
    await client.sendBytes(upTo(3).flatMap((id) => qos2(id)));
    await expectAll5(client, upTo(3).map((id) => `pubrec ${id}`));
    await client.sendBytes([1, 2, 3, 2].flatMap((id) => qos2(id))); // again: nothing new
    await expectAll5(client, [1, 2, 3, 2].map((id) => `pubrec ${id}`));
    for (const messageId of upTo(3)) await client.send({ cmd: "pubrel", messageId });
    await expectAll5(client, upTo(3).map((id) => `pubcomp ${id}`));
  }
});

Deno.test("a client's quota is full again on a new connection, whatever it had under way before [MQTT5-3.3.4-7] [MQTT5-4.9.0-1]", async () => {
  await using broker = createBroker({ limits });
  await using client = await resumed5(broker, "client");
  await client.sendBytes(upTo(3).flatMap((id) => qos2(id)));
  await expectAll5(client, upTo(3).map((id) => `pubrec ${id}`));
  await client.drop();
  await using again = await resumed5(broker, "client");
  await again.sendBytes([4, 5, 6].flatMap((id) => qos2(id)));
  await expectAll5(again, [4, 5, 6].map((id) => `pubrec ${id}`));
  for (const messageId of upTo(3)) await again.send({ cmd: "pubrel", messageId }); // of the connection before
  await expectAll5(again, upTo(3).map((id) => `pubcomp ${id}`));
  await assertFault(broker, again, qos2(7), "receive-maximum-exceeded");
});

Deno.test("the receive maximum binds no 3.1.1 client, which knows of none", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected(broker, "client");
  for (const messageId of upTo(20)) {
    await client.send({ cmd: "publish", topic: "t", payload: "", qos: 2, messageId });
  }
  assertEquals((await receiveAll(client)).map(brief), upTo(20).map((id) => `pubrec ${id}`));
});
