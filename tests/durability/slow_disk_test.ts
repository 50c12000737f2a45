// A store that takes its time: what rests on a change leaves when that is durable, and in order.
import { assertEquals, assertRejects } from "@std/assert";
import { type PacketLike } from "../support/client.ts";
import { settle } from "../support/clock.ts";
import { Disk } from "./disk.ts";
import { Machine, type WatchedClient } from "./restarts.ts";

const lasting = { protocolVersion: 5, properties: { sessionExpiryInterval: 60 } } as const;

/** A publisher and a subscriber whose sessions last. */
async function pair(disk: Disk, options: Partial<PacketLike> = {}) {
  const machine = new Machine({}, disk);
  const publisher = await machine.client("publisher", options),
    subscriber = await machine.client("subscriber", options);
  for (const [messageId, topic] of ["t/1", "t/2"].entries()) {
    await subscriber.send({
      cmd: "subscribe",
      messageId: messageId + 1,
      subscriptions: [{ topic, qos: messageId + 1 }],
    });
    await subscriber.expect({ cmd: "suback" });
  }
  return { machine, publisher, subscriber };
}

const publish = (qos: number, messageId = 1, fields: object = {}): PacketLike => {
  return {
    cmd: "publish",
    topic: `t/${qos}`,
    payload: `${messageId}`,
    qos,
    messageId,
    dup: false,
    retain: false,
    ...fields,
  };
};

interface Case {
  readonly what: string;
  /** What was said before, by whom, and how many packets came for it. */
  readonly before?: readonly (readonly [who: "publisher" | "subscriber", packet: PacketLike, answers: number])[];
  readonly who: "publisher" | "subscriber";
  readonly packet: PacketLike;
  readonly answers: Partial<Readonly<Record<"publisher" | "subscriber", readonly PacketLike[]>>>;
}

const cases: readonly Case[] = [
  {
    what: "A PUBACK, and the delivery of what it is for",
    who: "publisher",
    packet: publish(1),
    answers: { publisher: [{ cmd: "puback", messageId: 1 }], subscriber: [{ cmd: "publish", payload: "1" }] },
  },
  {
    what: "A PUBREC, and the delivery of what it is for",
    who: "publisher",
    packet: publish(2),
    answers: { publisher: [{ cmd: "pubrec", messageId: 1 }], subscriber: [{ cmd: "publish", payload: "1" }] },
  },
  {
    what: "A PUBCOMP",
    before: [["publisher", publish(2), 1]],
    who: "publisher",
    packet: { cmd: "pubrel", messageId: 1 },
    answers: { publisher: [{ cmd: "pubcomp", messageId: 1 }] },
  },
  {
    what: "A PUBREL",
    before: [["publisher", publish(2), 1]],
    who: "subscriber",
    packet: { cmd: "pubrec", messageId: 1 },
    answers: { subscriber: [{ cmd: "publish" }, { cmd: "pubrel", messageId: 1 }] },
  },
  {
    what: "A SUBACK",
    who: "subscriber",
    packet: { cmd: "subscribe", messageId: 9, subscriptions: [{ topic: "x", qos: 1 }] },
    answers: { subscriber: [{ cmd: "suback", messageId: 9 }] },
  },
  {
    what: "An UNSUBACK",
    who: "subscriber",
    packet: { cmd: "unsubscribe", messageId: 9, unsubscriptions: ["t/1"] },
    answers: { subscriber: [{ cmd: "unsuback", messageId: 9 }] },
  },
  {
    what: "The acknowledgement of a message that nobody gets, but that is retained",
    who: "publisher",
    packet: publish(1, 7, { topic: "x", retain: true }),
    answers: { publisher: [{ cmd: "puback", messageId: 7 }] },
  },
];

for (const { what, before = [], who, packet, answers } of cases) {
  Deno.test(`${what}: leaves when what it rests on is durable, and not before`, async () => {
    const disk = new Disk(), { machine, ...clients } = await pair(disk);
    await using _machine = machine;
    for (const [who, packet] of before) await clients[who].send(packet);
    await settle();
    if (before.length > 0) await clients.publisher.expect({ cmd: "pubrec" });
    disk.slow = true;
    const written = () => [clients.publisher.written, clients.subscriber.written], former = written();
    await clients[who].send(packet);
    await settle();
    assertEquals([written(), disk.busy], [former, 1]);
    await disk.finishAll();
    for (const [who, packets] of Object.entries(answers)) {
      for (const packet of packets) await clients[who as typeof who & "publisher"].expect(packet);
    }
  });
}

const connects: readonly (readonly [what: string, options: Partial<PacketLike>])[] = [
  ["of a session that lasts", { clean: false }],
  ["of a session that lasts a minute", lasting],
  ["of a client with a will", { clean: true, will: { topic: "w", payload: "w", qos: 1, retain: false } }],
  ["of a client that wants nothing of its former session", { clientId: "publisher", clean: true }],
];

for (const [what, options] of connects) {
  Deno.test(`The CONNACK ${what} leaves when the store knows of it`, async () => {
    const disk = new Disk(), { machine } = await pair(disk);
    await using _machine = machine;
    disk.slow = true;
    const client = machine.stranger(), connecting = client.connect({ clientId: "c", ...options });
    await settle();
    assertEquals([client.written, disk.busy], [0, 1]);
    await disk.finishAll();
    await connecting;
  });
}

Deno.test("What need not be kept waits for nothing, and writes nothing", async () => {
  const disk = new Disk();
  await using machine = new Machine({}, disk);
  const clients: WatchedClient[] = [];
  for (const clientId of ["a", "b"]) clients.push(await machine.client(clientId, { clean: true }));
  const [a, b] = clients as [WatchedClient, WatchedClient];
  disk.slow = true;
  for (const [i, qos] of [0, 1, 2].entries()) await a.subscribe(`t/${qos}`, qos, i + 1);
  for (const qos of [0, 1, 2]) {
    await b.publish(`t/${qos}`, "x", { qos });
    await a.expect({ cmd: "publish", topic: `t/${qos}`, qos });
  }
  const lasting = await machine.broker.publish("t/0", "x");
  assertEquals([lasting, disk.busy, disk.commits, machine.store.pending], [undefined, 0, 0, 0]);
});

Deno.test("A promise of publish() resolves where a client would get its PUBACK: when the message is durable", async () => {
  const disk = new Disk(), { machine } = await pair(disk);
  await using _machine = machine;
  disk.slow = true;
  let resolved = false;
  const published = machine.broker.publish("t/1", "x", { qos: 1 }).then(() => resolved = true);
  await settle();
  assertEquals([resolved, disk.busy], [false, 1]);
  await disk.finishAll();
  await published;
});

Deno.test("What follows while a commit is under way comes behind it, also what rests on nothing", async () => {
  const disk = new Disk(), { machine, publisher } = await pair(disk);
  await using _machine = machine;
  disk.slow = true;
  await publisher.send(publish(1));
  await settle();
  await publisher.send({ cmd: "pingreq" });
  await settle();
  assertEquals(publisher.written, 4); // its CONNACK
  await disk.finish();
  await publisher.expect({ cmd: "puback", messageId: 1 });
  await publisher.expect({ cmd: "pingresp" });
});

Deno.test("Many turns that end while a commit is under way share the next one, and everything arrives in order", async () => {
  const disk = new Disk(), { machine, publisher, subscriber } = await pair(disk), count = 20;
  await using _machine = machine;
  disk.slow = true;
  const former = disk.commits;
  for (let id = 1; id <= count; id++) {
    await publisher.send(publish(1, id));
    await settle();
  }
  assertEquals([disk.busy, disk.commits - former], [1, 1]);
  await disk.finish();
  await publisher.expect({ cmd: "puback", messageId: 1 });
  await subscriber.expect({ cmd: "publish", payload: "1" });
  assertEquals([publisher.written, disk.busy, disk.commits - former], [8, 1, 2]);
  await disk.finish();
  for (let id = 2; id <= count; id++) {
    await publisher.expect({ cmd: "puback", messageId: id });
    await subscriber.expect({ cmd: "publish", payload: `${id}` });
  }
  assertEquals(disk.busy, 0);
});

Deno.test("Reads that come together share a commit", async () => {
  const disk = new Disk();
  await using machine = new Machine({}, disk);
  const clients: WatchedClient[] = [];
  for (let i = 0; i < 10; i++) clients.push(await machine.client(`c${i}`));
  await clients[0]!.subscribe("t/1", 1);
  const former = disk.commits;
  await Promise.all(clients.map((client) => client.send(publish(1))));
  await settle();
  assertEquals(disk.commits - former, 1);
  for (const client of clients.slice(1)) await client.expect({ cmd: "puback", messageId: 1 });
});

Deno.test("A commit that fails late releases nothing; the next one that succeeds releases all, in order", async () => {
  const disk = new Disk(), { machine, publisher, subscriber } = await pair(disk);
  await using _machine = machine;
  disk.slow = true;
  for (const id of [1, 2]) {
    await publisher.send(publish(1, id));
    await settle();
  }
  await disk.fail();
  assertEquals([publisher.written, machine.events.at(-1)?.type], [4, "store-failed"]);
  await machine.pass(1);
  assertEquals([publisher.written, disk.busy], [4, 1]);
  await disk.finish();
  for (const id of [1, 2]) {
    await publisher.expect({ cmd: "puback", messageId: id });
    await subscriber.expect({ cmd: "publish", payload: `${id}` });
  }
  const told = machine.events.filter(({ type }) => type.startsWith("store-")).map(({ type }) => type);
  assertEquals([told, disk.busy, machine.store.pending], [["store-failed", "store-recovered"], 0, 0]);
});

Deno.test("What comes while a commit is tried again is committed behind it", async () => {
  const disk = new Disk(), { machine, publisher } = await pair(disk);
  await using _machine = machine;
  disk.slow = true;
  await publisher.send(publish(1));
  await settle();
  await disk.fail();
  await machine.pass(1); // which tries again
  const published = machine.broker.publish("t/1", "of the process", { qos: 1 });
  await settle();
  await disk.finish();
  await publisher.expect({ cmd: "puback", messageId: 1 });
  await disk.finish();
  await published;
  assertEquals(machine.store.pending, 0);
});

Deno.test("A broker that closes waits for the commit that is under way, and nothing is missing in the next one", async () => {
  const disk = new Disk(), { machine, publisher, subscriber } = await pair(disk);
  await using _machine = machine;
  await subscriber.drop();
  disk.slow = true;
  for (const id of [1, 2]) {
    await publisher.send(publish(1, id));
    await settle();
  }
  const closed = machine.broker.close({ drain: 0 });
  await machine.clock.advance(5000);
  await disk.finishAll();
  await closed;
  await machine.start();
  const again = await machine.client("subscriber");
  for (const payload of ["1", "2"]) await again.expect({ cmd: "publish", payload });
  await again.expectNothing();
});

Deno.test("A client that is gone before its message was durable sends it again: at QoS 2 it arrives once", async () => {
  const disk = new Disk(), { machine, publisher, subscriber } = await pair(disk);
  await using _machine = machine;
  disk.slow = true;
  await publisher.send(publish(2));
  await settle();
  await publisher.drop();
  await disk.finishAll();
  const again = await machine.client("publisher");
  await again.send(publish(2, 1, { dup: true }));
  await again.expect({ cmd: "pubrec", messageId: 1 });
  await subscriber.expect({ cmd: "publish", payload: "1", qos: 2 });
  await subscriber.expectNothing();
});

Deno.test("What a crash takes away nobody had been promised", async () => {
  const disk = new Disk(), { machine, publisher, subscriber } = await pair(disk);
  await using _machine = machine;
  disk.slow = true;
  await publisher.send(publish(2));
  await settle();
  await machine.crash();
  disk.slow = false;
  await machine.start();
  await assertRejects(() => publisher.receive(), Error, "Connection ended");
  await assertRejects(() => subscriber.receive(), Error, "Connection ended");
  const again = await machine.client("publisher"), reader = await machine.client("subscriber");
  await again.send(publish(2, 1, { dup: true }));
  await again.expect({ cmd: "pubrec", messageId: 1 });
  await reader.expect({ cmd: "publish", payload: "1", dup: false });
  await reader.expectNothing();
});
