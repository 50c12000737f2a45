// Wills (5.0 sections 3.1.2.5 to 3.1.2.7 and 3.1.3.2 to 3.1.3.4): when they are published, and with what.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { field, flag, frame } from "../conformance/support.ts";
import { bytesOf } from "../conformance/violations.ts";
import { connected5, subscribe5 } from "./clients.ts";
import { connackOf, connectFrame, say, willFrame } from "./connects.ts";
import { property, publishFrame, RecordingClient } from "./packets.ts";

type Cause = (client: TestClient, broker: Broker, clock: VirtualClock) => Promise<unknown>;

const send = (bytes: readonly number[]): Cause => (client) => client.sendBytes(bytes);

/** The ways in which a connection ends other than by DISCONNECT with reason code 0. */
const causes: Readonly<Record<string, Cause>> = {
  "a reset": (client) => client.drop(),
  "an end of stream": (client) => client.stream.closeWrite(),
  "a keep-alive timeout": (_client, _broker, clock) => clock.advance(2000),
  "a takeover": (_client, broker) => connackOf(broker, { clientId: "c" }),
  "a protocol error": send(frame(0xd0)), // PINGRESP
  "a malformed packet": send(frame(0x30, 0, 1, 0)),
  "DISCONNECT with 0x04": send(frame(0xe0, 0x04)),
  "DISCONNECT with an error": send(frame(0xe0, 0x80)),
  "a malformed DISCONNECT": send(frame(0xe0, 0, 0, 0)),
  "a DISCONNECT that is cut off": async (client) => {
    await client.sendBytes([0xe0]);
    await client.stream.closeWrite();
  },
};

function willOf(qos: number, retain = false): Partial<PacketLike> {
  return { will: { topic: "will", payload: "gone", qos, retain } };
}

for (const [what, cause] of Object.entries(causes)) {
  Deno.test(`${what} publishes the will, once, at its QoS [MQTT5-3.1.2-7] [MQTT5-3.1.2-8] [MQTT5-3.1.2-12]`, async () => {
    for (const qos of [0, 1, 2]) {
      const clock = new VirtualClock();
      await using broker = createBroker({ clock });
      await using watcher = await connected(broker, "watcher");
      await watcher.subscribe("#", 2);
      await using client = await connected5(broker, "c", { ...willOf(qos), keepalive: 1 });
      await watcher.expectNothing();
      await cause(client, broker, clock);
      await watcher.expect({ cmd: "publish", topic: "will", payload: "gone", qos, retain: false });
      await watcher.expectNothing();
      await client.drop();
    }
  });
}

Deno.test("DISCONNECT with reason code 0 removes the will, whatever comes behind it [MQTT5-3.1.2-8] [MQTT5-3.1.2-10] [MQTT5-3.14.4-3]", async () => {
  const ends = [frame(0xe0), frame(0xe0, 0), frame(0xe0, 0, 0), frame(0xe0, 0, 5, 0x11, 0, 0, 0, 1)];
  for (const end of ends) {
    for (const behind of [[], [0xe0, 1, 4], [0xff, 0xff], publishFrame()]) {
      await using broker = createBroker();
      await using watcher = await connected5(broker, "watcher");
      await watcher.subscribe("#");
      await using client = await connected5(broker, "c", {
        ...willOf(1, true),
        properties: { sessionExpiryInterval: 60 },
      });
      await client.sendBytes([...end, ...behind]);
      await client.expectClosed();
      await watcher.expectNothing();
      assertEquals(broker.counters.get("disconnected/disconnect"), 1);
    }
  }
});

Deno.test("a will that was published or removed is not there for the next connection [MQTT5-3.1.2-10]", async () => {
  for (const reasonCode of [0x00, 0x04]) {
    await using broker = createBroker();
    await using watcher = await connected5(broker, "watcher");
    await watcher.subscribe("#");
    const lasting = { clean: false, properties: { sessionExpiryInterval: 60 } };
    await using first = await connected5(broker, "c", { ...lasting, ...willOf(1) });
    await first.send({ cmd: "disconnect", reasonCode });
    await first.expectClosed();
    if (reasonCode > 0) await watcher.expect({ cmd: "publish", topic: "will" });
    await using second = await connected5(broker, "c", lasting);
    await second.sendBytes(frame(0xd0));
    await second.expect({ cmd: "disconnect" });
    await second.expectClosed();
    await watcher.expectNothing();
  }
});

Deno.test("each connection has the will of its own CONNECT [MQTT5-3.1.2-7] [MQTT5-3.1.2-10]", async () => {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will/+");
  const will = (topic: string) => ({ will: { topic, payload: "", qos: 0, retain: false } });
  await using _first = await connected5(broker, "c", will("will/1"));
  await using second = await connected5(broker, "c", will("will/2")); // takes the first one over
  await watcher.expect({ cmd: "publish", topic: "will/1" });
  await watcher.expectNothing();
  await second.drop();
  await watcher.expect({ cmd: "publish", topic: "will/2" });
});

Deno.test("a will comes after everything that its client published [MQTT5-3.1.2-8]", async () => {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("#");
  await using client = await connected5(broker, "c", willOf(0));
  const last = publishFrame({ topic: "last" });
  await client.sendBytes([...last, ...last, ...frame(0xe0, 4), ...last]);
  for (const topic of ["last", "last", "will"]) await watcher.expect({ cmd: "publish", topic });
  await watcher.expectNothing();
});

Deno.test("a broker that closes publishes the wills of its clients, and tells them 0x8B [MQTT5-3.1.2-8]", async () => {
  const broker = createBroker(), seen: string[] = [];
  broker.topic("will").subscribe((message) => seen.push(`${message.text()} of ${message.client}`));
  await using client = await connected5(broker, "c", willOf(0));
  const closed = broker.close();
  await client.expect({ cmd: "disconnect", reasonCode: 0x8b });
  await client.expectClosed();
  await closed;
  assertEquals(seen, ["gone of c"]);
});

/** Asserts that a will is delivered, and that later subscribers get it exactly where `retain` says so. */
async function assertRetained(qos: number, retain: boolean): Promise<void> {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await subscribe5(watcher, "will", { qos: 2, rap: true });
  await using client = await connected5(broker, "c", willOf(qos, retain));
  await client.drop();
  await watcher.expect({ cmd: "publish", topic: "will", qos, retain });
  await using later = await connected5(broker, "later");
  await later.subscribe("will", 2);
  if (retain) await later.expect({ cmd: "publish", topic: "will", payload: "gone", qos, retain: true });
  await later.expectNothing();
}

Deno.test("a will with retain 0 is not retained [MQTT5-3.1.2-14]", async () => {
  for (const qos of [0, 1, 2]) await assertRetained(qos, false);
});

Deno.test("a will with retain 1 is retained for later subscribers [MQTT5-3.1.2-15]", async () => {
  for (const qos of [0, 1, 2]) await assertRetained(qos, true);
});

Deno.test("a will goes out with all of its properties, user properties in order [MQTT5-3.1.3-10] [MQTT5-3.1.2-7]", async () => {
  await using broker = createBroker();
  await using watcher = await RecordingClient.connected(broker);
  await subscribe5(watcher, "will");
  watcher.taken();
  const users = [["b", "1"], ["a", "2"], ["b", "3"], ["", ""], ["a", "2"]].map(([name, value]) =>
    property.user(name!, value!)
  );
  const own = [property.payloadFormat(1), property.contentType("text/plain")];
  const answer = [property.responseTopic("answers/to"), property.correlation([0, 255, 7])];
  await using client = TestClient.memory(broker, 5);
  await client.sendBytes(
    willFrame(users[0]!, users[1]!, say.willDelay(0), ...answer, users[2]!, ...own, ...users.slice(3)),
  );
  await client.expect({ cmd: "connack" });
  await client.sendBytes(publishFrame({ topic: "over/what/was/read/before", payload: "x".repeat(200) }));
  await client.drop();
  const expected = publishFrame({ topic: "will", properties: [...own, ...answer, ...users], payload: "gone" });
  assertEquals(await watcher.publishBytes(), expected);
});

Deno.test("a will of 3.1.1 reaches 5.0, and the other way round without its properties [MQTT5-3.1.2-7]", async () => {
  await using broker = createBroker();
  await using old = await connected(broker, "old");
  await using modern = await connected5(broker, "modern");
  for (const watcher of [old, modern]) await watcher.subscribe("will", 1);
  await (await connected(broker, "c", willOf(1))).drop();
  const will = { topic: "will", payload: "gone", qos: 1, retain: false, properties: { contentType: "text" } };
  await (await connected5(broker, "c", { will })).drop();
  for (const messageId of [1, 2]) {
    await old.expect({ cmd: "publish", payload: "gone", messageId, properties: undefined });
  }
  await modern.expect({ cmd: "publish", payload: "gone", messageId: 1, properties: undefined });
  const { properties } = await modern.expect({ cmd: "publish", payload: "gone", messageId: 2 });
  assertEquals(properties.contentType, "text");
});

Deno.test("the expiry of a will counts from its publication, not from the CONNECT [MQTT5-3.1.2-8]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will");
  for (const properties of [{ messageExpiryInterval: 2 }, { messageExpiryInterval: 2, willDelayInterval: 3 }]) {
    const will = { topic: "will", payload: "gone", qos: 0, retain: false, properties };
    await using client = await connected5(broker, "c", { will, properties: { sessionExpiryInterval: 60 } });
    await clock.advance(5000);
    await client.drop();
    if (properties.willDelayInterval) await clock.advance(3500);
    const { properties: received } = await watcher.expect({ cmd: "publish", topic: "will" });
    assertEquals(received.messageExpiryInterval, 2);
  }
});

Deno.test("a will payload is any bytes, as they were sent [MQTT5-3.1.2-9]", async () => {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will");
  const payload = [0, 0xff, 0xc3, 0x28, ...Array(80).keys()];
  await using client = TestClient.memory(broker, 5);
  await client.sendBytes(connectFrame({
    flags: flag.clean | flag.will,
    fields: ["c", "will", payload],
    willProperties: [],
  }));
  await client.expect({ cmd: "connack", reasonCode: 0 });
  await client.sendBytes(frame(0x30, ...field("t"), 0, ...Array(100).fill(0x78))); // over what was read before
  await client.drop();
  const packet = await watcher.expect({ cmd: "publish", topic: "will" });
  assertEquals([...packet.payload], payload);
});

Deno.test("over TCP a lost connection publishes the will, a DISCONNECT does not [MQTT5-3.1.2-8] [MQTT5-3.14.4-3]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will");
  for (const last of [bytesOf({ cmd: "disconnect" }, 5), []]) {
    await using client = await TestClient.tcp(listener.port);
    await client.connect({ protocolVersion: 5, clientId: "c", ...willOf(0) });
    await client.sendBytes(last);
    await client.stream.closeWrite();
    await client.expectClosed();
  }
  await watcher.expect({ cmd: "publish", topic: "will" });
  await watcher.expectNothing();
});
