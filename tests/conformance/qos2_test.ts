// QoS 2: exactly once (3.1.1 section 4.3.3), in both directions.
import { createBroker } from "../../mod.ts";
import { connected, type TestClient } from "../support/client.ts";
import { expectAll, hesitate, resumed, upTo } from "./script.ts";
import { bytesOf, endTheConnection, wrongFlags } from "./violations.ts";

const publish = { cmd: "publish", topic: "t", payload: "x", qos: 2, messageId: 5 } as const;

async function answered(client: TestClient, cmd: "pubrec" | "pubcomp", messageId = 5): Promise<void> {
  await client.expect({ cmd, messageId });
  await client.expectNothing();
}

Deno.test("until the PUBREL a PUBLISH of the same identifier is answered, and not delivered again [MQTT-4.3.3-2]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("#", 2);
  await using publisher = await connected(broker, "publisher");
  for (const again of [{}, { dup: true }, { dup: true }, {}, { topic: "other" }]) {
    await publisher.send({ ...publish, ...again });
    await answered(publisher, "pubrec");
  }
  await expectAll(subscriber, ["publish 1 qos2 x"]);

  await publisher.send({ cmd: "pubrel", messageId: 5 });
  await answered(publisher, "pubcomp");
  await publisher.send({ ...publish, dup: true }); // a new publication, whatever DUP says
  await answered(publisher, "pubrec");
  await expectAll(subscriber, ["publish 2 qos2 x"]);
});

Deno.test("a duplicate is known over a reconnection, and until the PUBREL alone [MQTT-4.3.3-2] [MQTT-4.1.0-1]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("t", 0);
  await using publisher = await resumed(broker, "publisher", false);
  await publisher.send(publish);
  await answered(publisher, "pubrec");
  await publisher.drop();

  await using again = await resumed(broker, "publisher");
  await again.send({ ...publish, dup: true });
  await answered(again, "pubrec");
  await again.send({ cmd: "pubrel", messageId: 5 });
  await answered(again, "pubcomp");
  await expectAll(subscriber, ["publish qos0 x"]);
  await again.drop();

  await using third = await resumed(broker, "publisher");
  await third.send({ cmd: "pubrel", messageId: 5 }); // its PUBCOMP may have been lost
  await answered(third, "pubcomp");
  await third.send(publish);
  await answered(third, "pubrec");
  await expectAll(subscriber, ["publish qos0 x"]);
});

Deno.test("a PUBREL of an unknown identifier gets a PUBCOMP [MQTT-4.3.3-2]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  for (const messageId of [1, 77, 65_535, 77]) {
    await client.send({ cmd: "pubrel", messageId });
    await answered(client, "pubcomp", messageId);
  }
});

Deno.test("identifiers of QoS 2 are those of one client, in one direction, and apart from those of QoS 1 [MQTT-4.3.3-2]", async () => {
  await using broker = createBroker();
  await using other = await connected(broker, "other");
  await other.subscribe("t", 2);
  await using client = await connected(broker, "client");
  await client.subscribe("t", 2);
  const sent = { ...publish, messageId: 1 };
  await client.send({ ...sent, payload: "a" });
  await expectAll(client, ["publish 1 qos2 a", "pubrec 1"]); // an identifier of either side
  await client.send({ ...sent, qos: 1, payload: "b" });
  await expectAll(client, ["publish 2 qos1 b", "puback 1"]);
  await other.send({ ...sent, payload: "c" });
  await expectAll(other, ["publish 1 qos2 a", "publish 2 qos1 b", "publish 3 qos2 c", "pubrec 1"]);
  await client.send({ cmd: "pubrec", messageId: 1 });
  await client.send({ cmd: "pubrel", messageId: 1 });
  await expectAll(client, ["publish 3 qos2 c", "pubrel 1", "pubcomp 1"]);
});

Deno.test("PUBRECs come in the order of the PUBLISHes [MQTT-4.6.0-3]", async (t) => {
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
      await client.sendBytes(
        ids.flatMap((messageId) => bytesOf({ ...publish, topic: `t/${messageId % 10}`, messageId })),
      );
      for (const messageId of ids) await client.expect({ cmd: "pubrec", messageId });
      await client.expectNothing();
    });
  }
});

Deno.test("QoS 2 goes out as PUBLISH with DUP 0, then PUBREL, and is over with the PUBCOMP [MQTT-4.3.3-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 2);
  await broker.publish("t", "a", { qos: 2 });
  await broker.publish("t", "b", { qos: 2 });
  await expectAll(client, ["publish 1 qos2 a", "publish 2 qos2 b"]);
  await client.send({ cmd: "pubrec", messageId: 1 });
  await expectAll(client, ["pubrel 1"]);
  await client.send({ cmd: "pubcomp", messageId: 1 });
  await client.expectNothing();
  await client.drop();
  await using again = await resumed(broker, "client");
  await expectAll(again, ["publish 2 qos2 b dup"]);
});

Deno.test("once its PUBREL is sent a message is not sent again: the PUBREL is, until the PUBCOMP [MQTT-4.3.3-1] [MQTT-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 2);
  await broker.publish("t", "a", { qos: 2 });
  await expectAll(client, ["publish 1 qos2 a"]);
  for (const _ of upTo(2)) {
    await client.send({ cmd: "pubrec", messageId: 1 });
    await expectAll(client, ["pubrel 1"]);
  }
  await client.drop();
  for (const _ of upTo(2)) {
    await using again = await resumed(broker, "client");
    await expectAll(again, ["pubrel 1"]);
    await again.send({ cmd: "pubrec", messageId: 1 }); // as if the first had got lost
    await expectAll(again, ["pubrel 1"]);
  }
  await using last = await resumed(broker, "client");
  await last.send({ cmd: "pubcomp", messageId: 1 });
  await expectAll(last, ["pubrel 1"]);
  await last.drop();
  await using after = await resumed(broker, "client");
  await after.expectNothing();
});

Deno.test("a PUBREC of an unknown identifier is answered, so that the client can forget it [MQTT-4.3.3-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.send({ cmd: "pubrec", messageId: 12 });
  await expectAll(client, ["pubrel 12"]);
  await client.drop();
  await using again = await resumed(broker, "client");
  await again.expectNothing();
});

Deno.test("PUBRELs come in the order of the PUBRECs, and are sent again in that order [MQTT-4.6.0-4] [MQTT-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 2);
  for (const i of upTo(6)) await broker.publish("t", `${i}`, { qos: 2 });
  await expectAll(client, upTo(6).map((i) => `publish ${i} qos2 ${i}`));
  const order = [4, 2, 6, 1, 5];
  await client.sendBytes(order.flatMap((messageId) => bytesOf({ cmd: "pubrec", messageId })));
  await expectAll(client, order.map((i) => `pubrel ${i}`));
  await client.drop();
  await using again = await resumed(broker, "client");
  await expectAll(again, [...order.map((i) => `pubrel ${i}`), "publish 3 qos2 3 dup"]);
});

Deno.test(
  "a PUBREL with other flags than 0010 ends the connection [MQTT-3.6.1-1]",
  endTheConnection(wrongFlags({ cmd: "pubrel", messageId: 1 })),
);
