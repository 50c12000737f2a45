// Packet identifiers (3.1.1 section 2.3.1): those that clients must give, and those that the broker gives.
import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, type PacketLike } from "../support/client.ts";
import { field, frame } from "./support.ts";
import { bytesOf, endTheConnection } from "./violations.ts";

Deno.test(
  "a packet identifier of 0 ends the connection [MQTT-2.3.1-1]",
  endTheConnection({
    "PUBLISH at QoS 1": frame(0x32, ...field("a"), 0, 0),
    "PUBLISH at QoS 2": frame(0x34, ...field("a"), 0, 0),
    "SUBSCRIBE": frame(0x82, 0, 0, ...field("a"), 0),
    "UNSUBSCRIBE": frame(0xa2, 0, 0, ...field("a")),
  }),
);

Deno.test(
  "a missing packet identifier ends the connection [MQTT-2.3.1-1]",
  endTheConnection({
    "PUBLISH at QoS 1": frame(0x32, ...field("a")),
    "PUBLISH at QoS 2": frame(0x34, ...field("a")),
    "PUBLISH with half of one": frame(0x32, ...field("a"), 1),
    "SUBSCRIBE": frame(0x82),
    "SUBSCRIBE with half of one": frame(0x82, 1),
    "UNSUBSCRIBE": frame(0xa2),
    "UNSUBSCRIBE with half of one": frame(0xa2, 1),
  }),
);

Deno.test("acknowledgements carry the packet identifier of their packet [MQTT-2.3.1-6] [MQTT-2.3.1-7]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  const publish = { cmd: "publish", topic: "t", payload: "" } as const;
  const exchanges: readonly (readonly [PacketLike, PacketLike["cmd"]])[] = [
    [{ ...publish, qos: 1 }, "puback"],
    [{ ...publish, qos: 2 }, "pubrec"],
    [{ cmd: "pubrel" }, "pubcomp"],
    [{ cmd: "subscribe", subscriptions: [{ topic: "a", qos: 0 }] }, "suback"],
    [{ cmd: "unsubscribe", unsubscriptions: ["a"] }, "unsuback"],
  ];
  for (const messageId of [1, 255, 256, 0x1234, 65_535]) {
    for (const [packet, cmd] of exchanges) {
      await client.send({ ...packet, messageId });
      await client.expect({ cmd, messageId });
    }
  }
});

Deno.test("the PUBREL of the broker carries the packet identifier of its PUBLISH [MQTT-2.3.1-6]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  await client.subscribe("t", 2);
  await broker.publish("t", "first", { qos: 2 });
  await broker.publish("t", "second", { qos: 2 });
  const ids = [(await client.receive()).messageId, (await client.receive()).messageId];
  for (const messageId of ids.toReversed()) {
    await client.send({ cmd: "pubrec", messageId });
    await client.expect({ cmd: "pubrel", messageId });
  }
});

Deno.test("what the broker sends at QoS 0 has no packet identifier, to the byte [MQTT-2.3.1-5]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  await client.subscribe("t", 0);
  for (const qos of [0, 1, 2] as const) {
    await broker.publish("t", "xy", { qos });
    const { length, payload } = await client.expect({ cmd: "publish", qos: 0 });
    assertEquals([length, payload.length], [5, 2]); // two bytes of length, the topic, the payload
  }
});

Deno.test("bytes that look like a packet identifier are payload at QoS 0 [MQTT-2.3.1-5]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  await client.subscribe("t", 0);
  await client.sendBytes(frame(0x30, ...field("t"), 0, 7, 0x78));
  await client.expect({ cmd: "publish", topic: "t", payload: "\0\x07x" });
});

Deno.test("the broker gives identifiers that are not 0 and not in use, also after 65,535 of them [MQTT-2.3.1-4]", async () => {
  await using broker = createBroker({ limits: { inflight: 1001 } });
  await using client = await connected(broker, "c");
  await client.subscribe("t", 1);
  await broker.publish("t", "never acknowledged", { qos: 1 });
  const { messageId: held } = await client.receive(), given = new Set<number>();
  for (let batch = 0; batch < 66; batch++) {
    for (let i = 0; i < 1000; i++) broker.publish("t", "", { qos: 1 });
    const ids = new Set<number>();
    for (let i = 0; i < 1000; i++) ids.add((await client.expect({ cmd: "publish", qos: 1 })).messageId);
    assert(ids.size === 1000 && !ids.has(held) && !ids.has(0));
    await client.sendBytes([...ids].flatMap((messageId) => bytesOf({ cmd: "puback", messageId })));
    await client.expectNothing();
    for (const id of ids) given.add(id);
  }
  assert(given.size < 66_000 && given.size > 60_000, `${given.size} identifiers went round`);
});

Deno.test("what the broker sends again keeps its packet identifier [MQTT-2.3.1-3] [MQTT-2.3.1-4]", async () => {
  await using broker = createBroker();
  const sent: PacketLike[] = [];
  {
    await using client = await connected(broker, "c", { clean: false });
    await client.subscribe("t", 2);
    for (const qos of [1, 2, 1, 2] as const) {
      await broker.publish("t", `${sent.length}`, { qos });
      sent.push(await client.expect({ cmd: "publish", qos, dup: false }));
    }
  }
  await using client = await connected(broker, "c", { clean: false });
  for (const { messageId, payload, qos } of sent) {
    await client.expect({ cmd: "publish", messageId, payload, qos, dup: true });
  }
  await broker.publish("t", "new", { qos: 1 });
  const { messageId } = await client.expect({ cmd: "publish", payload: "new", dup: false });
  assert(!sent.some((packet) => packet.messageId === messageId));
});
