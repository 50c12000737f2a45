// QoS 1: at least once (3.1.1 section 4.3.2), in both directions.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { brief, expectAll, hesitate, receiveAll, resumed, upTo } from "./script.ts";
import { bytesOf } from "./violations.ts";

Deno.test("QoS 1 is answered with a PUBACK of its identifier [MQTT-4.3.2-2] [MQTT-3.3.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  for (const messageId of [1, 255, 256, 65_535]) {
    await client.send({ cmd: "publish", topic: "t", payload: "x", qos: 1, messageId });
    await client.expect({ cmd: "puback", messageId });
  }
  await client.expectNothing();
});

Deno.test("after its PUBACK an identifier stands for a new publication, whatever DUP says [MQTT-4.3.2-2] [MQTT-3.3.1-3]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("t", 1);
  await using publisher = await connected(broker, "publisher");
  for (const dup of [false, true, true, false]) {
    await publisher.send({ cmd: "publish", topic: "t", payload: "x", qos: 1, messageId: 9, dup });
    await publisher.expect({ cmd: "puback", messageId: 9 });
  }
  await expectAll(subscriber, upTo(4).map((id) => `publish ${id} qos1 x`));
});

Deno.test("PUBACKs come in the order of the PUBLISHes [MQTT-4.6.0-2]", async (t) => {
  const ids = [9, 3, 700, 1, 65_535, 8, 2];
  for (
    const [name, options] of Object.entries({
      "without hooks": {},
      "with a hook that hesitates": { authorize: hesitate },
    })
  ) {
    await t.step(name, async () => {
      await using broker = createBroker(options);
      await using client = await connected(broker, "client");
      const publish = (messageId: number) =>
        ({ cmd: "publish", topic: `t/${messageId % 10}`, payload: "", qos: 1, messageId }) as const;
      await client.sendBytes(ids.flatMap((id) => bytesOf(publish(id))));
      for (const messageId of ids) await client.expect({ cmd: "puback", messageId });
      await client.expectNothing();
    });
  }
});

Deno.test("QoS 1 goes out with DUP 0 and an identifier of its own, unacknowledged until the PUBACK [MQTT-4.3.2-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1);
  for (const payload of ["a", "b", "c"]) await broker.publish("t", payload, { qos: 1 });
  await expectAll(client, ["publish 1 qos1 a", "publish 2 qos1 b", "publish 3 qos1 c"]);
  await client.send({ cmd: "puback", messageId: 2 });
  await broker.publish("t", "d", { qos: 1 });
  await expectAll(client, ["publish 4 qos1 d"]);
  await client.drop();
  await using again = await resumed(broker, "client");
  await expectAll(again, ["publish 1 qos1 a dup", "publish 3 qos1 c dup", "publish 4 qos1 d dup"]);
});

Deno.test("a PUBACK of an identifier that is not in use, or in use for QoS 2, ends nothing [MQTT-4.3.2-1] [MQTT-4.3.3-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 2);
  await broker.publish("t", "a", { qos: 1 });
  await broker.publish("t", "b", { qos: 2 });
  await expectAll(client, ["publish 1 qos1 a", "publish 2 qos2 b"]);
  for (const messageId of [2, 3, 65_535]) await client.send({ cmd: "puback", messageId });
  await client.expectNothing();
  await client.drop();
  await using again = await resumed(broker, "client");
  await expectAll(again, ["publish 1 qos1 a dup", "publish 2 qos2 b dup"]);
});

Deno.test("QoS 1 works over a real socket, in both directions [MQTT-4.3.2-1] [MQTT-4.3.2-2]", async () => {
  await using broker = createBroker({ limits: { inflight: 200 } });
  await using listener = broker.listen({ port: 0 });
  await using client = await TestClient.tcp(listener.port);
  await client.connect();
  await client.subscribe("t", 1);
  await client.sendBytes(
    upTo(200).flatMap((messageId) =>
      bytesOf({ cmd: "publish", topic: "t", payload: `${messageId}`, qos: 1, messageId })
    ),
  );
  const packets = (await receiveAll(client)).map(brief);
  assertEquals(packets.filter((text) => text.startsWith("publish")), upTo(200).map((i) => `publish ${i} qos1 ${i}`));
  assertEquals(packets.filter((text) => text.startsWith("puback")), upTo(200).map((i) => `puback ${i}`));
});
