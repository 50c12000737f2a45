// Names that mean something to JavaScript, or nothing at all: as client identifiers, user names, topics and filters they are like others.
import { assert, assertEquals } from "@std/assert";
import { createBroker, type Reason } from "../../mod.ts";
import type { Buffer } from "node:buffer";
import { frame } from "../support/packets.ts";
import { type PacketLike, TestClient } from "../support/client.ts";

const names = [
  ...[
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "then",
    "length",
    "0",
    "-1",
    "65536",
    "NaN",
    "undefined",
  ],
  ...[" ", "\n", "\u001b[2J", "\u{feff}", "\u{202e}", "🦆", "ﬃ", "x".repeat(60_000)],
];

/** How a name is shown. */
const shown = (name: string) => JSON.stringify(name.slice(0, 20));

/** A client of 3.1.1 over TCP. */
async function clientOf(port: number, options: Partial<PacketLike>): Promise<{ client: TestClient; present: boolean }> {
  const client = await TestClient.tcp(port);
  return { client, present: (await client.connect(options)).sessionPresent };
}

Deno.test("Every client identifier has a session of its own, which lasts", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 });
  await using all = new AsyncDisposableStack();
  const clients = await Promise.all(names.map((clientId) => clientOf(port, { clientId, clean: false })));
  for (const { client, present } of clients) {
    all.use(client);
    assertEquals(present, false);
  }
  await Promise.all(clients.map(({ client }, i) => client.subscribe(`own/${i}`, 1)));
  for (const { client } of clients) await client.drop();
  for (const i of names.keys()) await broker.publish(`own/${i}`, String(i), { qos: 1 });
  for (const [i, clientId] of names.entries()) {
    const { client, present } = await clientOf(port, { clientId, clean: false });
    all.use(client);
    assert(present, shown(clientId));
    await client.expect({ cmd: "publish", topic: `own/${i}`, payload: String(i) });
    await client.expectNothing();
  }
});

Deno.test("A user name reaches the hooks and the events as it is", async () => {
  const seen: (string | undefined)[][] = [];
  await using broker = createBroker({
    authenticate: ({ username }) => seen.push([username]) > 0,
    authorize: ({ client }) => seen.at(-1)!.push(client.username) > 0,
  });
  broker.events.subscribe((event) => event.type === "connected" && seen.at(-1)!.push(event.username));
  const { port } = broker.listen({ port: 0 });
  for (const username of names) {
    await using client = await TestClient.tcp(port);
    await client.connect({ username, password: "__proto__" });
    await client.publish("t", "x", { qos: 1 });
  }
  assertEquals(seen, names.map((name) => [name, name, name]));
});

Deno.test("Topics of any name are subscribed to, published, retained and found again, each for itself", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 });
  await using client = await TestClient.tcp(port), publisher = await TestClient.tcp(port);
  await client.connect({ clientId: "c" });
  await publisher.connect({ clientId: "p" });
  const topics = names.flatMap((name) => [name, `${name}/constructor`.slice(-65_000), `__proto__/${name}`]);
  for (const topic of topics) await client.subscribe(topic);
  for (const [i, topic] of topics.entries()) {
    await publisher.publish(topic, String(i), { qos: 1, retain: true });
    await client.expect({ cmd: "publish", topic, payload: String(i), retain: false });
  }
  await client.send({ cmd: "unsubscribe", messageId: 1, unsubscriptions: topics });
  await client.expect({ cmd: "unsuback" });
  await publisher.publish("__proto__/constructor", "nobody", { qos: 1 });
  await client.subscribe("__proto__/+");
  const retained = new Set<string>();
  for (const _ of names) retained.add((await client.expect({ cmd: "publish", retain: true })).topic);
  assertEquals(retained, new Set(names.map((name) => `__proto__/${name}`)));
  await client.expectNothing();
});

const noTopic = frame(0x30, "", "x"), noTopic5 = frame(0x30, "", 0, 1), noFilter = frame(0x82, [0, 1], "", 0);

/** Packets with nothing where a name must be: what they are, the version that is spoken, and how they end their connection. */
const nameless: readonly (readonly [what: string, version: 4 | 5, bytes: Buffer, reason: Reason])[] = [
  ["A PUBLISH without a topic", 4, noTopic, "malformed-packet"],
  ["A PUBLISH without a topic or an alias", 5, noTopic5, "protocol-error"],
  ["A SUBSCRIBE without a filter", 4, noFilter, "malformed-packet"],
  ["An UNSUBSCRIBE without a filter", 4, frame(0xa2, [0, 1], ""), "malformed-packet"],
  ["An UNSUBSCRIBE of nothing", 5, frame(0xa2, [0, 1], 0), "protocol-error"],
];

for (const [what, protocolVersion, bytes, reason] of nameless) {
  Deno.test(`${what} ends its connection with ${reason} (level ${protocolVersion})`, async () => {
    await using broker = createBroker();
    const { port } = broker.listen({ port: 0 });
    await using client = await TestClient.tcp(port);
    await client.connect({ protocolVersion });
    await client.sendBytes(bytes);
    if (protocolVersion === 5) await client.expect({ cmd: "disconnect" });
    await client.expectClosed();
    assertEquals(broker.counters.get(`disconnected/${reason}`), 1);
  });
}

Deno.test("What a client is told of its fault holds no U+0000, though the fault does [MQTT5-1.5.4-2]", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 });
  await using client = await TestClient.tcp(port);
  await client.connect({ protocolVersion: 5 });
  await client.sendBytes(frame(0x30, "a\0+", 0));
  const { properties } = await client.expect({ cmd: "disconnect", reasonCode: 0x81 });
  assertEquals(properties.reasonString.includes("\0"), false);
});
