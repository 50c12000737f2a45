// Keep alive, the client's and the broker's (5.0 sections 3.1.2.10 and 3.2.2.3.14). Time is virtual here; the broker may end a
// connection up to half a second late, never early.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { endings } from "../conformance/support.ts";
import { connected5 } from "./clients.ts";
import { connackOf } from "./connects.ts";
import { open, toy } from "./toy.ts";

const LATE = 500;
const TIMED_OUT = { cmd: "disconnect", reasonCode: 0x8d } as const;

/** Asserts that a silent client is disconnected after this many seconds, and told why; other clients go on. */
async function assertSilenceEnds(keepalive: number, limit: number | undefined, seconds: number): Promise<void> {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: limit === undefined ? {} : { keepAlive: limit } });
  await using lively = await connected5(broker, "lively", { keepalive: 60 });
  await using client = await connected5(broker, "client", { keepalive });
  for (let left = seconds * 1000 - 1; left > 0; left -= 1000) {
    await clock.advance(Math.min(left, 1000));
    await lively.expectNothing();
  }
  assertEquals(endings(broker), {});
  await clock.advance(1 + LATE);
  await client.expect(TIMED_OUT);
  await client.expectClosed();
  assertEquals(endings(broker), { "disconnected/keep-alive-timeout": 1 });
  await lively.expectNothing();
}

Deno.test("a silent client is disconnected with 0x8D after one and a half times its keep alive [MQTT5-3.1.2-22]", async () => {
  for (const keepalive of [1, 3]) await assertSilenceEnds(keepalive, undefined, keepalive * 1.5);
});

Deno.test("a client is held to the server keep alive that it was told, not to its own [MQTT5-3.1.2-21] [MQTT5-3.2.2-21]", async () => {
  for (const keepalive of [3, 100, 65_535]) await assertSilenceEnds(keepalive, 2, 3);
});

Deno.test("a client that asks for no keep alive gets the broker's, where there is one [MQTT5-3.1.2-21] [MQTT5-3.2.2-21]", async () => {
  await assertSilenceEnds(0, 2, 3);
});

Deno.test("a client that is told no server keep alive is held to its own [MQTT5-3.2.2-22]", async () => {
  for (const limit of [2, 3]) await assertSilenceEnds(2, limit, 3);
});

Deno.test("the server keep alive is told where it differs from what the client asked for [MQTT5-3.2.2-21] [MQTT5-3.2.2-22]", async () => {
  const told = async (keepalive: number, keepAlive?: number) => {
    await using broker = createBroker({ limits: keepAlive === undefined ? {} : { keepAlive } });
    return (await connackOf(broker, { keepalive })).properties.serverKeepAlive;
  };
  for (const keepalive of [0, 1, 65_535]) assertEquals(await told(keepalive), undefined);
  assertEquals(await Promise.all([0, 1, 2, 3, 65_535].map((keepalive) => told(keepalive, 2))), [
    2,
    undefined,
    undefined,
    2,
    2,
  ]);
  assertEquals([await told(0, 65_535), await told(65_535, 65_535)], [65_535, undefined]);
  assertEquals([await told(0, 100_000), await told(65_535, 100_000)], [65_535, undefined]);
});

Deno.test("a keep alive of 0 has no end, where the broker sets none [MQTT5-3.1.2-22]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client", { keepalive: 0 });
  await clock.advance(365 * 24 * 3_600_000);
  await client.expectNothing();
});

Deno.test("the server keep alive is not for clients of 3.1.1, which can't be told [MQTT5-3.1.2-22]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { keepAlive: 1 } });
  await using client = await connected(broker, "client", { keepalive: 4 });
  await using unlimited = await connected(broker, "unlimited", { keepalive: 0 });
  await clock.advance(6000 - 1);
  await client.expectNothing();
  await unlimited.expectNothing();
});

/** What a client may say instead of PINGREQ. */
const signs: readonly PacketLike[] = [
  { cmd: "pingreq" },
  { cmd: "publish", topic: "t", payload: "", qos: 0 },
  { cmd: "publish", topic: "t", payload: "", qos: 2, messageId: 1 },
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 1, reasonCode: 0x80 },
  { cmd: "pubrel", messageId: 1 },
  { cmd: "pubcomp", messageId: 1, reasonCode: 0x92 },
  { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] },
  { cmd: "unsubscribe", messageId: 1, unsubscriptions: ["a"] },
  { cmd: "auth", reasonCode: 0x19, properties: { authenticationMethod: "toy" } },
];

Deno.test("every packet is a sign of life, AUTH too, and the time begins anew with it [MQTT5-3.1.2-22]", async () => {
  const clock = new VirtualClock(), ended: string[] = [];
  await using broker = createBroker({ clock, authenticationMethods: { toy: () => Promise.resolve(true) } });
  broker.events.subscribe((event) => event.type === "disconnected" && ended.push(event.client));
  await using stack = new AsyncDisposableStack();
  const clients: TestClient[] = [], names = signs.map(({ cmd, qos = "-" }) => `${cmd} ${qos}`);
  const properties = { authenticationMethod: "toy" };
  for (const name of names) clients.push(stack.use(await connected5(broker, name, { keepalive: 1, properties })));
  for (let time = 0; time < 2; time++) {
    await clock.advance(1499);
    for (const [i, packet] of signs.entries()) await clients[i]!.send(packet);
    await settle();
  }
  await clock.advance(1499);
  assertEquals(ended, []);
  await clock.advance(1 + LATE);
  assertEquals(ended.toSorted(), names.toSorted());
});

Deno.test("what the broker sends is no sign of life of the client, nor are bytes that are no whole packet [MQTT5-3.1.2-22]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected5(broker, "client", { keepalive: 2 });
  await client.subscribe("t");
  for (const byte of [0x30, 0x10, 0x00]) { // a PUBLISH that does not get on
    await clock.advance(999);
    await broker.publish("t", "x");
    await client.expect({ cmd: "publish" });
    await client.sendBytes([byte]);
  }
  await clock.advance(3 + LATE);
  await client.expect(TIMED_OUT);
});

Deno.test("a client that authenticates without an end is refused when its time to connect is over [MQTT5-4.12.0-4]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { connectTimeout: 2000 }, authenticationMethods: { toy } });
  await using client = TestClient.memory(broker);
  await open(client, "ann:1");
  await client.expect({ cmd: "auth", reasonCode: 0x18 });
  await clock.advance(2000 - 1);
  assertEquals(endings(broker), {});
  await clock.advance(1 + LATE);
  await client.expect({ cmd: "connack", reasonCode: 0x82, sessionPresent: false });
  await client.expectClosed();
  assertEquals(broker.counters.get("hook-error"), undefined);
});

Deno.test("a hook or a method that takes its time is not the client's fault [MQTT5-3.1.4-5]", async () => {
  const clock = new VirtualClock(), decision = Promise.withResolvers<boolean>();
  await using broker = createBroker({
    clock,
    limits: { connectTimeout: 1000 },
    authenticate: () => decision.promise,
    authenticationMethods: { toy: () => decision.promise },
  });
  await using plain = TestClient.memory(broker);
  await plain.send({ cmd: "connect", protocolVersion: 5, clientId: "plain" });
  await using enhanced = TestClient.memory(broker);
  await open(enhanced);
  await clock.advance(5000);
  decision.resolve(true);
  for (const client of [plain, enhanced]) await client.expect({ cmd: "connack", reasonCode: 0 });
});
