// Wills (3.1.1 sections 3.1.2.5 to 3.1.2.7): when they are published, and how.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker, rx } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { connectFrame, field, flag, frame, versions } from "./support.ts";
import { bytesOf } from "./violations.ts";

type Cause = (client: TestClient, broker: Broker, clock: VirtualClock) => Promise<unknown>;

const send = (bytes: readonly number[]): Cause => (client) => client.sendBytes(bytes);

/** The ways in which a connection ends other than by DISCONNECT. */
const causes: Readonly<Record<string, Cause>> = {
  "a reset": (client) => client.drop(),
  "an end of stream": (client) => client.stream.closeWrite(),
  "a keep-alive timeout": (_client, _broker, clock) => clock.advance(2000),
  "a takeover": async (_client, broker) => {
    await using again = await connected(broker, "c");
    await again.disconnect();
  },
  "a protocol error": send(frame(0xd0)), // PINGRESP
  "a malformed packet": send(frame(0x30, 0, 1, 0)),
  "a malformed DISCONNECT": send(frame(0xe0, 0)),
  "a DISCONNECT that is cut off": async (client) => {
    await client.sendBytes([0xe0]);
    await client.stream.closeWrite();
  },
};

function willOf(qos: number, retain = false): Partial<PacketLike> {
  return { will: { topic: "will", payload: "gone", qos, retain } };
}

/** Resolves when the connection of `clientId` has ended, as seen by the broker. */
function ended(broker: Broker, clientId: string): Promise<unknown> {
  return rx.firstValueFrom(
    broker.events.pipe(rx.filter((event) => event.type === "disconnected" && event.client === clientId)),
  );
}

for (const { name, fields } of versions) {
  for (const [what, cause] of Object.entries(causes)) {
    Deno.test(`${name}: ${what} publishes the will, once, at its QoS [MQTT-3.1.2-8] [MQTT-3.1.2-9] [MQTT-3.1.2-10]`, async () => {
      for (const qos of [0, 1, 2]) {
        const clock = new VirtualClock();
        await using broker = createBroker({ clock });
        await using watcher = await connected(broker, "watcher");
        await watcher.subscribe("#", 2);
        await using client = await connected(broker, "c", { ...fields, ...willOf(qos), keepalive: 1 });
        await watcher.expectNothing();
        await cause(client, broker, clock);
        await watcher.expect({ cmd: "publish", topic: "will", payload: "gone", qos, retain: false });
        await watcher.expectNothing();
        await client.drop();
      }
    });
  }

  Deno.test(`${name}: DISCONNECT removes the will, whatever comes behind it [MQTT-3.1.2-8] [MQTT-3.1.2-10]`, async () => {
    for (const behind of [[], [0xe0, 0], [0xff, 0xff], bytesOf({ cmd: "publish", topic: "t", payload: "", qos: 0 })]) {
      await using broker = createBroker();
      await using watcher = await connected(broker, "watcher");
      await watcher.subscribe("#");
      await using client = await connected(broker, "c", { ...fields, ...willOf(1, true) });
      await client.sendBytes([0xe0, 0, ...behind]);
      await client.expectClosed();
      await watcher.expectNothing();
      assertEquals(broker.counters.get("disconnected/disconnect"), 1);
    }
  });
}

Deno.test("a will is published when the broker closes [MQTT-3.1.2-8]", async () => {
  const broker = createBroker(), seen: string[] = [];
  broker.topic("will").subscribe((message) => seen.push(`${message.text()} of ${message.client}`));
  await using client = await connected(broker, "c", willOf(0));
  const closed = broker.close();
  await client.expectClosed();
  await closed;
  assertEquals(seen, ["gone of c"]);
});

Deno.test("over TCP a lost connection publishes the will, a DISCONNECT does not [MQTT-3.1.2-8]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("will");
  await using polite = await TestClient.tcp(listener.port);
  await polite.connect({ clientId: "polite", ...willOf(0) });
  await polite.disconnect();
  await using client = await TestClient.tcp(listener.port);
  await client.connect({ clientId: "c", will: { topic: "will", payload: "of c", qos: 0, retain: false } });
  await client.drop();
  await watcher.expect({ cmd: "publish", topic: "will", payload: "of c" });
  await watcher.expectNothing();
});

Deno.test("a will comes after everything that its client published [MQTT-3.1.2-8]", async () => {
  await using broker = createBroker();
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("#");
  await using client = await connected(broker, "c", willOf(0));
  const last = bytesOf({ cmd: "publish", topic: "last", payload: "words", qos: 0 });
  await client.sendBytes([...last, ...last, ...frame(0xf0), ...last]);
  for (const topic of ["last", "last", "will"]) await watcher.expect({ cmd: "publish", topic });
  await watcher.expectNothing();
});

Deno.test("a will that was published or removed is not there for the next connection [MQTT-3.1.2-10] [MQTT-3.1.2-12]", async () => {
  for (const polite of [true, false]) {
    await using broker = createBroker();
    await using watcher = await connected(broker, "watcher");
    await watcher.subscribe("#");
    await using first = await connected(broker, "c", { clean: false, ...willOf(1) });
    if (polite) await first.disconnect();
    else {
      await first.drop();
      await watcher.expect({ cmd: "publish", topic: "will" });
    }
    await using second = await connected(broker, "c", { clean: false });
    const end = ended(broker, "c");
    await second.drop();
    await end;
    await watcher.expectNothing();
  }
});

Deno.test("without a will flag nothing is published when the connection is lost [MQTT-3.1.2-12]", async () => {
  for (const { fields } of versions) {
    await using broker = createBroker();
    const published: string[] = [];
    broker.published.subscribe(({ topic }) => published.push(topic));
    await using client = await connected(broker, "c", fields);
    const end = ended(broker, "c");
    await client.drop();
    await end;
    assertEquals(published, []);
  }
});

Deno.test("each connection has the will of its own CONNECT [MQTT-3.1.2-8] [MQTT-3.1.2-10]", async () => {
  await using broker = createBroker();
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("will/+");
  const will = (topic: string) => ({ clean: false, will: { topic, payload: "", qos: 0, retain: false } });
  await using _first = await connected(broker, "c", will("will/1"));
  await using second = await connected(broker, "c", will("will/2")); // takes the first one over
  await watcher.expect({ cmd: "publish", topic: "will/1" });
  await watcher.expectNothing();
  await second.drop();
  await watcher.expect({ cmd: "publish", topic: "will/2" });
});

Deno.test("a client whose session stays gets its own will, where it subscribed to that [MQTT-3.1.2-8]", async () => {
  await using broker = createBroker();
  await using first = await connected(broker, "c", { clean: false, ...willOf(1) });
  await first.subscribe("will", 1);
  await first.drop();
  await using second = await connected(broker, "c", { clean: false });
  await second.expect({ cmd: "publish", topic: "will", payload: "gone", qos: 1 });
});

/** Asserts that a will is delivered, and that later subscribers get it exactly where `retain` says so. */
async function assertRetained(broker: Broker, qos: number, retain: boolean): Promise<void> {
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("will", 2);
  await using client = await connected(broker, "c", willOf(qos, retain));
  await client.drop();
  await watcher.expect({ cmd: "publish", topic: "will", qos, retain: false });
  await using later = await connected(broker, "later");
  await later.subscribe("will", 2);
  if (retain) await later.expect({ cmd: "publish", topic: "will", payload: "gone", qos, retain: true });
  await later.expectNothing();
}

Deno.test("a will with retain 0 is not retained [MQTT-3.1.2-16]", async () => {
  await using broker = createBroker();
  for (const qos of [0, 1, 2]) await assertRetained(broker, qos, false);
});

Deno.test("a will with retain 1 is retained for later subscribers [MQTT-3.1.2-17]", async () => {
  for (const qos of [0, 1, 2]) {
    await using broker = createBroker();
    await assertRetained(broker, qos, true);
  }
});

Deno.test("an empty will with retain 1 is published, and removes the retained message [MQTT-3.1.2-17]", async () => {
  await using broker = createBroker();
  await broker.publish("will", "alive", { retain: true });
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("will");
  await watcher.expect({ cmd: "publish", payload: "alive", retain: true });
  await using client = await connected(broker, "c", { will: { topic: "will", payload: "", qos: 0, retain: true } });
  await client.drop();
  await watcher.expect({ cmd: "publish", payload: "", retain: false });
  await using later = await connected(broker, "later");
  await later.subscribe("will");
  await later.expectNothing();
});

Deno.test("a will message is any bytes, as they were sent [MQTT-3.1.2-9]", async () => {
  await using broker = createBroker();
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("will");
  const payload = [0, 0xff, 0xc3, 0x28, ...Array(80).keys()];
  await using client = TestClient.memory(broker);
  await client.sendBytes(connectFrame({ flags: flag.clean | flag.will, fields: ["c", "will", payload] }));
  await client.expect({ cmd: "connack", returnCode: 0 });
  await client.sendBytes(frame(0x30, ...field("t"), ...Array(100).fill(0x78))); // over what was read before
  await client.drop();
  const packet = await watcher.expect({ cmd: "publish", topic: "will" });
  assertEquals([...packet.payload], payload);
});
