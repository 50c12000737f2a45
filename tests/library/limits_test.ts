// What a client of each version is told that goes beyond a limit, what the broker tells of it, and what the limit is where nobody has
// set it. Limits of connections, of retained messages and of memory have files of their own.
import { assertEquals, assertThrows } from "@std/assert";
import { type Broker, type BrokerEvent, createBroker, type Limits } from "../../mod.ts";
import { endings } from "../conformance/support.ts";
import { upTo } from "../conformance/script.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { assertDropped } from "../support/losses.ts";

/** Each version, and the codes by which it says no, where it has them. */
const versions = [
  { name: "3.1.1", level: 4, code: (_code: number) => undefined, refused: 0x80, topic: 0x80 },
  { name: "5.0", level: 5, code: (code: number) => code, refused: 0x97, topic: 0x8f },
] as const;

/** A client, and a broker with these limits. */
async function scene(level: number, limits: Limits, others: { readonly clock?: VirtualClock } = {}) {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(createBroker({ limits, ...others }));
  const client = stack.use(await connected(broker, "c", { protocolVersion: level }));
  return { broker, client, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** What is known of the losses and refusals so far, latest first: `reason: detail` or `topic: reason`. */
function known(broker: Broker): string[] {
  return broker.why().map(({ topic, reason, detail }) =>
    topic === undefined ? `${reason}: ${detail}` : `${topic}: ${reason}`
  );
}

/** Asserts that a client is told why its connection ends, where its version has a way to say it. */
async function assertEnds(client: TestClient, code: number | undefined): Promise<void> {
  if (code !== undefined) await client.expect({ cmd: "disconnect", reasonCode: code });
  await client.expectClosed();
}

function publication(topic: string, payload: string, qos = 0): PacketLike {
  return { cmd: "publish", topic, payload, qos, messageId: 1, retain: false, dup: false };
}

for (const { name, level, code, refused, topic } of versions) {
  Deno.test(`packet (${name}): one byte more ends the connection, as much as that does not`, async () => {
    await using scene_ = await scene(level, { packet: 100 });
    const { broker, client } = scene_, room = 100 - 2 - 3 - Number(level === 5);
    await client.send(publication("t", "x".repeat(room)));
    await client.expectNothing();
    await client.send(publication("t", "x".repeat(room + 1)));
    await assertEnds(client, code(0x95));
    assertEquals(endings(broker), { "disconnected/packet-too-large": 1 });
    assertEquals(known(broker), ["packet-too-large: Packet of 101 bytes exceeds the limit of 100"]);
  });

  Deno.test(`connectPacket (${name}): a larger CONNECT is refused without an answer, before it has come`, async () => {
    await using broker = createBroker({ limits: { connectPacket: 64 } });
    await using client = TestClient.memory(broker);
    const connect = { cmd: "connect", clean: true, keepalive: 0, protocolVersion: level } as const;
    const room = 64 - 2 - 10 - 2 - Number(level === 5);
    await client.send({ ...connect, clientId: "x".repeat(room + 1) });
    await client.expectClosed();
    assertEquals(endings(broker), { "refused/packet-too-large": 1 });
    assertEquals(known(broker), ["packet-too-large: Packet of 65 bytes exceeds the limit of 64"]);
    await using fits = await connected(broker, "x".repeat(room), { protocolVersion: level });
    await fits.publish("t", "x".repeat(10_000)); // larger packets are taken from now on
  });

  Deno.test(`connectTimeout (${name}): a client that takes longer is refused, but not one that is in`, async () => {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    await using client = await connected(broker, "c", { protocolVersion: level });
    await using stranger = TestClient.memory(broker);
    await clock.advance(10_000 - 1);
    assertEquals(endings(broker), {});
    await clock.advance(1 + 500);
    await stranger.expectClosed();
    assertEquals(known(broker), ["protocol-error: The client took too long to connect"]);
    await client.expectNothing();
  });

  Deno.test(`subscriptions (${name}): what is beyond is refused, each filter by itself; what is known may come again`, async () => {
    await using scene_ = await scene(level, { subscriptions: 2 });
    const { broker, client } = scene_;
    const subscribe = async (filters: readonly string[], granted: readonly number[]) => {
      await client.send({ cmd: "subscribe", messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
      await client.expect({ cmd: "suback", granted });
    };
    await subscribe(["a", "b", "c", "a"], [1, 1, refused, 1]);
    await subscribe(["b", "$share/g/a"], [1, refused]);
    await client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a"] });
    await client.expect({ cmd: "unsuback" });
    await subscribe(["$share/g/a", "a"], [1, refused]);
    await broker.publish("c", "nobody");
    await client.expectNothing();
    assertEquals(known(broker), ["a: quota-exceeded", "$share/g/a: quota-exceeded", "c: quota-exceeded"]);
    assertEquals(broker.counters.get("denied/quota-exceeded"), 3);
  });

  Deno.test(`sharedSubscriptions (${name}): what is beyond is refused, but no other one; what is known may come again`, async () => {
    await using scene_ = await scene(level, { sharedSubscriptions: 2 });
    const { broker, client } = scene_;
    const subscribe = async (filters: readonly string[], granted: readonly number[]) => {
      await client.send({ cmd: "subscribe", messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
      await client.expect({ cmd: "suback", granted });
    };
    await subscribe(["$share/a/t", "$share/b/t", "$share/c/t", "t", "$share/a/t"], [1, 1, refused, 1, 1]);
    await client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["$share/a/t", "t"] });
    await client.expect({ cmd: "unsuback" });
    await subscribe(["t", "$share/c/t", "$share/d/t"], [1, 1, refused]);
    assertEquals(known(broker), ["$share/d/t: quota-exceeded", "$share/c/t: quota-exceeded"]);
  });

  Deno.test(`topicLevels and topicLength (${name}): a filter beyond is refused, the others of its packet are not`, async () => {
    await using scene_ = await scene(level, { topicLevels: 3, topicLength: 8 });
    const { broker, client } = scene_, longest = ["a/b/c", "//", "12345678", "$share/group/a/b/c", "$share/g/12345678"];
    const tooLong = ["a/b/c/d", "///", "123456789", "1234567\u00e9", "$share/g/a/b/c/d", "$share/g/123456789"];
    const subscriptions = [...longest, ...tooLong].map((topic) => ({ topic, qos: 0 }));
    await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
    await client.expect({ cmd: "suback", granted: [...longest.map(() => 0), ...tooLong.map(() => topic)] });
    assertEquals(known(broker).toSorted(), tooLong.map((topic) => `${topic}: topic-filter-invalid`).toSorted());
  });

  Deno.test(`topicLevels and topicLength (${name}): a message beyond is denied, its publisher told where that is possible`, async () => {
    await using scene_ = await scene(level, { topicLevels: 2, topicLength: 8 });
    const { broker, client } = scene_, reasonString = ["has more than 2 levels", "has more than 8 bytes"];
    const seen: string[] = [];
    broker.topic("#").subscribe((message) => seen.push(message.topic));
    for (const [i, topic] of ["a/b/c", "123456789"].entries()) {
      await client.send(publication(topic, ""));
      await client.send(publication(topic, "", 1));
      const puback = await client.expect({ cmd: "puback", messageId: 1 });
      assertEquals(
        [puback.reasonCode, puback.properties?.reasonString],
        level === 5 ? [0x90, `Topic name ${reasonString[i]}`] : [undefined, undefined],
      );
      await client.send(publication(topic, "", 2));
      const pubrec = await client.expect({ cmd: "pubrec", messageId: 1 });
      assertEquals(pubrec.reasonCode, code(0x90));
      if (level === 4) await client.send({ cmd: "pubrel", messageId: 1 });
      if (level === 4) await client.expect({ cmd: "pubcomp", messageId: 1 });
    }
    await client.publish("a/b", "", { qos: 1 });
    assertEquals([seen, broker.counters.get("denied/topic-name-invalid")], [["a/b"], 6]);
    assertEquals(broker.why({ client: "c" }).map(({ topic, count }) => [topic, count]), [["123456789", 3], [
      "a/b/c",
      3,
    ]]);
  });

  Deno.test(`publishRate (${name}): more in a second end the connection, and are not published; others have their own`, async () => {
    const clock = new VirtualClock();
    await using scene_ = await scene(level, { publishRate: 3 }, { clock });
    const { broker, client } = scene_, seen: string[] = [];
    broker.topic("#").subscribe((message) => seen.push(message.text()));
    await using other = await connected(broker, "other", { protocolVersion: level });
    for (const qos of [0, 1, 2]) await client.publish("t", `qos ${qos}`, { qos });
    await clock.advance(334);
    await client.publish("t", "a third of a second later");
    await other.publish("t", "other", { qos: 1 });
    await client.send(publication("t", "too many"));
    await assertEnds(client, code(0x96));
    assertEquals(seen, ["qos 0", "qos 1", "qos 2", "a third of a second later", "other"]);
    assertEquals(endings(broker), { "disconnected/message-rate-too-high": 1 });
    assertEquals(known(broker), ["message-rate-too-high: Client publishes more than 3 messages in a second"]);
    await other.expectNothing();
  });
}

for (const clean of [true, false]) {
  const session = clean ? "a new session" : "its session";
  Deno.test(`publishRate: who comes again, to ${session}, has what it had left, and what has come meanwhile`, async () => {
    const clock = new VirtualClock(), seen: string[] = [];
    await using broker = createBroker({ limits: { publishRate: 4 }, clock });
    broker.topic("#").subscribe((message) => seen.push(message.text()));
    const come = () => connected(broker, "c", { clean });
    const first = await come();
    for (const payload of ["1", "2", "3"]) await first.publish("t", payload);
    await using second = await come(); // takes over
    for (const payload of ["4", "too many"]) await second.send(publication("t", payload));
    await second.expectClosed();
    await clock.advance(500);
    await using third = await come();
    for (const payload of ["5", "6", "too many"]) await third.send(publication("t", payload));
    await third.expectClosed();
    await using other = await connected(broker, "other");
    for (const payload of ["7", "8", "9", "10"]) await other.publish("t", payload);
    await clock.advance(1500);
    await using last = await come();
    for (const payload of ["11", "12", "13", "14", "too many"]) await last.send(publication("t", payload));
    await last.expectClosed();
    assertEquals(seen, upTo(14).map(String));
  });
}

/** A session of a client that is away, subscribed to everything at QoS 1. */
async function sleeper(broker: Broker): Promise<void> {
  const client = await connected(broker, "sleeper", { clean: false });
  await client.subscribe("#", 1);
  await client.disconnect();
}

Deno.test("queuedMessages: 10,000 messages wait in a session where nobody has said otherwise", async () => {
  await using broker = createBroker();
  await sleeper(broker);
  await Promise.all(upTo(10_003).map(() => broker.publish("t", "", { qos: 1 })));
  assertDropped(broker, { "queue-full": 3 });
});

Deno.test("queuedBytes: 16 MiB wait in a session where nobody has said otherwise, topics included", async () => {
  await using broker = createBroker();
  await sleeper(broker);
  const payload = new Uint8Array(1024 * 1024 - 1);
  await Promise.all(upTo(16).map(() => broker.publish("t", payload, { qos: 1 })));
  assertDropped(broker, {});
  await broker.publish("t", "", { qos: 1 });
  assertDropped(broker, { "queue-full": 1 });
});

Deno.test("queuedMessages and queuedBytes: 0 lets nothing wait, and nothing is lost of what is taken at once", async () => {
  for (const limits of [{ queuedMessages: 0 }, { queuedBytes: 0 }]) {
    await using broker = createBroker({ limits: { ...limits, inflight: 2 } });
    await using client = await connected(broker, "c");
    await client.subscribe("t", 1);
    for (const text of ["a", "b", "c"]) await broker.publish("t", text, { qos: 1 });
    for (const payload of ["a", "b"]) await client.expect({ cmd: "publish", payload });
    await client.expectNothing();
    assertDropped(broker, { "queue-full": 1 });
  }
});

Deno.test("inflight: 100 messages are on their way to a client where nobody has said otherwise", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  await client.subscribe("t", 1);
  for (const i of upTo(101)) await broker.publish("t", `${i}`, { qos: 1 });
  for (const i of upTo(100)) await client.expect({ cmd: "publish", payload: `${i}` });
  await client.expectNothing();
  await client.send({ cmd: "puback", messageId: 50 });
  await client.expect({ cmd: "publish", payload: "101" });
});

Deno.test("subscriptions: 10,000 where nobody has said otherwise", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  const subscriptions = upTo(10_001).map((i) => ({ topic: `${i}`, qos: 0 }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  assertEquals((await client.receive()).granted.slice(9998), [0, 0, 0x80]);
});

Deno.test("sharedSubscriptions: 100 where nobody has said otherwise, so that a client gets a message no more than 101 times", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  const subscriptions = ["t", ...upTo(101).map((i) => `$share/${i}/t`)].map((topic) => ({ topic, qos: 0 }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  assertEquals((await client.receive()).granted.slice(99), [0, 0, 0x80]);
  await broker.publish("t", "");
  for (const _ of upTo(101)) await client.expect({ cmd: "publish", topic: "t" });
  await client.expectNothing();
});

Deno.test("topicLevels: 200 where nobody has said otherwise", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  const subscriptions = [199, 200].map((slashes) => ({ topic: "/".repeat(slashes), qos: 0 }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.expect({ cmd: "suback", granted: [0, 0x80] });
});

Deno.test("A limit concerns clients: the broker's own process publishes and observes what it likes", async () => {
  await using broker = createBroker({ limits: { topicLevels: 1, topicLength: 1, publishRate: 1 } });
  const seen: string[] = [], events: BrokerEvent[] = [];
  broker.events.subscribe((event) => events.push(event));
  broker.topic("long/+/topic").subscribe(({ topic }) => seen.push(topic));
  for (const i of upTo(3)) await broker.publish(`long/${i}/topic`, "");
  assertEquals([seen, events], [["long/1/topic", "long/2/topic", "long/3/topic"], []]);
});

Deno.test("setLimits() changes the limits of a running broker, tells which it can't, and takes all or nothing", async () => {
  await using broker = createBroker({ limits: { subscriptions: 1, memory: "2MiB" } });
  await using client = await connected(broker, "c");
  await client.subscribe("a");
  const tooMany = async (topic: string) => {
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions: [{ topic, qos: 0 }] });
    return (await client.receive()).granted[0] === 0x80;
  };
  assertEquals(await tooMany("b"), true);
  assertThrows(() => broker.setLimits({ subscriptions: 2, inflight: 0 }), RangeError, 'Limit "inflight" is 0');
  assertEquals(await tooMany("b"), true);
  assertEquals(broker.setLimits({ subscriptions: 2, memory: "3MiB" }), ["memory"]);
  assertEquals([await tooMany("b"), await tooMany("c")], [false, true]);
  assertEquals(broker.setLimits({ memory: "2MiB" }), []);
  assertEquals(await tooMany("c"), false);
});
