// Clients of 5.0 and of 3.1.1 at one broker: they talk to each other, and a session that began with one version goes on with the
// other. There is one session space, and nobody is sent what its version does not know.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { assertEndsAlone, field, frame, versions } from "../conformance/support.ts";
import { expectAll, receiveAll } from "../conformance/script.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { connected5, expectAll5, subscribe5 } from "./clients.ts";
import { propertiesIn, property, publishFrame, RecordingClient } from "./packets.ts";

const list = [
  property.payloadFormat(1),
  property.contentType("c"),
  property.responseTopic("r"),
  property.correlation([1, 2]),
  property.user("b", "1"),
  property.user("a", "2"),
];

/** A client of the given fields, with a session that is there already, or not; what it is sent again is not taken yet. */
async function resumed(broker: Broker, fields: Partial<PacketLike>, sessionPresent: boolean): Promise<TestClient> {
  const client = TestClient.memory(broker);
  const connack = await client.connect({ clientId: "client", clean: false, ...fields });
  assertEquals(connack.sessionPresent, sessionPresent);
  return client;
}

const young = { protocolVersion: 5, properties: { sessionExpiryInterval: 60 } }, old = { protocolVersion: 4 };

Deno.test("what a 5.0 client publishes comes to an older one without properties, to the byte", async () => {
  for (const { fields } of versions) {
    await using broker = createBroker({ clock: new VirtualClock() });
    await using subscriber = await RecordingClient.connected(broker, { ...fields });
    await subscriber.subscribe("t", 2);
    subscriber.taken();
    await using publisher = await connected5(broker, "publisher");
    for (const [qos, id] of [[0, 0], [1, 1], [2, 2]] as const) {
      const properties = [...list, property.expiry(60), ...qos > 0 ? [property.alias(1)] : []];
      await publisher.sendBytes(publishFrame({ topic: qos < 2 ? "t" : "", qos, id: 9, properties, payload: "x" }));
      const identifier = id > 0 ? [0, id] : [];
      assertEquals(await subscriber.publishBytes(), frame(0x30 | qos << 1, ...field("t"), ...identifier, 0x78));
    }
  }
});

Deno.test("what an older client publishes comes to a 5.0 client with nothing but identifiers and RETAIN as it wants them", async () => {
  for (const { fields } of versions) {
    await using broker = createBroker();
    await using subscriber = await RecordingClient.connected(broker);
    await subscribe5(subscriber, "t", { qos: 2, rap: true, subscriptionIdentifier: 5 });
    subscriber.taken();
    await using publisher = await connected(broker, "publisher", { ...fields });
    for (const [qos, id] of [[0, 0], [1, 1], [2, 2]] as const) {
      await publisher.publish("t", "x", { qos, retain: true });
      const expected = publishFrame({ qos, id, retain: true, properties: [property.identifier(5)], payload: "x" });
      assertEquals(await subscriber.publishBytes(), expected);
    }
  }
});

Deno.test("wills come to clients of both versions", async () => {
  await using broker = createBroker();
  await using five = await connected5(broker, "five");
  await subscribe5(five, "will/+", { qos: 1 });
  await using four = await connected(broker, "four");
  await four.subscribe("will/+", 1);
  for (const [name, fields, contentType] of [["old", old, undefined], ["young", young, "text/plain"]] as const) {
    const properties = contentType === undefined ? {} : { contentType };
    const will = { topic: `will/${name}`, payload: "gone", qos: 1, retain: false, properties };
    await (await connected(broker, name, { ...fields, will })).drop();
    const packet = await five.expect({ cmd: "publish", topic: `will/${name}`, payload: "gone", qos: 1 });
    assertEquals(packet.properties?.contentType, contentType);
    await four.expect({ cmd: "publish", topic: `will/${name}`, payload: "gone", qos: 1 });
  }
});

for (
  const [name, first, second] of [["3.1.1 goes on with 5.0", old, young], [
    "5.0 goes on with 3.1.1",
    young,
    old,
  ]] as const
) {
  Deno.test(`a session that began with ${name}: its subscriptions, messages and identifiers are there [MQTT5-4.4.0-1]`, async () => {
    await using broker = createBroker({ limits: { inflight: 4 } });
    await using client = await resumed(broker, first, false);
    await client.subscribe("t", 2);
    await client.send({ cmd: "publish", topic: "x", payload: "", qos: 2, messageId: 40 });
    await client.expect({ cmd: "pubrec", messageId: 40 });
    for (const [payload, qos] of [["released", 2], ["one", 1], ["two", 2]] as const) {
      await broker.publish("t", payload, { qos });
    }
    await client.send({ cmd: "pubrec", messageId: 1 });
    await expectAll5(client, ["publish 1 qos2 released", "publish 2 qos1 one", "publish 3 qos2 two", "pubrel 1"]);
    await client.drop();
    await broker.publish("t", "waiting", { qos: 1 });

    await using again = await resumed(broker, second, true);
    await expectAll5(again, ["pubrel 1", "publish 2 qos1 one dup", "publish 3 qos2 two dup", "publish 4 qos1 waiting"]);
    const published: string[] = [];
    broker.published.subscribe(({ topic }) => published.push(topic));
    await again.send({ cmd: "publish", topic: "x", payload: "", qos: 2, messageId: 40, dup: true });
    await again.expect({ cmd: "pubrec", messageId: 40 });
    assertEquals(published, []); // it is known
    for (const messageId of [1, 3]) await again.send({ cmd: "pubcomp", messageId });
    await again.send({ cmd: "puback", messageId: 4 });
    await again.send({ cmd: "pubrec", messageId: 3 });
    await expectAll5(again, ["pubrel 3"]);
    await again.drop();

    await using third = await resumed(broker, first, true);
    await expectAll5(third, ["pubrel 3", "publish 2 qos1 one dup"]);
  });
}

Deno.test("messages that wait keep their properties, for the version that can be told of them", async () => {
  await using broker = createBroker();
  const client = await resumed(broker, old, false);
  await client.subscribe("t", 1);
  await client.disconnect();
  await using publisher = await connected5(broker, "publisher");
  for (const id of [1, 2]) {
    await publisher.sendBytes(publishFrame({ qos: 1, id, properties: list, payload: `${id}` }));
    await publisher.expect({ cmd: "puback" });
  }
  const session = { ...young, clientId: "client", clean: false };
  const again = await RecordingClient.connected(broker, session);
  await expectAll5(again, ["publish 1 qos1 1", "publish 2 qos1 2"]);
  assertEquals(propertiesIn(again.taken()), list); // of the first one
  await again.send({ cmd: "puback", messageId: 1 });
  await again.drop();
  await using back = await resumed(broker, old, true);
  const [packet] = await receiveAll(back);
  assertEquals([`${packet!.payload}`, packet!.dup, packet!.properties], ["2", true, undefined]);
});

Deno.test("the options of 5.0 hold for a subscription of which 3.1.1 knows nothing, until it subscribes again [MQTT5-3.8.3-3] [MQTT5-3.8.4-3]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, young, false);
  await subscribe5(client, "t", { qos: 1, nl: true, rap: true, subscriptionIdentifier: 5 });
  await client.drop();
  await using again = await resumed(broker, old, true);
  await again.publish("t", "own", { qos: 1 });
  await broker.publish("t", "other", { retain: true });
  await expectAll(again, ["publish qos0 other retain"]);
  await again.subscribe("t", 0);
  await expectAll(again, ["publish qos0 other retain"]); // the retained one
  await again.send({ cmd: "publish", topic: "t", payload: "own", qos: 0, retain: true });
  await expectAll(again, ["publish qos0 own"]);
});

Deno.test("a session lasts as the last CONNECT wants it: for ever with 3.1.1, for its interval with 5.0", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  const short = { ...young, properties: { sessionExpiryInterval: 2 } };
  await (await resumed(broker, short, false)).drop();
  await (await resumed(broker, old, true)).drop();
  await clock.advance(1_000_000_000);
  await (await resumed(broker, short, true)).drop();
  await clock.advance(3_000);
  await (await resumed(broker, old, false)).drop();
  await (await resumed(broker, { ...short, clean: true }, false)).drop();
  await (await resumed(broker, { ...old, clean: true }, false)).drop();
  await (await resumed(broker, short, false)).drop();
});

Deno.test("a client identifier has one connection, whichever versions: a 5.0 client is told that it was taken over", async () => {
  await using broker = createBroker();
  await using first = await resumed(broker, old, false);
  await using second = await resumed(broker, young, true);
  await first.expectClosed();
  await using third = await resumed(broker, old, true);
  await second.expect({ cmd: "disconnect", reasonCode: 0x8e });
  await second.expectClosed();
  await third.expectNothing();
});

Deno.test("a 3.1.1 client may share a subscription with 5.0 clients", async () => {
  await using broker = createBroker();
  await using five = await connected5(broker, "five");
  await subscribe5(five, "$share/g/t", { qos: 1 });
  await using four = await connected(broker, "four");
  await four.subscribe("$share/g/t", 0);
  for (const payload of ["1", "2", "3", "4"]) await broker.publish("t", payload, { qos: 1 });
  await expectAll5(five, ["publish 1 qos1 1", "publish 2 qos1 3"]);
  await expectAll(four, ["publish qos0 2", "publish qos0 4"]);
});

Deno.test("the options of 5.0 are reserved bits in a SUBSCRIBE of 3.1.1, and its refusals have no reason", async () => {
  await using broker = createBroker({
    authorize: ({ topic }) => topic !== "no" || { reason: "quota-exceeded", message: "!" },
  });
  for (const options of [0x04, 0x08, 0x10, 0x20]) {
    await using client = await connected(broker, "offender");
    const bytes = frame(0x82, 0, 7, ...field("t"), options);
    await assertEndsAlone(broker, client, bytes, "disconnected/malformed-packet");
  }
  await using client = await RecordingClient.connected(broker, { ...old });
  await client.sendBytes([...frame(0x82, 0, 7, ...field("no"), 1), ...frame(0x32, ...field("no"), 0, 8)]);
  for (const cmd of ["suback", "puback"] as const) await client.expect({ cmd });
  assertEquals(client.taken(), [...frame(0x90, 0, 7, 0x80), ...frame(0x40, 0, 8)]);
});
