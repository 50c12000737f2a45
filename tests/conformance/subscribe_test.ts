// SUBSCRIBE and SUBACK (3.1.1 sections 3.8 and 3.9): what is granted, refused and malformed.
import { assertEquals } from "@std/assert";
import { type Authorize, type BrokerOptions, createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { expectAll, upTo } from "./script.ts";
import { field, frame } from "./support.ts";
import { bytesOf, endTheConnection, violationsOf, wrongFlags } from "./violations.ts";

const SUBSCRIBE = 0x82, ID = [0, 7];

Deno.test(
  "a SUBSCRIBE with other flags than 0010 ends the connection [MQTT-3.8.1-1]",
  endTheConnection(wrongFlags({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic: "a", qos: 0 }] })),
);

Deno.test(
  "a SUBSCRIBE whose filter is not a UTF-8 string, or not whole, ends the connection [MQTT-3.8.3-1]",
  endTheConnection({
    "a byte that UTF-8 does not know": frame(SUBSCRIBE, ...ID, 0, 2, 0x61, 0xff, 0),
    "an overlong form": frame(SUBSCRIBE, ...ID, 0, 2, 0xc0, 0xaf, 0),
    "half of a surrogate pair": frame(SUBSCRIBE, ...ID, 0, 3, 0xed, 0xa0, 0x80, 0),
    "in the second filter": frame(SUBSCRIBE, ...ID, ...field("a"), 0, 0, 1, 0xff, 0),
    "longer than the packet": frame(SUBSCRIBE, ...ID, 0, 9, 0x61, 0),
    "half a length": frame(SUBSCRIBE, ...ID, 0),
  }),
);

Deno.test(
  "a SUBSCRIBE without a filter and QoS pair ends the connection [MQTT-3.8.3-3]",
  endTheConnection({ "no pair": frame(SUBSCRIBE, ...ID) }, "protocol-error"),
);

Deno.test(
  "a SUBSCRIBE that is not whole ends the connection [MQTT-3.8.3-3]",
  endTheConnection({
    "no QoS": frame(SUBSCRIBE, ...ID, ...field("a")),
    "no QoS in the second pair": frame(SUBSCRIBE, ...ID, ...field("a"), 0, ...field("b")),
    "nothing at all": frame(SUBSCRIBE),
  }),
);

Deno.test(
  "a SUBSCRIBE with another QoS than 0, 1 or 2, or with reserved bits, ends the connection [MQTT-3.8.3-4]",
  endTheConnection({
    ...violationsOf(
      [3, 4, 5, 6, 8, 0x10, 0x20, 0x40, 0x80, 0x82, 0xff],
      (qos) => frame(SUBSCRIBE, ...ID, ...field("a"), qos),
    ),
    "in the second pair": frame(SUBSCRIBE, ...ID, ...field("a"), 0, ...field("b"), 3),
  }),
);

Deno.test("a SUBSCRIBE is answered with a SUBACK of its identifier and the QoS asked for [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  for (const messageId of [1, 256, 65_535, 1]) {
    for (const qos of [0, 1, 2]) {
      await client.send({ cmd: "subscribe", messageId, subscriptions: [{ topic: `t/${qos}`, qos }] });
      await client.expect({ cmd: "suback", messageId, granted: [qos] });
    }
  }
  await client.expectNothing();
});

Deno.test("wildcards in filters are supported: they are granted, and they match [MQTT-3.8.3-2] [MQTT-4.7.1-1]", async () => {
  await using broker = createBroker();
  for (const filter of ["#", "+/+", "a/#", "a/+", "+/b", "a/b/#", "+/b/#"]) {
    await using client = await connected(broker, "client");
    await client.subscribe(filter, 1);
    await broker.publish("a/b", filter);
    await expectAll(client, [`publish qos0 ${filter}`]);
    await client.disconnect();
  }
});

const permit: Readonly<Record<string, Authorize>> = {
  "at once": ({ topic }) => !topic.startsWith("no"),
  "with a reason": ({ topic }) => !topic.startsWith("no") || "quota-exceeded",
  "by a promise": async ({ topic }) => await Promise.resolve(!topic.startsWith("no")),
  "by an error": ({ topic }) => {
    if (topic.startsWith("no")) throw new Error("Database is away");
    return true;
  },
  "by a promise that rejects": ({ topic }) =>
    topic.startsWith("no") ? Promise.reject(new Error("Database is away")) : true,
};

Deno.test("several filters are answered together, each with its QoS or 0x80, in their order [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2]", async (t) => {
  for (const [how, authorize] of Object.entries(permit)) {
    await t.step(`refused ${how}`, async () => {
      await using broker = createBroker({ authorize });
      await broker.publish("no/1", "secret", { retain: true });
      await using client = await connected(broker, "client");
      const subscriptions = ["yes/1", "no/1", "yes/2", "yes/0", "no/#"].map((topic, i) => ({
        topic,
        qos: (i + 1) % 3,
      }));
      await client.send({ cmd: "subscribe", messageId: 3, subscriptions });
      await client.expect({ cmd: "suback", messageId: 3, granted: [1, 0x80, 0, 1, 0x80] });
      for (const topic of ["no/1", "yes/1", "yes/2", "yes/0"]) await broker.publish(topic, topic, { qos: 2 });
      await expectAll(client, ["publish 1 qos1 yes/1", "publish qos0 yes/2", "publish 2 qos1 yes/0"]);
    });
  }
});

Deno.test("a SUBSCRIBE of many filters is handled in order, as so many SUBSCRIBEs [MQTT-3.8.4-4] [MQTT-3.9.3-1]", async () => {
  await using broker = createBroker();
  await broker.publish("t", "kept", { qos: 2, retain: true });
  await using client = await connected(broker, "client");
  const subscriptions = [["t", 2], ["t", 0], ["u", 1], ["t", 1]].map(([topic, qos]) => ({ topic, qos }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.expect({ cmd: "suback", messageId: 1, granted: [2, 0, 1, 1] });
  await expectAll(client, ["publish 1 qos2 kept retain", "publish qos0 kept retain", "publish 2 qos1 kept retain"]);
  await broker.publish("t", "new", { qos: 2 });
  await expectAll(client, ["publish 3 qos1 new"]); // the last one counts

  const many = upTo(1000).map((i) => ({ topic: `many/${i}`, qos: i % 3 }));
  await client.send({ cmd: "subscribe", messageId: 2, subscriptions: many });
  await client.expect({ cmd: "suback", messageId: 2, granted: many.map(({ qos }) => qos) });
});

Deno.test("SUBACKs come in the order of the SUBSCRIBEs, and before what a later packet brings [MQTT-3.8.4-1] [MQTT-3.8.4-2]", async () => {
  const later: BrokerOptions = { authorize: async () => await Promise.resolve(true) };
  for (const options of [{}, later]) {
    await using broker = createBroker(options);
    await using client = await connected(broker, "client");
    await client.sendBytes([
      ...[4, 2, 9].flatMap((messageId) =>
        bytesOf({ cmd: "subscribe", messageId, subscriptions: [{ topic: "t", qos: 1 }] })
      ),
      ...bytesOf({ cmd: "publish", topic: "t", payload: "x", qos: 1, messageId: 5 }),
    ]);
    await expectAll(client, ["suback 4", "suback 2", "suback 9", "publish 1 qos1 x", "puback 5"]);
  }
});

Deno.test("the filters of a malformed SUBSCRIBE have no effect, those before it have [MQTT-3.8.3-4] [MQTT-4.8.0-1]", async () => {
  await using broker = createBroker();
  const client = TestClient.memory(broker);
  await client.connect({ clientId: "client", clean: false });
  await client.subscribe("good", 0);
  await client.sendBytes(frame(SUBSCRIBE, ...ID, ...field("bad"), 0, ...field("worse"), 3));
  await client.expectClosed();
  await using again = await connected(broker, "client", { clean: false });
  for (const topic of ["bad", "worse", "good"]) await broker.publish(topic, topic);
  await expectAll(again, ["publish qos0 good"]);
  assertEquals(broker.counters.get("subscribed"), 1);
});
