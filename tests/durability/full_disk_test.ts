// A store that can't be written to: nobody is told that something is safe that is not, whatever need not be kept goes on, and
// everything goes on when there is room again.
import { assertEquals } from "@std/assert";
import type { PacketLike } from "../support/client.ts";
import { settle } from "../support/clock.ts";
import { Machine, type WatchedClient } from "./restarts.ts";

const v5 = { protocolVersion: 5, properties: { sessionExpiryInterval: 60 } } as const;

/** A machine whose disk has filled up at a message of QoS 1, by the client "first", that "subscriber" has subscribed to. */
async function fullMachine(): Promise<{ machine: Machine; first: WatchedClient; subscriber: WatchedClient }> {
  const machine = new Machine(), subscriber = await machine.client("subscriber"), first = await machine.client("first");
  await subscriber.subscribe("t/#", 2);
  machine.disk.full = true;
  await first.send(publish(1));
  await settle();
  return { machine, first, subscriber };
}

function publish(qos: number, fields: object = {}): PacketLike {
  return {
    cmd: "publish",
    topic: `t/${qos}`,
    payload: `qos ${qos}`,
    qos,
    messageId: 1,
    dup: false,
    retain: false,
    ...fields,
  };
}

/** What was told of the store. */
function told(machine: Machine): string[] {
  return machine.events.map(({ type }) => type).filter((type) => type.startsWith("store-"));
}

/** Makes room, and lets the broker see it. */
async function makeRoom(machine: Machine): Promise<void> {
  machine.disk.full = false;
  await machine.pass(1);
}

Deno.test("The message that finds the disk full is neither acknowledged nor delivered until there is room", async () => {
  const { machine, first, subscriber } = await fullMachine();
  await using _machine = machine;
  const former = [first.written, subscriber.written];
  await machine.pass(10);
  assertEquals([[first.written, subscriber.written], told(machine)], [former, ["store-failed"]]);
  await makeRoom(machine);
  await first.expect({ cmd: "puback", messageId: 1 });
  await subscriber.expect({ cmd: "publish", topic: "t/1", dup: false });
  await subscriber.expectNothing();
  assertEquals(told(machine), ["store-failed", "store-recovered"]);
});

for (const [qos, cmd] of [[1, "puback"], [2, "pubrec"]] as const) {
  Deno.test(`While the disk is full a 5.0 client is refused at QoS ${qos}, with reason code 0x97, and goes on afterwards`, async () => {
    const { machine, subscriber } = await fullMachine();
    await using _machine = machine;
    const client = await machine.client("c", { protocolVersion: 5 });
    await client.send(publish(qos));
    await client.expect({ cmd, messageId: 1, reasonCode: 0x97 });
    await makeRoom(machine);
    await subscriber.expect({ cmd: "publish", topic: "t/1", payload: "qos 1" });
    await client.send(publish(qos, { payload: "again" }));
    await client.expect({ cmd, messageId: 1, reasonCode: 0 });
    await subscriber.expect({ cmd: "publish", topic: `t/${qos}`, payload: "again" });
  });

  Deno.test(`While the disk is full a 3.1.1 client loses its connection at QoS ${qos}, and may send it again`, async () => {
    const { machine, subscriber } = await fullMachine();
    await using _machine = machine;
    const client = await machine.client("c", { clean: true });
    await client.send(publish(qos));
    await client.expectClosed();
    await makeRoom(machine);
    await subscriber.expect({ cmd: "publish", topic: "t/1", payload: "qos 1" });
    const again = await machine.client("c");
    await again.send(publish(qos, { payload: "again", dup: true }));
    await again.expect({ cmd, messageId: 1 });
    await subscriber.expect({ cmd: "publish", topic: `t/${qos}`, payload: "again" });
  });
}

Deno.test("While the disk is full pings are answered, and QoS 0 goes on between those who wait for nothing", async () => {
  const { machine } = await fullMachine();
  await using _machine = machine;
  const [a, b] = [await machine.client("a", { clean: true }), await machine.client("b", { clean: true })];
  await b.subscribe("t/#", 1);
  for (const payload of ["1", "2", "3"]) {
    await a.send(publish(0, { payload, retain: payload === "2" }));
    await b.expect({ cmd: "publish", payload });
    await a.expectNothing();
    await b.expectNothing();
  }
  await machine.broker.publish("t/0", "of the process");
  await b.expect({ cmd: "publish", payload: "of the process" });
});

Deno.test("What is retained at QoS 0 while the disk is full is on it when there is room, and what is forgotten is not", async () => {
  for (const room of [false, true]) {
    const { machine } = await fullMachine();
    await using _machine = machine;
    const client = await machine.client("c", { clean: true });
    for (const topic of ["kept", "gone"]) await client.send(publish(0, { retain: true, topic }));
    await client.send(publish(0, { retain: true, topic: "gone", payload: "" }));
    await client.expectNothing();
    if (room) await makeRoom(machine);
    await machine.restart();
    assertEquals([...machine.store.retained()].map(({ topic }) => topic), room ? ["kept"] : []);
  }
});

Deno.test("Losses are told while the disk is full, and hold nobody up", async () => {
  await using machine = new Machine();
  const offline = await machine.client("offline"), client = await machine.client("c", { clean: true });
  await offline.subscribe("t/0", 0);
  await offline.drop();
  await settle();
  machine.disk.full = true;
  for (let i = 1; i <= 3; i++) {
    const published = machine.broker.publish("t/0", "to be kept", { qos: 1, retain: true });
    published.then(() => {});
    await settle();
    await client.send(publish(0));
    await client.expectNothing();
    assertEquals(machine.drops(), Array(2 * i).fill("offline t/0 client-offline*1"));
  }
  assertEquals(told(machine), ["store-failed"]);
});

const refusals: readonly (readonly [what: string, options: object, answer: object])[] = [
  ["of 5.0", { ...v5 }, { reasonCode: 0x88 }],
  ["of 3.1.1", {}, { returnCode: 3 }],
];

for (const [what, options, answer] of refusals) {
  Deno.test(`While the disk is full a client ${what} whose session is to last is told to come again`, async () => {
    const { machine } = await fullMachine();
    await using _machine = machine;
    const client = machine.stranger();
    await client.send({ cmd: "connect", clientId: "c", clean: false, keepalive: 0, protocolVersion: 4, ...options });
    await client.expect({ cmd: "connack", ...answer });
    await client.expectClosed();
    await makeRoom(machine);
    await machine.client("c", options);
  });
}

Deno.test("While the disk is full a client that comes again is not thrown out of the connection that it has", async () => {
  const { machine, first } = await fullMachine();
  await using _machine = machine;
  const again = machine.stranger();
  await again.send({ cmd: "connect", clientId: "first", clean: false, keepalive: 0, protocolVersion: 4 });
  await again.expect({ cmd: "connack", returnCode: 3 });
  await makeRoom(machine);
  await first.expect({ cmd: "puback", messageId: 1 });
});

Deno.test("A message of this process waits for room, in its place", async () => {
  const { machine, subscriber } = await fullMachine();
  await using _machine = machine;
  const order: string[] = [];
  const published = [1, 2].map((n) => machine.broker.publish("t/1", `${n}`, { qos: 1 }).then(() => order.push(`${n}`)));
  await settle();
  assertEquals(order, []);
  await makeRoom(machine);
  await Promise.all(published);
  assertEquals(order, ["1", "2"]);
  for (const payload of ["qos 1", "1", "2"]) await subscriber.expect({ cmd: "publish", payload });
});

Deno.test("What a subscriber acknowledges while the disk is full is over when there is room", async () => {
  await using machine = new Machine();
  const publisher = await machine.client("p"), subscriber = await machine.client("s");
  await subscriber.subscribe("t/#", 2);
  for (const qos of [1, 2]) await publisher.publish(`t/${qos}`, `${qos}`, { qos });
  for (const payload of ["1", "2"]) await subscriber.expect({ cmd: "publish", payload });
  await machine.pass(1);
  machine.disk.full = true;
  await subscriber.send({ cmd: "puback", messageId: 1 });
  await subscriber.send({ cmd: "pubrec", messageId: 2 });
  await machine.pass(1);
  await makeRoom(machine);
  await subscriber.expect({ cmd: "pubrel", messageId: 2 });
  await machine.restart();
  const again = await machine.client("s");
  await again.expect({ cmd: "pubrel", messageId: 2 });
  await again.expectNothing();
});

Deno.test("A crash while the disk is full takes away only what nobody had been promised", async () => {
  const { machine } = await fullMachine();
  await using _machine = machine;
  await machine.crash();
  machine.disk.full = false;
  await machine.start();
  const subscriber = await machine.client("subscriber"), first = await machine.client("first");
  await subscriber.expectNothing();
  await first.send(publish(1, { dup: true }));
  await first.expect({ cmd: "puback", messageId: 1 });
  await subscriber.expect({ cmd: "publish", topic: "t/1" });
});

Deno.test("A broker that closes while the disk is full says so once, and one that finds room by then has everything", async () => {
  for (const room of [false, true]) {
    const { machine } = await fullMachine();
    machine.disk.full = !room;
    await Promise.all([machine.broker.close({ drain: 0 }), machine.clock.advance(5000)]);
    assertEquals(told(machine), room ? ["store-failed", "store-recovered"] : ["store-failed"]);
    machine.store.crash();
    assertEquals([...machine.store.sessions()].map(({ deliveries }) => deliveries.count), [room ? 1 : 0, 0]);
    assertEquals(machine.clock.pending, 0);
  }
});
