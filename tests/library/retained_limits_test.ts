// Limits of retained messages: what is refused to clients of each version, and what becomes of messages that nobody can be told of.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker, type Limits, type Message, rx } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { assertDropped, dropsOf } from "../support/losses.ts";

/** Each version, with the reason code that says "quota exceeded" where it has one, and its CONNACK. */
const versions = [
  { name: "3.1.1", protocolVersion: 4, quota: undefined, connack: { returnCode: 3 } },
  { name: "5.0", protocolVersion: 5, quota: 0x97, connack: { reasonCode: 0x97 } },
] as const;

/** The retained messages, as `topic=payload`. */
function retained(broker: Broker): string[] {
  const found: string[] = [];
  broker.topic("#", { retained: true }).subscribe((message) => found.push(`${message.topic}=${message.text()}`))
    .unsubscribe();
  return found.toSorted();
}

/** Publishes with RETAIN, does the handshake, and resolves to the reason code of its first answer. */
async function retain(client: TestClient, topic: string, payload: string, qos: number): Promise<number | undefined> {
  await client.send({ cmd: "publish", topic, payload, qos, retain: true, dup: false, messageId: 1 });
  if (qos === 0) return;
  const { cmd, reasonCode = 0, properties } = await client.receive();
  assertEquals(cmd, qos === 1 ? "puback" : "pubrec");
  if (reasonCode > 0) assertEquals(properties.reasonString, "The broker can't retain more messages");
  else if (qos === 2) {
    await client.send({ cmd: "pubrel", messageId: 1 });
    await client.expect({ cmd: "pubcomp", messageId: 1 });
  }
  return reasonCode === 0 ? undefined : reasonCode;
}

/** Each limit, so set that there is room for `a=xx` and `b=xx`, and not for more. */
const cases: readonly (readonly [limit: string, limits: Limits])[] = [
  ["retainedMessages", { retainedMessages: 2 }],
  ["retainedBytes", { retainedBytes: 6 }],
];

for (const { name, protocolVersion, quota, connack } of versions) {
  for (const [limit, limits] of cases) {
    Deno.test(`${limit} (${name}): one more is denied and reaches nobody; what is there may be replaced, or cleared`, async () => {
      await using broker = createBroker({ limits });
      await using client = await connected(broker, "c", { protocolVersion });
      const seen: string[] = [], drops = dropsOf(broker);
      broker.topic("#").subscribe(({ topic }) => seen.push(topic));
      for (const topic of ["a", "b"]) assertEquals(await retain(client, topic, "xx", 1), undefined);
      assertEquals([await retain(client, "c", "xx", 0), await retain(client, "c", "xx", 1)], [undefined, quota]);
      assertEquals(await retain(client, "d", "xx", 2), quota);
      assertEquals([await retain(client, "b", "yy", 2), await retain(client, "c", "", 1)], [undefined, undefined]);
      await client.publish("d", "not to be retained", { qos: 1 });
      assertEquals(retained(broker), ["a=xx", "b=yy"]);
      assertEquals([await retain(client, "a", "", 1), await retain(client, "c", "zz", 1)], [undefined, undefined]);
      assertEquals(retained(broker), ["b=yy", "c=zz"]);
      assertEquals([seen, drops], [["a", "b", "b", "c", "d", "a", "c"], []]);
      const denied = broker.why({ client: "c" }).map(({ topic, reason, count }) => `${topic} ${reason}*${count}`);
      assertEquals(denied, ["d quota-exceeded*1", "c quota-exceeded*2"]);
      assertEquals(broker.counters.get("denied/quota-exceeded"), 3);
    });
  }

  Deno.test(`retainedBytes (${name}): a message may be replaced by a larger one as far as there is room`, async () => {
    await using broker = createBroker({ limits: { retainedBytes: 10 } });
    await using client = await connected(broker, "c", { protocolVersion });
    for (const payload of ["1", "123456789", "1"]) assertEquals(await retain(client, "a", payload, 1), undefined);
    assertEquals(await retain(client, "a", "1234567890", 1), quota);
    assertEquals(await retain(client, "b", "1234567", 1), undefined);
    for (const topic of ["a", "b", "c"]) assertEquals(await retain(client, topic, "12345678", 1), quota);
    assertEquals(retained(broker), ["a=1", "b=1234567"]);
  });

  Deno.test(`retainedMessages (${name}): a client whose will can't be retained is refused; later its will is published all the same`, async () => {
    await using broker = createBroker({ limits: { retainedMessages: 1 } });
    const will = { topic: "will", payload: "gone", qos: 0, retain: true }, drops = dropsOf(broker);
    const client = await connected(broker, "early", { protocolVersion, will });
    await broker.publish("a", "x", { retain: true });
    await using late = TestClient.memory(broker, protocolVersion);
    await late.send({ cmd: "connect", clientId: "late", clean: true, keepalive: 0, protocolVersion, will });
    await late.expect({ cmd: "connack", ...connack });
    await late.expectClosed();
    assertEquals([broker.why()[0]?.client, broker.why()[0]?.detail], ["late", "The broker can't retain more messages"]);
    await using fits = await connected(broker, "fits", { protocolVersion, will: { ...will, topic: "a" } });
    const published = rx.firstValueFrom(broker.topic("will"));
    await client.drop();
    assertEquals(((await published) as Message).text(), "gone");
    await broker.publish("b", "x", { retain: true });
    assertEquals([drops, retained(broker)], [["undefined will retained-full*1", "undefined b retained-full*1"], [
      "a=x",
    ]]);
    await fits.expectNothing();
  });
}

for (const [limit, limits] of [...cases, ["memory", { memory: "1MiB" }] as const]) {
  Deno.test(`${limit}: what the broker's own process publishes is delivered and, where there is no room, not retained`, async () => {
    await using broker = createBroker({ limits });
    await using client = await connected(broker, "c");
    const drops = dropsOf(broker);
    await client.subscribe("c", 1);
    for (const topic of ["a", "b"]) await broker.publish(topic, "xx", { retain: true });
    if (limit === "memory") await broker.publish("b", new Uint8Array(1024 * 1024), { retain: true });
    for (const qos of [0, 1, 2] as const) await broker.publish("c", `QoS ${qos}`, { retain: true, qos });
    for (const payload of ["QoS 0", "QoS 1", "QoS 2"]) await client.expect({ cmd: "publish", topic: "c", payload });
    assertEquals(drops, Array(3).fill("undefined c retained-full*1"));
    assertDropped(broker, { "retained-full": 3 });
    assertEquals(broker.why({ client: "anybody", topic: "c" }).map(({ count }) => count), [3]);
    await broker.publish("b", "", { retain: true });
    await broker.publish("c", "yy", { retain: true });
    assertEquals(retained(broker), ["a=xx", "c=yy"]);
  });
}

Deno.test("retainedMessages: what a routing operator has made is delivered and, where there is no room, not retained", async () => {
  const keep = rx.mergeMap((
    message: Message,
  ) => [message, message.with({ topic: `kept/${message.topic}`, retain: true })]);
  await using broker = createBroker({ limits: { retainedMessages: 1 }, routing: [keep] });
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  const drops = dropsOf(broker);
  await client.subscribe("kept/#", 1);
  for (const topic of ["a", "b"]) {
    await client.send({ cmd: "publish", topic, payload: "x", qos: 1, messageId: 1 });
    await client.expect({ cmd: "publish", topic: `kept/${topic}`, retain: false });
    const { reasonCode } = await client.expect({ cmd: "puback" } satisfies PacketLike);
    assertEquals(reasonCode ?? 0, 0); // it was accepted
  }
  assertEquals([retained(broker), drops], [["kept/a=x"], ["undefined kept/b retained-full*1"]]);
});

Deno.test("retainedMessages: one that expires makes room", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ limits: { retainedMessages: 1, retainedBytes: 2 }, clock });
  await broker.publish("a", "x", { retain: true, properties: { messageExpiryInterval: 10 } });
  await broker.publish("b", "x", { retain: true });
  await clock.advance(11_000);
  await broker.publish("c", "x", { retain: true });
  assertEquals(retained(broker), ["c=x"]);
  assertDropped(broker, { "retained-full": 1 });
});

Deno.test("retainedMessages: 0 retains nothing", async () => {
  await using broker = createBroker({ limits: { retainedMessages: 0 } });
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  assertEquals(await retain(client, "a", "x", 1), 0x97);
  assertEquals([await retain(client, "a", "", 1), retained(broker)], [undefined, []]);
});
