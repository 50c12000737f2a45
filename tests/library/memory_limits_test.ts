// What happens while a broker holds as much as it may: who is told no, what is lost and what goes on, and that everything comes back
// once there is room again. New connections are in tests/connection/admission_test.ts, retained messages in retained_limits_test.ts.
import { assert, assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { upTo } from "../conformance/script.ts";
import { connected, TestClient } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { assertDropped } from "../support/losses.ts";
import { publishLarge, SlowClient } from "../support/slow_client.ts";

const limits = { memory: "1MiB" } as const, MiB = 1024 * 1024;

const versions = [["3.1.1", 4, 0x80], ["5.0", 5, 0x97]] as const;

/** Fills the memory of a broker with a retained message, and empties it again. */
async function fill(broker: Broker, bytes = MiB): Promise<void> {
  await broker.publish("filling", new Uint8Array(bytes), { retain: true });
}

const persistent = (clientId: string) => ({ clientId, clean: false });

/** A session of a client that is away, subscribed to "t" at QoS 1. */
async function sleeper(broker: Broker, clientId = "sleeper"): Promise<void> {
  const client = await connected(broker, clientId, persistent(clientId));
  await client.subscribe("t", 1);
  await client.disconnect();
}

Deno.test("Messages of all sessions together fill memory; what comes then is dropped, and has room when they have gone", async () => {
  await using broker = createBroker({ limits });
  for (const id of ["a", "b"]) await sleeper(broker, id);
  const payload = new Uint8Array(100_000);
  for (const _ of upTo(12)) await broker.publish("t", payload, { qos: 1 });
  assertDropped(broker, { "memory-full": 3 }); // each is held once: the eleventh by one of them, the last one by nobody
  await using a = await connected(broker, "a", persistent("a"));
  await using b = await connected(broker, "b", persistent("b"));
  for (const [client, count] of [[a, 11], [b, 10]] as const) {
    for (const messageId of upTo(count)) {
      await client.expect({ cmd: "publish", messageId });
      await client.send({ cmd: "puback", messageId });
    }
    await client.expectNothing();
  }
  await broker.publish("t", payload, { qos: 1 });
  for (const client of [a, b]) await client.expect({ cmd: "publish" });
  assertDropped(broker, { "memory-full": 3 });
});

Deno.test("disconnect: where memory is full the client is told so, and disconnected", async () => {
  await using broker = createBroker({
    limits: { ...limits, outbox: "1KiB" },
    overload: "disconnect",
    clock: new VirtualClock(),
  });
  await using slow = await SlowClient.connected(broker, "slow", { protocolVersion: 5 });
  await slow.subscribe("t", 1);
  await slow.stall();
  await publishLarge(broker, 1, "t=1", "t=2");
  await fill(broker);
  await publishLarge(broker, 1, "t=3");
  slow.resume();
  for (const _ of upTo(2)) await slow.expect({ cmd: "publish" });
  await slow.expect({ cmd: "disconnect", reasonCode: 0x97 });
  assertEquals(broker.counters.get("dropped/memory-full"), 1);
});

for (const [name, protocolVersion, refused] of versions) {
  Deno.test(`While memory is full a client (${name}) gets no new subscription, but keeps and renews those it has`, async () => {
    await using broker = createBroker({ limits });
    await using client = await connected(broker, "c", { protocolVersion });
    await client.subscribe("a", 1);
    await fill(broker);
    const subscriptions = ["a", "b", "$share/g/a"].map((topic) => ({ topic, qos: 2 }));
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions });
    await client.expect({ cmd: "suback", granted: [2, refused, refused] });
    assertEquals(broker.counters.get("denied/quota-exceeded"), 2);
    await fill(broker, 0);
    await client.subscribe("b", 1);
  });
}

Deno.test("While memory is full a retained message may be replaced by one that is not larger", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  const retain = async (payload: string) => {
    await client.send({ cmd: "publish", topic: "a", payload, qos: 1, retain: true, dup: false, messageId: 1 });
    return (await client.expect({ cmd: "puback" })).reasonCode ?? 0;
  };
  assertEquals(await retain("xx"), 0);
  await fill(broker);
  const codes = [];
  for (const payload of ["yy", "yyy", "y", "yy", ""]) codes.push(await retain(payload));
  assertEquals(codes, [0, 0x97, 0, 0x97, 0]);
});

Deno.test("While memory is full messages go on to those that take them", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected(broker, "c");
  for (const [filter, qos] of [["t/0", 0], ["t/1", 1], ["t/2", 2]] as const) await client.subscribe(filter, qos);
  await fill(broker);
  for (const round of upTo(100)) {
    for (const qos of [0, 1, 2] as const) await broker.publish(`t/${qos}`, `${round}`, { qos });
    for (const qos of [0, 1, 2]) await client.expect({ cmd: "publish", topic: `t/${qos}`, payload: `${round}` });
    await client.send({ cmd: "puback", messageId: round * 2 - 1 });
    await client.send({ cmd: "pubrec", messageId: round * 2 });
    await client.expect({ cmd: "pubrel", messageId: round * 2 });
    await client.send({ cmd: "pubcomp", messageId: round * 2 });
  }
  assertDropped(broker, {});
});

Deno.test("A large message to many at once takes no more memory than there is: those that come last do not get it", async () => {
  await using broker = createBroker({ limits });
  const clients = await Promise.all(upTo(50).map((i) => connected(broker, `${i}`)));
  for (const client of clients) await client.subscribe("t", 1);
  await broker.publish("t", new Uint8Array(100_000), { qos: 1 });
  const dropped = broker.counters.get("dropped/memory-full") ?? 0;
  assert(dropped >= 39 && dropped < 50, `${dropped} have not got it`);
  const got = clients.slice(0, 50 - dropped);
  for (const client of got) {
    await client.expect({ cmd: "publish", topic: "t" });
    await client.send({ cmd: "puback", messageId: 1 });
    await client.expectNothing();
  }
  await publishLarge(broker, 0, "t=later");
  for (const client of clients) await client.expect({ cmd: "publish", payload: "later".padEnd(1000) });
  for (const client of clients) await client.drop();
});

Deno.test("A message that is so large that it is not copied takes the memory of one, however many get it", async () => {
  await using broker = createBroker({ limits });
  await using stack = new AsyncDisposableStack();
  const clients = await Promise.all(upTo(50).map((i) => connected(broker, `${i}`)));
  for (const client of clients) await stack.use(client).subscribe("t", 1);
  const payload = "0123456789".repeat(40_000), before = broker.status.gauges.memoryBytes;
  await broker.publish("t", payload, { qos: 1 });
  assert(broker.status.gauges.memoryBytes < before + 500_000, `${broker.status.gauges.memoryBytes - before}`);
  for (const client of clients) await client.expect({ cmd: "publish", topic: "t", payload });
  assertDropped(broker, {});
});

Deno.test("Filters of many levels fill memory before they fill the machine's", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  let granted = 0;
  for (const i of upTo(100)) {
    await client.send({
      cmd: "subscribe",
      messageId: 1,
      subscriptions: [{ topic: `${i}${"/x".repeat(199)}`, qos: 0 }],
    });
    if ((await client.expect({ cmd: "suback" })).granted[0] === 0) granted++;
  }
  assert(granted > 20 && granted < 60, `${granted} were granted`);
});

Deno.test("Retained messages on topics of many levels fill memory before they fill the machine's", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  const codes: number[] = [];
  for (const i of upTo(60)) {
    const topic = `${i}${"/x".repeat(199)}`;
    await client.send({ cmd: "publish", topic, payload: "x", qos: 1, retain: true, dup: false, messageId: 1 });
    codes.push((await client.expect({ cmd: "puback" })).reasonCode ?? 0);
  }
  const kept = codes.indexOf(0x97);
  assert(kept > 10 && kept < 30, `${kept} were retained`);
  assertEquals(new Set(codes.slice(kept)), new Set([0x97]));
});

Deno.test("Sessions of clients that never come back fill memory before they fill the machine's", async () => {
  await using broker = createBroker({ limits });
  let came = 0;
  for (;;) {
    await using client = TestClient.memory(broker);
    await client.send({ cmd: "connect", ...persistent(`c${came}`), keepalive: 0 });
    if ((await client.expect({ cmd: "connack" })).returnCode === 3) break;
    came++;
  }
  assert(came > 1000 && came < 2000, `${came} have come`);
});

/** The beginning of a PUBLISH of 1,000,000 bytes. */
const beginning = [0x30, 0xc0, 0x84, 0x3d, 0, 1, 0x74];

for (const [name, protocolVersion] of versions) {
  Deno.test(`Large packets that do not come to their end (${name}) fill memory before they fill the machine's`, async () => {
    await using broker = createBroker({ limits });
    await using witness = await connected(broker, "witness");
    await using stack = new AsyncDisposableStack();
    for (const i of upTo(20)) {
      const client = stack.use(await connected(broker, `c${i}`, { protocolVersion }));
      await client.sendBytes([...beginning, ...new Uint8Array(200_000)]).catch(() => {}); // it may end before
      if (broker.counters.has("disconnected/quota-exceeded")) {
        if (protocolVersion === 5) await client.expect({ cmd: "disconnect", reasonCode: 0x97 });
        await client.expectClosed();
        break;
      }
    }
    assertEquals(broker.counters.get("disconnected/quota-exceeded"), 1);
    assertEquals(broker.why()[0]?.detail, "The broker has no memory for such large packets now");
    await witness.publish("t", "x".repeat(10_000), { qos: 1 });
  });
}

Deno.test("A large packet that is whole gives its room back", async () => {
  await using broker = createBroker({ limits });
  for (const _ of upTo(10)) {
    await using client = await connected(broker, "c");
    await client.publish("t", "x".repeat(500_000), { qos: 1 });
  }
  await using client = await connected(broker, "c"); // there would be none left
  await client.publish("t", "x".repeat(500_000), { qos: 1 });
});

Deno.test("Topics of aliases fill memory before they fill the machine's", async () => {
  await using broker = createBroker({ limits });
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  for (const topicAlias of upTo(40)) {
    const topic = `${topicAlias}`.padEnd(60_000, "x");
    await client.send({ cmd: "publish", topic, payload: "", qos: 0, retain: false, properties: { topicAlias } }).catch(
      () => {},
    );
  }
  await client.expect({ cmd: "disconnect", reasonCode: 0x97 });
  await using again = await connected(broker, "c", { protocolVersion: 5 }); // what it had is free again
  await again.send({ cmd: "publish", topic: "x".repeat(1000), payload: "", qos: 0, properties: { topicAlias: 1 } });
  await again.expectNothing();
});

for (const [name, protocolVersion] of versions) {
  Deno.test(`Wills of clients (${name}) fill memory before they fill the machine's, and leave with their clients`, async () => {
    await using broker = createBroker({ limits });
    await using stack = new AsyncDisposableStack();
    const will = { topic: "will", payload: "x".repeat(60_000), qos: 0, retain: false };
    const come = async (i: number) => {
      const client = stack.use(TestClient.memory(broker));
      await client.connect({ clientId: `${i}`, protocolVersion, will });
      for (const _ of upTo(50)) await client.expectNothing(); // its read buffer becomes small again
    };
    let came = 0;
    while (came < 100 && await come(came).then(() => true, () => false)) came++;
    assert(came > 5 && came < 20, `${came} have come`);
    assertEquals(broker.status.gauges.memoryBytes > 800_000, true);
    await stack.disposeAsync();
    for (let i = 0; i < 5 && broker.status.gauges.clients > 0; i++) await settle();
    assertEquals(broker.status.gauges.memoryBytes, 0);
  });

  Deno.test(`While memory is full a client (${name}) may have 64 messages of QoS 2 without a PUBREL, and is ended beyond that`, async () => {
    await using broker = createBroker({ limits });
    await using client = await connected(broker, "c", { protocolVersion });
    await fill(broker);
    const publish = (messageId: number) =>
      client.send({ cmd: "publish", topic: "t", payload: "", qos: 2, messageId, retain: false, dup: false });
    for (const messageId of upTo(64)) {
      await publish(messageId);
      await client.expect({ cmd: "pubrec", messageId });
    }
    await client.send({ cmd: "pubrel", messageId: 1 });
    await client.expect({ cmd: "pubcomp", messageId: 1 });
    await publish(65);
    await client.expect({ cmd: "pubrec", messageId: 65 });
    await publish(66);
    if (protocolVersion === 5) await client.expect({ cmd: "disconnect", reasonCode: 0x97 });
    await client.expectClosed();
    assertEquals(broker.counters.get("disconnected/quota-exceeded"), 1);
  });
}
