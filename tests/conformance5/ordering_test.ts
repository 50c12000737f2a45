// Who gets a message, in which order, and what is sent again after a reconnection (5.0 sections 4.4 to 4.6).
import { assert, assertEquals } from "@std/assert";
import { type BrokerOptions, createBroker, memoryPair } from "../../mod.ts";
import { hesitate, receiveAll, upTo } from "../conformance/script.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { brief5, connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";
import { property, publishFrame } from "./packets.ts";

Deno.test("a message is added to every session with a matching subscription, connected or not, of either version [MQTT5-4.5.0-1]", async () => {
  await using broker = createBroker();
  await using here = await connected5(broker, "here");
  await subscribe5(here, "a/+", { qos: 1 });
  await using old = await connected(broker, "old");
  await old.subscribe("a/b", 2);
  const away = await resumed5(broker, "away");
  await subscribe5(away, "#", { qos: 2 });
  await away.disconnect();
  await using elsewhere = await connected5(broker, "elsewhere");
  await subscribe5(elsewhere, "b", { qos: 1 });
  await using publisher = await connected5(broker, "publisher");
  await subscribe5(publisher, "a/b", { qos: 1 });
  await publisher.sendBytes(publishFrame({ topic: "a/b", qos: 1, id: 9, payload: "x" }));
  await expectAll5(publisher, ["publish 1 qos1 x", "puback 9"]);
  await using back = await resumed5(broker, "away");
  for (const client of [here, old, back]) await expectAll5(client, ["publish 1 qos1 x"]);
  for (const client of [elsewhere, here, old, back]) await client.expectNothing();
});

const circumstances: Readonly<Record<string, BrokerOptions>> = {
  "by default": {},
  "with a hook that hesitates": { authorize: hesitate },
  "with few messages in flight": { limits: { inflight: 3 } },
};

/** Publications on five topics, of all qualities of service, some by alias, some with an expiry; the payload is the number of each. */
function publications(count: number): number[] {
  const named = new Set<number>();
  return upTo(count).flatMap((i) => {
    const number = i * 7 % 5, known = i % 4 === 0 && named.has(number);
    const list = [...i % 4 === 0 ? [property.alias(number + 1)] : [], ...i % 3 === 0 ? [property.expiry(1000)] : []];
    if (i % 4 === 0) named.add(number);
    return publishFrame({
      topic: known ? "" : `t/${number}`,
      qos: i * 11 % 3,
      id: i,
      properties: list,
      payload: `${i}`,
    });
  });
}

/** Acknowledges as it goes, some with a refusal, and returns the payloads of the first `count` messages. */
async function payloads(client: TestClient, count: number): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < count) {
    const { cmd, qos, messageId, payload } = await client.receive();
    if (cmd === "pubrel") await client.send({ cmd: "pubcomp", messageId });
    if (cmd !== "publish") continue;
    seen.push(Number(`${payload}`));
    const reasonCode = seen.length % 5 === 0 ? 0x80 : 0;
    if (qos > 0) await client.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId, reasonCode });
  }
  return seen;
}

Deno.test("a subscriber gets the messages of a client in their order, whatever QoS, topic and properties they have [MQTT5-4.6.0-5] [MQTT5-4.6.0-6]", async (t) => {
  for (const [name, options] of Object.entries(circumstances)) {
    await t.step(name, async () => {
      await using broker = createBroker(options);
      await using publisher = await connected5(broker, "publisher");
      const terms = [{}, { receiveMaximum: 2 }, { topicAliasMaximum: 2, receiveMaximum: 7 }, { topicAliasMaximum: 9 }];
      const subscribers = await Promise.all(terms.map(async (properties, i) => {
        const subscriber = await connected5(broker, `subscriber ${i}`, { properties });
        await subscribe5(subscriber, "t/+", { qos: i % 3, subscriptionIdentifier: i + 1 });
        return subscriber;
      }));
      await publisher.sendBytes(publications(200));
      const seen = await Promise.all(subscribers.map((subscriber) => payloads(subscriber, 200)));
      assertEquals(seen, subscribers.map(() => upTo(200)));
      await Promise.all(subscribers.map((subscriber) => subscriber.drop()));
    });
  }
});

Deno.test("a client that reads slowly, and takes one message at a time, gets them in order [MQTT5-4.6.0-6]", async () => {
  await using broker = createBroker({ limits: { outbox: "1KiB" } });
  const [ours, theirs] = memoryPair(300);
  broker.accept(theirs);
  await using subscriber = new TestClient(ours);
  await subscriber.connect({ protocolVersion: 5, properties: { receiveMaximum: 1, topicAliasMaximum: 1 } });
  await subscribe5(subscriber, "t", { qos: 2 });
  const padding = " ".repeat(100);
  for (const i of upTo(150)) broker.publish("t", `${i}${padding}`, { qos: ([0, 1, 2] as const)[i % 3]! });
  assertEquals(await payloads(subscriber, 150), upTo(150));
});

Deno.test("what waits for a client that is away, or comes back with another receive maximum, stays in order [MQTT5-4.6.0-1] [MQTT5-4.6.0-6]", async () => {
  await using broker = createBroker();
  const publish = async (from: number) => {
    for (const i of upTo(20)) await broker.publish(`t/${i % 3}`, `${from + i}`, { qos: i % 2 === 0 ? 1 : 2 });
  };
  const first = await resumed5(broker, "client", { receiveMaximum: 8 });
  await subscribe5(first, "t/#", { qos: 2 });
  await publish(0);
  await first.drop();
  await publish(20);
  const second = await resumed5(broker, "client", { receiveMaximum: 3 });
  await publish(40);
  await second.drop();
  await using third = await resumed5(broker, "client", { receiveMaximum: 5 });
  await publish(60);
  assertEquals(await payloads(third, 80), upTo(80));
});

Deno.test("what is sent again has DUP 1, its identifier, and everything else as before [MQTT5-3.3.1-1] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await broker.publish("kept", "k", { qos: 2, retain: true });
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "#", { qos: 2, rap: true, subscriptionIdentifier: 3 });
  const properties = { contentType: "c", userProperties: [["a", "b"]] } as const;
  await broker.publish("a", "1", { qos: 1, retain: true, properties });
  await broker.publish("b", "2", { qos: 2 });
  const first = await receiveAll(client);
  assertEquals(first.map(brief5), ["publish 1 qos2 k retain", "publish 2 qos1 1 retain", "publish 3 qos2 2"]);
  await client.drop();
  for (const _ of upTo(3)) { // and so each time
    await using again = await resumed5(broker, "client");
    const packets = await receiveAll(again);
    assert(packets.every(({ dup }) => dup));
    const asBefore = (packet: PacketLike) => ({ ...packet, dup: false });
    assertEquals(packets.map(asBefore), first.map(asBefore));
  }
});

Deno.test("nothing is sent again while the connection lasts, nor what was refused after it [MQTT5-4.4.0-1] [MQTT5-4.4.0-2]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  for (const qos of [1, 2, 1, 2] as const) await broker.publish("t", `${qos}`, { qos });
  await expectAll5(client, [1, 2, 1, 2].map((qos, i) => `publish ${i + 1} qos${qos} ${qos}`));
  await subscribe5(client, "t", { qos: 2 });
  await client.send({ cmd: "puback", messageId: 1, reasonCode: 0x97 });
  await client.send({ cmd: "pubrec", messageId: 2, reasonCode: 0x80 });
  await client.expectNothing();
  await client.drop();
  await using again = await resumed5(broker, "client");
  await expectAll5(again, ["publish 3 qos1 1 dup", "publish 4 qos2 2 dup"]);
});

Deno.test("with clean start nothing is sent again [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  for (const qos of [1, 2, 2] as const) await broker.publish("t", "x", { qos });
  await client.send({ cmd: "pubrec", messageId: 3 });
  await client.expect({ cmd: "publish" });
  await client.drop();
  await using again = await connected5(broker, "client", { clean: true });
  await again.expectNothing();
  await broker.publish("t", "x", { qos: 1 });
  await again.expectNothing();
});
