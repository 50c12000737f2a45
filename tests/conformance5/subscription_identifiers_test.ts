// Subscription identifiers (5.0 sections 3.3.2.3.8 and 3.8.2.1.2): a delivery carries those of all subscriptions that it comes of.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { field } from "../conformance/support.ts";
import { violationsOf } from "../conformance/violations.ts";
import { receiveAll } from "../conformance/script.ts";
import { connected, type PacketLike, type TestClient } from "../support/client.ts";
import { connected5, faults, resumed5, subscribe5, unsubscribe5, type Wish } from "./clients.ts";
import { packet, properties, propertiesIn, property, publishFrame, RecordingClient, varint } from "./packets.ts";

/** The subscription identifiers of a delivery, whose order does not matter. */
function identifiersOf({ properties }: PacketLike): number[] {
  return [properties?.subscriptionIdentifier ?? []].flat().toSorted((a: number, b: number) => a - b);
}

/** Asserts that the broker has one message for a client, with this QoS and these identifiers. */
async function expectOne(client: TestClient, qos: number, identifiers: readonly number[]): Promise<void> {
  const packets = await receiveAll(client);
  assertEquals(packets.map((packet) => [packet.cmd, packet.qos, identifiersOf(packet)]), [[
    "publish",
    qos,
    identifiers,
  ]]);
}

async function subscribeAll(client: TestClient, wishes: Readonly<Record<string, Wish>>): Promise<void> {
  for (const [filter, wish] of Object.entries(wishes)) await subscribe5(client, filter, wish);
}

Deno.test("overlapping subscriptions bring one message, at their highest QoS, with all of their identifiers [MQTT5-3.3.4-2] [MQTT5-3.3.4-3] [MQTT5-3.3.4-4]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribeAll(client, {
    "a/b": { qos: 0, subscriptionIdentifier: 3 },
    "a/+": { qos: 2, subscriptionIdentifier: 1 },
    "a/#": { qos: 1 },
    "#": { qos: 1, subscriptionIdentifier: 2 },
    "+/c": { qos: 2, subscriptionIdentifier: 9 },
  });
  for (const [topic, highest, identifiers] of [["a/b", 2, [1, 2, 3]], ["a", 1, [2]], ["x/c", 2, [2, 9]]] as const) {
    for (const qos of [0, 1, 2] as const) {
      await broker.publish(topic, "x", { qos });
      await expectOne(client, Math.min(qos, highest), identifiers);
    }
  }
});

Deno.test("two subscriptions may have one identifier, which then comes twice [MQTT5-3.3.4-4]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribeAll(client, { "a/b": { subscriptionIdentifier: 5 }, "a/+": { subscriptionIdentifier: 5 } });
  await broker.publish("a/b", "x");
  await expectOne(client, 0, [5, 5]);
});

Deno.test("subscriptions without an identifier bring none [MQTT5-3.3.4-3]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await broker.publish("t", "x", { qos: 1 });
  await expectOne(client, 1, []);
});

Deno.test("an identifier is that of the packet's filters, of this client, until the subscription is replaced or deleted [MQTT5-3.3.4-3] [MQTT5-3.8.4-3]", async () => {
  await using broker = createBroker();
  await using other = await connected5(broker, "other");
  await subscribe5(other, "#", { subscriptionIdentifier: 77 });
  await using client = await connected5(broker, "client");
  const subscriptions = [{ topic: "a", qos: 0 }, { topic: "b", qos: 0 }];
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions, properties: { subscriptionIdentifier: 4 } });
  await client.expect({ cmd: "suback", granted: [0, 0] });
  const expectEach = async (expected: Record<string, readonly number[]>) => {
    for (const [topic, identifiers] of Object.entries(expected)) {
      await broker.publish(topic, "x");
      await expectOne(client, 0, identifiers);
      await expectOne(other, 0, [77]);
    }
  };
  await expectEach({ a: [4], b: [4] });
  await subscribe5(client, "a", { subscriptionIdentifier: 5 });
  await expectEach({ a: [5], b: [4] });
  await subscribe5(client, "b");
  await expectEach({ a: [5], b: [] });
  await subscribe5(client, "+", { subscriptionIdentifier: 6 });
  await unsubscribe5(client, ["a"], [0]);
  await expectEach({ a: [6], b: [6] });
});

Deno.test("every identifier from 1 to 268,435,455 is taken and sent, to the byte [MQTT5-3.3.4-4]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  for (const identifier of [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]) {
    await subscribe5(client, "t", { subscriptionIdentifier: identifier });
    client.taken();
    await broker.publish("t", "");
    assertEquals(await client.publishBytes(), publishFrame({ properties: [property.identifier(identifier)] }));
  }
});

Deno.test("identifiers come with retained messages, with those that have waited, and with those that are sent again [MQTT5-3.3.4-3] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await broker.publish("kept/1", "x", { qos: 1, retain: true });
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "kept/+", { qos: 1, subscriptionIdentifier: 10 });
  await expectOne(client, 1, [10]);
  await client.send({ cmd: "puback", messageId: 1 });
  await subscribe5(client, "+/1", { qos: 2, subscriptionIdentifier: 11 });
  await expectOne(client, 1, [11]); // of the new subscription alone
  await client.drop();
  await broker.publish("kept/1", "y", { qos: 2 });
  await using again = await resumed5(broker, "client");
  const packets = await receiveAll(again);
  assertEquals(packets.map((packet) => [packet.dup, identifiersOf(packet)]), [[true, [11]], [false, [10, 11]]]);
});

Deno.test("copies of a message for different subscriptions have each its own identifier [MQTT5-3.3.4-5]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribeAll(client, {
    "t": { subscriptionIdentifier: 1 },
    "$share/one/t": { subscriptionIdentifier: 2 },
    "$share/two/#": {},
  });
  await broker.publish("t", "x");
  const packets = await receiveAll(client);
  assertEquals(packets.map(identifiersOf).toSorted(), [[], [1], [2]]);
});

Deno.test("a subscriber of 3.1.1 on the same topic sees no identifier of anybody [MQTT5-3.3.4-3]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { subscriptionIdentifier: 1 });
  await using old = await connected(broker, "old");
  await old.subscribe("t");
  await broker.publish("t", "x");
  await expectOne(client, 0, [1]);
  assertEquals((await old.receive()).length, 2 + 1 + 1);
});

Deno.test("a PUBLISH of a client with a subscription identifier is a protocol error [MQTT5-3.3.4-6]", async (t) => {
  const frames = violationsOf([1, 128, 268_435_455], (n) => publishFrame({ properties: [property.identifier(n)] }));
  await faults(frames, "protocol-error")(t);
});

/** A SUBSCRIBE with these properties. */
function subscribeFrame(...list: readonly (readonly number[])[]): number[] {
  return packet(0x82, 0, 1, ...properties(...list), ...field("t"), 0);
}

Deno.test("a SUBSCRIBE with the identifier 0, or with two of them, is a protocol error", async (t) => {
  const { identifier } = property;
  await faults(
    { "0": subscribeFrame(identifier(0)), "two": subscribeFrame(identifier(1), identifier(1)) },
    "protocol-error",
  )(t);
});

Deno.test("a SUBSCRIBE with an identifier of more than four bytes, or cut off, is malformed", async (t) => {
  const cases = {
    "five bytes": [11, ...varint(268_435_456)],
    "cut off": [11, 0x80],
    "longer than it needs": [11, 0x81, 0],
  };
  await faults(
    Object.fromEntries(Object.entries(cases).map(([name, bytes]) => [name, subscribeFrame(bytes)])),
    "malformed-packet",
  )(t);
});

Deno.test("identifiers stand beside the properties of the message [MQTT5-3.3.4-4] [MQTT5-3.3.2-17]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribeAll(client, { "t": { subscriptionIdentifier: 300 }, "#": { subscriptionIdentifier: 2 } });
  client.taken();
  await using publisher = await connected5(broker, "publisher");
  const own = [property.contentType("c"), property.user("b", "1"), property.user("a", "2")];
  await publisher.sendBytes(publishFrame({ properties: own }));
  const [content, first, second, ...users] = propertiesIn(await client.publishBytes());
  assertEquals([content, ...users], own);
  assertEquals([first!.length, second!.length].toSorted(), [2, 3]);
});
