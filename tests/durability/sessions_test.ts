// Sessions, wills and what expires, over restarts: what a store keeps ends when it has to, whether the broker runs or not.
import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { connected, type PacketLike } from "../support/client.ts";
import { settle } from "../support/clock.ts";
import { Machine } from "./restarts.ts";

/** How late a deadline may be, in seconds. */
const LATE = 0.5;

/** A client of 5.0 whose session lasts so many seconds. */
function lasting(seconds: number, fields: Partial<PacketLike> = {}): Partial<PacketLike> {
  return { protocolVersion: 5, properties: { sessionExpiryInterval: seconds }, ...fields };
}

/** The client identifiers of the sessions that are stored. */
function stored({ store }: Machine): string[] {
  return [...store.sessions()].map(({ clientId }) => clientId);
}

/** Subscribes at level 5. */
const subscribe = (topic: string, qos = 1, fields: object = {}): PacketLike => {
  return { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos, ...fields }] };
};

Deno.test("A session with subscriptions and a queue ends, and the store has nothing of it", async () => {
  for (const restart of [false, true]) {
    await using machine = new Machine();
    const client = await machine.client("c", lasting(2));
    for (const topic of ["t", "$share/g/t"]) await client.send(subscribe(topic));
    await client.drop();
    await settle();
    await machine.broker.publish("t", "x", { qos: 1 });
    await machine.broker.publish("t", "y", { qos: 2 });
    if (restart) await machine.restart();
    await machine.pass(2 - 1);
    assertEquals(stored(machine), ["c"]);
    await machine.pass(1 + LATE);
    assertEquals([stored(machine), machine.drops()], [[], ["c undefined session-ended*4"]]);
  }
});

Deno.test("A clean start takes away what there was of the session, and nothing of it comes back", async () => {
  for (const restart of [false, true]) {
    await using machine = new Machine();
    const client = await machine.client("c");
    await client.subscribe("t", 1);
    await client.drop();
    await settle();
    await machine.broker.publish("t", "x", { qos: 1 });
    if (restart) await machine.restart();
    await (await machine.client("c", { clean: true })).expectNothing();
    assertEquals(stored(machine), []);
    await machine.restart();
    const { sessionPresent } = await machine.stranger().connect({ clientId: "c", clean: false });
    assertEquals(sessionPresent, false);
  }
});

Deno.test("A session lasts as long as was said, whether the broker runs or not: from its disconnection, or from the crash on", async () => {
  for (const left of [true, false]) {
    for (const [seconds, present] of [[1, true], [3, false]] as const) {
      await using machine = new Machine();
      const client = await machine.client("c", lasting(3));
      if (left) {
        await client.disconnect();
        await machine.pass(1);
      }
      await machine.restart(left ? seconds : 1000);
      if (!left) await machine.pass(seconds);
      const { sessionPresent } = await machine.stranger().connect({ clientId: "c", clean: false, ...lasting(3) });
      assertEquals(sessionPresent, present, `${left} ${seconds}`);
    }
  }
});

Deno.test("A crash ends a connection once: further ones give neither its session more time nor its will", async () => {
  await using machine = new Machine();
  await (await machine.client("watcher")).subscribe("will", 1);
  await machine.client("a", lasting(5));
  await machine.client("b", lasting(60, { will: willOf(5) }));
  await machine.restart();
  await machine.pass(3);
  await machine.restart();
  await machine.pass(2 + LATE);
  assertEquals(stored(machine), ["watcher", "b"]);
  await (await machine.client("watcher")).expect({ cmd: "publish", payload: "bye", qos: 1 });
});

Deno.test("How long a session lasts is what was said last: at another CONNECT, or at the DISCONNECT", async () => {
  await using machine = new Machine();
  const byDisconnect = await machine.client("a", lasting(10));
  await byDisconnect.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 100 } });
  await byDisconnect.expectClosed();
  const byZero = await machine.client("b", lasting(10));
  await byZero.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
  await byZero.expectClosed();
  for (const seconds of [10, 100]) await (await machine.client("c", lasting(seconds))).disconnect();
  assertEquals(stored(machine), ["a", "c"]);
  await machine.restart(50);
  for (const clientId of ["a", "c"]) {
    const { sessionPresent } = await machine.stranger().connect({ clientId, clean: false, ...lasting(10) });
    assertEquals(sessionPresent, true);
  }
});

Deno.test("A session that ends with its connection has ended with a crash, also for a client that is back at once", async () => {
  await using machine = new Machine();
  const watcher = await machine.client("watcher");
  await watcher.subscribe("will", 1);
  await machine.client("c", { clean: true, will: { topic: "will", payload: "bye", qos: 1, retain: false } });
  await machine.restart();
  const { sessionPresent } = await machine.stranger().connect({ clientId: "c", clean: false });
  assertEquals(sessionPresent, false);
  const again = await machine.client("watcher");
  await again.expect({ cmd: "publish", topic: "will", payload: "bye", qos: 1 });
  await again.expectNothing();
});

interface WillCase {
  readonly what: string;
  /** Seconds. */
  readonly delay: number;
  readonly expiry: number;
  /** Whether the client is connected when the broker is killed; otherwise it is lost a second before. */
  readonly connected: boolean;
  /** How long there is no broker, and when the will comes, in seconds from the start of the next one. */
  readonly down: number;
  readonly due: number;
}

const wills: readonly WillCase[] = [
  { what: "without a delay", delay: 0, expiry: 60, connected: true, down: 5, due: 0 },
  { what: "with a delay, from the crash on", delay: 3, expiry: 60, connected: true, down: 5, due: 3 },
  { what: "whose delay had begun", delay: 4, expiry: 60, connected: false, down: 1, due: 2 },
  { what: "whose delay is over", delay: 4, expiry: 60, connected: false, down: 5, due: 0 },
  { what: "of a session that ends before its delay", delay: 60, expiry: 4, connected: false, down: 1, due: 2 },
  { what: "of a session that has ended meanwhile", delay: 60, expiry: 4, connected: false, down: 5, due: 0 },
  { what: "of a session that ends with its connection", delay: 60, expiry: 0, connected: true, down: 5, due: 0 },
];

const willOf = (delay: number) => {
  return {
    topic: "will",
    payload: "bye",
    qos: 1,
    retain: true,
    properties: { willDelayInterval: delay, messageExpiryInterval: 40 },
  };
};

for (const { what, delay, expiry, connected, down, due } of wills) {
  Deno.test(`A will ${what} is published when it is due after a crash, once, and is then in no store`, async () => {
    await using machine = new Machine();
    await (await machine.client("watcher")).subscribe("will", 1);
    const client = await machine.client("c", lasting(expiry, { will: willOf(delay) }));
    if (!connected) {
      await client.drop();
      await settle();
      await machine.pass(1);
    }
    await machine.restart(down);
    const watcher = await machine.client("watcher", lasting(60));
    await machine.pass(Math.max(0, due - 1));
    if (due > 0) await watcher.expectNothing();
    await machine.pass(1 + LATE);
    // Its expiry counts from its publication.
    await watcher.expect({ cmd: "publish", payload: "bye", qos: 1, properties: { messageExpiryInterval: 40 } });
    await watcher.send({ cmd: "puback", messageId: 1 });
    await machine.pass(1);
    await machine.restart();
    await machine.pass(LATE);
    await (await machine.client("watcher")).expectNothing();
    assertEquals([...machine.store.sessions()].map(({ will }) => will?.delay), stored(machine).map(() => undefined));
    assertEquals([...machine.store.retained()].length, 1);
  });
}

Deno.test("A will that waits is gone when its client is back in time; one that was due is not [MQTT5-3.1.3-9]", async () => {
  for (const [delay, count] of [[3, 0], [1, 1], [0, 1]] as const) {
    await using machine = new Machine();
    await (await machine.client("watcher")).subscribe("will", 1);
    await (await machine.client("c", lasting(60, { will: willOf(delay) }))).drop();
    await settle();
    await machine.restart(2);
    await machine.client("c", lasting(60));
    await machine.pass(3);
    const watcher = await machine.client("watcher");
    for (let i = 0; i < count; i++) await watcher.expect({ cmd: "publish", topic: "will", payload: "bye" });
    await watcher.expectNothing();
  }
});

Deno.test("A client that says goodbye leaves no will behind", async () => {
  await using machine = new Machine();
  await (await machine.client("watcher")).subscribe("will", 1);
  for (const [clientId, expiry] of [["a", 60], ["b", 0]] as const) {
    await (await machine.client(clientId, lasting(expiry, { will: willOf(2) }))).disconnect();
  }
  await machine.restart();
  await machine.pass(3);
  await (await machine.client("watcher")).expectNothing();
});

Deno.test("What a client had is there for its next connection, while the first one is still open, and after a restart", async () => {
  await using machine = new Machine();
  const publisher = await machine.client("p"), first = await machine.client("c");
  await first.subscribe("t", 1);
  await publisher.publish("t", "1", { qos: 1 });
  const second = await machine.client("c");
  await first.expect({ cmd: "publish", payload: "1" });
  await first.expectClosed();
  await second.expect({ cmd: "publish", payload: "1", dup: true });
  await publisher.publish("t", "2", { qos: 1, messageId: 2 });
  await machine.restart();
  const third = await machine.client("c");
  for (const payload of ["1", "2"]) await third.expect({ cmd: "publish", payload, dup: true });
  await third.expectNothing();
});

Deno.test("A message that expires while it waits is not delivered, and is gone from the store [MQTT5-3.3.2-5]", async () => {
  await using machine = new Machine();
  const client = await machine.client("c", lasting(1000));
  await client.send(subscribe("t"));
  await client.expect({ cmd: "suback" });
  await client.drop();
  await settle();
  for (const [payload, messageExpiryInterval] of [["short", 10], ["long", 100]] as const) {
    await machine.broker.publish("t", payload, { qos: 1, properties: { messageExpiryInterval } });
  }
  await machine.restart(9);
  await machine.pass(1);
  const again = await machine.client("c", lasting(1000));
  await again.expect({ cmd: "publish", payload: "long", properties: { messageExpiryInterval: 90 } });
  await machine.pass(1);
  assertEquals(machine.drops(), ["c t expired*1"]);
  assertEquals([...machine.store.sessions()][0]!.deliveries.count, 1);
});

Deno.test("A retained message expires while the broker runs and while it does not, and is gone from the store", async () => {
  for (const down of [0, 1, 3]) {
    await using machine = new Machine();
    const properties = { messageExpiryInterval: 2 };
    await machine.broker.publish("short", "x", { qos: 1, retain: true, properties });
    await machine.broker.publish("long", "x", { qos: 1, retain: true });
    await machine.restart(down);
    await machine.pass(Math.max(0, 2 - down) + LATE);
    assertEquals([...machine.store.retained()].map(({ topic }) => topic), ["long"]);
    const client = await machine.client("c");
    await client.subscribe("+", 1);
    await client.expect({ cmd: "publish", topic: "long", retain: true });
    await client.expectNothing();
  }
});

Deno.test("A thousand sessions and retained messages that end together are one commit", async () => {
  await using machine = new Machine();
  for (let i = 0; i < 1000; i++) {
    machine.store.saveSession({ clientId: `c${i}`, expiry: 2, disconnectedAt: machine.clock.time });
  }
  await machine.store.commit();
  await machine.restart();
  const properties = { messageExpiryInterval: 2 };
  for (let i = 0; i < 1000; i++) machine.broker.publish(`t/${i}`, "x", { retain: true, properties });
  await settle();
  const former = machine.disk.commits;
  await machine.pass(2 + LATE);
  assertEquals([stored(machine), [...machine.store.retained()], machine.disk.commits - former], [[], [], 1]);
});

Deno.test("How a client has subscribed holds after a restart: identifiers, no local, retain as published, and which are gone", async () => {
  await using machine = new Machine();
  const client = await machine.client("c", lasting(1000));
  const subscriptions: readonly (readonly [topic: string, identifier: number, fields?: object])[] = [
    ["t/+", 1],
    ["t/#", 2, { rap: true }],
    ["gone", 3],
    ["own", 4, { nl: true }],
    ["t/a", 5],
  ];
  for (const [topic, subscriptionIdentifier, fields] of subscriptions) {
    await client.send({ ...subscribe(topic, 1, fields), properties: { subscriptionIdentifier } });
    await client.expect({ cmd: "suback" });
  }
  for (const topic of ["gone", "t/a"]) {
    await client.send({ cmd: "unsubscribe", messageId: 1, unsubscriptions: [topic] });
    await client.expect({ cmd: "unsuback" });
  }
  await client.send({ ...subscribe("t/+", 2), properties: { subscriptionIdentifier: 6 } });
  await client.expect({ cmd: "suback" });
  await machine.restart();
  await machine.broker.publish("t/a", "queued", { qos: 2, retain: true });
  await machine.restart();
  const again = await machine.client("c", lasting(1000));
  for (const topic of ["gone", "own"]) {
    await again.send({ cmd: "publish", topic, payload: "x", qos: 0, retain: false, dup: false });
  }
  const { properties } = await again.expect({ cmd: "publish", payload: "queued", qos: 2, retain: true });
  assertEquals(properties.subscriptionIdentifier.toSorted(), [2, 6]);
  await machine.broker.publish("own", "of another");
  await again.expect({ cmd: "publish", payload: "of another", properties: { subscriptionIdentifier: 4 } });
  await again.expectNothing();
});

Deno.test("What a member of a shared subscription never takes goes to another one when its session ends, also after a restart", async () => {
  await using machine = new Machine();
  const gone = await machine.client("gone", lasting(2));
  await gone.send(subscribe("$share/g/t"));
  await gone.expect({ cmd: "suback" });
  for (const payload of ["1", "2"]) await machine.broker.publish("t", payload, { qos: 1 });
  await gone.expect({ cmd: "publish", payload: "1" });
  await gone.drop();
  await settle();
  await machine.broker.publish("t", "3", { qos: 1 });
  await machine.restart();
  const other = await machine.client("other", lasting(1000));
  await other.send(subscribe("$share/g/t"));
  await other.expect({ cmd: "suback" });
  await machine.broker.publish("t", "4", { qos: 1 });
  await other.expect({ cmd: "publish", payload: "4" });
  await other.expectNothing();
  await machine.pass(2 + LATE);
  for (const payload of ["1", "2", "3"]) await other.expect({ cmd: "publish", payload, dup: false });
  await other.expectNothing();
  assertEquals([stored(machine), machine.drops()], [["other"], []]);
});

Deno.test("A session is resumed with its order: what was sent, then what waited, then what is new", async () => {
  await using machine = new Machine({ limits: { inflight: 2 } });
  const client = await machine.client("c");
  await client.subscribe("t", 2);
  for (const n of [1, 2, 3, 4]) await machine.broker.publish("t", `${n}`, { qos: n % 2 === 0 ? 2 : 1 });
  await client.expect({ cmd: "publish", payload: "1", messageId: 1 });
  await client.expect({ cmd: "publish", payload: "2", messageId: 2 });
  await client.send({ cmd: "pubrec", messageId: 2 });
  await client.expect({ cmd: "pubrel", messageId: 2 });
  await machine.restart();
  await machine.broker.publish("t", "5", { qos: 1 });
  const again = await machine.client("c");
  await again.expect({ cmd: "pubrel", messageId: 2 });
  await again.expect({ cmd: "publish", payload: "1", messageId: 1, dup: true });
  await again.expectNothing();
  await again.send({ cmd: "pubcomp", messageId: 2 });
  const { messageId } = await again.expect({ cmd: "publish", payload: "3", dup: false });
  for (const id of [1, messageId]) await again.send({ cmd: "puback", messageId: id });
  const { messageId: fourth } = await again.expect({ cmd: "publish", payload: "4", dup: false });
  const { messageId: fifth } = await again.expect({ cmd: "publish", payload: "5", dup: false });
  for (const cmd of ["pubrec", "pubcomp"] as const) await again.send({ cmd, messageId: fourth });
  await again.expect({ cmd: "pubrel", messageId: fourth });
  await again.send({ cmd: "puback", messageId: fifth });
  await settle();
  await machine.pass(1);
  await machine.restart();
  await (await machine.client("c")).expectNothing();
});

Deno.test("What was sent is sent again in that order, also where a retained message went before what waited longer [MQTT-4.6.0-1]", async () => {
  await using machine = new Machine({ limits: { inflight: 2 } });
  await machine.broker.publish("r", "retained", { qos: 1, retain: true });
  const client = await machine.client("c");
  await client.subscribe("t", 1);
  for (const payload of ["1", "2"]) await machine.broker.publish("t", payload, { qos: 1 });
  for (const payload of ["1", "2"]) await client.expect({ cmd: "publish", payload });
  await client.subscribe("r", 1);
  await machine.broker.publish("t", "3", { qos: 1 });
  for (const messageId of [1, 2]) await client.send({ cmd: "puback", messageId });
  const sent = [{ payload: "retained", messageId: 3 }, { payload: "3", messageId: 4 }];
  for (const packet of sent) await client.expect({ cmd: "publish", ...packet, dup: false });
  await machine.restart();
  const again = await machine.client("c");
  for (const packet of sent) await again.expect({ cmd: "publish", ...packet, dup: true });
});

Deno.test("A device that learns the time of day after its start writes down the right one", async () => {
  const wallClock = Date.now, store = new MemoryStore(), year = 365 * 86_400_000;
  await using broker = createBroker({ store });
  try {
    Date.now = () => wallClock() + year;
    const client = await connected(broker, "c", { clean: false });
    await client.subscribe("t", 1);
    await client.disconnect();
    await broker.publish("t", "x", { qos: 1, retain: true });
    const [session] = store.sessions(), [delivery] = store.deliveries("c"), [retained] = store.retained();
    for (const time of [session!.disconnectedAt, delivery!.message.acceptedAt, retained!.acceptedAt]) {
      assert(Math.abs(time! - Date.now()) < year / 2);
    }
  } finally {
    Date.now = wallClock;
  }
});
