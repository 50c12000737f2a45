// Protocol violations and errors (3.1.1 section 4.8): each ends the connection that it came on, and nothing else.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { expectAll, resumed, upTo } from "./script.ts";
import { connectFrame, endings, field, frame } from "./support.ts";
import { bytesOf, endTheConnection, type Violations, wrongFlags } from "./violations.ts";

const BROKEN = [0x36, 0];

/** Acknowledgements, by their first byte. */
const acknowledgements = { PUBACK: 0x40, PUBREC: 0x50, PUBREL: 0x62, PUBCOMP: 0x70 };

function ofEach(what: string, bytes: (first: number) => readonly number[]): Violations {
  return Object.fromEntries(
    Object.entries(acknowledgements).map(([name, first]) => [`${name} ${what}`, bytes(first)]),
  );
}

Deno.test(
  "a packet that a client may not send, or not now, ends the connection as a protocol error [MQTT-4.8.0-1]",
  endTheConnection({
    "a second CONNECT": connectFrame(),
    "CONNACK": bytesOf({ cmd: "connack", returnCode: 0, sessionPresent: false }),
    "SUBACK": bytesOf({ cmd: "suback", messageId: 1, granted: [0] }),
    "UNSUBACK": bytesOf({ cmd: "unsuback", messageId: 1 }),
    "PINGRESP": bytesOf({ cmd: "pingresp" }),
  }, "protocol-error"),
);

Deno.test(
  "a packet of a reserved type ends the connection [MQTT-4.8.0-1]",
  endTheConnection({
    "type 0": [0x00, 0],
    "type 0 with a body": frame(0x00, 0, 1),
    "type 15": [0xf0, 0],
    "type 15 with a body": frame(0xf0, 0, 0),
  }),
);

for (const cmd of ["puback", "pubrec", "pubcomp"] as const) {
  Deno.test(
    `a ${cmd.toUpperCase()} with flags ends the connection [MQTT-4.8.0-1]`,
    endTheConnection(wrongFlags({ cmd, messageId: 1 })),
  );
}

Deno.test(
  "a packet that is too short, too long or without identifier ends the connection [MQTT-4.8.0-1]",
  endTheConnection({
    ...ofEach("without a body", (first) => frame(first)),
    ...ofEach("with half an identifier", (first) => frame(first, 0)),
    ...ofEach("with identifier 0", (first) => frame(first, 0, 0)),
    ...ofEach("that goes on", (first) => frame(first, 0, 1, 0)),
    "PUBLISH of QoS 1 without identifier": frame(0x32, ...field("a")),
    "PUBLISH of QoS 2 with identifier 0": frame(0x34, ...field("a"), 0, 0),
    "SUBSCRIBE with identifier 0": frame(0x82, 0, 0, ...field("a"), 0),
    "SUBSCRIBE that goes on": frame(0x82, 0, 1, ...field("a"), 0, 0),
    "UNSUBSCRIBE with identifier 0": frame(0xa2, 0, 0, ...field("a")),
    "UNSUBSCRIBE that goes on": frame(0xa2, 0, 1, ...field("a"), 0),
    "a remaining length of five bytes": [0x30, 0x80, 0x80, 0x80, 0x80, 0x01],
  }),
);

Deno.test("what came before the violation is done and answered, what comes behind it is not [MQTT-4.8.0-1]", async () => {
  await using broker = createBroker();
  await using observer = await connected(broker, "observer");
  await observer.subscribe("#");
  await using client = await connected(broker, "client");
  const publish = (messageId: number) =>
    bytesOf({ cmd: "publish", topic: "t", payload: `${messageId}`, qos: 1, messageId });
  await client.sendBytes([...publish(1), ...publish(2), ...BROKEN, ...publish(3)]);
  for (const messageId of [1, 2]) await client.expect({ cmd: "puback", messageId });
  await client.expectClosed();
  await expectAll(observer, ["publish qos0 1", "publish qos0 2"]);
});

Deno.test("a violation ends the connection, not the session [MQTT-4.8.0-1] [MQTT-4.1.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t", 1);
  await broker.publish("t", "x", { qos: 1 });
  await expectAll(client, ["publish 1 qos1 x"]);
  await client.sendBytes(BROKEN);
  await client.expectClosed();
  await broker.publish("t", "y", { qos: 1 });
  await using again = await resumed(broker, "client");
  await expectAll(again, ["publish 1 qos1 x dup", "publish 2 qos1 y"]);
});

Deno.test("a violation over a real socket closes that socket; one that is dropped within a packet closes no other [MQTT-4.8.0-1]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using bystander = await TestClient.tcp(listener.port);
  await bystander.connect({ clientId: "bystander" });
  await bystander.subscribe("#");
  for (const i of upTo(10)) {
    const client = await TestClient.tcp(listener.port);
    await client.connect({ clientId: `client ${i}` });
    await client.sendBytes(i % 2 === 0 ? BROKEN : [0xc0]);
    if (i % 2 === 0) await client.expectClosed();
    else await client.drop();
  }
  await bystander.publish("t", "alive");
  await expectAll(bystander, ["publish qos0 alive"]);
  assertEquals(endings(broker)["disconnected/malformed-packet"], 5);
});

Deno.test("many violations at a time end their connections, and no other one [MQTT-4.8.0-1]", async () => {
  await using broker = createBroker();
  const clients = await Promise.all(upTo(20).map((i) => connected(broker, `client ${i}`)));
  for (const client of clients) await client.subscribe("t");
  const [good, bad] = [0, 1].map((rest) => clients.filter((_, i) => i % 2 === rest)) as [TestClient[], TestClient[]];
  await Promise.all(bad.map((client) => client.sendBytes(BROKEN)));
  await Promise.all(bad.map((client) => client.expectClosed()));
  await broker.publish("t", "x");
  for (const client of good) await expectAll(client, ["publish qos0 x"]);
  assertEquals(endings(broker), { "disconnected/malformed-packet": 10 });
  await Promise.all(good.map((client) => client.drop()));
});

Deno.test("a client that does not close its side after a violation is closed all the same [MQTT-4.8.0-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using client = await connected(broker, "client");
  await client.sendBytes(BROKEN);
  await clock.advance(10_000);
  let open = true;
  for (const _ of upTo(3)) open &&= await client.send({ cmd: "pingreq" }).then(() => true, () => false);
  assertEquals([open, clock.pending], [false, 0]);
});

Deno.test(
  "a packet that is larger than the broker can take ends the connection [MQTT-4.8.0-2]",
  endTheConnection(
    {
      "a PUBLISH": bytesOf({ cmd: "publish", topic: "t", payload: "x".repeat(1000), qos: 0 }),
      "its head alone": [0x30, 0xff, 0xff, 0xff, 0x7f],
    },
    "packet-too-large",
    { limits: { packet: 500 } },
  ),
);

Deno.test("a hook that fails ends the connection whose CONNECT it was asked about, with 0x03 [MQTT-4.8.0-2]", async () => {
  const answers = [() => true, () => Promise.reject(new Error("Database is away")), () => true];
  await using broker = createBroker({ authenticate: () => answers.shift()!() });
  await using before = await connected(broker, "before");
  await using refused = TestClient.memory(broker);
  await refused.sendBytes(connectFrame());
  await refused.expect({ cmd: "connack", returnCode: 3, sessionPresent: false });
  await refused.expectClosed();
  await before.expectNothing();
  await using after = await connected(broker, "after");
  await after.expectNothing();
  assertEquals(endings(broker), { "refused/server-unavailable": 1 });
});

Deno.test("a hook that fails ends the connection whose PUBLISH it was asked about, with no PUBACK [MQTT-4.8.0-2]", async () => {
  const answers = [() => Promise.reject(new Error("Database is away")), () => true];
  await using broker = createBroker({ authorize: () => answers.shift()!() });
  const seen: string[] = [];
  broker.routed.subscribe((message) => seen.push(message.text()));
  for (const ending of ["closed", "acknowledged"]) {
    await using client = await connected(broker, "c", { clean: false });
    await client.send({
      cmd: "publish",
      topic: "t",
      payload: "x",
      qos: 1,
      messageId: 1,
      dup: ending === "acknowledged",
    });
    if (ending === "closed") await client.expectClosed();
    else await client.expect({ cmd: "puback", messageId: 1 });
  }
  assertEquals(seen, ["x"]);
  assertEquals(endings(broker)["disconnected/unspecified-error"], 1);
});
