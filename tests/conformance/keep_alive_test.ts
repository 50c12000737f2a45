// Keep alive (3.1.1 section 3.1.2.10), and the time that a connection has for its CONNECT (section 3.1). Time is
// virtual here; the broker may end a connection up to half a second late, never early.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { connectFrame, endings, versions } from "./support.ts";

const LATE = 500;
const timedOut = { "disconnected/keep-alive-timeout": 1 };

for (const { name, fields } of versions) {
  for (const keepalive of [1, 5]) {
    Deno.test(
      `a silent client of ${name} with a keep alive of ${keepalive} s is disconnected after one and a half times that [MQTT-3.1.2-24]`,
      async () => {
        const clock = new VirtualClock();
        await using broker = createBroker({ clock });
        await using other = await connected(broker, "other");
        await using client = await connected(broker, "client", { ...fields, keepalive });
        await clock.advance(keepalive * 1500 - 1);
        assertEquals(endings(broker), {});
        await clock.advance(1 + LATE);
        await client.expectClosed();
        assertEquals(endings(broker), timedOut);
        await other.expectNothing();
      },
    );
  }
}

Deno.test("a keep alive of 0 has no end [MQTT-3.1.2-24]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected(broker, "client", { keepalive: 0 });
  await clock.advance(365 * 24 * 3_600_000);
  await client.expectNothing();
});

/** What a client may say instead of PINGREQ. */
const signs: readonly PacketLike[] = [
  { cmd: "pingreq" },
  { cmd: "publish", topic: "t", payload: "", qos: 0 },
  { cmd: "publish", topic: "t", payload: "", qos: 1, messageId: 1 },
  { cmd: "publish", topic: "t", payload: "", qos: 2, messageId: 1 },
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 1 },
  { cmd: "pubrel", messageId: 1 },
  { cmd: "pubcomp", messageId: 1 },
  { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] },
  { cmd: "unsubscribe", messageId: 1, unsubscriptions: ["a"] },
];

Deno.test("every packet is a sign of life, and the time begins anew with it [MQTT-3.1.2-24]", async () => {
  const clock = new VirtualClock(), ended: string[] = [];
  await using broker = createBroker({ clock });
  broker.events.subscribe((event) => event.type === "disconnected" && ended.push(event.client));
  await using stack = new AsyncDisposableStack();
  const clients: TestClient[] = [], names = signs.map(({ cmd, qos = "-" }) => `${cmd} ${qos}`);
  for (const name of names) clients.push(stack.use(await connected(broker, name, { keepalive: 1 })));
  for (let time = 0; time < 2; time++) {
    await clock.advance(1499);
    for (const [i, packet] of signs.entries()) await clients[i]!.send(packet);
    await settle();
  }
  await clock.advance(1499);
  assertEquals(ended, []);
  await clock.advance(1 + LATE);
  assertEquals(ended.toSorted(), names.toSorted());
  assertEquals(endings(broker), { "disconnected/keep-alive-timeout": signs.length });
});

Deno.test("what the broker sends is no sign of life of the client [MQTT-3.1.2-24]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected(broker, "client", { keepalive: 2 });
  await client.subscribe("t");
  for (let time = 0; time < 3; time++) {
    await clock.advance(999);
    await broker.publish("t", "x");
    await client.expect({ cmd: "publish" });
  }
  await clock.advance(3 + LATE);
  assertEquals(endings(broker), timedOut);
});

Deno.test("bytes that are no whole packet are no sign of life [MQTT-3.1.2-24]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected(broker, "client", { keepalive: 2 });
  for (const byte of [0x30, 0x10, 0x00]) { // a PUBLISH that does not get on
    await clock.advance(999);
    await client.sendBytes([byte]);
  }
  await clock.advance(3 + LATE);
  assertEquals(endings(broker), timedOut);
});

/** A clock whose timers come late. */
class LateClock extends VirtualClock {
  delay = 0;

  override schedule(callback: () => void, delay: number): () => void {
    return super.schedule(callback, delay + this.delay);
  }
}

Deno.test("timers that come late do not end a keep alive early [MQTT-3.1.2-24]", async () => {
  const clock = new LateClock();
  await using broker = createBroker({ clock });
  clock.delay = 249;
  await using client = await connected(broker, "client", { keepalive: 1 });
  clock.delay = 0;
  await clock.advance(748);
  await client.expectNothing();
  clock.delay = 1;
  await clock.advance(1499);
  assertEquals(endings(broker), {});
  await clock.advance(1 + LATE);
  assertEquals(endings(broker), timedOut);
});

Deno.test("a keep-alive timeout leaves the session as a lost connection does [MQTT-3.1.2-24] [MQTT-3.1.2-4]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected(broker, "client", { keepalive: 1, clean: false });
  await client.subscribe("t", 1);
  await clock.advance(1500 + LATE);
  await client.expectClosed();
  await broker.publish("t", "meanwhile", { qos: 1 });
  await using again = TestClient.memory(broker);
  assertEquals((await again.connect({ clientId: "client", clean: false })).sessionPresent, true);
  await again.expect({ cmd: "publish", payload: "meanwhile", dup: false });
});

Deno.test("each connection has its own time [MQTT-3.1.2-24]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using brief = await connected(broker, "brief", { keepalive: 1 });
  await using long = await connected(broker, "long", { keepalive: 4 });
  await using lively = await connected(broker, "lively", { keepalive: 1 });
  await clock.advance(1000);
  await lively.expectNothing();
  await clock.advance(500 + LATE);
  await brief.expectClosed();
  await lively.expectNothing();
  await long.expectNothing();
  assertEquals(endings(broker), timedOut);
});

const refused = { "refused/protocol-error": 1 };

Deno.test("a connection without a CONNECT is closed after the connect timeout, not before [MQTT-3.1.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { connectTimeout: 2000 } });
  await using client = await connected(broker, "client");
  await using stranger = TestClient.memory(broker);
  await clock.advance(1999);
  assertEquals(endings(broker), {});
  await clock.advance(1 + LATE);
  await stranger.expectClosed();
  assertEquals(endings(broker), refused);
  await client.expectNothing();
});

Deno.test("a CONNECT byte by byte does not extend the connect timeout [MQTT-3.1.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { connectTimeout: 2000 } });
  await using stranger = TestClient.memory(broker);
  for (const byte of connectFrame().slice(0, 4)) {
    await clock.advance(499);
    await stranger.sendBytes([byte]);
    await settle();
  }
  await clock.advance(4 + LATE);
  await stranger.expectClosed();
  assertEquals(endings(broker), refused);
});

Deno.test("the connect timeout ends with the CONNECT [MQTT-3.1.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { connectTimeout: 2000 } });
  await using client = TestClient.memory(broker);
  await clock.advance(1999);
  await client.connect({ keepalive: 0 });
  await clock.advance(10_000);
  await client.expectNothing();
});
