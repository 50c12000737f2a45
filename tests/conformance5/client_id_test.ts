// Client identifiers (5.0 section 3.1.3.1): which are allowed, and the one that the broker assigns.
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { type Authenticate, createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { refuseTheConnection } from "../conformance/openings.ts";
import { flag } from "../conformance/support.ts";
import { violationsOf } from "../conformance/violations.ts";
import { connected5, resumed5, subscribe5 } from "./clients.ts";
import { connackOf, connectFrame, refuseAsMalformed, willFrame } from "./connects.ts";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

Deno.test("a client may use 1 to 23 bytes of 0-9, a-z and A-Z, and is told nothing of it [MQTT5-3.1.3-5]", async () => {
  await using broker = createBroker();
  const lengths = Array.from({ length: 23 }, (_, i) => alphabet.slice(i, 2 * i + 1));
  for (const clientId of [...lengths, alphabet.slice(-23), alphabet.slice(20, 43), ...alphabet]) {
    const { properties } = await connackOf(broker, { clientId });
    assertEquals(properties.assignedClientIdentifier, undefined);
  }
});

Deno.test("sessions are told apart by every character of the identifier [MQTT5-3.1.3-2] [MQTT5-3.1.3-4]", async () => {
  await using broker = createBroker();
  const ids = [
    "a",
    "A",
    "a ",
    "ä",
    "a\u0308",
    "\ufeffa",
    "constructor",
    "__proto__",
    "$share/x",
    "a/#",
    "💡".repeat(9),
  ];
  for (const [i, id] of ids.entries()) {
    await using client = await resumed5(broker, id);
    await subscribe5(client, `t/${i}`, { qos: 1 });
    await client.disconnect();
  }
  for (const i of ids.keys()) await broker.publish(`t/${i}`, `for ${i}`, { qos: 1 });
  for (const [i, id] of ids.entries()) {
    await using client = await resumed5(broker, id);
    await client.expect({ cmd: "publish", topic: `t/${i}`, payload: `for ${i}` });
    await client.expectNothing();
  }
});

Deno.test("an identifier means the same session in both versions [MQTT5-3.1.3-2]", async () => {
  for (const [before, after] of [[4, 5], [5, 4]]) {
    await using broker = createBroker();
    const as = (protocolVersion: number | undefined) => ({
      protocolVersion,
      clean: false,
      ...protocolVersion === 5 && { properties: { sessionExpiryInterval: 60 } },
    });
    await using first = TestClient.memory(broker);
    await first.connect(as(before));
    await first.subscribe("t", 1);
    await first.disconnect();
    await broker.publish("t", "x", { qos: 1 });
    await using second = TestClient.memory(broker);
    assertEquals((await second.connect(as(after))).sessionPresent, true);
    await second.expect({ cmd: "publish", topic: "t", payload: "x" });
  }
});

Deno.test(
  "an identifier that is not UTF-8 is refused with 0x81 [MQTT5-3.1.3-4]",
  refuseAsMalformed(
    violationsOf([[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0]], (id) => connectFrame({ fields: [id] })),
  ),
);

Deno.test(
  "a CONNECT without an identifier is refused with 0x81 [MQTT5-3.1.3-3]",
  refuseAsMalformed({
    "a clean start": connectFrame({ fields: [] }),
    "a session that is to go on": connectFrame({ flags: 0, fields: [] }),
  }),
);

Deno.test("clients with an empty identifier are told which one they got, and go their own ways [MQTT5-3.1.3-6] [MQTT5-3.1.3-7] [MQTT5-3.2.2-16]", async () => {
  const told: string[] = [], seen: (string | undefined)[] = [];
  await using broker = createBroker({
    authenticate: ({ clientId }) => seen.push(clientId) > 0,
    authorize: ({ client }) => seen.push(client.id) > 0,
  });
  broker.published.subscribe(({ client }) => seen.push(client));
  broker.events.subscribe((event) => event.type === "connected" && seen.push(event.client));
  for (const clean of [true, false]) {
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes(connectFrame({ flags: clean ? flag.clean : 0, fields: [""] }));
    const { properties } = await client.expect({ cmd: "connack", reasonCode: 0, sessionPresent: false });
    told.push(properties.assignedClientIdentifier);
    await client.publish("t", "x");
    await client.expectNothing();
  }
  for (const id of told) assertMatch(id, /./);
  assertNotEquals(told[0], told[1]);
  assertEquals(seen, told.flatMap((id) => [id, id, id, id])); // both hooks, the event and the message
});

Deno.test("an assigned identifier is one that the client can come back with [MQTT5-3.1.3-7]", async () => {
  await using broker = createBroker();
  const properties = { sessionExpiryInterval: 60 };
  await using first = TestClient.memory(broker);
  const { assignedClientIdentifier: clientId } = (await first.connect({ protocolVersion: 5, clientId: "", properties }))
    .properties;
  await subscribe5(first, "t", { qos: 1 });
  await first.drop();
  await broker.publish("t", "x", { qos: 1 });
  await using again = TestClient.memory(broker);
  const connack = await again.connect({ protocolVersion: 5, clientId, clean: false, properties });
  assertEquals([connack.sessionPresent, connack.properties.assignedClientIdentifier], [true, undefined]);
  await again.expect({ cmd: "publish", topic: "t", payload: "x" });
});

Deno.test("of a thousand assigned identifiers no two are the same [MQTT5-3.2.2-16]", async () => {
  await using broker = createBroker();
  const ids = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    ids.add((await connackOf(broker, { clientId: "" })).properties.assignedClientIdentifier);
  }
  assertEquals(ids.size, 1000);
});

const rejects: Authenticate = ({ clientId }) => clientId === "witness" || "client-identifier-not-valid";
const later: Authenticate = (credentials) => Promise.resolve(rejects(credentials));

for (const [how, authenticate] of [["at once", rejects], ["by a promise", later]] as const) {
  Deno.test(
    `an identifier that a hook rejects ${how} gets CONNACK 0x85, and the end [MQTT5-3.1.3-8]`,
    refuseTheConnection(
      { "a clean start": connectFrame(), "with a will": willFrame(), "an empty one": connectFrame({ fields: [""] }) },
      { reason: "client-identifier-not-valid", reasonCode: 0x85, options: { authenticate } },
    ),
  );
}

Deno.test("a client that is refused for its identifier may try again with another one [MQTT5-3.1.3-8]", async () => {
  await using broker = createBroker({ authenticate: rejects });
  await using refused = TestClient.memory(broker);
  await refused.send({ cmd: "connect", protocolVersion: 5, clientId: "stranger" });
  await refused.expect({ cmd: "connack", reasonCode: 0x85 });
  await refused.expectClosed();
  await using client = await connected5(broker, "witness");
  await client.expectNothing();
});
