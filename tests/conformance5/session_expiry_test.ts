// The session expiry interval (5.0 sections 3.1.2.11.2, 3.14.2.2.2 and 4.1). Time is virtual here; the broker may act up to half a
// second late, never early.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { connected5, subscribe5 } from "./clients.ts";
import { connackOf } from "./connects.ts";

const LATE = 500, FOREVER = 0xffff_ffff;

function lasting(sessionExpiryInterval: number) {
  return { clean: false, properties: { sessionExpiryInterval } };
}

/** Whether the session of "client" is there; afterwards it is as long as `sessionExpiryInterval` says. */
async function isPresent(broker: Broker, sessionExpiryInterval = FOREVER): Promise<boolean> {
  return (await connackOf(broker, lasting(sessionExpiryInterval))).sessionPresent;
}

Deno.test("a session lasts as long as it was said, and is discarded then [MQTT5-3.1.2-23] [MQTT5-4.1.0-2]", async () => {
  for (const seconds of [1, 4]) {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    await using first = await connected5(broker, "client", lasting(seconds));
    await subscribe5(first, "t", { qos: 1 });
    await first.drop();
    await clock.advance(seconds * 1000 - 1);
    assertEquals(await isPresent(broker, seconds), true);
    await clock.advance(seconds * 1000 + LATE);
    assertEquals(await isPresent(broker), false);
  }
});

Deno.test("what waits in a session that expires is lost, and that is told [MQTT5-4.1.0-2]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client", lasting(2));
  await subscribe5(client, "t", { qos: 1 });
  await client.disconnect();
  for (const payload of ["a", "b"]) await broker.publish("t", payload, { qos: 1 });
  await clock.advance(2000 + LATE);
  assertEquals(broker.counters.get("dropped/session-ended"), 2);
  await broker.publish("t", "nobody there", { qos: 1 });
  assertEquals(broker.counters.get("dropped/session-ended"), 2);
});

Deno.test("a session that never expires is there after a year [MQTT5-3.1.2-23]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  assertEquals(await isPresent(broker), false);
  await clock.advance(365 * 24 * 3_600_000);
  assertEquals(await isPresent(broker), true);
});

Deno.test("a session does not expire while its client is connected [MQTT5-4.1.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  for (const options of [lasting(1), { clean: true }]) {
    await using client = await connected5(broker, "client", options);
    await subscribe5(client, "t", { qos: 1 });
    await clock.advance(10_000);
    await broker.publish("t", "x", { qos: 1 });
    await client.expect({ cmd: "publish", payload: "x" });
  }
});

Deno.test("each connection says anew how long its session lasts [MQTT5-3.1.2-23] [MQTT5-4.1.0-2]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  assertEquals(await isPresent(broker, 5), false);
  await clock.advance(4000);
  assertEquals(await isPresent(broker, 3), true); // the 5 seconds are no more
  await clock.advance(3000 - 1);
  assertEquals(await isPresent(broker, 4), true);
  await clock.advance(4000 + LATE);
  assertEquals(await isPresent(broker), false);
  assertEquals((await connackOf(broker, { clean: false })).sessionPresent, true); // says nothing, and that means 0
  assertEquals(await isPresent(broker), false);
});

Deno.test("time counts from the end of the connection, however that came [MQTT5-4.1.0-2]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client", { ...lasting(3), keepalive: 4 });
  await clock.advance(6000 + LATE);
  await client.expect({ cmd: "disconnect", reasonCode: 0x8d });
  await clock.advance(2000);
  assertEquals(await isPresent(broker), true);
});

for (const [from, to] of [[2, 5], [5, 2], [2, FOREVER], [FOREVER, 2], [2, 0], [FOREVER, 0]] as const) {
  Deno.test(`DISCONNECT changes the expiry from ${from} to ${to} [MQTT5-3.1.2-23] [MQTT5-4.1.0-2]`, async () => {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    await using client = await connected5(broker, "client", lasting(from));
    await client.send({ cmd: "disconnect", properties: { sessionExpiryInterval: to } });
    await client.expectClosed();
    const end = Math.min(to, 10) * 1000;
    await clock.advance(Math.max(0, end - 1));
    assertEquals(await isPresent(broker, to), to > 0);
    await clock.advance(end + LATE);
    assertEquals(await isPresent(broker), to === FOREVER);
  });
}

Deno.test("DISCONNECT without an expiry leaves that as it is [MQTT5-3.1.2-23]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client", lasting(2));
  await client.disconnect();
  await clock.advance(2000 - 1);
  assertEquals(await isPresent(broker), true);
});

Deno.test("DISCONNECT can't give an expiry to a session that was to have none: 0x82, and the will is sent [MQTT5-4.13.1-1]", async () => {
  for (const properties of [{}, { sessionExpiryInterval: 0 }]) {
    for (const sessionExpiryInterval of [1, FOREVER]) {
      await using broker = createBroker();
      await using watcher = await connected5(broker, "watcher");
      await watcher.subscribe("will");
      const will = { topic: "will", payload: "gone", qos: 0, retain: false };
      await using client = await connected5(broker, "client", { clean: false, properties, will });
      await client.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval } });
      await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
      await client.expectClosed();
      await watcher.expect({ cmd: "publish", topic: "will" });
      assertEquals(await isPresent(broker), false);
      assertEquals(broker.counters.get("disconnected/protocol-error"), 1);
    }
  }
});

Deno.test("DISCONNECT may repeat that a session has no expiry", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client", lasting(0));
  await client.send({ cmd: "disconnect", properties: { sessionExpiryInterval: 0 } });
  await client.expectClosed();
  assertEquals(broker.counters.get("disconnected/disconnect"), 1);
});

Deno.test("the broker's limit shortens an expiry, and the client is told where it does", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { sessionExpiry: 4 } });
  for (const [wanted, told] of [[3, undefined], [4, undefined], [5, 4], [FOREVER, 4], [0, undefined]] as const) {
    assertEquals((await connackOf(broker, lasting(wanted))).properties.sessionExpiryInterval, told);
  }
  await connackOf(broker, lasting(FOREVER));
  await clock.advance(4000 + LATE);
  assertEquals(await isPresent(broker), false);
});

Deno.test("the broker's limit holds for DISCONNECT, too, and for sessions of 3.1.1 [MQTT5-4.1.0-2]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { sessionExpiry: 4 } });
  await using client = await connected5(broker, "client", lasting(2));
  await client.send({ cmd: "disconnect", properties: { sessionExpiryInterval: FOREVER } });
  await client.expectClosed();
  await clock.advance(4000 + LATE);
  assertEquals(await isPresent(broker), false);
  await using old = await connected(broker, "client", { clean: false });
  await old.drop();
  await clock.advance(4000 - 1);
  assertEquals(await isPresent(broker), true);
});

Deno.test("where the limit leaves no expiry, DISCONNECT may still ask for one: it was the broker that said 0", async () => {
  await using broker = createBroker({ limits: { sessionExpiry: 0 } });
  await using client = TestClient.memory(broker);
  const { properties } = await client.connect({ protocolVersion: 5, ...lasting(10) });
  assertEquals(properties.sessionExpiryInterval, 0);
  await client.send({ cmd: "disconnect", properties: { sessionExpiryInterval: 5 } });
  await client.expectClosed();
  assertEquals(await isPresent(broker), false);
});

Deno.test("a session of 3.1.1 that a 5.0 client resumes lasts as that says, and the other way round [MQTT5-3.1.2-23]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using old = await connected(broker, "client", { clean: false });
  await old.drop();
  assertEquals(await isPresent(broker, 2), true);
  await using again = await connected(broker, "client", { clean: false });
  await again.drop();
  await clock.advance(10_000);
  assertEquals(await isPresent(broker, 2), true);
  await clock.advance(2000 + LATE);
  assertEquals(await isPresent(broker), false);
});

Deno.test("a broker that has closed waits for no session", async () => {
  const clock = new VirtualClock();
  const broker = createBroker({ clock });
  await connackOf(broker, {
    ...lasting(10),
    will: { topic: "w", payload: "", qos: 0, properties: { willDelayInterval: 5 } },
  });
  await broker.close();
  assertEquals(clock.pending, 0);
});
