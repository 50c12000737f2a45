// How many messages are on their way to a client, and which identifiers they have (3.1.1 sections 2.3.1 and 4.3).
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected } from "../support/client.ts";
import { expectAll, receiveAll, upTo } from "./script.ts";

const GREATEST = 65_535;

Deno.test("with all identifiers in use the next message waits for one, and gets that one [MQTT-4.3.2-1] [MQTT-4.3.3-1]", async () => {
  await using broker = createBroker({ limits: { inflight: GREATEST, outbox: "4MiB" } });
  await using client = await connected(broker, "client");
  await client.subscribe("t", 2);
  await Promise.all(upTo(GREATEST).map((id) => broker.publish("t", "", { qos: id % 2 === 0 ? 1 : 2 })));
  assertEquals((await receiveAll(client)).map(({ messageId }) => messageId), upTo(GREATEST));
  await Promise.all(["a", "b"].map((payload) => broker.publish("t", payload, { qos: 1 })));
  await client.expectNothing();
  await client.send({ cmd: "puback", messageId: 30_000 });
  await expectAll(client, ["publish 30000 qos1 a"]);
  await client.send({ cmd: "pubrec", messageId: 777 });
  await expectAll(client, ["pubrel 777"]); // still in use
  await client.send({ cmd: "puback", messageId: 29_000 });
  await expectAll(client, ["publish 29000 qos1 b"]);
  await broker.publish("t", "c", { qos: 1 });
  await client.send({ cmd: "pubcomp", messageId: 777 });
  await expectAll(client, ["publish 777 qos1 c"]);
});

Deno.test("messages beyond the limit of those in flight wait their turn, in order, for a PUBACK or PUBCOMP [MQTT-4.3.2-1] [MQTT-4.6.0-6]", async () => {
  await using broker = createBroker({ limits: { inflight: 2 } });
  await using client = await connected(broker, "client");
  await client.subscribe("t", 2);
  for (const [i, qos] of ([1, 2, 1, 0, 1] as const).entries()) await broker.publish("t", `m${i}`, { qos });
  await expectAll(client, ["publish 1 qos1 m0", "publish 2 qos2 m1"]);
  await client.send({ cmd: "pubrec", messageId: 2 });
  await expectAll(client, ["pubrel 2"]); // it is still in flight
  await client.send({ cmd: "pubcomp", messageId: 2 });
  await expectAll(client, ["publish 3 qos1 m2"]);
  await client.send({ cmd: "puback", messageId: 1 });
  await expectAll(client, ["publish qos0 m3", "publish 4 qos1 m4"]);
});

Deno.test("a message of QoS 2 is in flight until its PUBCOMP [MQTT-4.3.3-1]", async () => {
  await using broker = createBroker({ limits: { inflight: 1 } });
  await using client = await connected(broker, "client");
  await client.subscribe("t", 2);
  await broker.publish("t", "a", { qos: 2 });
  await client.send({ cmd: "pubrec", messageId: 1 });
  await expectAll(client, ["publish 1 qos2 a", "pubrel 1"]);
  await broker.publish("t", "b", { qos: 2 });
  await client.expectNothing();
  await client.send({ cmd: "pubcomp", messageId: 1 });
  await expectAll(client, ["publish 2 qos2 b"]);
});
