// How faults end (5.0 section 4.13): each with its reason code where there is a way to say it, and for the connection that it came
// on alone. The single faults stand with the packets that they belong to.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { expectAll, upTo } from "../conformance/script.ts";
import { endings, frame } from "../conformance/support.ts";
import { connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";
import { connackOf, connectFrame, say } from "./connects.ts";
import { property, publishFrame } from "./packets.ts";

const MALFORMED = [0x36, 0], PROTOCOL_ERROR = frame(0xd0);

Deno.test("what came before a fault is done and answered, what comes behind it is not [MQTT5-4.13.1-1]", async () => {
  await using broker = createBroker();
  await using observer = await connected5(broker, "observer");
  await subscribe5(observer, "#");
  await using client = await connected5(broker, "client");
  const publish = (id: number) => publishFrame({ qos: 1, id, payload: `${id}` });
  await client.sendBytes([...publish(1), ...publish(2), ...MALFORMED, ...publish(3)]);
  for (const messageId of [1, 2]) await client.expect({ cmd: "puback", messageId });
  await client.expect({ cmd: "disconnect", reasonCode: 0x81 });
  await client.expectClosed();
  await expectAll(observer, ["publish qos0 1", "publish qos0 2"]);
});

Deno.test("a fault ends the connection, not the session [MQTT5-4.13.1-1] [MQTT5-4.1.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await broker.publish("t", "x", { qos: 1 });
  await expectAll5(client, ["publish 1 qos1 x"]);
  await client.sendBytes(PROTOCOL_ERROR);
  await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
  await client.expectClosed();
  await broker.publish("t", "y", { qos: 1 });
  await using again = await resumed5(broker, "client");
  await expectAll5(again, ["publish 1 qos1 x dup", "publish 2 qos1 y"]);
});

Deno.test("each of many connections has its own fault, told to it alone; those without one go on [MQTT5-4.13.1-1] [MQTT5-4.13.2-1]", async () => {
  const faults = [
    [0x81, MALFORMED],
    [0x82, PROTOCOL_ERROR],
    [0x82, publishFrame({ properties: [property.alias(0)] })],
    [0x94, publishFrame({ properties: [property.alias(101)] })],
    [0x95, [0x30, 0xff, 0xff, 0xff, 0x7f]],
  ] as const;
  await using broker = createBroker();
  const clients = await Promise.all(upTo(20).map((i) => connected5(broker, `client ${i}`)));
  for (const client of clients) await subscribe5(client, "t");
  const [good, bad] = [clients.slice(0, 10), clients.slice(10)];
  await Promise.all(bad.map((client, i) => client.sendBytes(faults[i % 5]![1])));
  for (const [i, client] of bad.entries()) {
    await client.expect({ cmd: "disconnect", reasonCode: faults[i % 5]![0] });
    await client.expectClosed();
  }
  await broker.publish("t", "x");
  for (const client of good) await expectAll(client, ["publish qos0 x"]);
  assertEquals(endings(broker), {
    "disconnected/malformed-packet": 2,
    "disconnected/protocol-error": 4,
    "disconnected/topic-alias-invalid": 2,
    "disconnected/packet-too-large": 2,
  });
  await Promise.all(good.map((client) => client.drop()));
});

Deno.test("a client that does not read its DISCONNECT, or does not close, is closed all the same [MQTT5-4.13.2-1] [MQTT5-3.14.4-2]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client");
  await client.sendBytes(PROTOCOL_ERROR);
  await clock.advance(10_000);
  let open = true;
  for (const _ of upTo(3)) open &&= await client.send({ cmd: "pingreq" }).then(() => true, () => false);
  assertEquals([open, clock.pending], [false, 0]);
});

Deno.test("a fault over a real socket closes that socket, behind the DISCONNECT [MQTT5-4.13.1-1] [MQTT5-4.13.2-1] [MQTT5-4.2-1]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using bystander = await TestClient.tcp(listener.port);
  await bystander.connect({ clientId: "bystander", protocolVersion: 5 });
  await subscribe5(bystander, "#");
  for (const i of upTo(10)) {
    const client = await TestClient.tcp(listener.port);
    await client.connect({ clientId: `client ${i}`, protocolVersion: 5 });
    await client.sendBytes(i % 2 === 0 ? MALFORMED : [0xc0]);
    if (i % 2 === 0) {
      await client.expect({ cmd: "disconnect", reasonCode: 0x81 });
      await client.expectClosed();
    } else await client.drop();
  }
  await bystander.publish("t", "alive");
  await expectAll(bystander, ["publish qos0 alive"]);
  assertEquals(endings(broker)["disconnected/malformed-packet"], 5);
});

Deno.test("a fault in a CONNECT leaves the session that is there as it was [MQTT5-4.13.1-1] [MQTT5-3.1.4-1]", async () => {
  await using broker = createBroker();
  await using first = await resumed5(broker, "client");
  for (const fault of [say.receiveMaximum(0), [99, 0]]) {
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes(connectFrame({ properties: [fault] }));
    await client.expect({ cmd: "connack", reasonCode: fault[0] === 99 ? 0x81 : 0x82, sessionPresent: false });
    await client.expectClosed();
  }
  await first.expectNothing();
  await first.drop();
  assertEquals((await connackOf(broker, { clean: false })).sessionPresent, true);
});

Deno.test("a client of 5.0 and one of 3.1.1 in one broker are each told in their own way [MQTT5-4.13.1-1]", async () => {
  await using broker = createBroker();
  for (const protocolVersion of [4, 5, 4, 5]) {
    await using client = TestClient.memory(broker);
    await client.connect({ protocolVersion });
    await client.sendBytes(PROTOCOL_ERROR);
    if (protocolVersion === 5) await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
    await client.expectClosed();
  }
  assertEquals(endings(broker), { "disconnected/protocol-error": 4 });
});

Deno.test("a hook that fails over a PUBLISH or SUBSCRIBE refuses that with 0x80, and leaves the connection [MQTT5-4.13.2-1]", async () => {
  await using broker = createBroker({ authorize: () => Promise.reject(new Error("Database is away")) });
  await using client = await connected5(broker, "client");
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] });
  await client.expect({ cmd: "suback", granted: [0x80] });
  await client.send({ cmd: "publish", topic: "t", payload: "", qos: 1, messageId: 2 });
  await client.expect({ cmd: "puback", messageId: 2, reasonCode: 0x80 });
  await client.expectNothing();
  assertEquals([endings(broker), broker.counters.get("hook-error")], [{}, 2]);
});
