// QoS 2: exactly once (5.0 section 4.3.3), in both directions.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { hesitate, upTo } from "../conformance/script.ts";
import { bytesOf } from "../conformance/violations.ts";
import { connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";
import { publishFrame, RecordingClient } from "./packets.ts";

/** A PUBLISH of QoS 2 with the identifier 5. */
function publish(parts: { dup?: boolean; topic?: string; payload?: string } = {}): number[] {
  return publishFrame({ qos: 2, id: 5, payload: "x", ...parts });
}

Deno.test("QoS 2 goes out with DUP 0 and an identifier that is not in use, to the byte [MQTT5-4.3.3-1] [MQTT5-4.3.3-2]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "t", { qos: 2 });
  client.taken();
  for (const id of [1, 2, 3]) {
    await broker.publish("t", "x", { qos: 2 });
    assertEquals(await client.publishBytes(), publishFrame({ qos: 2, id, payload: "x" }));
  }
});

Deno.test("an identifier is in use until the PUBCOMP, or a PUBREC that refuses [MQTT5-4.3.3-1] [MQTT5-4.3.3-5] [MQTT5-4.4.0-2]", async () => {
  await using broker = createBroker({ limits: { inflight: 65_535, outbox: "4MiB" } });
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  await Promise.all(upTo(65_535).map(() => broker.publish("t", "", { qos: 2 })));
  await expectAll5(client, upTo(65_535).map((id) => `publish ${id} qos2`));
  for (const payload of ["one more", "and one"]) await broker.publish("t", payload, { qos: 2 });
  await client.send({ cmd: "pubrec", messageId: 777 });
  await expectAll5(client, ["pubrel 777"]);
  await client.send({ cmd: "pubcomp", messageId: 777 });
  await expectAll5(client, ["publish 777 qos2 one more"]);
  await client.send({ cmd: "pubrec", messageId: 9, reasonCode: 0x99 });
  await expectAll5(client, ["publish 9 qos2 and one"]);
});

Deno.test("a PUBREC below 0x80 is answered with the PUBREL of its identifier, another one with nothing [MQTT5-4.3.3-4] [MQTT5-4.3.3-3]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  const reasonCodes = [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
  for (const i of upTo(10)) await broker.publish("t", `${i}`, { qos: 2 });
  await expectAll5(client, upTo(10).map((i) => `publish ${i} qos2 ${i}`));
  for (const [i, reasonCode] of reasonCodes.entries()) {
    await client.send({ cmd: "pubrec", messageId: i + 1, reasonCode });
    await expectAll5(client, reasonCode < 0x80 ? [`pubrel ${i + 1}`] : []);
  }
  await client.drop();
  await using again = await resumed5(broker, "client"); // what was refused is over
  await expectAll5(again, ["pubrel 1", "pubrel 2", "publish 10 qos2 10 dup"]);
});

Deno.test("once its PUBREL is sent a message is not sent again: the PUBREL is, until the PUBCOMP [MQTT5-4.3.3-5] [MQTT5-4.3.3-6] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  await broker.publish("t", "a", { qos: 2 });
  await expectAll5(client, ["publish 1 qos2 a"]);
  for (const _ of upTo(2)) {
    await client.send({ cmd: "pubrec", messageId: 1 });
    await expectAll5(client, ["pubrel 1"]);
  }
  await client.drop();
  for (const _ of upTo(2)) {
    await using again = await resumed5(broker, "client");
    await expectAll5(again, ["pubrel 1"]);
    await again.send({ cmd: "pubrec", messageId: 1 }); // as if the first had got lost
    await expectAll5(again, ["pubrel 1"]);
  }
  await using last = await resumed5(broker, "client");
  await last.send({ cmd: "pubcomp", messageId: 1 });
  await expectAll5(last, ["pubrel 1"]);
  await last.drop();
  await using after = await resumed5(broker, "client");
  await after.expectNothing();
});

Deno.test("a PUBCOMP that does not know the message ends it too [MQTT5-4.3.3-5]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  await broker.publish("t", "a", { qos: 2 });
  await client.send({ cmd: "pubrec", messageId: 1 });
  await client.send({ cmd: "pubcomp", messageId: 1, reasonCode: 0x92 });
  await expectAll5(client, ["publish 1 qos2 a", "pubrel 1"]);
  await client.drop();
  await using again = await resumed5(broker, "client");
  await again.expectNothing();
});

Deno.test("until the PUBREL a PUBLISH of the same identifier is answered, and not delivered again [MQTT5-4.3.3-8] [MQTT5-4.3.3-10] [MQTT5-4.3.3-11] [MQTT5-4.3.3-12]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "#", { qos: 2 });
  await using publisher = await connected5(broker, "publisher");
  for (const again of [{}, { dup: true }, { dup: true }, {}, { topic: "other" }]) {
    await publisher.sendBytes(publish(again));
    await expectAll5(publisher, ["pubrec 5"]);
  }
  await expectAll5(subscriber, ["publish 1 qos2 x"]);
  await publisher.send({ cmd: "pubrel", messageId: 5 });
  await expectAll5(publisher, ["pubcomp 5"]);
  await publisher.sendBytes(publish({ dup: true })); // a new message, whatever DUP says
  await expectAll5(publisher, ["pubrec 5"]);
  await expectAll5(subscriber, ["publish 2 qos2 x"]);
});

Deno.test("a duplicate is known over a reconnection, and until the PUBREL alone [MQTT5-4.3.3-10] [MQTT5-4.3.3-11] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "t");
  await using publisher = await resumed5(broker, "publisher");
  await publisher.sendBytes(publish());
  await expectAll5(publisher, ["pubrec 5"]);
  await publisher.drop();
  await using again = await resumed5(broker, "publisher");
  await again.sendBytes(publish({ dup: true }));
  await again.send({ cmd: "pubrel", messageId: 5 });
  await expectAll5(again, ["pubrec 5", "pubcomp 5"]);
  await expectAll5(subscriber, ["publish qos0 x"]);
  await again.drop();
  await using third = await resumed5(broker, "publisher");
  await third.send({ cmd: "pubrel", messageId: 5 }); // its PUBCOMP may have been lost
  await third.sendBytes(publish());
  await expectAll5(third, ["pubcomp 5 0x92", "pubrec 5"]);
  await expectAll5(subscriber, ["publish qos0 x"]);
});

Deno.test("after a PUBREC that refuses, the same identifier is a new message, and decided on anew [MQTT5-4.3.3-9]", async () => {
  const asked: string[] = [];
  await using broker = createBroker({
    authorize: ({ action, topic }) => action === "subscribe" || asked.push(topic) > 2,
  });
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "#");
  await using publisher = await connected5(broker, "publisher");
  for (
    const [topic, answer] of [["a", "pubrec 5 0x87"], ["b", "pubrec 5 0x87"], ["c", "pubrec 5"], [
      "d",
      "pubrec 5",
    ]] as const
  ) {
    await publisher.sendBytes(publish({ topic, dup: topic !== "a", payload: topic }));
    await expectAll5(publisher, [answer]);
  }
  assertEquals(asked, ["a", "b", "c"]);
  await expectAll5(subscriber, ["publish qos0 c"]);
  for (const answer of ["pubcomp 5", "pubcomp 5 0x92"]) {
    await publisher.send({ cmd: "pubrel", messageId: 5 });
    await expectAll5(publisher, [answer]);
  }
});

Deno.test("PUBRECs come in the order of the PUBLISHes, also where a hook hesitates [MQTT5-4.6.0-3]", async () => {
  const ids = [9, 3, 700, 1, 65_535, 8, 2];
  for (const options of [{}, { authorize: hesitate }]) {
    await using broker = createBroker(options);
    await using client = await connected5(broker, "client");
    await client.sendBytes(ids.flatMap((id) => publishFrame({ qos: 2, id, topic: `t/${id % 10}` })));
    for (const messageId of ids) await client.expect({ cmd: "pubrec", messageId });
    await client.expectNothing();
  }
});

Deno.test("PUBRELs come in the order of the PUBRECs, and are sent again in that order [MQTT5-4.6.0-4] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  for (const i of upTo(6)) await broker.publish("t", `${i}`, { qos: 2 });
  await expectAll5(client, upTo(6).map((i) => `publish ${i} qos2 ${i}`));
  const order = [4, 2, 6, 1, 5];
  await client.sendBytes(order.flatMap((messageId) => bytesOf({ cmd: "pubrec", messageId }, 5)));
  await expectAll5(client, order.map((i) => `pubrel ${i}`));
  await client.drop();
  await using again = await resumed5(broker, "client");
  await expectAll5(again, [...order.map((i) => `pubrel ${i}`), "publish 3 qos2 3 dup"]);
});
