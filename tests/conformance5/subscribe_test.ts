// SUBSCRIBE and SUBACK (5.0 sections 3.8 and 3.9): what is granted, what the options mean, what is malformed.
import { assertEquals } from "@std/assert";
import { type BrokerOptions, createBroker } from "../../mod.ts";
import { field } from "../conformance/support.ts";
import { receiveAll, upTo } from "../conformance/script.ts";
import { bytesOf, type Violations, violationsOf, wrongFlags } from "../conformance/violations.ts";
import { connected } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { connected5, expectAll5, faults, resumed5, subscribe5, unsubscribe5 } from "./clients.ts";
import { packet, publishFrame } from "./packets.ts";

/** A SUBSCRIBE with this body behind its packet identifier and its empty properties. */
function subscribeFrame(...body: readonly number[]): number[] {
  return packet(0x82, 0, 7, 0, ...body);
}

Deno.test(
  "a SUBSCRIBE with other flags than 0010 is malformed [MQTT5-3.8.1-1]",
  faults(
    wrongFlags({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic: "a", qos: 0 }] }, 5),
    "malformed-packet",
  ),
);

Deno.test(
  "a SUBSCRIBE whose filter is not a UTF-8 string, or not whole, is malformed [MQTT5-3.8.3-1]",
  faults({
    "a byte that UTF-8 does not know": subscribeFrame(0, 2, 0x61, 0xff, 0),
    "an overlong form": subscribeFrame(0, 2, 0xc0, 0xaf, 0),
    "half of a surrogate pair": subscribeFrame(0, 3, 0xed, 0xa0, 0x80, 0),
    "in the second filter": subscribeFrame(...field("a"), 0, 0, 1, 0xff, 0),
    "longer than the packet": subscribeFrame(0, 9, 0x61, 0),
    "half a length": subscribeFrame(0),
    "no options behind it": subscribeFrame(...field("a")),
    "no options in the second pair": subscribeFrame(...field("a"), 0, ...field("b")),
    "no property length": packet(0x82, 0, 7),
    "nothing at all": packet(0x82),
  }, "malformed-packet"),
);

Deno.test(
  "a SUBSCRIBE without a filter is a protocol error [MQTT5-3.8.3-2]",
  faults({ "no pair": subscribeFrame() }, "protocol-error"),
);

/** A SUBSCRIBE with each of these options, and with the last of them in its second pair. */
function withOptions(list: readonly number[]): Violations {
  return {
    ...violationsOf(list, (options) => subscribeFrame(...field("a"), options)),
    "in the second pair": subscribeFrame(...field("a"), 0, ...field("b"), list.at(-1)!),
  };
}

Deno.test(
  "a SUBSCRIBE with reserved bits in its options is malformed [MQTT5-3.8.3-5]",
  faults(withOptions([0x40, 0x80, 0xc0, 0x41, 0x82, 0xee]), "malformed-packet"),
);

Deno.test(
  "a SUBSCRIBE with the maximum QoS 3 or the retain handling 3 is a protocol error",
  faults(withOptions([0x03, 0x07, 0x30, 0x3a]), "protocol-error"),
);

Deno.test("no local on a shared subscription is a protocol error, also among other filters [MQTT5-3.8.3-4]", async (t) => {
  const shared = [...field("$share/g/t"), 0x04];
  await faults({
    "alone": subscribeFrame(...shared),
    "with other options": subscribeFrame(...field("$share/g/#"), 0x1e),
    "behind another filter": subscribeFrame(...field("a"), 0, ...shared),
  }, "protocol-error")(t);
});

Deno.test("a SUBSCRIBE is answered with a SUBACK of its identifier and the QoS asked for [MQTT5-3.8.4-1] [MQTT5-3.8.4-2] [MQTT5-3.8.4-6] [MQTT5-3.8.4-7]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  for (const messageId of [1, 256, 65_535, 1]) {
    for (const qos of [0, 1, 2]) {
      for (const topic of [`t/${qos}`, `$share/g/t/${qos}`]) {
        await client.send({ cmd: "subscribe", messageId, subscriptions: [{ topic, qos, rap: true, rh: qos }] });
        await client.expect({ cmd: "suback", messageId, granted: [qos] });
      }
    }
  }
  await client.expectNothing();
});

Deno.test("a SUBSCRIBE of many filters is handled in order, as so many SUBSCRIBEs, and answered once [MQTT5-3.8.4-5] [MQTT5-3.8.4-6] [MQTT5-3.9.3-1]", async () => {
  await using broker = createBroker();
  await broker.publish("t", "kept", { qos: 2, retain: true });
  await using client = await connected5(broker, "client");
  const subscriptions = [["t", 2], ["t", 0], ["u", 1], ["t", 1]].map(([topic, qos]) => ({ topic, qos }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.expect({ cmd: "suback", messageId: 1, granted: [2, 0, 1, 1] });
  await expectAll5(client, ["publish 1 qos2 kept retain", "publish qos0 kept retain", "publish 2 qos1 kept retain"]);
  await broker.publish("t", "new", { qos: 2 });
  await expectAll5(client, ["publish 3 qos1 new"]); // the last one counts

  const many = upTo(1000).map((i) => ({ topic: `many/${i}`, qos: i % 3 }));
  await client.send({ cmd: "subscribe", messageId: 2, subscriptions: many });
  await client.expect({ cmd: "suback", messageId: 2, granted: many.map(({ qos }) => qos) });
});

Deno.test("SUBACKs come in the order of the SUBSCRIBEs, and before what a later packet brings [MQTT5-3.8.4-1] [MQTT5-3.8.4-2]", async () => {
  const later: BrokerOptions = { authorize: async () => await Promise.resolve(true) };
  for (const options of [{}, later]) {
    await using broker = createBroker(options);
    await using client = await connected5(broker, "client");
    await client.sendBytes([
      ...[4, 2, 9].flatMap((messageId) =>
        bytesOf({ cmd: "subscribe", messageId, subscriptions: [{ topic: "t", qos: 1 }] }, 5)
      ),
      ...publishFrame({ qos: 1, id: 5, payload: "x" }),
    ]);
    await expectAll5(client, ["suback 4", "suback 2", "suback 9", "publish 1 qos1 x", "puback 5"]);
  }
});

Deno.test("an identical filter replaces the subscription, and no message is lost or doubled by that [MQTT5-3.8.4-3] [MQTT5-3.8.4-4]", async () => {
  await using broker = createBroker({ authorize: () => Promise.resolve(true) });
  await broker.publish("t", "kept", { retain: true });
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { rh: 2 });
  const published: Promise<void>[] = [];
  for (const i of upTo(50)) {
    published.push(broker.publish("t", `${i}`, { qos: 1 }));
    if (i % 5 > 0) continue;
    const subscriptions = [{ topic: "t", qos: 1 + i % 2, rap: i % 3 === 0, rh: i % 10 === 0 ? 0 : 2 }];
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions });
  }
  await Promise.all(published);
  const texts = (await receiveAll(client)).filter(({ cmd }) => cmd === "publish").map(({ payload }) => `${payload}`);
  assertEquals(texts.filter((text) => text !== "kept").map(Number), upTo(50));
  assertEquals(texts.filter((text) => text === "kept").length, 5);
});

Deno.test("the options of the last SUBSCRIBE hold, in a later connection too [MQTT5-3.8.4-3]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t/+", { qos: 2, nl: true, subscriptionIdentifier: 1 });
  await client.disconnect();
  await using again = await resumed5(broker, "client");
  const publish = publishFrame({ topic: "t/1", retain: true, payload: "own" });
  await again.sendBytes(publish);
  await again.expectNothing();
  await subscribe5(again, "t/+", { qos: 1, rap: true, rh: 2 });
  await again.disconnect();
  await using third = await resumed5(broker, "client");
  await third.sendBytes(publish);
  await expectAll5(third, ["publish qos0 own retain"]);
  await broker.publish("t/1", "x", { qos: 2 });
  const [packet] = await receiveAll(third);
  assertEquals([packet!.qos, packet!.properties], [1, undefined]);
});

Deno.test("a message comes at the lower of the published and the granted QoS [MQTT5-3.8.4-8]", async () => {
  await using broker = createBroker();
  for (const granted of [0, 1, 2] as const) {
    await using client = await connected5(broker, "client");
    await subscribe5(client, "t", { qos: granted });
    for (const qos of [0, 1, 2] as const) {
      await broker.publish("t", "x", { qos });
      await client.expect({ cmd: "publish", topic: "t", qos: Math.min(granted, qos) });
    }
    await client.disconnect();
  }
});

Deno.test("no local: a client is not sent what it has published itself, others are [MQTT5-3.8.3-3]", async () => {
  await using broker = createBroker();
  await using one = await connected5(broker, "one");
  await using other = await connected5(broker, "other");
  await using neighbour = await connected(broker, "neighbour");
  for (const client of [one, other]) await subscribe5(client, "t", { nl: true });
  const subscribers = [one, other];
  for (const publisher of [one, other, neighbour]) {
    for (const qos of [0, 1, 2]) await publisher.publish("t", `${qos}`, { qos });
    await publisher.expectNothing();
    for (const client of subscribers.filter((client) => client !== publisher)) {
      await expectAll5(client, [0, 1, 2].map((qos) => `publish qos0 ${qos}`));
    }
  }
  await broker.publish("t", "of the process");
  for (const client of subscribers) await expectAll5(client, ["publish qos0 of the process"]);
});

Deno.test("no local holds for each subscription: where another one wants the message, that one alone counts [MQTT5-3.8.3-3] [MQTT5-3.3.4-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t/1", { qos: 2, nl: true, subscriptionIdentifier: 1 });
  await subscribe5(client, "t/+", { qos: 0, subscriptionIdentifier: 2 });
  await client.send({ cmd: "publish", topic: "t/1", payload: "own", qos: 1, messageId: 1 });
  await client.expect({ cmd: "publish", payload: "own", qos: 0, properties: { subscriptionIdentifier: 2 } });
  await client.expect({ cmd: "puback" });
  await broker.publish("t/1", "other", { qos: 2 });
  const { properties } = await client.expect({ cmd: "publish", payload: "other", qos: 2 });
  assertEquals(properties.subscriptionIdentifier.toSorted(), [1, 2]);
});

Deno.test("no local goes by the client identifier: on later connections, for wills, and for what is retained [MQTT5-3.8.3-3]", async () => {
  await using broker = createBroker({ clock: new VirtualClock() });
  await using client = await resumed5(broker, "client");
  await client.publish("t/kept", "own", { retain: true });
  await client.drop();
  const will = { topic: "t/will", payload: "own will", qos: 0, retain: false };
  const session = { sessionExpiryInterval: 0xffff_ffff };
  await using again = await connected5(broker, "client", { clean: false, properties: session, will });
  await subscribe5(again, "t/+", { nl: true });
  await again.expectNothing();
  await using other = await connected5(broker, "other");
  await subscribe5(other, "t/+");
  await expectAll5(other, ["publish qos0 own retain"]);
  await again.drop();
  await other.expect({ cmd: "publish", payload: "own will" });
  await broker.publish("t/kept", "not its own", { qos: 0, retain: true });
  await using third = await resumed5(broker, "client");
  await third.expectNothing(); // of QoS 0, and it was away
  await unsubscribe5(third, ["t/+"], [0]);
  await subscribe5(third, "t/+", { nl: true });
  await expectAll5(third, ["publish qos0 not its own retain"]);
});

Deno.test("the filters of a malformed SUBSCRIBE have no effect, those before it have [MQTT5-3.8.3-5]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "good");
  await client.sendBytes(subscribeFrame(...field("bad"), 0, ...field("worse"), 0x40));
  await client.expect({ cmd: "disconnect", reasonCode: 0x81 });
  await client.expectClosed();
  await using again = await resumed5(broker, "client");
  for (const topic of ["bad", "worse", "good"]) await broker.publish(topic, topic);
  await expectAll5(again, ["publish qos0 good"]);
  assertEquals(broker.counters.get("subscribed"), 1);
});
