// UNSUBSCRIBE and UNSUBACK (3.1.1 sections 3.10 and 3.11).
import { createBroker } from "../../mod.ts";
import { connected, type TestClient } from "../support/client.ts";
import { expectAll, resumed } from "./script.ts";
import { field, frame } from "./support.ts";
import { bytesOf, endTheConnection, wrongFlags } from "./violations.ts";

const UNSUBSCRIBE = 0xa2, ID = [0, 7];

async function unsubscribe(client: TestClient, ...unsubscriptions: string[]): Promise<void> {
  await client.send({ cmd: "unsubscribe", messageId: 21, unsubscriptions });
  await client.expect({ cmd: "unsuback", messageId: 21 });
}

Deno.test(
  "an UNSUBSCRIBE with other flags than 0010 ends the connection [MQTT-3.10.1-1]",
  endTheConnection(wrongFlags({ cmd: "unsubscribe", messageId: 7, unsubscriptions: ["a"] })),
);

Deno.test(
  "an UNSUBSCRIBE whose filter is not a UTF-8 string, or not whole, ends the connection [MQTT-3.10.3-1]",
  endTheConnection({
    "a byte that UTF-8 does not know": frame(UNSUBSCRIBE, ...ID, 0, 2, 0x61, 0xff),
    "an overlong form": frame(UNSUBSCRIBE, ...ID, 0, 2, 0xc0, 0xaf),
    "half of a surrogate pair": frame(UNSUBSCRIBE, ...ID, 0, 3, 0xed, 0xa0, 0x80),
    "in the second filter": frame(UNSUBSCRIBE, ...ID, ...field("a"), 0, 1, 0xff),
    "longer than the packet": frame(UNSUBSCRIBE, ...ID, 0, 9, 0x61),
    "half a length": frame(UNSUBSCRIBE, ...ID, 0),
  }),
);

Deno.test(
  "an UNSUBSCRIBE without a filter ends the connection [MQTT-3.10.3-2]",
  endTheConnection({ "no filter": frame(UNSUBSCRIBE, ...ID) }, "protocol-error"),
);

Deno.test(
  "an UNSUBSCRIBE of nothing at all ends the connection [MQTT-3.10.3-2]",
  endTheConnection({ "no body": frame(UNSUBSCRIBE) }),
);

Deno.test("an UNSUBSCRIBE is answered with an UNSUBACK of its identifier, also where nothing is deleted [MQTT-3.10.4-4] [MQTT-3.10.4-5]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  await client.subscribe("t", 1);
  for (const messageId of [1, 256, 65_535, 1]) {
    await client.send({ cmd: "unsubscribe", messageId, unsubscriptions: ["t"] });
    await client.expect({ cmd: "unsuback", messageId });
  }
  await client.expectNothing();
});

Deno.test("only the subscription with exactly the same filter is deleted, character by character [MQTT-3.10.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  await client.subscribe("caf\u00e9/+");
  for (
    const other of [
      "caf\u00e9/a",
      "caf\u00e9/#",
      "#",
      "+/+",
      "Caf\u00e9/+",
      "cafe\u0301/+",
      "caf\u00e9/+/",
      "/caf\u00e9/+",
    ]
  ) {
    await unsubscribe(client, other);
    await broker.publish("caf\u00e9/a", other);
    await expectAll(client, [`publish qos0 ${other}`]);
  }
  await unsubscribe(client, "caf\u00e9/+");
  await broker.publish("caf\u00e9/a", "x");
  await client.expectNothing();
});

Deno.test("nothing new comes once a subscription is deleted, connected or not [MQTT-3.10.4-2]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1, 1);
  await client.subscribe("u", 1, 2);
  await unsubscribe(client, "t");
  await broker.publish("t", "x", { qos: 1, retain: true });
  await client.expectNothing();
  await client.disconnect();
  for (const topic of ["t", "u"]) await broker.publish(topic, topic, { qos: 1 });
  await using again = await resumed(broker, "client");
  await expectAll(again, ["publish 1 qos1 u"]);
});

Deno.test("a message behind the UNSUBSCRIBE in the same bytes does not come, one before it does [MQTT-3.10.4-2]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  await client.subscribe("t", 1);
  const publish = (payload: string) => bytesOf({ cmd: "publish", topic: "t", payload, qos: 0 });
  await client.sendBytes([
    ...publish("before"),
    ...bytesOf({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["t"] }),
    ...publish("behind"),
  ]);
  await expectAll(client, ["publish qos0 before", "unsuback 2"]);
});

Deno.test("messages that are retained after the UNSUBSCRIBE do not come, although retained ones still wait [MQTT-3.10.4-2]", async () => {
  await using broker = createBroker({ limits: { inflight: 1 } });
  for (const topic of ["t/1", "t/2"]) await broker.publish(topic, "old", { qos: 1, retain: true });
  await using client = await connected(broker, "client");
  await client.subscribe("t/#", 1);
  await client.expect({ cmd: "publish", payload: "old", messageId: 1 });
  await unsubscribe(client, "t/#");
  for (const topic of ["t/1", "t/2", "t/3"]) await broker.publish(topic, "new", { qos: 1, retain: true });
  await client.send({ cmd: "puback", messageId: 1 });
  await client.expectNothing();
});

Deno.test("the delivery of QoS 1 and 2 messages that has started is completed [MQTT-3.10.4-3]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 2);
  for (const [payload, qos] of [["a", 1], ["b", 2], ["c", 2], ["d", 1]] as const) {
    await broker.publish("t", payload, { qos });
  }
  await expectAll(client, ["publish 1 qos1 a", "publish 2 qos2 b", "publish 3 qos2 c", "publish 4 qos1 d"]);
  await client.send({ cmd: "pubrec", messageId: 2 });
  await expectAll(client, ["pubrel 2"]);
  await unsubscribe(client, "t");
  await client.send({ cmd: "puback", messageId: 4 });
  await client.send({ cmd: "pubrec", messageId: 3 });
  await expectAll(client, ["pubrel 3"]);
  await client.drop();

  await using again = await resumed(broker, "client");
  await expectAll(again, ["pubrel 2", "pubrel 3", "publish 1 qos1 a dup"]);
  for (const messageId of [2, 3]) await again.send({ cmd: "pubcomp", messageId });
  await again.send({ cmd: "puback", messageId: 1 });
  await again.drop();
  await using last = await resumed(broker, "client");
  await last.expectNothing();
});

Deno.test("several filters are handled in order and answered once [MQTT-3.10.4-6]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  const filters = ["a", "a/+", "b/#", "c"];
  for (const [i, filter] of filters.entries()) await client.subscribe(filter, 0, i + 1);
  await unsubscribe(client, "a", "unknown", "a", "b/#", "a/+");
  for (const topic of ["a", "a/b", "b/c", "c"]) await broker.publish(topic, topic);
  await expectAll(client, ["publish qos0 c"]);
  await client.expectNothing();
});

Deno.test("who has unsubscribed may subscribe again, and others keep their subscriptions [MQTT-3.10.4-1] [MQTT-3.3.1-6]", async () => {
  await using broker = createBroker();
  await broker.publish("t", "kept", { retain: true });
  await using other = await connected(broker, "other");
  await other.subscribe("t");
  await other.expect({ cmd: "publish", payload: "kept", retain: true });
  await using client = await connected(broker, "client");
  for (const payload of ["a", "b"]) {
    await client.subscribe("t");
    await broker.publish("t", payload);
    await expectAll(client, ["publish qos0 kept retain", `publish qos0 ${payload}`]);
    await unsubscribe(client, "t");
  }
  await expectAll(other, ["publish qos0 a", "publish qos0 b"]);
});
