// Enhanced authentication before the CONNACK (5.0 sections 3.15 and 4.12), with a toy method.
import { assertEquals } from "@std/assert";
import {
  type AuthenticationMethod,
  type BrokerEvent,
  type BrokerOptions,
  createBroker,
  type Decision,
  type Reason,
} from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { settle } from "../support/clock.ts";
import { refuseTheConnection } from "../conformance/openings.ts";
import { assertEndsAlone, endings, field, flag, frame } from "../conformance/support.ts";
import { bytesOf, wrongFlags } from "../conformance/violations.ts";
import { connected5, faults } from "./clients.ts";
import { connackOf, connectFrame, say } from "./connects.ts";
import { properties, publishFrame, RecordingClient } from "./packets.ts";
import { answer, authPacket, open, toy } from "./toy.ts";

const options: BrokerOptions = {
  authenticationMethods: { toy },
  authenticate: ({ clientId }) => clientId === "witness",
};

for (const [rounds, questions] of [[0, []], [1, ["1"]], [3, ["1", "2", "3"]]] as const) {
  Deno.test(`a method that asks ${rounds} times lets in who answers right [MQTT5-4.12.0-2] [MQTT5-4.12.0-3] [MQTT5-4.12.0-5] [MQTT5-3.15.2-1]`, async () => {
    await using broker = createBroker(options);
    const users: (string | undefined)[] = [];
    broker.events.subscribe((event) => event.type === "connected" && users.push(event.username));
    await using client = TestClient.memory(broker);
    await open(client, `ann:${rounds}`, { username: "somebody else" });
    assertEquals(await answer(client, ...questions.map((round) => `${+round * 2}`)), [
      ...questions.map((round) => `auth 0x18 toy ${round} and ${round}?`),
      "connack 0x0 toy welcome",
    ]);
    await client.publish("t", "x", { qos: 1 });
    assertEquals(users, ["ann"]);
  });
}

Deno.test("an AUTH of the broker is a reason code, the method and its data, and nothing else [MQTT5-3.15.1-1] [MQTT5-3.15.2-1] [MQTT5-3.15.2-2] [MQTT5-3.15.2-3] [MQTT5-4.12.0-2]", async () => {
  await using broker = createBroker(options);
  await using client = RecordingClient.over(broker);
  await open(client, "ann:1");
  await client.expect({ cmd: "auth" });
  assertEquals(client.taken(), frame(0xf0, 0x18, ...properties(say.method("toy"), say.data("1 and 1?"))));
});

Deno.test("a client that answers wrong, at whatever point, gets CONNACK 0x87 and the end [MQTT5-4.12.0-4]", async () => {
  for (const answers of [["0"], ["2", "5"], ["2", "4", ""]]) {
    await using broker = createBroker(options);
    await using client = TestClient.memory(broker);
    await open(client, "ann:3", { will: { topic: "will", payload: "", qos: 0, retain: false } });
    assertEquals((await answer(client, ...answers)).at(-1), "connack 0x87");
    await client.expectClosed();
    assertEquals(endings(broker), { "refused/not-authorized": 1 });
  }
});

const refusals: readonly (readonly [Decision, number, Reason])[] = [
  [false, 0x87, "not-authorized"],
  ["bad-user-name-or-password", 0x86, "bad-user-name-or-password"],
  ["server-busy", 0x89, "server-busy"],
  ["keep-alive-timeout", 0x87, "keep-alive-timeout"], // for which a CONNACK has no code
  [{ reason: "server-moved", serverReference: "there" }, 0x9d, "server-moved"],
];

for (const [decision, reasonCode, reason] of refusals) {
  Deno.test(`a method may refuse with 0x${reasonCode.toString(16)}, as ${reason} [MQTT5-4.12.0-4] [MQTT5-4.13.2-1]`, async () => {
    await using broker = createBroker({ authenticationMethods: { toy: () => Promise.resolve(decision) } });
    await using client = TestClient.memory(broker);
    await open(client, "x");
    const { properties } = await client.expect({ cmd: "connack", reasonCode, sessionPresent: false });
    assertEquals(properties.serverReference, reason === "server-moved" ? "there" : undefined);
    await client.expectClosed();
    assertEquals(endings(broker), { [`refused/${reason}`]: 1 });
  });
}

Deno.test(
  "a method that there is not is refused with 0x8C [MQTT5-4.12.0-1]",
  refuseTheConnection(
    Object.fromEntries(
      ["TOY", "", "toString", "__proto__", "SCRAM-SHA-1"].map((name) =>
        [name, connectFrame({ properties: [say.method(name)] })] as const
      ),
    ),
    { reason: "bad-authentication-method", reasonCode: 0x8c, options },
  ),
);

Deno.test("a method that throws or rejects refuses with 0x87, and that is told, but not to the client [MQTT5-4.12.0-4]", async () => {
  const broken: AuthenticationMethod = () => Promise.reject(new Error("The key is lost"));
  const careless = (() => {
    throw new Error("The key is lost");
  }) as AuthenticationMethod;
  for (const method of [broken, careless]) {
    await using broker = createBroker({ authenticationMethods: { toy: method } });
    const errors: BrokerEvent[] = [];
    broker.events.subscribe((event) => event.type === "hook-error" && errors.push(event));
    await using client = TestClient.memory(broker);
    await open(client);
    const { properties } = await client.expect({ cmd: "connack", reasonCode: 0x87, sessionPresent: false });
    assertEquals(properties.reasonString.includes("key"), false);
    await client.expectClosed();
    assertEquals(errors.length, 1);
    assertEquals(endings(broker), { "refused/not-authorized": 1 });
  }
});

/** What a client may not send while it authenticates. */
const tooEarly = {
  "PUBLISH": publishFrame(),
  "SUBSCRIBE": bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] }, 5),
  "PINGREQ": frame(0xc0),
  "CONNECT": connectFrame({ properties: [say.method("toy")] }),
  "PUBACK": frame(0x40, 0, 1),
};
/** AUTH packets that are not the answer. */
const wrong = {
  "AUTH with another method": bytesOf(authPacket("2", 0x18, "other"), 5),
  "AUTH without a method": frame(0xf0, 0x18, ...properties(say.data("2"))),
  "AUTH without anything": frame(0xf0, 0x18),
  "AUTH with success": bytesOf(authPacket("2", 0x00), 5),
  "AUTH with success that goes without saying": frame(0xf0),
  "AUTH that begins anew": bytesOf(authPacket("ann:1", 0x19), 5),
};

for (const [name, bytes] of Object.entries({ ...tooEarly, ...wrong })) {
  Deno.test(`${name} before the CONNACK is refused with 0x82 [MQTT5-3.1.2-30] [MQTT5-4.12.0-3] [MQTT5-4.12.0-5] [MQTT5-3.14.0-1]`, async () => {
    await using broker = createBroker(options);
    const published: string[] = [], errors: BrokerEvent[] = [];
    broker.published.subscribe(({ topic }) => published.push(topic));
    broker.events.subscribe((event) => event.type === "hook-error" && errors.push(event));
    await using client = TestClient.memory(broker);
    await open(client, "ann:1");
    await client.expect({ cmd: "auth" });
    const refused = { cmd: "connack", reasonCode: 0x82, sessionPresent: false } as const;
    await assertEndsAlone(
      broker,
      client,
      [...bytes, ...bytesOf(authPacket("2"), 5)],
      "refused/protocol-error",
      refused,
    );
    assertEquals([published, errors], [["sign/of/life"], []]);
  });
}

Deno.test("what comes behind a CONNECT in one read does not get in before the method has decided [MQTT5-3.1.2-30]", async () => {
  await using broker = createBroker(options);
  await using client = TestClient.memory(broker, 5);
  const connect = connectFrame({ properties: [say.method("toy"), say.data("ann:0")] });
  const refused = { cmd: "connack", reasonCode: 0x82 } as const;
  await assertEndsAlone(broker, client, [...connect, ...publishFrame()], "refused/protocol-error", refused);
});

Deno.test("a second answer to one question is refused with 0x82 [MQTT5-3.1.2-30]", async () => {
  await using broker = createBroker(options);
  await using client = TestClient.memory(broker);
  await open(client, "ann:3");
  await client.expect({ cmd: "auth" });
  await client.sendBytes([...bytesOf(authPacket("2"), 5), ...bytesOf(authPacket("4"), 5)]);
  await client.expect({ cmd: "connack", reasonCode: 0x82 });
  await client.expectClosed();
  assertEquals(endings(broker), { "refused/protocol-error": 1 });
});

Deno.test("a client may leave while it authenticates: by DISCONNECT, or without a word [MQTT5-3.1.2-30]", async () => {
  for (const end of [frame(0xe0), frame(0xe0, 0x04), undefined]) {
    const failures: unknown[] = [];
    const patient: AuthenticationMethod = async (exchange) => {
      return await toy(exchange).catch((error) => {
        failures.push(error);
        throw error;
      });
    };
    await using broker = createBroker({ authenticationMethods: { toy: patient } });
    const happened: BrokerEvent[] = [], published: string[] = [];
    broker.events.subscribe((event) => happened.push(event));
    broker.published.subscribe(({ topic }) => published.push(topic));
    await using client = TestClient.memory(broker);
    await open(client, "ann:1", { will: { topic: "will", payload: "", qos: 0, retain: false } });
    await client.expect({ cmd: "auth" });
    if (end) await client.sendBytes(end);
    else await client.stream.closeWrite();
    await client.expectClosed();
    await settle();
    assertEquals(failures.length, 1); // the method does not wait for ever
    assertEquals([happened, published], [[], []]);
  }
});

Deno.test("a method that decides after its client has left does nothing [MQTT5-4.12.0-4]", async () => {
  const decision = Promise.withResolvers<Decision>();
  await using broker = createBroker({ authenticationMethods: { toy: () => decision.promise } });
  const happened: BrokerEvent[] = [];
  broker.events.subscribe((event) => happened.push(event));
  await using client = TestClient.memory(broker);
  await open(client);
  await client.stream.closeWrite();
  await client.expectClosed();
  decision.resolve(true);
  await settle();
  assertEquals(happened, []);
});

Deno.test("a client that names no method is asked nothing and told no method [MQTT5-4.12.0-6]", async () => {
  await using broker = createBroker({ authenticationMethods: { toy } });
  await using client = RecordingClient.over(broker);
  await client.sendBytes(connectFrame());
  const { properties } = await client.expect({ cmd: "connack", reasonCode: 0 });
  assertEquals([properties.authenticationMethod, properties.authenticationData], [undefined, undefined]);
  await client.expectNothing();
});

Deno.test(
  "AUTH of a client that named no method ends the connection with 0x82 [MQTT5-4.12.0-7]",
  faults(
    {
      "that begins anew": bytesOf(authPacket("ann:0", 0x19), 5),
      "that goes on": bytesOf(authPacket("2"), 5),
      "with success": bytesOf(authPacket(undefined, 0), 5),
    },
    "protocol-error",
    { authenticationMethods: { toy } },
  ),
);

Deno.test(
  "AUTH with reserved bits set ends the connection with 0x81 [MQTT5-3.15.1-1]",
  faults(wrongFlags(authPacket("x", 0x19), 5), "malformed-packet"),
);

Deno.test(
  "AUTH with a reason code that there is not ends the connection with 0x81 [MQTT5-3.15.2-1]",
  faults(
    Object.fromEntries(
      [0x01, 0x04, 0x17, 0x1a, 0x80, 0xff].map((code) =>
        [`${code}`, frame(0xf0, code, ...properties(say.method("toy")))] as const
      ),
    ),
    "malformed-packet",
  ),
);

Deno.test(
  "AUTH with a property twice ends the connection with 0x82 [MQTT5-4.13.1-1]",
  faults({
    "method": frame(0xf0, 0x19, ...properties(say.method("toy"), say.method("toy"))),
    "data": frame(0xf0, 0x19, ...properties(say.method("toy"), say.data("a"), say.data("b"))),
    "reason string": frame(0xf0, 0x19, ...properties([31, ...field("a")], [31, ...field("a")])),
  }, "protocol-error"),
);

Deno.test("the authenticate hook is not asked about who authenticates by a method; a will is still asked about [MQTT5-4.12.0-5] [MQTT5-3.1.4-2]", async () => {
  await using broker = createBroker({
    ...options,
    authorize: ({ client, topic }) => topic === `will/${client.username}`,
  });
  for (const [topic, expected] of [["will/ann", "connack 0x0 toy welcome"], ["will/bob", "connack 0x87"]] as const) {
    await using client = TestClient.memory(broker);
    await open(client, "ann:1", { will: { topic, payload: "", qos: 0, retain: false } });
    assertEquals((await answer(client, "2")).at(-1), expected);
  }
});

Deno.test("an AUTH that the client can't take ends its connection, and is not sent [MQTT5-3.1.2-24] [MQTT5-4.12.0-4]", async () => {
  await using broker = createBroker(options);
  await using client = RecordingClient.over(broker);
  const own = [say.method("toy"), say.data("ann:1"), say.maximumPacketSize(20)];
  await client.sendBytes(connectFrame({ flags: flag.clean, properties: own }));
  await client.drained();
  assertEquals([client.taken(), endings(broker)], [[], { "refused/packet-too-large": 1 }]);
});

Deno.test("many clients authenticate at a time, each in its own conversation [MQTT5-4.12.0-5]", async () => {
  await using broker = createBroker(options);
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: 20 }, () => stack.use(TestClient.memory(broker)));
  for (const [i, client] of clients.entries()) await open(client, `user ${i}:${i % 4}`, { clientId: `${i}` });
  const heard = await Promise.all(clients.map((client, i) => answer(client, ...["2", "4", "6"].slice(0, i % 4))));
  assertEquals(new Set(heard.map((lines) => lines.at(-1))), new Set(["connack 0x0 toy welcome"]));
});

Deno.test("a session is found again behind an authentication, and taken over only by its success [MQTT5-4.12.0-4]", async () => {
  await using broker = createBroker({ authenticationMethods: { toy } });
  await using first = await connected5(broker, "client", { clean: false, properties: { sessionExpiryInterval: 60 } });
  for (const [reply, expected] of [["3", "connack 0x87"], ["2", "connack 0x0 toy welcome"]] as const) {
    await first.expectNothing();
    await using client = TestClient.memory(broker);
    await open(client, "ann:1", { clean: false });
    assertEquals((await answer(client, reply)).at(-1), expected);
  }
  await first.expect({ cmd: "disconnect", reasonCode: 0x8e });
  assertEquals((await connackOf(broker, { clean: false })).sessionPresent, false); // the last one said no expiry
});
