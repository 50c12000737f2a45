import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../src/broker.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { connected } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";

Deno.test("The status counts connections, sessions, subscriptions, retained messages and those that wait", async () => {
  await using broker = createBroker();
  const sleeper = await connected(broker, "sleeper", { clean: false });
  await sleeper.subscribe("a/#", 1);
  await sleeper.disconnect();
  await using awake = await connected(broker, "awake");
  await awake.subscribe("b", 1);
  await broker.publish("a/x", "kept", { qos: 1, retain: true });
  await broker.publish("b", "on its way", { qos: 1 });
  const { retainedBytes, memoryBytes, ...gauges } = broker.status.gauges;
  assertEquals(gauges, {
    connections: 1,
    clients: 1,
    sessions: 2,
    subscriptions: 2,
    retainedMessages: 1,
    queuedMessages: 1,
    inFlightMessages: 1,
  });
  assert(retainedBytes > 4 && memoryBytes >= retainedBytes);
});

Deno.test("The status counts packets and bytes as they were on the wire", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c"); // 15 bytes, answered with 4
  await client.subscribe("t", 1); // 8, 5
  await client.send({ cmd: "publish", topic: "t", payload: "hi", qos: 1, retain: false, dup: false, messageId: 7 });
  await client.expect({ cmd: "publish", topic: "t" }); // 9, and 9
  await client.expect({ cmd: "puback" }); // 4
  await client.expectNothing(); // 2, 2
  assertEquals(broker.status.traffic, {
    packetsReceived: 4,
    packetsSent: 5,
    publishReceived: 1,
    publishSent: 1,
    bytesReceived: 15 + 8 + 9 + 2,
    bytesSent: 4 + 5 + 4 + 9 + 2,
  });
});

Deno.test("The status tells of clients with and without a connection", async () => {
  await using broker = createBroker();
  const sleeper = await connected(broker, "sleeper", { clean: false });
  await sleeper.subscribe("a", 1);
  await sleeper.disconnect();
  await broker.publish("a", "", { qos: 1 });
  await using _awake = await connected(broker, "awake", { protocolVersion: 5, username: "u" });
  assertEquals([...broker.status.clients()].map(({ remote, ...client }) => ({ ...client, remote: typeof remote })), [
    {
      id: "sleeper",
      connected: false,
      username: undefined,
      remote: "undefined",
      version: undefined,
      subscriptions: 1,
      queued: 1,
      inFlight: 0,
    },
    {
      id: "awake",
      connected: true,
      username: "u",
      remote: "string",
      version: "MQTT 5.0",
      subscriptions: 0,
      queued: 0,
      inFlight: 0,
    },
  ]);
});

Deno.test("A client can be disconnected, and is told why where its version has words for it", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  assertEquals([broker.status.disconnect("nobody"), broker.status.disconnect("c")], [false, true]);
  await client.expect({ cmd: "disconnect", reasonCode: 0x98 });
  assertEquals(broker.status.disconnect("c"), false);
});

Deno.test("The status tells a fault where the store fails or the broker is closed", async () => {
  const clock = new VirtualClock(), store = new MemoryStore();
  const commit = store.commit;
  const broker = createBroker({ clock, store });
  assertEquals(broker.status.fault, undefined);
  store.commit = () => {
    throw new Error("no room");
  };
  broker.publish("a", "b", { retain: true });
  await settle();
  assertEquals(broker.status.fault, "Store can't be written to");
  store.commit = commit;
  const closing = broker.close();
  assertEquals(broker.status.fault, "Broker is closed");
  await clock.advance(60_000);
  await closing;
});

Deno.test("The uptime is the time of the broker's clock", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await clock.advance(1500);
  assertEquals(broker.status.uptime, 1500);
});
