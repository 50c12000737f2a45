import { assert, assertEquals, assertMatch } from "@std/assert";
import { createBroker } from "../../src/broker.ts";
import { sysTopics } from "../../src/observe/sys_topics.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { MosquittoServer, testWithMosquitto } from "../access/mosquitto_server.ts";
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
  const whole = { "brook/memory": told["brook/memory"]!, "heap/current": told["heap/current"]! };
  for (const value of Object.values(whole)) assertMatch(value, /^\d+$/);
  assertEquals(Object.fromEntries(Object.entries(told).filter(([topic]) => !topic.startsWith("load/"))), {
    ...whole,
    "version": "brook version 0.1.0",
    "uptime": "0 seconds",
    "clients/connected": "1",
    "clients/active": "1",
    "clients/disconnected": "0",
    "clients/inactive": "0",
    "clients/total": "1",
    "clients/maximum": "1",
    "messages/received": "1",
    "messages/sent": "1",
    "publish/messages/received": "0",
    "publish/messages/sent": "0",
    "publish/messages/dropped": "0",
    "bytes/received": "15",
    "bytes/sent": "4",
    "subscriptions/count": "0",
    "shared_subscriptions/count": "0",
    "retained messages/count": "0",
    "messages/stored": "0",
    "store/messages/count": "0",
    "messages/inflight": "0",
    "heap/maximum": told["heap/current"]!,
    "brook/messages/queued": "0",
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
  assertEquals(told.filter((line) => !/load|heap|memory/.test(line)), [
    "$SYS/broker/uptime 20 seconds",
    "$SYS/broker/publish/messages/dropped 1",
    "$SYS/broker/brook/dropped/client-offline 1",
  ]);
});

Deno.test("Shared subscriptions, clients that are gone, and what waits for them are told as Mosquitto does", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { retainedMessages: 0 } });
  const sleeper = await connected(broker, "sleeper", { clean: false });
  await sleeper.subscribe("a", 1);
  await sleeper.subscribe("$share/g/b", 1, 2);
  await sleeper.disconnect();
  await broker.publish("a", "x", { qos: 1 });
  const told: Record<string, string> = {};
  broker.topic("$SYS/broker/#").subscribe((message) => told[message.topic.slice(12)] = message.text());
  using _topics = sysTopics(broker);
  const names = ["clients/disconnected", "clients/maximum", "subscriptions/count", "shared_subscriptions/count"];
  assertEquals([...names, "store/messages/count"].map((name) => told[name]), ["1", "0", "1", "1", "1"]);
});

testWithMosquitto("Mosquitto has each of these topics, but ours, and few that we have not", async () => {
  await using server = await MosquittoServer.start({});
  await using client = await server.client("c");
  await client.subscribe("$SYS/#");
  await client.send({ cmd: "pingreq" });
  const theirs = new Set<string>(), ours = new Set<string>();
  for (let packet = await client.receive(); packet.cmd !== "pingresp"; packet = await client.receive()) {
    theirs.add(packet.topic);
  }
  await using broker = createBroker();
  broker.topic("$SYS/#").subscribe(({ topic }) => ours.add(topic));
  using _topics = sysTopics(broker);
  const own = (topic: string) => topic.startsWith("$SYS/broker/brook/");
  assertEquals([...ours.difference(theirs)].filter((topic) => !own(topic)), [
    "$SYS/broker/clients/maximum", // which it tells later
    "$SYS/broker/messages/inflight", // of earlier versions
  ]);
  assertEquals([...theirs.difference(ours)].sort(), [
    "$SYS/broker/clients/expired",
    "$SYS/broker/publish/bytes/received",
    "$SYS/broker/publish/bytes/sent",
    "$SYS/broker/store/messages/bytes",
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

Deno.test("The $SYS topics are of this process: no store keeps them", async () => {
  const store = new MemoryStore();
  await using broker = createBroker({ clock: new VirtualClock(), store });
  using _topics = sysTopics(broker);
  await broker.publish("a", "x", { retain: true });
  assertEquals([...store.retained()].map(({ topic }) => topic), ["a"]);
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
