// What becomes of a message of a shared subscription whose member leaves, or refuses it (5.0 section 4.8.2).
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { upTo } from "../conformance/script.ts";
import { VirtualClock } from "../support/clock.ts";
import type { TestClient } from "../support/client.ts";
import { connected5, expectAll5, resumed5, subscribe5 } from "./clients.ts";

const FILTER = "$share/g/t";

/** Two members with sessions that outlive their connections; each has been sent one message of this QoS. */
async function two(broker: Broker, qos: 1 | 2, properties = {}): Promise<[TestClient, TestClient]> {
  const clients = await Promise.all(["first", "second"].map((clientId) => resumed5(broker, clientId, properties)));
  for (const client of clients) await subscribe5(client, FILTER, { qos });
  for (const text of ["one", "two"]) await broker.publish("t", text, { qos });
  const [first, second] = clients as [TestClient, TestClient];
  await expectAll5(first, [`publish 1 qos${qos} one`]);
  await expectAll5(second, [`publish 1 qos${qos} two`]);
  return [first, second];
}

Deno.test("a message that a member has been sent waits for it to come back, and nobody else gets it meanwhile [MQTT5-4.8.2-4]", async () => {
  for (const qos of [1, 2] as const) {
    await using broker = createBroker();
    const [first, second] = await two(broker, qos);
    await first.drop();
    await second.expectNothing();
    await using again = await resumed5(broker, "first");
    await expectAll5(again, [`publish 1 qos${qos} one dup`]);
    await second.expectNothing();
    await second.drop();
  }
});

Deno.test("QoS 2 is completed by the member that has begun it, after its PUBREC too [MQTT5-4.8.2-4]", async () => {
  await using broker = createBroker();
  const [first, second] = await two(broker, 2);
  await first.send({ cmd: "pubrec", messageId: 1 });
  await expectAll5(first, ["pubrel 1"]);
  await first.drop();
  await using again = await resumed5(broker, "first");
  await expectAll5(again, ["pubrel 1"]);
  await again.send({ cmd: "pubcomp", messageId: 1 });
  await again.expectNothing();
  await second.expectNothing();
  await second.drop();
});

/** Says DISCONNECT, and how many seconds the session goes on. */
async function leave(client: TestClient, sessionExpiryInterval: number): Promise<void> {
  await client.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval } });
  await client.expectClosed();
}

/** The ways in which the session of "first" can end. */
const endings: Readonly<Record<string, (broker: Broker, first: TestClient, clock: VirtualClock) => Promise<void>>> = {
  "by its DISCONNECT": (_, first) => leave(first, 0),
  "by a clean start": async (broker, first) => {
    await first.drop();
    await (await connected5(broker, "first", { clean: true })).disconnect();
  },
  "by its expiry": async (_, first, clock) => {
    await leave(first, 1);
    await clock.advance(2_000);
  },
};

for (const [how, end] of Object.entries(endings)) {
  Deno.test(`QoS 2 that was begun ends with its session ${how}: nobody else gets it, and that is counted [MQTT5-4.8.2-5]`, async () => {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    const [first, second] = await two(broker, 2);
    await end(broker, first, clock);
    await second.expectNothing();
    assertEquals(broker.counters.get("dropped/session-ended"), 1);
    await second.drop();
  });

  Deno.test(`QoS 1 that was not acknowledged goes to another member when the session ends ${how}`, async () => {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    const [first, second] = await two(broker, 1);
    await end(broker, first, clock);
    await expectAll5(second, ["publish 2 qos1 one"]);
    assertEquals(broker.counters.get("dropped/session-ended"), undefined);
    await second.drop();
  });
}

Deno.test("what a member has not been sent yet goes to another one when its session ends, with the time that it has left [MQTT5-3.3.2-6]", async () => {
  for (const qos of [1, 2] as const) {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    const [first, second] = await two(broker, qos, { receiveMaximum: 1 });
    await second.drop();
    await broker.publish("t", "waiting", { qos, properties: { messageExpiryInterval: 100 } });
    await broker.publish("t", "gone by then", { qos, properties: { messageExpiryInterval: 5 } });
    await first.expectNothing();
    await clock.advance(10_000);
    await using again = await resumed5(broker, "second");
    await again.expect({ cmd: "publish", payload: "two", dup: true });
    await leave(first, 0);
    if (qos === 1) await again.expect({ cmd: "publish", payload: "one", dup: false });
    const { properties } = await again.expect({ cmd: "publish", payload: "waiting" });
    assertEquals(properties.messageExpiryInterval, 90);
    await again.expectNothing();
    assertEquals(broker.counters.get("dropped/expired"), 1);
  }
});

Deno.test("a message that a member refuses is discarded: it comes to nobody, and never again [MQTT5-4.8.2-6] [MQTT5-4.4.0-2]", async () => {
  for (const [qos, cmd] of [[1, "puback"], [2, "pubrec"]] as const) {
    for (const reasonCode of [0x80, 0x97]) {
      await using broker = createBroker();
      const [first, second] = await two(broker, qos);
      await first.send({ cmd, messageId: 1, reasonCode });
      await first.expectNothing();
      await second.expectNothing();
      await first.drop();
      await using again = await resumed5(broker, "first");
      await again.expectNothing();
      await second.send({ cmd, messageId: 1, reasonCode });
      await leave(second, 0);
      await again.expectNothing();
    }
  }
});

Deno.test("when the last member leaves, what it had is lost, and counted", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client", { properties: { receiveMaximum: 1 } });
  await subscribe5(client, FILTER, { qos: 1 });
  for (const i of upTo(3)) await broker.publish("t", `${i}`, { qos: 1 });
  await expectAll5(client, ["publish 1 qos1 1"]);
  await client.disconnect();
  assertEquals(broker.counters.get("dropped/session-ended"), 3);
  await using later = await connected5(broker, "later");
  await subscribe5(later, FILTER, { qos: 1 });
  await later.expectNothing();
});
