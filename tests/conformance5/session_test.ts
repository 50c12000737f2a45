// Sessions (5.0 sections 3.1.2.4, 3.1.4 and 4.1): what a clean start discards, what goes on, and one connection for each client.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { endings } from "../conformance/support.ts";
import { connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";

const lasting = { clean: false, properties: { sessionExpiryInterval: 60 } } as const;
const TAKEN_OVER = { cmd: "disconnect", reasonCode: 0x8e } as const;

/** The ways in which a connection ends without the end of its session. */
const endsOfConnection: Readonly<Record<string, (client: TestClient) => Promise<void>>> = {
  "DISCONNECT": (client) => client.disconnect(),
  "DISCONNECT with its will": async (client) => {
    await client.send({ cmd: "disconnect", reasonCode: 0x04 });
    await client.expectClosed();
  },
  "a lost connection": async (client) => {
    await client.stream.closeWrite();
    await client.expectClosed();
  },
  "a protocol error": async (client) => {
    await client.sendBytes([0xd0, 0]);
    await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
    await client.expectClosed();
  },
};

for (const [how, end] of Object.entries(endsOfConnection)) {
  Deno.test(`a session with an expiry keeps subscriptions and messages of QoS 1 and 2 over ${how} [MQTT5-3.1.2-5] [MQTT5-3.1.2-23] [MQTT5-3.1.3-2]`, async () => {
    await using broker = createBroker();
    await using first = await connected5(broker, "c", lasting);
    await subscribe5(first, "t/#", { qos: 2 });
    await end(first);
    for (const qos of [0, 1, 2] as const) await broker.publish(`t/${qos}`, `meanwhile ${qos}`, { qos });
    await broker.publish("u", "not subscribed", { qos: 1 });
    await using second = await connected5(broker, "c", lasting);
    await expectAll5(second, ["publish 1 qos1 meanwhile 1", "publish 2 qos2 meanwhile 2"]);
    await broker.publish("t/live", "now");
    await expectAll5(second, ["publish qos0 now"]);
    assertEquals(broker.counters.get("dropped/client-offline"), 1); // the one of QoS 0
  });

  Deno.test(`a session without an expiry ends with its connection, by ${how} [MQTT5-3.1.2-6] [MQTT5-4.1.0-2]`, async () => {
    for (const properties of [{}, { sessionExpiryInterval: 0 }]) {
      await using broker = createBroker();
      await using first = await connected5(broker, "c", { clean: false, properties });
      await subscribe5(first, "t", { qos: 1 });
      await broker.publish("t", "not acknowledged", { qos: 1 });
      await first.expect({ cmd: "publish" });
      await end(first);
      await broker.publish("t", "meanwhile", { qos: 1 });
      await using second = TestClient.memory(broker);
      assertEquals((await second.connect({ ...lasting, protocolVersion: 5, clientId: "c" })).sessionPresent, false);
      await broker.publish("t", "later", { qos: 1 });
      await second.expectNothing();
      assertEquals(broker.counters.get("dropped/session-ended"), 1);
    }
  });
}

Deno.test("a session keeps what is on its way, in both directions [MQTT5-3.1.2-5] [MQTT5-3.1.2-23]", async () => {
  await using broker = createBroker();
  const published: string[] = [];
  broker.topic("up").subscribe((message) => published.push(message.text()));
  const up = { cmd: "publish", topic: "up", payload: "once", qos: 2, messageId: 9 } as const;
  {
    await using client = await connected5(broker, "c", lasting);
    await subscribe5(client, "t", { qos: 2 });
    await broker.publish("t", "down", { qos: 2 });
    await client.expect({ cmd: "publish", messageId: 1, dup: false });
    await client.send(up);
    await client.expect({ cmd: "pubrec", messageId: 9 });
  }
  await using client = await connected5(broker, "c", lasting);
  await client.expect({ cmd: "publish", payload: "down", messageId: 1, dup: true });
  await client.send({ ...up, dup: true });
  await client.expect({ cmd: "pubrec", messageId: 9 });
  await client.send({ cmd: "pubrel", messageId: 9 });
  await client.expect({ cmd: "pubcomp", messageId: 9, reasonCode: 0 });
  assertEquals(published, ["once"]);
});

Deno.test("a clean start discards the session before, all of it [MQTT5-3.1.2-4] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2]", async () => {
  await using broker = createBroker();
  const published: string[] = [];
  broker.topic("up").subscribe((message) => published.push(message.text()));
  const up = { cmd: "publish", topic: "up", qos: 2, messageId: 9 } as const;
  {
    await using client = await connected5(broker, "c", lasting);
    await subscribe5(client, "t", { qos: 1 });
    await subscribe5(client, "$share/group/s", { qos: 1 });
    await broker.publish("t", "not acknowledged", { qos: 1 });
    await client.expect({ cmd: "publish" });
    await client.send({ ...up, payload: "of the old session" });
    await client.expect({ cmd: "pubrec" });
    await client.disconnect();
  }
  await broker.publish("t", "queued", { qos: 1 });
  await using client = TestClient.memory(broker);
  const { sessionPresent } = await client.connect({ ...lasting, protocolVersion: 5, clientId: "c", clean: true });
  assertEquals(sessionPresent, false);
  for (const topic of ["t", "s"]) await broker.publish(topic, "no more subscribed", { qos: 1 });
  await client.expectNothing();
  await client.send({ ...up, payload: "of the new session" });
  await client.expect({ cmd: "pubrec" });
  assertEquals(published, ["of the old session", "of the new session"]);
  assertEquals(broker.counters.get("dropped/session-ended"), 2);
});

Deno.test("a session that began with a clean start goes on like any other [MQTT5-3.1.2-5] [MQTT5-3.1.2-23]", async () => {
  await using broker = createBroker();
  await using first = await connected5(broker, "c", { ...lasting, clean: true });
  await subscribe5(first, "t", { qos: 1 });
  await first.drop();
  await broker.publish("t", "meanwhile", { qos: 1 });
  await using second = await connected5(broker, "c", lasting);
  await expectAll5(second, ["publish 1 qos1 meanwhile"]);
});

/** What there may be of a client before it connects. */
const pasts: Readonly<Record<string, readonly [present: boolean, begin: (client: TestClient) => Promise<unknown>]>> = {
  "nothing": [false, () => Promise.resolve()],
  "a session that ended": [false, async (client) => {
    await client.connect({ protocolVersion: 5 });
    await client.disconnect();
  }],
  "a stored session": [true, async (client) => {
    await client.connect({ ...lasting, protocolVersion: 5 });
    await client.disconnect();
  }],
  "a session that lasts and is connected": [true, (client) => client.connect({ ...lasting, protocolVersion: 5 })],
  "a session that is connected and ends with that": [false, (client) => client.connect({ protocolVersion: 5 })],
  "a stored session of 3.1.1": [true, async (client) => {
    await client.connect({ clean: false });
    await client.disconnect();
  }],
};

for (const [past, [stored, begin]] of Object.entries(pasts)) {
  for (const clean of [true, false]) {
    const present = !clean && stored;
    Deno.test(`after ${past}, clean start ${+clean} gets session present ${+present} [MQTT5-3.2.2-2] [MQTT5-3.2.2-3] [MQTT5-3.1.4-4]`, async () => {
      await using broker = createBroker();
      await using former = TestClient.memory(broker);
      await begin(former);
      await using client = TestClient.memory(broker);
      assertEquals((await client.connect({ protocolVersion: 5, clean })).sessionPresent, present);
    });
  }
}

Deno.test("a client that connects again takes its session over; the old connection is told 0x8E [MQTT5-3.1.4-3]", async () => {
  await using broker = createBroker();
  await using other = await connected5(broker, "other");
  await using first = await connected5(broker, "c", lasting);
  await subscribe5(first, "t", { qos: 1 });
  await broker.publish("t", "not acknowledged", { qos: 1 });
  await first.expect({ cmd: "publish", dup: false });
  await using second = await connected5(broker, "c", lasting);
  await first.expect(TAKEN_OVER);
  await first.expectClosed();
  await expectAll5(second, ["publish 1 qos1 not acknowledged dup"]);
  await other.expectNothing();
  assertEquals(endings(broker), { "disconnected/session-taken-over": 1 });
});

Deno.test("a takeover between the versions: 5.0 is told, 3.1.1 is closed [MQTT5-3.1.4-3]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using modern = await TestClient.tcp(listener.port);
  await modern.connect({ ...lasting, protocolVersion: 5, clientId: "c" });
  await using old = await connected(broker, "c", { clean: false });
  await modern.expect(TAKEN_OVER);
  await modern.expectClosed();
  await using _modernAgain = await connected5(broker, "c", lasting);
  await old.expectClosed();
});

Deno.test("of twenty connections of one client the last one stays [MQTT5-3.1.4-3]", async () => {
  await using broker = createBroker();
  await using stack = new AsyncDisposableStack();
  const clients: TestClient[] = [];
  for (let i = 0; i < 20; i++) {
    clients.push(stack.use(await connected5(broker, "c", { ...lasting, clean: i % 3 === 0 })));
  }
  await clients.at(-1)!.expectNothing();
  for (const client of clients.slice(0, -1)) {
    await client.expect(TAKEN_OVER);
    await client.expectClosed();
  }
  assertEquals(endings(broker), { "disconnected/session-taken-over": 19 });
});

Deno.test("what an old connection still sends after it was taken over is not processed [MQTT5-3.1.4-3]", async () => {
  await using broker = createBroker();
  const topics: string[] = [];
  broker.published.subscribe(({ topic }) => topics.push(topic));
  await using first = await connected5(broker, "c", lasting);
  await using second = await connected5(broker, "c", lasting);
  const late: readonly PacketLike[] = [
    { cmd: "publish", topic: "late", payload: "", qos: 0 },
    { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] },
    { cmd: "disconnect", properties: { sessionExpiryInterval: 0 } },
  ];
  for (const packet of late) await first.send(packet);
  await first.expect(TAKEN_OVER);
  await first.expectClosed();
  await second.publish("t", "x");
  await second.expectNothing();
  await second.drop();
  await using third = TestClient.memory(broker);
  assertEquals((await third.connect({ ...lasting, protocolVersion: 5, clientId: "c" })).sessionPresent, true);
  assertEquals(topics, ["t"]);
});

Deno.test("a client whose CONNECT is refused takes nothing over [MQTT5-3.1.4-3] [MQTT5-3.2.2-6]", async () => {
  let open = true;
  await using broker = createBroker({ authenticate: () => open });
  await using first = await resumed5(broker, "c");
  await subscribe5(first, "t", { qos: 1 });
  open = false;
  for (const clean of [true, false]) {
    await using refused = TestClient.memory(broker);
    await refused.send({ cmd: "connect", protocolVersion: 5, clientId: "c", clean });
    await refused.expect({ cmd: "connack", reasonCode: 0x87, sessionPresent: false });
    await refused.expectClosed();
  }
  await broker.publish("t", "still here", { qos: 1 });
  await first.expect({ cmd: "publish", payload: "still here" });
});
