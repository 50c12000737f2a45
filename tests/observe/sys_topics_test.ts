import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../src/broker.ts";
import { sysTopics } from "../../src/observe/sys_topics.ts";
import { connected } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";

Deno.test("The $SYS topics are retained, have Mosquitto's names, and tell what there is", async () => {
  await using broker = createBroker({ clock: new VirtualClock(), limits: { retainedMessages: 100 } });
  await using client = await connected(broker, "c"); // 15 bytes, answered with 4
  using _topics = sysTopics(broker);
  const told: Record<string, string> = {};
  broker.topic("$SYS/broker/#", { retained: true }).subscribe((message) => {
    assert(message.retain);
    told[message.topic.slice("$SYS/broker/".length)] = message.text();
  });
  await client.expectNothing();
  assertEquals(told, {
    "version": "brook version 0.1.0",
    "uptime": "0 seconds",
    "clients/connected": "1",
    "clients/total": "1",
    "messages/received": "1",
    "messages/sent": "1",
    "publish/messages/received": "0",
    "publish/messages/sent": "0",
    "publish/messages/dropped": "0",
    "bytes/received": "15",
    "bytes/sent": "4",
    "subscriptions/count": "0",
    "retained messages/count": "0",
    "messages/inflight": "0",
    "brook/messages/queued": "0",
    "brook/memory": told["brook/memory"]!,
  });
});

Deno.test("Every ten seconds the $SYS topics that have changed are told, losses by their reason", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  const sleeper = await connected(broker, "sleeper", { clean: false });
  await sleeper.subscribe("a");
  await sleeper.disconnect();
  using _topics = sysTopics(broker);
  await clock.advance(10_000); // what the first ones have changed themselves is told
  const told: string[] = [];
  broker.topic("$SYS/broker/#").subscribe((message) => told.push(`${message.topic} ${message.text()}`));
  await broker.publish("a", "x");
  await clock.advance(9999);
  assertEquals(told, []);
  await clock.advance(1);
  assertEquals(told, [
    "$SYS/broker/uptime 20 seconds",
    "$SYS/broker/publish/messages/dropped 1",
    "$SYS/broker/brook/dropped/client-offline 1",
    ...told.filter((line) => line.includes("brook/memory")),
  ]);
});

Deno.test("A client that subscribes to # gets none of the $SYS topics [MQTT-4.7.2-1]", async () => {
  await using broker = createBroker({ clock: new VirtualClock() });
  using _topics = sysTopics(broker);
  await using client = await connected(broker, "c");
  await client.subscribe("#");
  await client.expectNothing();
  await client.subscribe("$SYS/broker/clients/connected", 0, 2);
  await client.expect({ cmd: "publish", topic: "$SYS/broker/clients/connected", payload: "0", retain: true });
});

for (const end of ["disposed of", "closed"]) {
  Deno.test(`Once ${end}, nothing more is told, and no timer is left`, async () => {
    const clock = new VirtualClock(), broker = createBroker({ clock });
    const topics = sysTopics(broker), told: string[] = [];
    broker.topic("$SYS/#").subscribe((message) => told.push(message.topic));
    if (end === "closed") await broker.close();
    else topics[Symbol.dispose]();
    assertEquals(clock.pending, 0);
    await clock.advance(60_000);
    assertEquals(told, []);
    await broker.close();
  });
}
