// Enhanced authentication with SCRAM-SHA-256 (5.0 section 4.12, RFC 7677), packet by packet.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Broker, type BrokerOptions, createBroker, scramSecret, scramSha256 } from "../../mod.ts";
import { clientFinal, clientFirst, type ScramLogin } from "../access/scram_client.ts";
import { TestClient } from "../support/client.ts";
import { endings } from "../conformance/support.ts";
import { authPacket, said } from "./toy.ts";

const METHOD = "SCRAM-SHA-256", REAUTHENTICATE = 0x19;
const secrets = new Map([["ann", await scramSecret("secret")], ["bob", await scramSecret("other")]]);
const options: BrokerOptions = {
  authenticationMethods: { [METHOD]: scramSha256((username) => secrets.get(username)) },
  authenticate: () => false,
};
const ann: ScramLogin = { username: "ann", password: "secret", nonce: "fyko+d2lbbFgONRv9qkxdawL" };

/** The last packets of a client and the broker in one conversation: what the client has sent, what it got, what that had to prove. */
interface Talk {
  readonly sent: string;
  readonly heard: string;
  readonly serverFinal: string;
}

/** Goes on from the first message of the client, which has been sent. */
async function goOn(client: TestClient, login: ScramLogin, replay?: string): Promise<Talk> {
  const { properties } = await client.expect({ cmd: "auth", reasonCode: 0x18 });
  const { message, serverFinal } = clientFinal(login, `${Buffer.from(properties.authenticationData)}`);
  const sent = replay ?? message;
  await client.send(authPacket(sent, 0x18, METHOD));
  return { sent, heard: said(await client.receive()), serverFinal };
}

/** Sends a CONNECT, and goes on to its end. */
async function connectAs(client: TestClient, login: ScramLogin, replay?: string): Promise<Talk> {
  const { properties } = authPacket(clientFirst(login), 0, METHOD);
  await client.send({ cmd: "connect", protocolVersion: 5, clientId: "client", username: "ignored", properties });
  return await goOn(client, login, replay);
}

/** Authenticates anew. */
async function again(client: TestClient, login: ScramLogin, replay?: string): Promise<Talk> {
  await client.send(authPacket(clientFirst(login), REAUTHENTICATE, METHOD));
  return await goOn(client, login, replay);
}

/** The user names that clients had when they published. */
function publishers(): { options: BrokerOptions; seen: unknown[] } {
  const seen: unknown[] = [];
  return { seen, options: { ...options, authorize: ({ client }) => seen.push(client.username) > 0 } };
}

async function overTcp(broker: Broker): Promise<TestClient> {
  return await TestClient.tcp(broker.listen({ port: 0 }).port);
}

for (const [how, start] of [["in memory", TestClient.memory], ["over TCP", overTcp]] as const) {
  Deno.test(`${how}: who knows the password is in, and sees that the broker knows it too [MQTT5-4.12.0-2] [MQTT5-4.12.0-3] [MQTT5-4.12.0-5]`, async () => {
    const { options, seen } = publishers();
    await using broker = createBroker(options);
    await using client = await start(broker);
    const { heard, serverFinal } = await connectAs(client, ann);
    assertEquals(heard, `connack 0x0 ${METHOD} ${serverFinal}`);
    await client.publish("t", "x", { qos: 1 });
    assertEquals(seen, ["ann"]);
  });
}

const strangers: Readonly<Record<string, Partial<ScramLogin>>> = {
  "a wrong password": { password: "Secret" },
  "the password of another user": { password: "other" },
  "an unknown user": { username: "eve" },
};

for (const [what, changes] of Object.entries(strangers)) {
  Deno.test(`${what} is asked like any other, and refused with 0x87 [MQTT5-4.12.0-4] [MQTT5-4.13.2-1]`, async () => {
    await using broker = createBroker(options);
    await using client = TestClient.memory(broker);
    assertEquals((await connectAs(client, { ...ann, ...changes })).heard, "connack 0x87");
    await client.expectClosed();
    assertEquals([endings(broker), broker.counters.get("hook-error")], [{ "refused/not-authorized": 1 }, undefined]);
  });
}

Deno.test("a first message that is none is refused with 0x87, and so is none at all [MQTT5-4.12.0-4]", async () => {
  for (const data of ["", "n,,", "n,,n=ann", "p=tls-unique,,n=ann,r=abc", "\0", undefined]) {
    await using broker = createBroker(options);
    await using client = TestClient.memory(broker);
    const { properties } = authPacket(data, 0, METHOD);
    await client.send({ cmd: "connect", protocolVersion: 5, clientId: "client", properties });
    await client.expect({ cmd: "connack", reasonCode: 0x87, sessionPresent: false });
    await client.expectClosed();
    assertEquals(broker.counters.get("hook-error"), undefined);
  }
});

Deno.test("what somebody has overheard lets nobody in [MQTT5-4.12.0-4]", async () => {
  await using broker = createBroker(options);
  await using client = TestClient.memory(broker);
  const { sent } = await connectAs(client, ann);
  await using thief = TestClient.memory(broker);
  assertEquals((await connectAs(thief, ann, sent)).heard, "connack 0x87");
});

Deno.test("a connected client authenticates anew, also as another user [MQTT5-4.12.1-1]", async () => {
  const { options, seen } = publishers();
  await using broker = createBroker(options);
  await using client = TestClient.memory(broker);
  await connectAs(client, ann);
  for (const login of [ann, { ...ann, username: "bob", password: "other" }]) {
    const { heard, serverFinal } = await again(client, login);
    assertEquals(heard, `auth 0x0 ${METHOD} ${serverFinal}`);
    await client.publish("t", "x", { qos: 1 });
  }
  assertEquals(seen, ["ann", "bob"]);
});

Deno.test("a connected client that fails, or repeats what it said before, is disconnected with 0x87 [MQTT5-4.12.1-2]", async () => {
  for (const login of [{ ...ann, password: "wrong" }, ann]) {
    await using broker = createBroker(options);
    await using client = TestClient.memory(broker);
    const { sent } = await connectAs(client, ann);
    assertEquals((await again(client, login, login === ann ? sent : undefined)).heard, "disconnect 0x87");
    await client.expectClosed();
    assertEquals(endings(broker), { "disconnected/not-authorized": 1 });
  }
});

Deno.test("a table of users that fails refuses with 0x87, and that is told [MQTT5-4.12.0-4]", async () => {
  const find = () => Promise.reject(new Error("Database is away"));
  await using broker = createBroker({ authenticationMethods: { [METHOD]: scramSha256(find) } });
  await using client = TestClient.memory(broker);
  const { properties } = authPacket(clientFirst(ann), 0, METHOD);
  await client.send({ cmd: "connect", protocolVersion: 5, clientId: "client", properties });
  await client.expect({ cmd: "connack", reasonCode: 0x87 });
  await client.expectClosed();
  assertEquals(broker.counters.get("hook-error"), 1);
});
