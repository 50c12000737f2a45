// CONNACK (5.0 section 3.2): that it comes first and once, what it says, and how it refuses.
import { assertEquals } from "@std/assert";
import { type Authenticate, createBroker, type Decision, type Reason } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { refuseTheConnection } from "../conformance/openings.ts";
import { endings, field, flag, frame } from "../conformance/support.ts";
import { bytesOf } from "../conformance/violations.ts";
import { connected5, resumed5, subscribe5 } from "./clients.ts";
import { connackOf, connectFrame, say, willFrame } from "./connects.ts";
import { RecordingClient } from "./packets.ts";

for (const [how, answer] of [["at once", true], ["by a promise", Promise.resolve(true)]] as const) {
  Deno.test(`CONNACK precedes the answers to what was sent with a CONNECT that is accepted ${how} [MQTT5-3.2.0-1] [MQTT5-3.1.4-5]`, async () => {
    await using broker = createBroker({ authenticate: () => answer });
    await broker.publish("t", "retained", { retain: true });
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes([
      ...connectFrame(),
      ...bytesOf({ cmd: "pingreq" }),
      ...bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] }, 5),
      ...bytesOf({ cmd: "publish", topic: "u", payload: "", qos: 1, messageId: 2 }, 5),
    ]);
    for (const cmd of ["connack", "pingresp", "suback", "publish", "puback"] as const) await client.expect({ cmd });
    await client.expectNothing();
  });
}

Deno.test("CONNACK precedes what a session has still to deliver, and comes once [MQTT5-3.2.0-1] [MQTT5-3.2.0-2]", async () => {
  await using broker = createBroker();
  {
    await using client = await resumed5(broker, "c");
    await subscribe5(client, "t", { qos: 2 });
    await broker.publish("t", "released", { qos: 2 });
    await broker.publish("t", "on its way", { qos: 2 });
    const { messageId } = await client.receive();
    await client.send({ cmd: "pubrec", messageId });
    await client.expect({ cmd: "publish" });
    await client.expect({ cmd: "pubrel" });
    await client.disconnect();
  }
  await broker.publish("t", "queued", { qos: 2 });
  await using client = TestClient.memory(broker);
  await client.send({
    cmd: "connect",
    protocolVersion: 5,
    clientId: "c",
    clean: false,
    properties: { sessionExpiryInterval: 60 },
  });
  for (const cmd of ["connack", "pubrel", "publish", "publish"] as const) await client.expect({ cmd });
  await client.expectNothing();
});

Deno.test("CONNACK is a byte of which only the first bit is used, a reason code and properties [MQTT5-3.2.2-1] [MQTT5-3.2.2-3] [MQTT5-2.1.3-1]", async () => {
  await using broker = createBroker({ limits: { packet: 0x01020304, topicAliases: 0 } });
  for (const present of [0, 1]) {
    await using client = RecordingClient.over(broker);
    await client.sendBytes(connectFrame({ flags: 0, properties: [say.sessionExpiry(60)] }));
    await client.expect({ cmd: "connack" });
    assertEquals(client.taken(), frame(0x20, present, 0, 5, 39, 1, 2, 3, 4));
  }
});

Deno.test("CONNACK tells every limit of the broker that differs from what a client may take for granted [MQTT5-3.1.4-5]", async () => {
  const told = async (limits: Record<string, number>, properties = {}) => {
    await using broker = createBroker({ limits });
    return { ...(await connackOf(broker, { keepalive: 60, properties })).properties };
  };
  const packet = { maximumPacketSize: 1024 * 1024 };
  assertEquals(await told({}), { ...packet, topicAliasMaximum: 100 });
  assertEquals(await told({ receiveMaximum: 65_535, topicAliases: 0 }), packet);
  assertEquals(
    await told(
      { packet: 2000, receiveMaximum: 7, topicAliases: 8, keepAlive: 9, sessionExpiry: 10 },
      { sessionExpiryInterval: 11 },
    ),
    {
      maximumPacketSize: 2000,
      receiveMaximum: 7,
      topicAliasMaximum: 8,
      serverKeepAlive: 9,
      sessionExpiryInterval: 10,
    },
  );
});

/** What hooks may answer, and the code that a CONNACK has for it; a reason that it does not know becomes "not authorized". */
const codes: Readonly<Record<number, readonly Decision[]>> = {
  0x80: ["unspecified-error"],
  0x81: ["malformed-packet"],
  0x82: ["protocol-error"],
  0x83: ["implementation-specific-error"],
  0x84: ["unsupported-protocol-version"],
  0x85: ["client-identifier-not-valid"],
  0x86: ["bad-user-name-or-password"],
  0x87: [
    "not-authorized",
    false,
    "session-taken-over",
    "keep-alive-timeout",
    "topic-filter-invalid",
    "maximum-connect-time",
  ],
  0x88: ["server-unavailable"],
  0x89: ["server-busy"],
  0x8a: ["banned"],
  0x8c: ["bad-authentication-method"],
  0x90: ["topic-name-invalid"],
  0x95: ["packet-too-large"],
  0x97: ["quota-exceeded"],
  0x99: ["payload-format-invalid"],
  0x9a: ["retain-not-supported"],
  0x9b: ["qos-not-supported"],
  0x9c: ["use-another-server"],
  0x9d: ["server-moved"],
  0x9f: ["connection-rate-exceeded"],
};

const unless = (decision: Decision): Authenticate => ({ clientId }) => clientId === "witness" || decision;

for (const [code, decisions] of Object.entries(codes)) {
  for (const decision of decisions) {
    const reason = decision === false ? "not-authorized" : decision as Reason, hex = Number(code).toString(16);
    Deno.test(
      `a refusal as ${
        decision || "a plain no"
      } gets CONNACK 0x${hex}, session present 0, and the end [MQTT5-3.2.2-6] [MQTT5-3.2.2-7] [MQTT5-3.2.2-8] [MQTT5-4.13.2-1]`,
      refuseTheConnection({
        "a clean start": connectFrame(),
        "a session that is to go on": connectFrame({ flags: 0, properties: [say.sessionExpiry(60)] }),
        "with a will": willFrame(),
      }, { reason, reasonCode: Number(code), options: { authenticate: unless(decision) } }),
    );
  }
}

for (const [reason, code] of [["use-another-server", 0x9c], ["server-moved", 0x9d]] as const) {
  Deno.test(`a hook may send a client elsewhere: 0x${code.toString(16)} with a server reference [MQTT5-3.2.2-8]`, async () => {
    const refusal = { reason, message: "Try there", serverReference: "other.example:1883 [::1]:1883" };
    for (const answer of [refusal, Promise.resolve(refusal)]) {
      await using broker = createBroker({ authenticate: () => answer });
      await using client = TestClient.memory(broker, 5);
      await client.sendBytes(connectFrame());
      const { properties } = await client.expect({ cmd: "connack", reasonCode: code, sessionPresent: false });
      const { reasonString, serverReference } = properties;
      assertEquals([reasonString, serverReference], [refusal.message, refusal.serverReference]);
      await client.expectClosed();
    }
  });
}

Deno.test("a hook that throws or rejects refuses with 0x88, and says nothing of why [MQTT5-3.2.2-8]", async () => {
  const fails = () => {
    throw new Error("Password of the database is wrong");
  };
  for (const authenticate of [fails, () => Promise.reject(new Error("Password of the database is wrong"))]) {
    await using broker = createBroker({ authenticate });
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes(connectFrame());
    const { properties } = await client.expect({ cmd: "connack", reasonCode: 0x88, sessionPresent: false });
    assertEquals(properties.reasonString.includes("database"), false);
    await client.expectClosed();
    assertEquals(endings(broker), { "refused/server-unavailable": 1 });
  }
});

Deno.test("a refusal says session present 0 although there is a session, and leaves that as it is [MQTT5-3.2.2-6] [MQTT5-3.1.4-6]", async () => {
  let open = true;
  await using broker = createBroker({ authenticate: () => open });
  await using former = await resumed5(broker, "client");
  await subscribe5(former, "t", { qos: 1 });
  for (const clean of [false, true]) {
    open = false;
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes(connectFrame({ flags: clean ? flag.clean : 0 }));
    await client.expect({ cmd: "connack", reasonCode: 0x87, sessionPresent: false });
    await client.expectClosed();
  }
  await former.disconnect();
  open = true;
  assertEquals((await connackOf(broker, { clean: false })).sessionPresent, true);
});

Deno.test("a connection beyond the limit gets CONNACK 0x88 and is closed; the others go on [MQTT5-3.2.2-7]", async () => {
  await using broker = createBroker({ limits: { connections: 1 } });
  await using client = await connected5(broker, "c");
  await using refused = TestClient.memory(broker, 5);
  await refused.sendBytes(connectFrame());
  await refused.expect({ cmd: "connack", reasonCode: 0x88, sessionPresent: false });
  await refused.expectClosed();
  await client.expectNothing();
  await using small = TestClient.memory(broker, 5);
  await small.sendBytes(connectFrame({ properties: [[39, 0, 0, 0, 10]] })); // a maximum packet size
  await small.expect({ cmd: "connack", length: 3, reasonCode: 0x88 });
  assertEquals(endings(broker), { "refused/server-unavailable": 2 });
});

/** The bytes of the refusal that a client gets which takes packets of this size at most, or wants no reasons in words. */
async function refusalOf(...properties: readonly number[][]): Promise<number[]> {
  await using broker = createBroker({ authenticate: () => ({ reason: "banned", message: "Never again" }) });
  await using client = RecordingClient.over(broker);
  await client.sendBytes(connectFrame({ properties }));
  await client.drained();
  assertEquals(endings(broker), { "refused/banned": 1 });
  return client.taken();
}

Deno.test("a reason string is left out where it would make the CONNACK too large, or is not welcome [MQTT5-3.2.2-19] [MQTT5-3.2.2-20] [MQTT5-3.1.2-29]", async () => {
  const reason = [31, ...field("Never again")], full = frame(0x20, 0, 0x8a, reason.length, ...reason);
  const short = frame(0x20, 0, 0x8a, 0);
  assertEquals(await refusalOf(), full);
  assertEquals(await refusalOf(say.maximumPacketSize(full.length)), full);
  for (const size of [full.length - 1, full.length - 2, full.length - 3, short.length]) {
    assertEquals(await refusalOf(say.maximumPacketSize(size)), short);
  }
  assertEquals(await refusalOf(say.maximumPacketSize(short.length - 1)), []);
  assertEquals(await refusalOf(say.problemInformation(0)), short);
});

Deno.test("CONNACK and the end of the connection reach a refused client over TCP [MQTT5-3.2.2-7] [MQTT5-4.13.2-1] [MQTT5-4.2-1]", async () => {
  await using broker = createBroker({ authenticate: () => false });
  await using listener = broker.listen({ port: 0 });
  for (let i = 0; i < 20; i++) {
    await using client = await TestClient.tcp(listener.port);
    const behind = bytesOf({ cmd: "publish", topic: "t", payload: "x".repeat(50_000), qos: 0 }, 5);
    await client.send({ cmd: "connect", protocolVersion: 5, clientId: `${i}` });
    await client.sendBytes(behind).catch(() => {}); // may be too late
    await client.expect({ cmd: "connack", reasonCode: 0x87, sessionPresent: false });
    await client.expectClosed();
  }
});

Deno.test("over TCP a client of 5.0 connects, subscribes, publishes and leaves [MQTT5-4.2-1]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using client = await TestClient.tcp(listener.port);
  await client.connect({ protocolVersion: 5 });
  await subscribe5(client, "t", { qos: 1 });
  for (let i = 0; i < 100; i++) await broker.publish("t", `${i}`, { qos: 1 });
  for (let i = 0; i < 100; i++) {
    const { messageId } = await client.expect({ cmd: "publish", payload: `${i}` });
    await client.send({ cmd: "puback", messageId });
  }
  await client.publish("u", "x", { qos: 2 });
  await client.disconnect();
  assertEquals(endings(broker), { "disconnected/disconnect": 1 });
});
