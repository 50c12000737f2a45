// Client identifiers (3.1.1 section 3.1.3.1): which are allowed, and what an empty one means.
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { type Authenticate, createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { refuseTheConnection } from "./openings.ts";
import { connectFrame, flag, versions } from "./support.ts";
import { violationsOf } from "./violations.ts";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

for (const { name, fields } of versions) {
  Deno.test(`a client of ${name} may use 1 to 23 bytes of 0-9, a-z and A-Z [MQTT-3.1.3-5]`, async () => {
    await using broker = createBroker();
    const lengths = Array.from({ length: 23 }, (_, i) => alphabet.slice(i, 2 * i + 1));
    const last = [alphabet.slice(-23), alphabet.slice(20, 43), ...alphabet];
    for (const clientId of [...lengths, ...last]) {
      await using client = await connected(broker, clientId, fields);
      await client.expectNothing();
    }
  });

  Deno.test(`client identifiers of ${name} are told apart by every character, names of properties too [MQTT-3.1.3-2]`, async () => {
    await using broker = createBroker();
    const ids = [
      "a",
      "A",
      "a ",
      "ä",
      "a\u0308",
      "constructor",
      "__proto__",
      "toString",
      "$share/x",
      "a/#",
      "x".repeat(200),
    ];
    for (const [i, id] of ids.entries()) {
      await using client = await connected(broker, id, { ...fields, clean: false });
      await client.subscribe(`t/${i}`, 1);
      await client.disconnect();
    }
    for (const [i, id] of ids.entries()) await broker.publish(`t/${i}`, id, { qos: 1 });
    for (const [i, id] of ids.entries()) {
      await using client = await connected(broker, id, { ...fields, clean: false });
      await client.expect({ cmd: "publish", topic: `t/${i}`, payload: id });
      await client.expectNothing();
    }
  });
}

Deno.test("a client identifier is text, 65,000 bytes of it if need be [MQTT-3.1.3-4]", async () => {
  await using broker = createBroker();
  for (const id of ["Küche 💡", "x".repeat(65_000)]) {
    await using client = await connected(broker, id);
    await client.expectNothing();
  }
});

Deno.test(
  "a client identifier that is not UTF-8 ends the connection [MQTT-3.1.3-4]",
  refuseTheConnection(violationsOf(
    [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80]],
    (id) => connectFrame({ fields: [id] }),
  )),
);

Deno.test(
  "a CONNECT without a client identifier ends the connection [MQTT-3.1.3-3]",
  refuseTheConnection({
    "3.1.1": connectFrame({ fields: [] }),
    "3.1": connectFrame({ name: "MQIsdp", level: 3, fields: [] }),
    "a persistent session": connectFrame({ flags: 0, fields: [] }),
  }),
);

Deno.test("clients with an empty identifier and a clean session get one each, and go their own ways [MQTT-3.1.3-6] [MQTT-3.1.3-7]", async () => {
  const ids: string[] = [];
  await using broker = createBroker();
  broker.events.subscribe((event) => event.type === "connected" && ids.push(event.client));
  await using first = await connected(broker, "");
  await using second = await connected(broker, "");
  await first.subscribe("t", 1);
  await second.publish("t", "x");
  await first.expect({ cmd: "publish", topic: "t", payload: "x" });
  await second.expectNothing();
  assertNotEquals(ids[0], ids[1]);
  for (const id of ids) assertMatch(id, /./);
  await using third = await connected(broker, ids[0]!); // as if the client had given that
  await first.expectClosed();
  await third.expectNothing();
});

Deno.test("the identifier that was assigned is what hooks and messages speak of [MQTT-3.1.3-6]", async () => {
  const seen: (string | undefined)[] = [];
  await using broker = createBroker({
    authenticate: ({ clientId }) => seen.push(clientId) > 0,
    authorize: ({ client }) => seen.push(client.id) > 0,
  });
  broker.published.subscribe(({ client }) => seen.push(client));
  await using client = await connected(broker, "");
  await client.publish("t", "x");
  await client.expectNothing();
  assertEquals(new Set(seen).size, 1);
  assertEquals(seen.length, 3);
});

const empty = { fields: [""] };

Deno.test(
  "an empty client identifier without a clean session gets CONNACK 0x02 [MQTT-3.1.3-7] [MQTT-3.1.3-8] [MQTT-3.2.2-4] [MQTT-3.2.2-5]",
  refuseTheConnection({
    "alone": connectFrame({ ...empty, flags: 0 }),
    "with a will": connectFrame({ flags: flag.will, fields: ["", "will", "gone"] }),
    "with a user name": connectFrame({ flags: flag.user, fields: ["", "user"] }),
  }, { reason: "client-identifier-not-valid", returnCode: 2 }),
);

Deno.test(
  "MQTT 3.1 knows no empty client identifiers: CONNACK 0x02 [MQTT-3.1.3-9]",
  refuseTheConnection(
    violationsOf([0, flag.clean], (flags) => connectFrame({ ...empty, name: "MQIsdp", level: 3, flags })),
    { reason: "client-identifier-not-valid", returnCode: 2 },
  ),
);

const known: Authenticate = ({ clientId }) => clientId === "witness" || "client-identifier-not-valid";

const later: Authenticate = (credentials) => Promise.resolve(known(credentials));

for (const [how, authenticate] of [["at once", known], ["by a promise", later]] as const) {
  Deno.test(
    `a client identifier that a hook rejects ${how} gets CONNACK 0x02 [MQTT-3.1.3-9] [MQTT-3.2.2-5]`,
    refuseTheConnection(
      {
        "3.1.1": connectFrame(),
        "3.1": connectFrame({ name: "MQIsdp", level: 3 }),
        "with a will": connectFrame({ flags: flag.clean | flag.will, fields: ["c", "will", "gone"] }),
      },
      { reason: "client-identifier-not-valid", returnCode: 2, options: { authenticate } },
    ),
  );
}

Deno.test("a client that is refused for its identifier may try again with another one [MQTT-3.1.3-9]", async () => {
  await using broker = createBroker({ authenticate: known });
  await using refused = TestClient.memory(broker);
  await refused.send({ cmd: "connect", clientId: "stranger", clean: true, keepalive: 0 });
  await refused.expect({ cmd: "connack", returnCode: 2 });
  await refused.expectClosed();
  await using client = await connected(broker, "witness");
  await client.expectNothing();
});
