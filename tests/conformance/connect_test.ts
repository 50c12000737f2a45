// CONNECT (3.1.1 section 3.1): when it may come, and its header.
import { assertEquals } from "@std/assert";
import { type BrokerEvent, createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { refuseTheConnection } from "./openings.ts";
import { assertEndsAlone, connectFrame, field, flag, frame, versions } from "./support.ts";
import { bytesOf, violationsOf } from "./violations.ts";

for (const { name, fields } of versions) {
  Deno.test(`a CONNECT of ${name} is accepted with return code 0 [MQTT-3.1.4-4] [MQTT-3.1.2-1]`, async () => {
    await using broker = createBroker();
    const accepted: BrokerEvent[] = [];
    broker.events.subscribe((event) => accepted.push(event));
    await using client = await connected(broker, "c", fields);
    await client.expectNothing();
    const [event] = accepted;
    assertEquals(event?.type === "connected" && event.protocolLevel, fields.protocolVersion);
  });

  Deno.test(`a second CONNECT of ${name} ends the connection, and the will is sent [MQTT-3.1.0-2]`, async () => {
    await using broker = createBroker();
    await using watcher = await connected(broker, "watcher");
    await watcher.subscribe("will");
    const connect = { cmd: "connect", clientId: "c", clean: true, keepalive: 0, ...fields } as const;
    await using client = TestClient.memory(broker);
    await client.connect({ ...connect, will: { topic: "will", payload: "gone", qos: 0, retain: false } });
    await assertEndsAlone(broker, client, bytesOf(connect), "disconnected/protocol-error");
    await watcher.expect({ cmd: "publish", topic: "will", payload: "gone" });
    await watcher.expectNothing();
  });
}

Deno.test("a second CONNECT as another client does not take that one over [MQTT-3.1.0-2]", async () => {
  await using broker = createBroker();
  await using other = await connected(broker, "other");
  await using client = await connected(broker, "c");
  await assertEndsAlone(broker, client, connectFrame({ fields: ["other"] }), "disconnected/protocol-error");
  await other.expectNothing();
});

Deno.test("a second CONNECT behind the first one in one read ends the connection, also while a hook decides [MQTT-3.1.0-2]", async () => {
  for (const answer of [true, Promise.resolve(true)]) {
    await using broker = createBroker({ authenticate: () => answer });
    await using client = TestClient.memory(broker);
    const accepted = { cmd: "connack", returnCode: 0 } as const;
    const bytes = [...connectFrame(), ...connectFrame()];
    await assertEndsAlone(broker, client, bytes, "disconnected/protocol-error", accepted);
  }
});

Deno.test(
  "a first packet other than CONNECT is refused without an answer [MQTT-3.1.0-1]",
  refuseTheConnection({
    "PUBLISH at QoS 0": frame(0x30, ...field("a")),
    "PUBLISH at QoS 1": frame(0x32, ...field("a"), 0, 1),
    "PUBLISH at QoS 2": frame(0x34, ...field("a"), 0, 1),
    "PUBACK": frame(0x40, 0, 1),
    "PUBREC": frame(0x50, 0, 1),
    "PUBREL": frame(0x62, 0, 1),
    "PUBCOMP": frame(0x70, 0, 1),
    "SUBSCRIBE": frame(0x82, 0, 1, ...field("#"), 0),
    "UNSUBSCRIBE": frame(0xa2, 0, 1, ...field("a")),
    "PINGREQ": frame(0xc0),
    "DISCONNECT": frame(0xe0),
    "CONNACK": frame(0x20, 0, 0),
    "SUBACK": frame(0x90, 0, 1, 0),
    "UNSUBACK": frame(0xb0, 0, 1),
    "PINGRESP": frame(0xd0),
  }, { reason: "protocol-error" }),
);

Deno.test(
  "a first packet of a reserved type, or of another protocol, is refused without an answer [MQTT-3.1.0-1]",
  refuseTheConnection({
    "type 0": frame(0x00),
    "type 15": frame(0xf0),
    "HTTP": [...new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${"localhost.".repeat(9)}\r\n\r\n`)],
    "TLS": [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0xfc],
    "a remaining length of five bytes": [0x10, 0x80, 0x80, 0x80, 0x80, 0x01],
  }),
);

Deno.test(
  "a wrong protocol name is refused without an answer [MQTT-3.1.2-1] [MQTT-3.1.4-1]",
  refuseTheConnection(violationsOf(
    ["", "mqtt", "MQTTT", "MQT", "MQISDP", "MQIsdp\0", "HTTP", "\ufeffMQTT"],
    (name) => connectFrame({ name }),
  )),
);

Deno.test(
  "an unsupported protocol level gets CONNACK 0x01 [MQTT-3.1.2-2] [MQTT-3.2.2-4] [MQTT-3.2.2-5]",
  refuseTheConnection(
    {
      ...violationsOf([0, 1, 2, 3, 6, 7, 127, 128, 131, 132, 255], (level) => connectFrame({ level })),
      ...violationsOf([0, 1, 4, 5, 131, 255], (level) => connectFrame({ name: "MQIsdp", level })),
      "a level with a layout of its own": frame(0x10, ...field("MQTT"), 9),
    },
    { reason: "unsupported-protocol-version", returnCode: 1 },
  ),
);

Deno.test(
  "the reserved CONNECT flag ends the connection [MQTT-3.1.2-3] [MQTT-3.1.4-1]",
  refuseTheConnection({
    "3.1.1": connectFrame({ flags: flag.clean | flag.reserved }),
    "3.1.1 with all flags": connectFrame({
      flags: 0xff & ~flag.willQos1,
      fields: ["c", "will", "gone", "user", "password"],
    }),
    "3.1": connectFrame({ name: "MQIsdp", level: 3, flags: flag.clean | flag.reserved }),
  }),
);

const whole = connectFrame({ flags: 0xc6, fields: ["c", "will", "gone", "user", "password"] });

Deno.test(
  "a CONNECT that is cut off at any byte, with a remaining length to match, gets no CONNACK [MQTT-3.1.4-1]",
  refuseTheConnection(violationsOf(
    Array.from({ length: whole.length - 2 }, (_, length) => length),
    (length) => frame(0x10, ...whole.slice(2, 2 + length)),
  )),
);

Deno.test(
  "a CONNECT that goes on after its last field gets no CONNACK [MQTT-3.1.4-1]",
  refuseTheConnection({
    "one byte": frame(0x10, ...whole.slice(2), 0),
    "a field too many": connectFrame({ fields: ["client", "more"] }),
    "3.1": connectFrame({ name: "MQIsdp", level: 3, fields: ["client", "more"] }),
  }),
);

Deno.test(
  "a CONNECT over the limit gets no CONNACK, and is not waited for [MQTT-3.1.4-1]",
  refuseTheConnection({ "of 256 MiB, its first bytes": [0x10, 0xff, 0xff, 0xff, 0x7f, ...field("MQTT"), 4] }, {
    reason: "packet-too-large",
  }),
);

Deno.test("a CONNECT may come byte by byte [MQTT-3.1.4-4]", async () => {
  await using broker = createBroker();
  await using client = TestClient.memory(broker);
  for (const byte of whole) await client.sendBytes([byte]);
  await client.expect({ cmd: "connack", returnCode: 0 });
});

for (const [how, answer] of [["at once", false], ["by a promise", Promise.resolve(false)]] as const) {
  Deno.test(`nothing behind a CONNECT that is refused ${how} is processed [MQTT-3.1.4-5]`, async () => {
    const taken: string[] = [], passed: string[] = [];
    await using broker = createBroker({ authenticate: ({ clientId }) => clientId === "witness" || answer });
    broker.published.subscribe(({ topic }) => passed.push(topic));
    broker.events.subscribe((event) => taken.push(event.type));
    await using client = TestClient.memory(broker);
    const behind = [
      ...bytesOf({ cmd: "publish", topic: "behind", payload: "", qos: 0, retain: true }),
      ...bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "#", qos: 0 }] }),
      ...connectFrame({ fields: ["witness"] }),
    ];
    const refused = { cmd: "connack", returnCode: 5, sessionPresent: false } as const;
    await assertEndsAlone(broker, client, [...connectFrame(), ...behind], "refused/not-authorized", refused);
    assertEquals(passed, ["sign/of/life"]);
    assertEquals(taken, ["connected", "subscribed", "refused", "disconnected"]); // the witness's, and the refusal
  });
}
