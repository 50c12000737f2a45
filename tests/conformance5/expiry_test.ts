// Message expiry (5.0 section 3.3.2.3.3): a message that waits in the broker has less and less time left, and then it is gone;
// one that has been sent is not.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { VirtualClock } from "../support/clock.ts";
import { connected, type TestClient } from "../support/client.ts";
import { receiveAll, resumed } from "../conformance/script.ts";
import { connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";
import { property, publishFrame } from "./packets.ts";

/** A message with an expiry interval, or without one. */
function publish(
  broker: Broker,
  payload: string,
  seconds?: number,
  options: { qos?: 0 | 1 | 2; retain?: boolean } = {},
) {
  const properties = seconds === undefined ? {} : { messageExpiryInterval: seconds };
  return broker.publish("t", payload, { qos: 1, properties, ...options });
}

/** What the broker has for a client: payload and seconds left of each message, as "payload 48". */
async function received(client: TestClient): Promise<readonly string[]> {
  const packets = await receiveAll(client);
  return packets.map(({ payload, properties }) => [payload, properties?.messageExpiryInterval].join(" ").trim());
}

Deno.test("while a message waits for its client its time runs, and it is sent with what is left [MQTT5-3.3.2-5] [MQTT5-3.3.2-6]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  await client.disconnect();
  await publish(broker, "long", 60);
  await publish(broker, "short", 10, { qos: 2 });
  await publish(broker, "for ever");
  await clock.advance(7_000);
  await publish(broker, "later", 60);
  await clock.advance(5_000);
  await using again = await resumed5(broker, "client");
  assertEquals(await received(again), ["long 48", "for ever", "later 55"]);
  assertEquals(broker.counters.get("dropped/expired"), 1);
});

Deno.test("a message is there to its last second, and not longer [MQTT5-3.3.2-5] [MQTT5-3.3.2-6]", async () => {
  for (const [waited, expected] of [[9_000, ["x 1"]], [10_001, []]] as const) {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    await using client = await resumed5(broker, "client");
    await subscribe5(client, "t", { qos: 1 });
    await client.disconnect();
    await publish(broker, "x", 10);
    await clock.advance(waited);
    await using again = await resumed5(broker, "client");
    assertEquals(await received(again), expected);
  }
});

Deno.test("a message that is delivered at once has the interval that it was published with [MQTT5-3.3.2-6]", async () => {
  await using broker = createBroker({ clock: new VirtualClock() });
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await using publisher = await connected5(broker, "publisher");
  for (const seconds of [1, 255, 65_536, 0x7fff_ffff, 0xffff_ffff]) {
    for (const qos of [0, 1]) await publisher.sendBytes(publishFrame({ qos, properties: [property.expiry(seconds)] }));
    await publisher.expect({ cmd: "puback" });
    assertEquals(await received(client), [`${seconds}`, `${seconds}`]);
  }
});

Deno.test("a message that waits behind others in flight loses time too, and its place where that is up [MQTT5-3.3.2-5] [MQTT5-3.3.2-6]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client", { properties: { receiveMaximum: 1 } });
  await subscribe5(client, "t", { qos: 1 });
  for (const [payload, seconds] of Object.entries({ a: 100, b: 10, c: 100, d: 40 })) {
    await publish(broker, payload, seconds);
  }
  assertEquals(await received(client), ["a 100"]);
  await clock.advance(30_000);
  await client.send({ cmd: "puback", messageId: 1 });
  assertEquals(await received(client), ["c 70"]);
  await clock.advance(30_000);
  await client.send({ cmd: "puback", messageId: 2 });
  await client.expectNothing();
  assertEquals(broker.counters.get("dropped/expired"), 2);
  await publish(broker, "e", 5);
  assertEquals(await received(client), ["e 5"]); // what has expired takes no room of those in flight
});

Deno.test("each subscriber's copy counts for itself [MQTT5-3.3.2-5] [MQTT5-3.3.2-6]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  for (const clientId of ["early", "late", "too late"]) {
    await using client = await resumed5(broker, clientId);
    await subscribe5(client, "t", { qos: 1 });
    await client.disconnect();
  }
  await publish(broker, "x", 20);
  for (const [clientId, expected] of [["early", ["x 11"]], ["late", ["x 2"]], ["too late", []]] as const) {
    await clock.advance(9_000);
    await using client = await resumed5(broker, clientId);
    assertEquals(await received(client), expected);
  }
});

Deno.test("a retained message counts down too, and is retained no longer than that [MQTT5-3.3.2-6]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await publish(broker, "kept", 6, { retain: true });
  const expected = [["kept 6"], ["kept 4"], ["kept 2"], [], []];
  for (const [i, messages] of expected.entries()) {
    await using client = await connected5(broker, `client ${i}`);
    await subscribe5(client, "t", { qos: 1 });
    assertEquals(await received(client), messages);
    await clock.advance(2_000);
  }
});

Deno.test("what replaces a retained message has its own time, or all of it [MQTT5-3.3.2-6] [MQTT5-3.3.1-5]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await publish(broker, "first", 4, { retain: true });
  await clock.advance(2_000);
  await publish(broker, "second", 9, { retain: true });
  await clock.advance(4_000);
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  assertEquals(await received(client), ["second 5"]);
  await publish(broker, "third", undefined, { retain: true });
  assertEquals(await received(client), ["third"]);
  await clock.advance(10_000);
  await subscribe5(client, "t", { qos: 1 });
  assertEquals(await received(client), ["third"]);
});

Deno.test("a message of QoS 1 or 2 that has been sent once is sent again also when its time is up [MQTT5-4.3.3-7] [MQTT5-4.4.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  for (const qos of [1, 2, 2] as const) await publish(broker, `${qos}`, 10, { qos });
  await client.send({ cmd: "pubrec", messageId: 3 });
  await expectAll5(client, ["publish 1 qos1 1", "publish 2 qos2 2", "publish 3 qos2 2", "pubrel 3"]);
  await client.drop();
  await clock.advance(60_000);
  await using again = await resumed5(broker, "client");
  await expectAll5(again, ["pubrel 3", "publish 1 qos1 1 dup", "publish 2 qos2 2 dup"]);
  await again.send({ cmd: "pubrec", messageId: 2 });
  await expectAll5(again, ["pubrel 2"]);
  assertEquals(broker.counters.get("dropped/expired"), undefined);
});

Deno.test("a publisher's QoS 2 goes on to its end, whether or not the message has expired [MQTT5-4.3.3-13]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using subscriber = await resumed5(broker, "subscriber");
  await subscribe5(subscriber, "t", { qos: 2 });
  await subscriber.disconnect();
  await using publisher = await connected5(broker, "publisher");
  const frame = (dup: boolean) => publishFrame({ qos: 2, id: 5, dup, properties: [property.expiry(10)] });
  await publisher.sendBytes(frame(false));
  await expectAll5(publisher, ["pubrec 5"]);
  await clock.advance(60_000);
  await using again = await resumed5(broker, "subscriber");
  await publisher.sendBytes(frame(true));
  await expectAll5(publisher, ["pubrec 5"]);
  await publisher.send({ cmd: "pubrel", messageId: 5 });
  await expectAll5(publisher, ["pubcomp 5"]);
  await again.expectNothing();
});

Deno.test("a 3.1.1 client does not get what has expired while it was away either [MQTT5-3.3.2-5]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1);
  await client.disconnect();
  await publish(broker, "short", 2, { retain: true });
  await publish(broker, "long", 60);
  await clock.advance(3_000);
  await using again = await connected(broker, "client", { clean: false });
  await expectAll5(again, ["publish 1 qos1 long"]);
  await again.subscribe("t", 1);
  await again.expectNothing();
});
