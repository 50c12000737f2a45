// Sessions (3.1.1 sections 3.1.2.4 and 3.1.4): what CleanSession keeps and discards, and one connection for each client
// identifier.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { endings, versions } from "./support.ts";

const persistent = { clean: false } as const;

/** The ways in which a connection ends without the end of its session. */
const endsOfConnection: Readonly<Record<string, (client: TestClient) => Promise<void>>> = {
  "DISCONNECT": (client) => client.disconnect(),
  "a lost connection": async (client) => {
    await client.stream.closeWrite();
    await client.expectClosed();
  },
  "a protocol error": async (client) => {
    await client.sendBytes([0xc1, 0]);
    await client.expectClosed();
  },
};

for (const { name, fields } of versions) {
  for (const [how, end] of Object.entries(endsOfConnection)) {
    Deno.test(
      `${name}: CleanSession 0 keeps subscriptions and messages of QoS 1 and 2 over ${how} [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.3-2]`,
      async () => {
        await using broker = createBroker();
        await using first = await connected(broker, "c", { ...fields, ...persistent });
        await first.subscribe("t/#", 2);
        await end(first);
        for (const qos of [0, 1, 2] as const) await broker.publish(`t/${qos}`, "meanwhile", { qos });
        await broker.publish("u", "meanwhile", { qos: 1 });
        await using second = await connected(broker, "c", { ...fields, ...persistent });
        for (const qos of [1, 2]) {
          const packet = { cmd: "publish", topic: `t/${qos}`, qos, dup: false, retain: false } as const;
          const { messageId } = await second.expect(packet);
          await second.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
        }
        await second.expect({ cmd: "pubrel" });
        await broker.publish("t/live", "now", { qos: 0 });
        await second.expect({ cmd: "publish", topic: "t/live", payload: "now" });
        await second.expectNothing();
        assertEquals(broker.counters.get("dropped/client-offline"), 1); // the one of QoS 0
      },
    );
  }

  Deno.test(`${name}: CleanSession 0 keeps what is on its way, in both directions [MQTT-3.1.2-4]`, async () => {
    await using broker = createBroker();
    const published: string[] = [];
    broker.topic("up").subscribe((message) => published.push(message.text()));
    const up = { cmd: "publish", topic: "up", payload: "once", qos: 2, messageId: 9 } as const;
    {
      await using client = await connected(broker, "c", { ...fields, ...persistent });
      await client.subscribe("t", 2);
      await broker.publish("t", "down", { qos: 2 });
      await client.expect({ cmd: "publish", messageId: 1, dup: false });
      await client.send(up);
      await client.expect({ cmd: "pubrec", messageId: 9 });
    }
    await using client = await connected(broker, "c", { ...fields, ...persistent });
    await client.expect({ cmd: "publish", payload: "down", messageId: 1, dup: true });
    await client.send({ ...up, dup: true });
    await client.expect({ cmd: "pubrec", messageId: 9 });
    await client.send({ cmd: "pubrel", messageId: 9 });
    await client.expect({ cmd: "pubcomp", messageId: 9 });
    assertEquals(published, ["once"]);
  });

  Deno.test(`${name}: CleanSession 1 discards the session before [MQTT-3.1.2-6] [MQTT-3.1.4-3]`, async () => {
    await using broker = createBroker();
    const published: string[] = [];
    broker.topic("up").subscribe((message) => published.push(message.text()));
    const up = { cmd: "publish", topic: "up", qos: 2, messageId: 9 } as const;
    {
      await using client = await connected(broker, "c", { ...fields, ...persistent });
      await client.subscribe("t", 1);
      await broker.publish("t", "not acknowledged", { qos: 1 });
      await client.expect({ cmd: "publish" });
      await client.send({ ...up, payload: "of the old session" });
      await client.expect({ cmd: "pubrec" });
      await client.disconnect();
    }
    await broker.publish("t", "queued", { qos: 1 });
    await using client = await connected(broker, "c", { ...fields, clean: true });
    await broker.publish("t", "no more subscribed", { qos: 1 });
    await client.expectNothing();
    await client.send({ ...up, payload: "of the new session" });
    await client.expect({ cmd: "pubrec" });
    assertEquals(published, ["of the old session", "of the new session"]);
    assertEquals(broker.counters.get("dropped/session-ended"), 2);
  });

  Deno.test(`${name}: a clean session lasts as long as its connection, and nothing of it is used again [MQTT-3.1.2-6]`, async () => {
    for (const end of Object.values(endsOfConnection)) {
      await using broker = createBroker();
      await using clean = await connected(broker, "c", { ...fields, clean: true });
      await clean.subscribe("t", 1);
      await broker.publish("t", "not acknowledged", { qos: 1 });
      await clean.expect({ cmd: "publish" });
      await end(clean);
      await broker.publish("t", "meanwhile", { qos: 1 });
      await using client = await connected(broker, "c", { ...fields, ...persistent });
      await broker.publish("t", "later", { qos: 1 });
      await client.expectNothing();
      assertEquals(broker.counters.get("dropped/session-ended"), 1);
    }
  });

  Deno.test(`${name}: a client that connects again takes its session over from its old connection [MQTT-3.1.4-2] [MQTT-3.1.4-3]`, async () => {
    await using broker = createBroker();
    await using other = await connected(broker, "other");
    await using first = await connected(broker, "c", { ...fields, ...persistent });
    await first.subscribe("t", 1);
    await broker.publish("t", "not acknowledged", { qos: 1 });
    await first.expect({ cmd: "publish", dup: false });
    await using second = await connected(broker, "c", { ...fields, ...persistent });
    await first.expectClosed();
    await second.expect({ cmd: "publish", payload: "not acknowledged", dup: true });
    await second.expectNothing();
    await other.expectNothing();
    assertEquals(endings(broker), { "disconnected/session-taken-over": 1 });
  });
}

Deno.test("a clean session that takes over starts with nothing, and so does a persistent one after a clean one [MQTT-3.1.4-2] [MQTT-3.1.4-3]", async () => {
  for (const clean of [true, false]) {
    await using broker = createBroker();
    await using first = await connected(broker, "c", { clean: !clean });
    await first.subscribe("t", 1);
    await using second = TestClient.memory(broker);
    assertEquals((await second.connect({ clientId: "c", clean })).sessionPresent, false);
    await first.expectClosed();
    await broker.publish("t", "x", { qos: 1 });
    await second.expectNothing();
  }
});

Deno.test("a client of 3.1.1 resumes its session of 3.1, and the other way round [MQTT-3.1.2-4] [MQTT-3.1.3-2]", async () => {
  for (const [before, after] of [versions, versions.toReversed()]) {
    await using broker = createBroker();
    await using first = await connected(broker, "c", { ...before!.fields, ...persistent });
    await first.subscribe("t", 1);
    await first.disconnect();
    await broker.publish("t", "x", { qos: 1 });
    await using second = await connected(broker, "c", { ...after!.fields, ...persistent });
    await second.expect({ cmd: "publish", payload: "x" });
  }
});

Deno.test("of twenty connections of one client the last one stays [MQTT-3.1.4-2]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using stack = new AsyncDisposableStack();
  const clients: TestClient[] = [];
  for (let i = 0; i < 20; i++) {
    const client = stack.use(i % 2 ? await TestClient.tcp(listener.port) : TestClient.memory(broker));
    await client.connect({ clientId: "c", clean: i % 3 === 0 });
    clients.push(client);
  }
  await clients.at(-1)!.expectNothing();
  for (const client of clients.slice(0, -1)) await client.expectClosed();
  assertEquals(endings(broker), { "disconnected/session-taken-over": 19 });
});

Deno.test("what an old connection still sends after it was taken over is not processed [MQTT-3.1.4-2]", async () => {
  await using broker = createBroker();
  const topics: string[] = [];
  broker.published.subscribe(({ topic }) => topics.push(topic));
  await using first = await connected(broker, "c", persistent);
  await using second = await connected(broker, "c", persistent);
  const packets: readonly PacketLike[] = [
    { cmd: "publish", topic: "late", payload: "", qos: 0 },
    { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] },
    { cmd: "disconnect" },
  ];
  for (const packet of packets) await first.send(packet);
  await first.expectClosed();
  await second.publish("t", "x");
  await second.expectNothing();
  assertEquals(topics, ["t"]);
});

Deno.test("retained messages outlive every kind of session [MQTT-3.1.2-7]", async () => {
  await using broker = createBroker();
  // The third session discards the second one, which was stored.
  for (const [topic, clean] of [["t/1", true], ["t/2", false], ["t/3", true]] as const) {
    await using client = await connected(broker, "c", { clean });
    await client.publish(topic, "x", { qos: 1, retain: true });
    await client.disconnect();
  }
  await using client = await connected(broker, "d");
  for (const topic of ["t/1", "t/2", "t/3"]) {
    await client.subscribe(topic);
    await client.expect({ cmd: "publish", topic, retain: true, payload: "x" });
  }
});
