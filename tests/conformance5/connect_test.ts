// CONNECT (5.0 section 3.1): when it may come, and its header.
import { assertEquals } from "@std/assert";
import { type BrokerEvent, createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { refuseTheConnection } from "../conformance/openings.ts";
import { assertEndsAlone, endings, field, flag, frame } from "../conformance/support.ts";
import { bytesOf, violationsOf, wrongFlags } from "../conformance/violations.ts";
import { assertFault, connected5 } from "./clients.ts";
import { connackOf, connectFrame, refuseAsMalformed, say } from "./connects.ts";
import { property } from "./packets.ts";

Deno.test("a CONNECT is accepted with reason code 0 [MQTT5-3.1.4-5] [MQTT5-3.1.2-1]", async () => {
  await using broker = createBroker();
  const accepted: BrokerEvent[] = [];
  broker.events.subscribe((event) => accepted.push(event));
  await using client = await connected5(broker, "c");
  await client.expectNothing();
  const [event] = accepted;
  assertEquals(event?.type === "connected" && event.protocolLevel, 5);
});

Deno.test("a second CONNECT ends the connection with 0x82, and the will is sent [MQTT5-3.1.0-2]", async () => {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will");
  await using client = await connected5(broker, "c", { will: { topic: "will", payload: "gone", qos: 0 } });
  await assertFault(broker, client, connectFrame({ fields: ["c"] }), "protocol-error");
  await watcher.expect({ cmd: "publish", topic: "will", payload: "gone" });
  await watcher.expectNothing();
});

Deno.test("a second CONNECT of another version, or as another client, only ends the connection [MQTT5-3.1.0-2]", async () => {
  await using broker = createBroker();
  await using other = await connected5(broker, "other");
  for (const protocolVersion of [4, 5]) {
    await using client = await connected5(broker, "c");
    const second = bytesOf({ cmd: "connect", protocolVersion, clientId: "other" });
    await assertFault(broker, client, second, "protocol-error");
  }
  await other.expectNothing();
});

Deno.test("a second CONNECT behind the first one ends the connection, also while a hook decides [MQTT5-3.1.0-2]", async () => {
  for (const answer of [true, Promise.resolve(true)]) {
    await using broker = createBroker({ authenticate: () => answer });
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes([...connectFrame(), ...connectFrame()]);
    await client.expect({ cmd: "connack", reasonCode: 0 });
    await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
    await client.expectClosed();
    assertEquals(endings(broker), { "disconnected/protocol-error": 1 });
  }
});

Deno.test(
  "a first packet other than CONNECT is refused without an answer [MQTT5-3.1.0-1]",
  refuseTheConnection({
    "PUBLISH": frame(0x30, ...field("a"), 0),
    "PUBACK": frame(0x40, 0, 1),
    "PUBREL": frame(0x62, 0, 1),
    "PINGREQ": frame(0xc0),
    "DISCONNECT": frame(0xe0),
    "CONNACK": frame(0x20, 0, 0, 0),
  }, { reason: "protocol-error" }),
);

Deno.test(
  "a first packet that only 5.0 knows is refused without an answer, as long as the version is not known [MQTT5-3.1.0-1]",
  refuseTheConnection({
    "AUTH": frame(0xf0, 0x18, 0),
    "PUBACK with a reason code": frame(0x40, 0, 1, 0),
    "SUBSCRIBE with properties": frame(0x82, 0, 1, 0, ...field("#"), 0),
    "DISCONNECT with a reason code": frame(0xe0, 0x04),
  }),
);

Deno.test(
  "a wrong protocol name is refused without an answer [MQTT5-3.1.2-1] [MQTT5-3.1.4-1]",
  refuseTheConnection(violationsOf(
    ["", "mqtt", "MQTTT", "MQT", "MQIsdq", "HTTP", "\ufeffMQTT"],
    (name) => connectFrame({ name }),
  )),
);

Deno.test(
  "an unsupported protocol version is refused in the form of 3.1.1, which every client can read [MQTT5-3.1.2-2]",
  refuseTheConnection(
    {
      ...violationsOf([0, 1, 2, 3, 6, 127, 128, 133, 255], (level) => connectFrame({ level })),
      "5 of MQTT 3.1": connectFrame({ name: "MQIsdp" }),
    },
    { reason: "unsupported-protocol-version", returnCode: 1 },
  ),
);

Deno.test(
  "the reserved CONNECT flag is refused with 0x81 [MQTT5-3.1.2-3] [MQTT5-3.1.4-1]",
  refuseAsMalformed({
    "alone": connectFrame({ flags: flag.reserved }),
    "with a clean start": connectFrame({ flags: flag.clean | flag.reserved }),
    "with properties": connectFrame({ flags: flag.reserved, properties: [say.sessionExpiry(1)] }),
  }),
);

Deno.test(
  "a CONNECT with flags in its fixed header is refused without an answer [MQTT5-2.1.3-1] [MQTT5-3.1.4-1]",
  refuseTheConnection(wrongFlags({ cmd: "connect", clientId: "client", protocolVersion: 5 })),
);

const whole = connectFrame({
  flags: flag.clean | flag.will | flag.user | flag.password,
  properties: [say.sessionExpiry(7), property.user("a", "b")],
  willProperties: [say.willDelay(1), property.user("a", "b")],
  fields: ["c", "will", "gone", "user", "password"],
});
/** How many bytes it takes until the version is known. */
const VERSION = 7;

Deno.test("a CONNECT that is cut off at any byte, with a remaining length to match, is refused [MQTT5-3.1.4-1]", async (t) => {
  const cut = (lengths: number[]) => violationsOf(lengths, (length) => frame(0x10, ...whole.slice(2, 2 + length)));
  const lengths = [...whole.keys()].slice(0, -2);
  await refuseTheConnection(cut(lengths.slice(0, VERSION)))(t);
  await refuseAsMalformed(cut(lengths.slice(VERSION)))(t);
});

Deno.test(
  "a CONNECT that goes on after its last field is refused with 0x81 [MQTT5-3.1.4-1]",
  refuseAsMalformed({
    "one byte": frame(0x10, ...whole.slice(2), 0),
    "a field too many": connectFrame({ fields: ["client", "more"] }),
    "will properties without a will": connectFrame({ willProperties: [] }),
  }),
);

Deno.test(
  "a CONNECT over the limit is refused without an answer, and not waited for [MQTT5-3.1.4-1]",
  refuseTheConnection({ "of 256 MiB, its first bytes": [0x10, 0xff, 0xff, 0xff, 0x7f, ...field("MQTT"), 5] }, {
    reason: "packet-too-large",
  }),
);

Deno.test("a CONNECT may come byte by byte [MQTT5-3.1.4-5]", async () => {
  await using broker = createBroker();
  await using client = TestClient.memory(broker, 5);
  for (const byte of whole) await client.sendBytes([byte]);
  await client.expect({ cmd: "connack", reasonCode: 0 });
});

for (const [how, answer] of [["at once", false], ["by a promise", Promise.resolve(false)]] as const) {
  Deno.test(`nothing behind a CONNECT that is refused ${how} is processed [MQTT5-3.1.4-6] [MQTT5-3.1.4-2]`, async () => {
    const happened: string[] = [], passed: string[] = [];
    await using broker = createBroker({ authenticate: ({ clientId }) => clientId === "witness" || answer });
    broker.published.subscribe(({ topic }) => passed.push(topic));
    broker.events.subscribe((event) => happened.push(event.type));
    await using client = TestClient.memory(broker, 5);
    const behind = [
      ...bytesOf({ cmd: "publish", topic: "behind", payload: "", qos: 0, retain: true }, 5),
      ...bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "#", qos: 0 }] }, 5),
      ...connectFrame({ fields: ["witness"] }),
    ];
    const refused = { cmd: "connack", reasonCode: 0x87, sessionPresent: false } as const;
    await assertEndsAlone(broker, client, [...connectFrame(), ...behind], "refused/not-authorized", refused);
    assertEquals(passed, ["sign/of/life"]);
    assertEquals(happened, ["connected", "subscribed", "refused", "disconnected"]); // the witness's, and the refusal
  });
}

Deno.test("who may not publish the will of its CONNECT is refused, and nothing of it stays [MQTT5-3.1.4-2]", async () => {
  const published: string[] = [];
  await using broker = createBroker({ authorize: ({ topic }) => topic !== "secret" });
  broker.published.subscribe(({ topic }) => published.push(topic));
  await using client = TestClient.memory(broker);
  const will = { topic: "secret", payload: "", qos: 0, retain: false };
  await client.send({ cmd: "connect", protocolVersion: 5, clientId: "client", clean: false, will });
  await client.expect({ cmd: "connack", reasonCode: 0x87, sessionPresent: false });
  await client.expectClosed();
  assertEquals((await connackOf(broker, { clean: false })).sessionPresent, false);
  assertEquals(published, []);
});

Deno.test("a will that is not the text that it says it is gets 0x99, where an option asks for that [MQTT5-3.1.4-2]", async (t) => {
  const will = (...properties: readonly number[][]) =>
    connectFrame({ flags: flag.clean | flag.will, fields: ["c", "will", [0xff]], willProperties: properties });
  const text = will(property.payloadFormat(1)), options = { validatePayloadFormat: true };
  await refuseTheConnection({ "text": text }, { reason: "payload-format-invalid", reasonCode: 0x99, options })(t);
  const right = [[options, will()], [options, will(property.payloadFormat(0))], [{}, text]] as const;
  for (const [options, bytes] of right) {
    await using broker = createBroker(options);
    await using client = TestClient.memory(broker, 5);
    await client.sendBytes(bytes);
    await client.expect({ cmd: "connack", reasonCode: 0 });
  }
});
