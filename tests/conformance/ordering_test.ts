// The order of messages (3.1.1 section 4.6): what one client publishes, each subscriber gets in the same order.
import { assertEquals } from "@std/assert";
import { type Broker, type BrokerOptions, createBroker, memoryPair } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { expectAll, hesitate, receiveAll, resumed, upTo } from "./script.ts";
import { bytesOf } from "./violations.ts";

const circumstances: Readonly<Record<string, BrokerOptions>> = {
  "by default": {},
  "with a hook that hesitates": { authorize: hesitate },
  "with few messages in flight": { limits: { inflight: 3 } },
  "with both": { authorize: hesitate, limits: { inflight: 1 } },
};

/** `count` publications as bytes, of all qualities of service, on several topics; the payload is the number of each. */
function publications(count: number): number[] {
  return upTo(count).flatMap((i) =>
    bytesOf({ cmd: "publish", topic: `t/${i * 7 % 5}`, payload: `${i}`, qos: i * 11 % 3, messageId: i })
  );
}

/** Acknowledges as it goes, and returns the payloads of the first `count` messages. */
async function payloads(client: TestClient, count: number): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < count) {
    const { cmd, qos, messageId, payload } = await client.receive();
    if (cmd === "pubrel") await client.send({ cmd: "pubcomp", messageId });
    if (cmd !== "publish") continue;
    seen.push(Number(`${payload}`));
    if (qos > 0) await client.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
  }
  return seen;
}

Deno.test("a subscriber gets the messages of a client in their order, whatever QoS and topic they have [MQTT-4.6.0-5] [MQTT-4.6.0-6]", async (t) => {
  for (const [name, options] of Object.entries(circumstances)) {
    await t.step(name, async () => {
      await using broker = createBroker(options);
      await using publisher = await connected(broker, "publisher");
      const subscribers: TestClient[] = [];
      for (const qos of [0, 1, 2]) {
        const subscriber = await connected(broker, `subscriber ${qos}`);
        await subscriber.subscribe("t/+", qos);
        subscribers.push(subscriber);
      }
      await publisher.sendBytes(publications(200));
      const seen = await Promise.all(subscribers.map((subscriber) => payloads(subscriber, 200)));
      assertEquals(seen, subscribers.map(() => upTo(200)));
      await Promise.all(subscribers.map((subscriber) => subscriber.drop()));
    });
  }
});

Deno.test("messages of many clients at a time keep the order of each [MQTT-4.6.0-6]", async () => {
  await using broker = createBroker({ authorize: hesitate });
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("#", 1);
  const publishers = await Promise.all(upTo(5).map((i) => connected(broker, `publisher ${i}`)));
  const sent = publishers.map((publisher, who) =>
    Promise.all(
      upTo(40).map((i) =>
        publisher.send({ cmd: "publish", topic: `t/${i % 4}`, payload: `${who * 1000 + i}`, qos: 1, messageId: i })
      ),
    )
  );
  await Promise.all(sent);
  const seen = await payloads(subscriber, 200);
  for (const who of publishers.keys()) {
    assertEquals(seen.filter((n) => Math.floor(n / 1000) === who), upTo(40).map((i) => who * 1000 + i));
  }
  await Promise.all(publishers.map((publisher) => publisher.drop()));
});

Deno.test("a client that reads slowly gets its messages in order [MQTT-4.6.0-6]", async () => {
  await using broker = createBroker({ limits: { outbox: "1KiB", inflight: 10 } });
  const [ours, theirs] = memoryPair(300);
  broker.accept(theirs);
  await using subscriber = new TestClient(ours);
  await subscriber.connect({ clientId: "subscriber" });
  await subscriber.subscribe("t", 2);
  const padding = " ".repeat(100);
  for (const i of upTo(300)) broker.publish("t", `${i}${padding}`, { qos: ([0, 1, 2] as const)[i % 3]! });
  assertEquals(await payloads(subscriber, 300), upTo(300));
});

Deno.test("what waits for a client that is away, or comes back, stays in order [MQTT-4.6.0-6] [MQTT-4.6.0-1]", async () => {
  await using broker = createBroker({ limits: { inflight: 8 } });
  const publish = async (from: number) => {
    for (const i of upTo(20)) await broker.publish(`t/${i % 3}`, `${from + i}`, { qos: i % 2 === 0 ? 1 : 2 });
  };
  const first = await resumed(broker, "client", false);
  await first.subscribe("t/#", 2);
  await publish(0);
  await first.drop();
  await publish(20);
  const second = await resumed(broker, "client");
  await publish(40);
  await second.drop();
  await using third = await resumed(broker, "client");
  await publish(60);
  assertEquals(await payloads(third, 80), upTo(80));
});

Deno.test("QoS 2 is delivered in the order of the PUBLISHes, whatever the order of the PUBRELs [MQTT-4.6.0-6] [MQTT-4.6.0-3]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("t", 0);
  await using publisher = await connected(broker, "publisher");
  const publish = (messageId: number): PacketLike => ({
    cmd: "publish",
    topic: "t",
    payload: `${messageId}`,
    qos: 2,
    messageId,
  });
  for (const messageId of [3, 1, 2]) await publisher.send(publish(messageId));
  for (const messageId of [2, 1]) await publisher.send({ cmd: "pubrel", messageId });
  await publisher.send({ cmd: "publish", topic: "t", payload: "4", qos: 0 });
  await expectAll(publisher, ["pubrec 3", "pubrec 1", "pubrec 2", "pubcomp 2", "pubcomp 1"]);
  await expectAll(subscriber, [3, 1, 2, 4].map((i) => `publish qos0 ${i}`));
});

/** A client with `t/1` in flight, whose subscription still waits for the retained message of `t/2`, or the other way round. */
async function waiting(
  broker: Broker,
): Promise<{ client: TestClient; topic: string; acknowledge: () => Promise<void> }> {
  for (const topic of ["t/1", "t/2"]) await broker.publish(topic, "old", { qos: 1, retain: true });
  const client = await connected(broker, "client");
  await client.subscribe("t/#", 1);
  const { topic, messageId } = await client.expect({ cmd: "publish", payload: "old", retain: true });
  const acknowledge = () => client.send({ cmd: "puback", messageId });
  return { client, topic: topic === "t/1" ? "t/2" : "t/1", acknowledge };
}

Deno.test("a message that is retained while retained ones wait does not overtake those published before it [MQTT-4.6.0-6]", async () => {
  await using broker = createBroker({ limits: { inflight: 1 } });
  const { client, topic, acknowledge } = await waiting(broker);
  await using publisher = await connected(broker, "publisher");
  for (const payload of ["1", "2", "3"]) await publisher.publish(topic, payload, { qos: 1, retain: payload === "2" });
  await acknowledge();
  assertEquals(await payloads(client, 3), [1, 2, 3]);
  assertEquals(await receiveAll(client), []);
  await client.drop();
});

Deno.test("messages on other topics come behind the retained ones that wait [MQTT-4.6.0-6] [MQTT-3.3.1-6]", async () => {
  await using broker = createBroker({ limits: { inflight: 1 } });
  const { client, topic, acknowledge } = await waiting(broker);
  for (const payload of ["1", "2"]) await broker.publish("t/3", payload, { qos: 1, retain: true });
  await acknowledge();
  const { messageId } = await client.expect({ cmd: "publish", topic, payload: "old", retain: true });
  await client.send({ cmd: "puback", messageId });
  assertEquals(await payloads(client, 2), [1, 2]);
  assertEquals(await receiveAll(client), []);
  await client.drop();
});
