// The queue of a session over restarts: limits and policies count what waits in the store, and what has been sent is sent again as
// what it was, wherever it had its place.
import { assertEquals } from "@std/assert";
import type { BrokerOptions } from "../../mod.ts";
import { settle } from "../support/clock.ts";
import { Machine } from "./restarts.ts";

/** Publishes in this process at QoS 1: `topic`, or `topic=payload`. */
async function publish(machine: Machine, ...messages: readonly string[]): Promise<void> {
  for (const message of messages) {
    const [topic, payload = message] = message.split("=");
    await machine.broker.publish(topic!, payload, { qos: 1 });
  }
}

/** A machine with the queue of one client that is offline, after a restart. */
async function machineWith(options: BrokerOptions, ...messages: readonly string[]): Promise<Machine> {
  const machine = new Machine(options), client = await machine.client("c");
  await client.subscribe("#", 1);
  await client.drop();
  await settle();
  await publish(machine, ...messages);
  await machine.restart();
  return machine;
}

/** What the client gets that has been offline, in order, each of which it acknowledges. */
async function received(machine: Machine): Promise<string[]> {
  const payloads: string[] = [], client = await machine.client("c");
  await machine.broker.publish("end", "end");
  for (;;) {
    const { payload, qos, messageId } = await client.expect({ cmd: "publish" }), text = `${payload}`;
    if (qos > 0) await client.send({ cmd: "puback", messageId });
    if (text === "end") return payloads;
    payloads.push(text);
  }
}

interface Case {
  readonly what: string;
  readonly options: BrokerOptions;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly left: readonly string[];
  readonly drops: readonly string[];
}

const cases: readonly Case[] = [
  {
    what: "What waits in the store counts for the limit of messages: the newest is dropped",
    options: { limits: { queuedMessages: 3 } },
    before: ["1", "2"],
    after: ["3", "4", "5"],
    left: ["1", "2", "3"],
    drops: ["c 4 queue-full*1", "c 5 queue-full*1"],
  },
  {
    what: "What waits in the store counts for the limit of bytes",
    options: { limits: { queuedBytes: 12 } },
    before: ["t=1234", "t=1234"],
    after: ["t=x", "t=y"],
    left: ["1234", "1234", "x"],
    drops: ["c t queue-full*1"],
  },
  {
    what: "With drop-oldest the messages of the store make room, and then those that came later",
    options: { limits: { queuedMessages: 2 }, overload: "drop-oldest" },
    before: ["1", "2"],
    after: ["3", "4", "5"],
    left: ["4", "5"],
    drops: ["c 1 queue-full*1", "c 2 queue-full*1", "c 3 queue-full*1"],
  },
  {
    what: "With latest-per-topic a message takes the place of the one in the store that has its topic",
    options: { overload: "latest-per-topic" },
    before: ["a=1", "b=1", "a=2", "c=1"],
    after: ["b=2", "d=1", "b=3"],
    left: ["2", "1", "1", "3"], // a, c, d, b: in the store each stands where its newest message came
    drops: ["c a superseded*1", "c b superseded*1", "c b superseded*1"],
  },
  {
    what: "A function that chooses the policy is asked again, with what is known of the client",
    options: {
      limits: { queuedMessages: 1 },
      overload: ({ client, filter }) => client.id === "c" && filter === "#" ? "drop-oldest" : "disconnect",
    },
    before: ["1"],
    after: ["2"],
    left: ["2"],
    drops: ["c 1 queue-full*1"],
  },
];

for (const { what, options, before, after, left, drops } of cases) {
  Deno.test(`After a restart: ${what}`, async () => {
    await using machine = await machineWith(options, ...before);
    await publish(machine, ...after);
    assertEquals(machine.drops(), drops);
    await machine.restart();
    assertEquals(await received(machine), left);
    await machine.pass(1);
    assertEquals([...machine.store.sessions()][0]!.deliveries.count, 0);
  });
}

Deno.test("What has expired in the store makes room for others", async () => {
  await using machine = await machineWith({ limits: { queuedMessages: 3 } });
  const properties = { messageExpiryInterval: 1 };
  for (const topic of ["1", "2"]) await machine.broker.publish(topic, topic, { qos: 1, properties });
  await publish(machine, "3");
  await machine.restart(2);
  await publish(machine, "4", "5", "6");
  assertEquals(machine.drops(), ["c 1 expired*1", "c 2 expired*1", "c 6 queue-full*1"]);
  assertEquals(await received(machine), ["3", "4", "5"]);
});

Deno.test("A queue is read from the store as its client takes it, and what comes meanwhile stands behind it", async () => {
  const payloads = Array.from({ length: 700 }, (_, i) => `${i}`);
  await using machine = await machineWith({ limits: { inflight: 3 } }, ...payloads.slice(0, 500).map((n) => `t=${n}`));
  await publish(machine, ...payloads.slice(500, 600).map((n) => `t=${n}`));
  const client = await machine.client("c");
  for (const n of payloads) {
    const { messageId } = await client.expect({ cmd: "publish", payload: n, dup: false });
    if (n === "50") await publish(machine, ...payloads.slice(600).map((n) => `t=${n}`));
    await client.send({ cmd: "puback", messageId });
  }
  await client.expectNothing();
});

Deno.test("A retained message that was sent before what had come earlier is the same after a restart: at QoS 2 it arrives once", async () => {
  await using machine = new Machine({ limits: { inflight: 1 } });
  await machine.broker.publish("r", "retained", { qos: 2, retain: true });
  const client = await machine.client("c");
  await client.subscribe("t", 2);
  await machine.broker.publish("t", "1", { qos: 2 });
  await client.expect({ cmd: "publish", payload: "1", messageId: 1 });
  await client.subscribe("r", 2, 9);
  await machine.broker.publish("t", "2", { qos: 2 });
  for (const cmd of ["pubrec", "pubcomp"] as const) await client.send({ cmd, messageId: 1 });
  await client.expect({ cmd: "pubrel", messageId: 1 });
  await client.expect({ cmd: "publish", payload: "retained", messageId: 2 });
  await machine.restart();
  const again = await machine.client("c");
  await again.expect({ cmd: "publish", payload: "retained", messageId: 2, dup: true });
  for (const cmd of ["pubrec", "pubcomp"] as const) await again.send({ cmd, messageId: 2 });
  await again.expect({ cmd: "pubrel", messageId: 2 });
  await again.expect({ cmd: "publish", payload: "2", dup: false });
  await again.expectNothing();
});

Deno.test("A message that has taken the place of an older one is the same after a restart, once it was sent", async () => {
  await using machine = new Machine({ limits: { inflight: 1 }, overload: "latest-per-topic" });
  const client = await machine.client("c");
  await client.subscribe("#", 2);
  for (const message of ["a=1", "b=1", "c=1", "b=2"]) {
    const [topic, payload] = message.split("=") as [string, string];
    await machine.broker.publish(topic, payload, { qos: 2 });
  }
  await client.expect({ cmd: "publish", topic: "a", messageId: 1 });
  for (const cmd of ["pubrec", "pubcomp"] as const) await client.send({ cmd, messageId: 1 });
  await client.expect({ cmd: "pubrel", messageId: 1 });
  await client.expect({ cmd: "publish", topic: "b", payload: "2", messageId: 2 });
  await machine.restart();
  const again = await machine.client("c");
  await again.expect({ cmd: "publish", topic: "b", payload: "2", messageId: 2, dup: true });
  for (const cmd of ["pubrec", "pubcomp"] as const) await again.send({ cmd, messageId: 2 });
  await again.expect({ cmd: "pubrel", messageId: 2 });
  await again.expect({ cmd: "publish", topic: "c", payload: "1", dup: false });
  await again.expectNothing();
});
