// What a CONNECT of 5.0 says that its client can take (5.0 sections 3.1.2.11.3 to 3.1.2.11.7), and what the broker says of itself.
import { assertEquals, assertGreater } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { endings, frame } from "../conformance/support.ts";
import { connected5, expectAll5, faults, resumed5, subscribe5 } from "./clients.ts";
import { connackOf, connectFrame, say } from "./connects.ts";
import { packet, properties, property, publishFrame, RecordingClient } from "./packets.ts";

const tooLarge = "dropped/packet-too-large";

/** What is received of messages on `topic` whose PUBLISH is of these sizes, by a client that takes at most `maximumPacketSize`. */
async function taken(maximumPacketSize: number, sizes: readonly number[], qos: 0 | 1 | 2 = 0): Promise<unknown> {
  await using broker = createBroker();
  await using client = await connected5(broker, "c", { properties: { maximumPacketSize } });
  await subscribe5(client, "t", { qos });
  const frames: number[] = [];
  for (const size of sizes) {
    const overhead = publishFrame({ qos }).length + (size > 129 ? 1 : 0);
    await broker.publish("t", "x".repeat(size - overhead), { qos });
  }
  await client.send({ cmd: "pingreq" });
  for (let next = await client.receive(); next.cmd !== "pingresp"; next = await client.receive()) {
    frames.push(next.length + (next.length > 127 ? 3 : 2));
  }
  return { frames, dropped: broker.counters.get(tooLarge) ?? 0 };
}

Deno.test("a PUBLISH over the client's maximum packet size is not sent, one that just fits is [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]", async () => {
  for (const qos of [0, 1, 2] as const) {
    assertEquals(await taken(100, [99, 100, 101, 50, 5000], qos), { frames: [99, 100, 50], dropped: 2 });
    assertEquals(await taken(130, [129, 131, 132, 120], qos), { frames: [129, 120], dropped: 2 });
    assertEquals(await taken(131, [129, 131, 132], qos), { frames: [129, 131], dropped: 1 });
  }
});

Deno.test("what was too large counts as sent: the next message follows, also over the receive maximum [MQTT5-3.1.2-25]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "c", { maximumPacketSize: 50, receiveMaximum: 1 });
  await subscribe5(client, "t", { qos: 2 });
  for (const payload of ["x".repeat(99), "a", "x".repeat(99), "x".repeat(99), "b"]) {
    await broker.publish("t", payload, { qos: 1 });
  }
  const { messageId } = await client.expect({ cmd: "publish", payload: "a" });
  await client.expectNothing();
  await client.send({ cmd: "puback", messageId });
  await client.expect({ cmd: "publish", payload: "b" });
  assertEquals(broker.counters.get(tooLarge), 3);
  await client.drop();
  await using again = await resumed5(broker, "c");
  await again.expect({ cmd: "publish", payload: "b", dup: true });
  await again.expectNothing();
});

Deno.test("a client that comes back with a smaller maximum is not sent again what it took before [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]", async () => {
  await using broker = createBroker();
  {
    await using client = await resumed5(broker, "c");
    await subscribe5(client, "t", { qos: 1 });
    for (const payload of ["x".repeat(99), "a"]) await broker.publish("t", payload, { qos: 1 });
    for (const messageId of [1, 2]) await client.expect({ cmd: "publish", messageId });
  }
  for (const payload of ["x".repeat(99), "b"]) await broker.publish("t", payload, { qos: 1 });
  await using client = await resumed5(broker, "c", { maximumPacketSize: 50 });
  assertEquals((await client.expect({ cmd: "publish", dup: true, messageId: 2 })).payload.toString(), "a");
  await client.expect({ cmd: "publish", payload: "b", dup: false });
  await client.expectNothing();
  assertEquals(broker.counters.get(tooLarge), 2);
});

Deno.test("a retained message that is too large is left out, the others come [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]", async () => {
  await using broker = createBroker();
  for (const [topic, size] of [["t/a", 5], ["t/b", 500], ["t/c", 5]] as const) {
    await broker.publish(topic, "x".repeat(size), { retain: true });
  }
  await using client = await connected5(broker, "c", { properties: { maximumPacketSize: 50 } });
  await subscribe5(client, "t/#");
  await expectAll5(client, ["publish qos0 xxxxx retain", "publish qos0 xxxxx retain"]);
});

Deno.test("properties and topic count for the size, what another client takes does not [MQTT5-3.1.2-24]", async () => {
  await using broker = createBroker();
  await using small = await connected5(broker, "small", { properties: { maximumPacketSize: 50 } });
  await using large = await connected5(broker, "large", { properties: { maximumPacketSize: 5000 } });
  for (const client of [small, large]) await subscribe5(client, "#");
  await broker.publish("t", "a", { properties: { userProperties: [["name", "x".repeat(50)]] } });
  await broker.publish("t/".repeat(30), "b");
  await broker.publish("t", "c");
  await expectAll5(small, ["publish qos0 c"]);
  await expectAll5(large, ["publish qos0 a", "publish qos0 b", "publish qos0 c"]);
});

Deno.test("an answer that the client can't take ends its connection, and only that [MQTT5-3.1.2-24]", async () => {
  await using broker = createBroker();
  await using other = await connected5(broker, "other");
  await using client = await connected5(broker, "c", { properties: { maximumPacketSize: 20 } });
  const subscriptions = Array.from({ length: 20 }, (_, i) => ({ topic: `t/${i}`, qos: 0 }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.expect({ cmd: "disconnect", reasonCode: 0x95, properties: undefined });
  await client.expectClosed();
  assertEquals(endings(broker), { "disconnected/packet-too-large": 1 });
  await other.expectNothing();
});

Deno.test("a client that can't take even its CONNACK is refused: none is sent, no DISCONNECT, and no session [MQTT5-3.1.2-24] [MQTT5-3.14.0-1]", async () => {
  for (const maximumPacketSize of [1, 4, 5, 8]) {
    await using broker = createBroker();
    const happened: string[] = [];
    broker.events.subscribe(({ type }) => happened.push(type));
    await using witness = await connected5(broker, "witness");
    await using client = RecordingClient.over(broker);
    await client.send({
      cmd: "connect",
      protocolVersion: 5,
      clientId: "client",
      clean: false,
      properties: { maximumPacketSize, sessionExpiryInterval: 60 },
      will: { topic: "will", payload: "", qos: 0, retain: false },
    });
    const answer = maximumPacketSize < 5 ? [] : frame(0x20, 0, 0x95, 0);
    if (answer.length > 0) await client.expect({ cmd: "connack", reasonCode: 0x95, sessionPresent: false });
    await client.expectClosed();
    assertEquals(client.taken(), answer);
    assertEquals(happened, ["connected", "refused"]); // the witness
    assertEquals(endings(broker), { "refused/packet-too-large": 1 });
    assertEquals((await connackOf(broker, { clean: false })).sessionPresent, false);
    await witness.expectNothing();
  }
});

Deno.test("a client that can't take its CONNACK does not take over its session [MQTT5-3.1.2-24]", async () => {
  await using broker = createBroker();
  await using first = await resumed5(broker, "c");
  await subscribe5(first, "t");
  await using second = TestClient.memory(broker, 5);
  await second.sendBytes(connectFrame({ fields: ["c"], properties: [say.maximumPacketSize(1)] }));
  await second.expectClosed();
  await first.publish("t", "x");
  await first.expect({ cmd: "publish" });
});

Deno.test("a packet over the maximum that the broker told ends the connection with 0x95 [MQTT5-3.2.2-15]", async (t) => {
  const limits = { packet: 500 };
  await using broker = createBroker({ limits });
  assertEquals((await connackOf(broker)).properties.maximumPacketSize, 500);
  const overhead = publishFrame({ payload: "x".repeat(400) }).length - 400;
  await using client = await connected5(broker, "c");
  await subscribe5(client, "t");
  await client.sendBytes(publishFrame({ payload: "x".repeat(500 - overhead) }));
  await client.expect({ cmd: "publish" });
  await faults(
    {
      "one byte too many": publishFrame({ payload: "x".repeat(501 - overhead) }),
      "a SUBSCRIBE": packet(0x82, 0, 1, ...properties(property.user("a", "x".repeat(600)))),
      "its head alone": [0x30, 0xff, 0xff, 0xff, 0x7f],
    },
    "packet-too-large",
    { limits },
  )(t);
});

Deno.test("a topic alias over the maximum that the broker told ends the connection with 0x94 [MQTT5-3.2.2-17]", async (t) => {
  const limits = { topicAliases: 3 };
  await using broker = createBroker({ limits });
  assertEquals((await connackOf(broker)).properties.topicAliasMaximum, 3);
  await using client = await connected5(broker, "c");
  await subscribe5(client, "t");
  await client.sendBytes(publishFrame({ properties: [property.alias(3)] }));
  await client.expect({ cmd: "publish", topic: "t" });
  const over = [4, 65_535].map((alias) => [`${alias}`, publishFrame({ properties: [property.alias(alias)] })]);
  await faults(Object.fromEntries(over), "topic-alias-invalid", { limits })(t);
});

Deno.test("a broker that takes no topic aliases says so by saying nothing, and ends a connection that uses one [MQTT5-3.2.2-18]", async (t) => {
  const limits = { topicAliases: 0 };
  await using broker = createBroker({ limits });
  assertEquals((await connackOf(broker)).properties.topicAliasMaximum, undefined);
  await faults({ "1": publishFrame({ properties: [property.alias(1)] }) }, "topic-alias-invalid", { limits })(t);
});

/** The topic aliases in what a client gets of messages on these topics, with its own maximum. */
async function aliases(maximum: number | undefined, topics: readonly string[]): Promise<number[]> {
  await using broker = createBroker();
  const options = maximum === undefined ? {} : { properties: { topicAliasMaximum: maximum } };
  await using client = await connected5(broker, "c", options);
  await subscribe5(client, "#");
  const found: number[] = [];
  for (const topic of topics) {
    await broker.publish(topic, "");
    found.push((await client.expect({ cmd: "publish" })).properties?.topicAlias ?? 0);
  }
  return found;
}

Deno.test("the broker sends topic aliases up to the client's maximum, and none where there is none [MQTT5-3.1.2-26] [MQTT5-3.1.2-27]", async () => {
  const topics = Array.from({ length: 60 }, (_, i) => `t/${i * i % 7}`);
  for (const maximum of [undefined, 0]) assertEquals(Math.max(...await aliases(maximum, topics)), 0);
  for (const maximum of [1, 3]) {
    const found = await aliases(maximum, topics);
    assertEquals(Math.max(...found), maximum);
    assertGreater(found.filter((alias) => alias > 0).length, 20);
  }
});

Deno.test("response information comes where it is asked for, and there is some [MQTT5-3.1.2-28]", async () => {
  const told = async (
    asked: boolean | undefined,
    responseInformation?: (client: { id: string }) => string | undefined,
  ) => {
    await using broker = createBroker(responseInformation ? { responseInformation } : {});
    const properties = asked === undefined ? {} : { requestResponseInformation: asked };
    return (await connackOf(broker, { clientId: "c", properties })).properties.responseInformation;
  };
  const answers = ({ id }: { id: string }) => `answers/${id}`;
  assertEquals(await told(true, answers), "answers/c");
  assertEquals(await told(false, answers), undefined);
  assertEquals(await told(undefined, answers), undefined);
  assertEquals(await told(true), undefined);
  assertEquals(await told(true, () => undefined), undefined);
});

Deno.test("response information that fails refuses the client with 0x88, before it is in [MQTT5-3.14.0-1]", async () => {
  await using broker = createBroker({
    responseInformation() {
      throw new Error("The table is gone");
    },
  });
  await using client = TestClient.memory(broker, 5);
  await client.sendBytes(connectFrame({ properties: [say.responseInformation(1)] }));
  const { properties } = await client.expect({ cmd: "connack", reasonCode: 0x88, sessionPresent: false });
  assertEquals(properties.reasonString.includes("table"), false);
  await client.expectClosed();
  assertEquals([endings(broker), broker.counters.get("hook-error")], [{ "refused/server-unavailable": 1 }, 1]);
  await using other = await connected5(broker, "client");
  await other.expectNothing();
});

Deno.test("reason strings come where they are welcome, and no user properties of the broker's own [MQTT5-3.1.2-29]", async () => {
  await using broker = createBroker({
    authorize: ({ topic }) => topic === "open" || { reason: "quota-exceeded", message: "Too much" },
  });
  for (const [wanted, expected] of [[undefined, "Too much"], [true, "Too much"], [false, undefined]] as const) {
    const options = wanted === undefined ? {} : { requestProblemInformation: wanted };
    await using client = await connected5(broker, "c", { properties: options });
    for (const [qos, cmd] of [[1, "puback"], [2, "pubrec"]] as const) {
      await client.send({ cmd: "publish", topic: "secret", payload: "", qos, messageId: 1 });
      const { properties } = await client.expect({ cmd, messageId: 1, reasonCode: 0x97 });
      assertEquals([properties?.reasonString, properties?.userProperties], [expected, undefined]);
    }
    await client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "secret", qos: 0 }] });
    await client.expect({ cmd: "suback", granted: [0x97], properties: undefined });
  }
});

Deno.test("user properties of a PUBLISH come whether or not problem information is welcome [MQTT5-3.1.2-29]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker, { properties: { requestProblemInformation: false } });
  await subscribe5(client, "t");
  client.taken();
  const published = publishFrame({ properties: [property.user("a", "b"), property.user("a", "c")] });
  await client.sendBytes(published);
  assertEquals(await client.publishBytes(), published);
});
