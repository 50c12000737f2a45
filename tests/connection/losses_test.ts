// Messages of QoS 0 that were on their way when a connection ended: nobody sends them again, so they are told to be lost. And messages
// that a client refuses.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { upTo } from "../conformance/script.ts";
import { connectFrame } from "../conformance/support.ts";
import { connected } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { assertDropped, dropsOf } from "../support/losses.ts";
import { ON_THE_WAY, outbox, publishLarge, SlowClient } from "../support/slow_client.ts";

for (const qos of [0, 1] as const) {
  Deno.test(`What is on its way at QoS ${qos} when a connection is lost is ${qos === 0 ? "lost" : "sent again, not lost"}`, async () => {
    await using broker = createBroker({ limits: { outbox } });
    const drops = dropsOf(broker);
    const client = await SlowClient.connected(broker, "c", { clean: false });
    await client.subscribe("t", qos);
    await client.stall();
    await publishLarge(broker, qos, "t=1", "t=2", "t=3");
    await client.drop();
    await settle();
    assertEquals(drops, qos === 0 ? [`c undefined connection-lost*${ON_THE_WAY}`] : []);
    await using again = await SlowClient.connected(broker, "c", { clean: false });
    await again.expectTexts(qos === 0 ? ["3"] : ["1", "2", "3"]); // the third one has waited in the session
  });
}

Deno.test("A client that stops to read and is timed out loses what is on its way, and what waits as far as its session ends", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ limits: { outbox }, clock });
  await using client = await SlowClient.connected(broker, "c", { keepalive: 10 });
  await client.subscribe("t", 0);
  await client.stall();
  await publishLarge(broker, 0, "t=1", "t=2", "t=3");
  await clock.advance(20_000);
  assertDropped(broker, { "connection-lost": ON_THE_WAY, "session-ended": 1 });
});

Deno.test("What a client does not take while the broker closes is told to be lost before the broker is closed", async () => {
  const clock = new VirtualClock(), broker = createBroker({ limits: { outbox }, clock }), told: string[] = [];
  broker.events.subscribe((event) =>
    told.push(event.type === "dropped" ? `${event.reason}*${event.count}` : event.type)
  );
  await using client = await SlowClient.connected(broker, "c");
  await client.subscribe("t", 0);
  await client.stall();
  await publishLarge(broker, 0, "t=1", "t=2");
  broker.close({ drain: 1000 });
  await clock.advance(5000);
  await broker.closed;
  assertEquals(told, ["connected", "subscribed", "disconnected", `connection-lost*${ON_THE_WAY}`, "closed"]);
});

Deno.test("The same is true of a real socket, whose write ends later than it is closed", async () => {
  const clock = new VirtualClock(), broker = createBroker({ clock }), told: string[] = [];
  broker.events.subscribe((event) => told.push(event.type === "dropped" ? event.reason : event.type));
  const { port } = broker.listen({ port: 0 });
  using client = await Deno.connect({ port, hostname: "127.0.0.1" });
  await client.write(Uint8Array.from(connectFrame()));
  await client.write(Uint8Array.of(0x82, 6, 0, 1, 0, 1, 0x74, 0)); // SUBSCRIBE to "t"
  while (!told.includes("subscribed")) await settle();
  for (const _ of upTo(20)) await broker.publish("t", new Uint8Array(1_000_000)); // more than what fits on the way
  broker.close({ drain: 1000 });
  await clock.advance(5000);
  await broker.closed;
  const lost = told.indexOf("connection-lost");
  assertEquals([lost > 0, lost < told.indexOf("closed"), told.at(-1)], [true, true, "closed"]);
});

Deno.test("A client that reads to the end loses nothing, however its connection ends", async () => {
  const clock = new VirtualClock(), broker = createBroker({ limits: { outbox }, clock });
  await using client = await SlowClient.connected(broker, "c");
  await client.subscribe("t", 0);
  await client.stall();
  await publishLarge(broker, 0, "t=1", "t=2");
  broker.close();
  client.resume();
  for (const payload of ["1", "2"]) await client.expect({ cmd: "publish", payload: payload.padEnd(1000) });
  await client.expectClosed();
  await broker.closed;
  assertDropped(broker, {});
});

Deno.test("A message that a client refuses is told to be lost, at QoS 1 and 2, and is not sent again [MQTT5-4.4.0-2]", async () => {
  await using broker = createBroker();
  const drops = dropsOf(broker),
    lasting = { clean: false, properties: { sessionExpiryInterval: 100 }, protocolVersion: 5 };
  const client = await connected(broker, "c", lasting);
  await client.subscribe("t/#", 2);
  for (const qos of [1, 2] as const) await broker.publish(`t/${qos}`, "x", { qos });
  for (const qos of [1, 2]) await client.expect({ cmd: "publish", topic: `t/${qos}`, messageId: qos });
  await client.send({ cmd: "puback", messageId: 1, reasonCode: 0x97 });
  await client.send({ cmd: "pubrec", messageId: 2, reasonCode: 0x80 });
  await client.expectNothing();
  assertEquals(drops, ["c t/1 refused-by-client*1", "c t/2 refused-by-client*1"]);
  assertDropped(broker, { "refused-by-client": 2 });
  await client.drop();
  await using again = await connected(broker, "c", lasting);
  await again.expectNothing();
});

Deno.test("An acknowledgement with a reason code that says yes is no refusal", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c", { protocolVersion: 5 });
  await client.subscribe("t", 1);
  await broker.publish("t", "x", { qos: 1 });
  await client.expect({ cmd: "publish", messageId: 1 });
  await client.send({ cmd: "puback", messageId: 1, reasonCode: 0x10 });
  await client.expectNothing();
  assertDropped(broker, {});
});
