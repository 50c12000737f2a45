// Re-authentication of a connected client (5.0 section 4.12.1), with a toy method.
import { assertEquals } from "@std/assert";
import { type AuthenticationMethod, type Broker, type BrokerOptions, createBroker, type Reason } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { settle } from "../support/clock.ts";
import { endings, frame } from "../conformance/support.ts";
import { bytesOf } from "../conformance/violations.ts";
import { assertFault, subscribe5 } from "./clients.ts";
import { say } from "./connects.ts";
import { properties, RecordingClient } from "./packets.ts";
import { answer, authPacket, open, said, toy } from "./toy.ts";

const REAUTHENTICATE = 0x19;
const options: BrokerOptions = { authenticationMethods: { toy } };

/** A client "client" that has authenticated as ann. */
async function authenticated(broker: Broker, properties = {}): Promise<TestClient> {
  const client = TestClient.memory(broker);
  await open(client, "ann:0", { properties: { ...authPacket("ann:0").properties, ...properties } });
  assertEquals(said(await client.receive()), "connack 0x0 toy welcome");
  return client;
}

Deno.test("a client authenticates anew, and goes on as who it is then [MQTT5-4.12.1-1] [MQTT5-4.12.0-2] [MQTT5-4.12.0-5]", async () => {
  const users: (string | undefined)[] = [];
  await using broker = createBroker({ ...options, authorize: ({ client }) => users.push(client.username) > 0 });
  await using client = await authenticated(broker);
  for (const rounds of [0, 2]) {
    await client.publish("t", "x", { qos: 1 });
    await client.send(authPacket(`user${rounds}:${rounds}`, REAUTHENTICATE));
    const questions = ["auth 0x18 toy 1 and 1?", "auth 0x18 toy 2 and 2?"].slice(0, rounds);
    assertEquals(await answer(client, ...["2", "4"].slice(0, rounds)), [...questions, "auth 0x0 toy welcome"]);
  }
  await client.publish("t", "x", { qos: 1 });
  assertEquals(users, ["ann", "user0", "user2"]);
});

Deno.test("the broker's last AUTH has reason code 0, the method and its data, to the byte [MQTT5-3.15.2-1] [MQTT5-4.12.0-5]", async () => {
  await using broker = createBroker({ authenticationMethods: { toy, silent: () => Promise.resolve(true) } });
  for (const [method, data] of [["toy", [say.data("welcome")]], ["silent", []]] as const) {
    const opening = authPacket("ann:0", REAUTHENTICATE, method);
    await using client = await RecordingClient.connected(broker, { properties: opening.properties });
    await client.send(opening);
    await client.expect({ cmd: "auth" });
    assertEquals(client.taken(), frame(0xf0, 0x00, ...properties(say.method(method), ...data)));
  }
});

Deno.test("a method is told that it is asked again, and of the same client [MQTT5-4.12.1-1]", async () => {
  const seen: unknown[] = [];
  const method: AuthenticationMethod = ({ again, credentials: { clientId, username } }) => {
    seen.push([again, clientId, username]);
    return Promise.resolve(true);
  };
  await using broker = createBroker({ authenticationMethods: { toy: method } });
  await using client = TestClient.memory(broker);
  await open(client, undefined, { username: "u" });
  await client.expect({ cmd: "connack" });
  await client.send(authPacket(undefined, REAUTHENTICATE));
  await client.expect({ cmd: "auth", reasonCode: 0 });
  assertEquals(seen, [[false, "client", "u"], [true, "client", "u"]]);
});

Deno.test("messages go on in both directions while a client authenticates anew [MQTT5-4.12.1-1]", async () => {
  await using broker = createBroker(options);
  await using client = await authenticated(broker);
  await subscribe5(client, "t", { qos: 1 });
  await client.send(authPacket("ann:1", REAUTHENTICATE));
  await client.expect({ cmd: "auth", reasonCode: 0x18 });
  await broker.publish("t", "down", { qos: 1 });
  await client.expect({ cmd: "publish", payload: "down" });
  await client.publish("u", "up", { qos: 2 });
  await client.expectNothing();
  await client.send(authPacket("2"));
  await client.expect({ cmd: "auth", reasonCode: 0 });
});

const again = bytesOf(authPacket("ann:1", REAUTHENTICATE), 5);

Deno.test("a client that fails gets DISCONNECT 0x87 and the end; its will is sent, its session stays [MQTT5-4.12.1-2]", async () => {
  await using broker = createBroker(options);
  const published: string[] = [];
  broker.published.subscribe(({ topic }) => published.push(topic));
  await using client = TestClient.memory(broker);
  const { properties } = authPacket("ann:0");
  await open(client, "", {
    properties: { ...properties, sessionExpiryInterval: 60 },
    will: { topic: "will", payload: "", qos: 0, retain: false },
  });
  await client.expect({ cmd: "connack", reasonCode: 0 });
  await client.sendBytes(again);
  assertEquals(await answer(client, "3"), ["auth 0x18 toy 1 and 1?", "disconnect 0x87"]);
  await client.expectClosed();
  assertEquals([published, endings(broker)], [["will"], { "disconnected/not-authorized": 1 }]);
  await using back = TestClient.memory(broker);
  await open(back, "ann:0", { clean: false });
  await back.expect({ cmd: "connack", sessionPresent: true });
});

/** The reasons that a method may give, and what a DISCONNECT can say of them. */
const reasons: readonly (readonly [Reason, number])[] = [
  ["not-authorized", 0x87],
  ["quota-exceeded", 0x97],
  ["server-moved", 0x9d],
  ["bad-user-name-or-password", 0x87],
  ["bad-authentication-method", 0x87],
  ["banned", 0x87],
];

for (const [reason, code] of reasons) {
  Deno.test(`a method that refuses as ${reason} later on ends the connection with 0x${code.toString(16)} [MQTT5-4.12.1-2] [MQTT5-3.14.2-1]`, async () => {
    const method: AuthenticationMethod = ({ again }) => Promise.resolve(again ? reason : true);
    await using broker = createBroker({ authenticationMethods: { toy: method } });
    await using client = TestClient.memory(broker);
    await open(client);
    await client.expect({ cmd: "connack", reasonCode: 0 });
    await client.sendBytes(again);
    await client.expect({ cmd: "disconnect", reasonCode: code });
    await client.expectClosed();
    assertEquals(endings(broker), { [`disconnected/${reason}`]: 1 });
  });
}

/** AUTH packets that are out of place, for a client that has not begun anew and for one that has. */
const misplaced = {
  "another method": bytesOf(authPacket("ann:0", REAUTHENTICATE, "other"), 5),
  "no method": frame(0xf0, REAUTHENTICATE),
  "no method but data": frame(0xf0, REAUTHENTICATE, ...properties(say.data("ann:0"))),
  "success": bytesOf(authPacket("ann:0", 0x00), 5),
};

for (
  const [name, bytes] of Object.entries({
    ...misplaced,
    "an answer that was not asked for": bytesOf(authPacket("2"), 5),
  })
) {
  Deno.test(`AUTH with ${name} ends the connection with 0x82 [MQTT5-4.12.1-1] [MQTT5-4.12.0-5]`, async () => {
    await using broker = createBroker(options);
    await using client = await authenticated(broker);
    await assertFault(broker, client, bytes, "protocol-error");
  });
}

for (const [name, bytes] of Object.entries({ ...misplaced, "another beginning": again })) {
  Deno.test(`AUTH with ${name} amid a re-authentication ends the connection with 0x82 [MQTT5-4.12.1-1] [MQTT5-4.12.0-3]`, async () => {
    await using broker = createBroker(options);
    await using client = await authenticated(broker);
    await client.sendBytes(again);
    await client.expect({ cmd: "auth", reasonCode: 0x18 });
    await assertFault(broker, client, bytes, "protocol-error");
    assertEquals(broker.counters.get("hook-error"), undefined);
  });
}

Deno.test("a client that leaves amid a re-authentication has left, and no more [MQTT5-4.12.1-2]", async () => {
  await using broker = createBroker(options);
  await using client = await authenticated(broker);
  await client.sendBytes(again);
  await client.expect({ cmd: "auth", reasonCode: 0x18 });
  await client.disconnect();
  await settle();
  assertEquals(endings(broker), { "disconnected/disconnect": 1 });
  assertEquals(broker.counters.get("hook-error"), undefined);
});

Deno.test("a client may authenticate anew a thousand times [MQTT5-4.12.1-1]", async () => {
  await using broker = createBroker(options);
  await using client = await authenticated(broker);
  for (let i = 0; i < 1000; i++) {
    await client.sendBytes(again);
    await client.expect({ cmd: "auth", reasonCode: 0x18 });
    await client.send(authPacket("2"));
    await client.expect({ cmd: "auth", reasonCode: 0 });
  }
});
