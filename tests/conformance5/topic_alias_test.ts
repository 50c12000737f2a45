// Topic aliases (5.0 section 3.3.2.3.4): those that clients give, those that the broker gives, and that both last as long as their
// connection and no longer.
import { assert, assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { receiveAll, upTo } from "../conformance/script.ts";
import { assertFault, connected5, faults, resumed5, subscribe5 } from "./clients.ts";
import { property, publishFrame } from "./packets.ts";

/** A PUBLISH with an alias, which sets it where it has a topic too. */
function aliased(alias: number, topic = "", qos = 0, payload = ""): number[] {
  return publishFrame({ topic, qos, id: 1, properties: [property.alias(alias)], payload });
}

/** The topics that are published, as they come. */
function topicsOf(broker: Broker): string[] {
  const topics: string[] = [];
  broker.published.subscribe(({ topic }) => topics.push(topic));
  return topics;
}

Deno.test("a client's alias stands for the topic that it came with last, whatever the QoS [MQTT5-3.3.2-12]", async () => {
  await using broker = createBroker();
  const topics = topicsOf(broker);
  await using client = await connected5(broker, "client");
  await client.sendBytes([
    ...aliased(1, "a"),
    ...aliased(2, "b/ü"),
    ...aliased(1, "", 1),
    ...aliased(2, "", 2),
    ...publishFrame({ topic: "plain" }),
    ...aliased(1, "c"),
    ...aliased(1),
    ...aliased(2),
    ...aliased(3, "c"),
    ...aliased(3),
  ]);
  await client.expect({ cmd: "puback" });
  await client.expect({ cmd: "pubrec" });
  await client.expectNothing();
  assertEquals(topics, ["a", "b/ü", "a", "b/ü", "plain", "c", "c", "b/ü", "c", "c"]);
});

Deno.test("every alias up to the maximum of the CONNACK is taken [MQTT5-3.3.2-12]", async () => {
  for (const maximum of [1, 10, 65_535]) {
    await using broker = createBroker({ limits: { topicAliases: maximum } });
    const topics = topicsOf(broker), aliases = maximum > 100 ? [1, 255, 256, 32_768, maximum] : upTo(maximum);
    await using client = TestClient.memory(broker);
    const { properties } = await client.connect({ protocolVersion: 5 });
    assertEquals(properties.topicAliasMaximum, maximum);
    for (const alias of aliases) await client.sendBytes(aliased(alias, `t/${alias}`));
    for (const alias of aliases) await client.sendBytes(aliased(alias));
    await client.expectNothing();
    assertEquals(topics, [...aliases, ...aliases].map((alias) => `t/${alias}`));
  }
});

Deno.test("an alias of a message that is refused, or known already, is taken all the same [MQTT5-3.3.2-12]", async () => {
  await using broker = createBroker({ authorize: ({ topic }) => topic !== "secret" });
  const topics = topicsOf(broker);
  await using client = await connected5(broker, "client");
  await client.sendBytes([...aliased(1, "secret", 1), ...aliased(1, "", 1)]);
  for (const _ of upTo(2)) await client.expect({ cmd: "puback", reasonCode: 0x87 });
  await client.sendBytes([...aliased(2, "a", 2), ...aliased(1, "b", 2), ...aliased(1)]); // the second one is the first one again
  for (const _ of upTo(2)) await client.expect({ cmd: "pubrec", reasonCode: 0 });
  await client.expectNothing();
  assertEquals(topics, ["a", "b"]);
});

Deno.test("a client's aliases are its own, and no subscriber sees them [MQTT5-3.3.2-11]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "#");
  await using one = await connected5(broker, "one");
  await using other = await connected5(broker, "other");
  await one.sendBytes(aliased(1, "of/one"));
  await one.expectNothing();
  await other.sendBytes(aliased(1, "of/other"));
  await other.expectNothing();
  for (const client of [one, other]) {
    await client.sendBytes(aliased(1));
    await client.expectNothing();
  }
  const packets = await receiveAll(subscriber);
  assertEquals(packets.map(({ topic }) => topic), ["of/one", "of/other", "of/one", "of/other"]);
  assert(packets.every(({ properties }) => properties?.topicAlias === undefined));
});

Deno.test("the alias 0 is a protocol error [MQTT5-3.3.2-8]", async (t) => {
  await faults({ "with a topic": aliased(0, "a"), "without": aliased(0) }, "protocol-error")(t);
});

Deno.test("an alias over the maximum of the CONNACK ends the connection with 0x94 [MQTT5-3.3.2-9]", async (t) => {
  for (const maximum of [0, 1, 100]) {
    const cases = { [`${maximum + 1} of ${maximum}`]: aliased(maximum + 1, "a"), "65535": aliased(65_535, "a") };
    await faults(cases, "topic-alias-invalid", { limits: { topicAliases: maximum } })(t);
  }
});

Deno.test("no topic, and no alias that stands for one, is a protocol error [MQTT5-3.3.2-1] [MQTT5-4.7.3-1]", async (t) => {
  const empty = { "no alias": publishFrame({ topic: "" }), "an alias of nothing": aliased(7) };
  await faults(empty, "protocol-error")(t);
});

Deno.test("a client's aliases end with their connection, also where its session goes on [MQTT5-3.3.2-7]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await client.sendBytes([...aliased(1, "a"), ...aliased(1)]);
  await client.expectNothing();
  await client.drop();
  await using again = await resumed5(broker, "client");
  await assertFault(broker, again, aliased(1), "protocol-error");
});

/** What a client sees that keeps the aliases it is given: the topics, and the aliases that came. */
class AliasReader {
  readonly #topics = new Map<number, string>();
  readonly aliases: number[] = [];
  readonly topics: string[] = [];
  /** How many packets had no topic of their own. */
  short = 0;

  async read(client: TestClient): Promise<void> {
    for (const { topic, properties } of await receiveAll(client)) {
      const alias = properties?.topicAlias as number | undefined;
      if (alias !== undefined) {
        this.aliases.push(alias);
        if (topic !== "") this.#topics.set(alias, topic);
      }
      if (topic === "") this.short++;
      const known = topic === "" && alias !== undefined ? this.#topics.get(alias) : topic;
      assert(known, `Alias ${alias} stands for nothing`);
      this.topics.push(known);
    }
  }
}

Deno.test("the broker's aliases range up to the client's maximum, and always stand for the right topic [MQTT5-3.3.2-8] [MQTT5-3.3.2-11]", async () => {
  for (const maximum of [1, 2, 5, 65_535]) {
    await using broker = createBroker({ clock: new VirtualClock() });
    await using client = await connected5(broker, "client", { properties: { topicAliasMaximum: maximum } });
    await subscribe5(client, "t/#", { qos: 1 });
    const topics = upTo(400).map((i) => `t/${i * i % 11 % 7}`), reader = new AliasReader();
    for (const [i, topic] of topics.entries()) {
      await broker.publish(topic, "", { qos: i % 2 as 0 | 1, properties: i % 3 ? {} : { messageExpiryInterval: 9 } });
      if (i % 2 === 1) await client.send({ cmd: "puback", messageId: (i + 1) / 2 });
    }
    await reader.read(client);
    assertEquals(reader.topics, topics);
    assertEquals(reader.aliases.filter((alias) => alias < 1 || alias > maximum), []);
    assert(reader.short > 0); // they are of use
  }
});

Deno.test("a client that names no maximum, or 0, is sent no alias [MQTT5-3.3.2-11]", async () => {
  for (const properties of [{}, { topicAliasMaximum: 0 }]) {
    await using broker = createBroker();
    await using client = await connected5(broker, "client", { properties });
    await subscribe5(client, "t");
    for (const _ of upTo(5)) await broker.publish("t", "");
    const packets = await receiveAll(client);
    assertEquals(
      packets.map(({ topic, properties }) => [topic, properties?.topicAlias]),
      upTo(5).map(() => ["t", undefined]),
    );
  }
});

Deno.test("the broker's aliases end with their connection: what it sends again has its topic again [MQTT5-3.3.2-7] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  const properties = { topicAliasMaximum: 3 };
  await using client = await resumed5(broker, "client", properties);
  await subscribe5(client, "#", { qos: 1 });
  for (const _ of upTo(4)) await broker.publish("t", "", { qos: 1 });
  const before = new AliasReader();
  await before.read(client);
  assertEquals([before.topics, before.short], [["t", "t", "t", "t"], 2]);
  await client.drop();
  await broker.publish("t", "", { qos: 1 });
  await using again = await resumed5(broker, "client", properties);
  const after = new AliasReader(); // knows nothing of the aliases before
  await after.read(again);
  assertEquals(after.topics, upTo(5).map(() => "t"));
  await again.drop();
  await using without = await resumed5(broker, "client");
  assertEquals(
    (await receiveAll(without)).map(({ topic, properties }) => [topic, properties?.topicAlias]),
    upTo(5).map(() => ["t", undefined]),
  );
});

Deno.test("an alias that would make a packet too large for the client is not given", async () => {
  const maximumPacketSize = 132;
  await using broker = createBroker();
  for (const size of upTo(12).map((i) => 117 + i)) { // around the size where the remaining length takes a second byte
    await using client = await connected5(broker, "client", {
      properties: { topicAliasMaximum: 9, maximumPacketSize },
    });
    await subscribe5(client, "t");
    for (const _ of upTo(3)) await broker.publish("t", "x".repeat(size));
    await broker.publish("t", "");
    const reader = new AliasReader();
    await reader.read(client);
    const fits = publishFrame({ payload: "x".repeat(size) }).length <= maximumPacketSize;
    assertEquals(reader.topics, upTo(fits ? 4 : 1).map(() => "t"), `${size} bytes`);
    await client.disconnect();
  }
});
