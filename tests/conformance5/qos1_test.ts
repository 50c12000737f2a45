// QoS 1: at least once (5.0 section 4.3.2), in both directions.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { hesitate, upTo } from "../conformance/script.ts";
import { connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";
import { publishFrame, RecordingClient } from "./packets.ts";

Deno.test("QoS 1 goes out with DUP 0 and an identifier that is not in use, to the byte [MQTT5-4.3.2-1] [MQTT5-4.3.2-2]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "t", { qos: 1 });
  client.taken();
  for (const id of [1, 2, 3]) {
    await broker.publish("t", "x", { qos: 1 });
    assertEquals(await client.publishBytes(), publishFrame({ qos: 1, id, payload: "x" }));
  }
});

Deno.test("an identifier is in use until the PUBACK, whatever its reason code [MQTT5-4.3.2-1] [MQTT5-4.3.2-3]", async () => {
  await using broker = createBroker({ limits: { inflight: 65_535, outbox: "4MiB" } });
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await Promise.all(upTo(65_535).map(() => broker.publish("t", "", { qos: 1 })));
  await expectAll5(client, upTo(65_535).map((id) => `publish ${id} qos1`));
  await broker.publish("t", "one more", { qos: 1 });
  await broker.publish("t", "and one", { qos: 1 });
  await client.expectNothing();
  await client.send({ cmd: "puback", messageId: 30_000 });
  await expectAll5(client, ["publish 30000 qos1 one more"]);
  await client.send({ cmd: "puback", messageId: 7, reasonCode: 0x83 });
  await expectAll5(client, ["publish 7 qos1 and one"]);
});

Deno.test("a message is not acknowledged until its own PUBACK has come [MQTT5-4.3.2-3]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  for (const payload of ["a", "b", "c"]) await broker.publish("t", payload, { qos: 1 });
  await expectAll5(client, ["publish 1 qos1 a", "publish 2 qos1 b", "publish 3 qos1 c"]);
  await client.send({ cmd: "puback", messageId: 2 });
  for (const cmd of ["pubcomp", "pubrel"] as const) await client.send({ cmd, messageId: 1 }); // not for QoS 1
  for (const messageId of [4, 65_535]) await client.send({ cmd: "puback", messageId }); // of nothing
  await expectAll5(client, ["pubcomp 1 0x92"]);
  await client.drop();
  await using again = await resumed5(broker, "client");
  await expectAll5(again, ["publish 1 qos1 a dup", "publish 3 qos1 c dup"]);
});

Deno.test("a PUBLISH is answered with a PUBACK of its identifier, once it is accepted [MQTT5-4.3.2-4]", async () => {
  await using broker = createBroker();
  const published: string[] = [];
  broker.published.subscribe(({ topic }) => published.push(topic));
  await using client = await connected5(broker, "client");
  for (const id of [1, 255, 256, 65_535]) {
    await client.sendBytes(publishFrame({ qos: 1, id, topic: `${id}` }));
    await client.expect({ cmd: "puback", messageId: id, reasonCode: 0 });
    assertEquals(published.at(-1), `${id}`);
  }
  await client.expectNothing();
});

Deno.test("after its PUBACK an identifier is free: the same one is a new message, whatever DUP says [MQTT5-4.3.2-5]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "t");
  await using client = await connected5(broker, "client");
  for (const dup of [false, true, true, false]) {
    await client.sendBytes(publishFrame({ qos: 1, id: 4, dup, payload: "x" }));
    await expectAll5(client, ["puback 4"]);
  }
  await expectAll5(subscriber, Array(4).fill("publish qos0 x"));
});

Deno.test("PUBACKs come in the order of the PUBLISHes, also where a hook hesitates [MQTT5-4.6.0-2]", async () => {
  const ids = [9, 3, 700, 1, 65_535, 8, 2];
  for (const options of [{}, { authorize: hesitate }]) {
    await using broker = createBroker(options);
    await using client = await connected5(broker, "client");
    await client.sendBytes(ids.flatMap((id) => publishFrame({ qos: 1, id, topic: `t/${id % 10}` })));
    for (const messageId of ids) await client.expect({ cmd: "puback", messageId });
    await client.expectNothing();
  }
});

Deno.test("QoS 0 goes out once: it is not sent again [MQTT5-4.3.1-1] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  await broker.publish("t", "x");
  await expectAll5(client, ["publish qos0 x"]);
  await client.drop();
  await using again = await resumed5(broker, "client");
  await again.expectNothing();
});
