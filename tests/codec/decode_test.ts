import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { connectLevel, Decoder } from "../../src/codec/decode.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import { MqttError } from "../../src/errors.ts";
import { decoded, frameOf } from "../support/frames.ts";
import type { PacketLike } from "../support/client.ts";
import { counted, fields, fieldsLike, frame } from "../support/packets.ts";

const bytes = (text: string) => Buffer.from(text);

const connectFields = { cmd: "connect", protocolVersion: 4, clean: true, keepalive: 60, clientId: "c" } as const;
const will = { topic: "will", payload: bytes("gone"), qos: 2, retain: true } as const;

/** What both versions say alike. */
const common: readonly PacketLike[] = [
  { cmd: "publish", topic: "a/b", payload: bytes("hello"), qos: 0, retain: false, dup: false },
  { cmd: "publish", topic: "\ufeffä/\ufffd", payload: bytes(""), qos: 1, retain: true, dup: true, messageId: 1 },
  { cmd: "publish", topic: "/", payload: Buffer.alloc(300, 7), qos: 2, retain: true, dup: false, messageId: 65_535 },
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 258 },
  { cmd: "pubrel", messageId: 65_535 },
  { cmd: "pubcomp", messageId: 2 },
  { cmd: "subscribe", messageId: 3, subscriptions: [{ topic: "a/#", qos: 0 }, { topic: "+", qos: 2 }] },
  { cmd: "unsubscribe", messageId: 4, unsubscriptions: ["a/#", "ü"] },
  { cmd: "pingreq" },
];

/** Every kind of packet that a client sends, as mqtt-packet takes it and as the decoder returns it. */
const packets: { readonly [level in 4 | 5]: readonly PacketLike[] } = {
  4: [
    ...common,
    connectFields,
    { ...connectFields, clientId: "", keepalive: 0 },
    { ...connectFields, clean: false, keepalive: 65_535 },
    { ...connectFields, protocolVersion: 3, protocolId: "MQIsdp" },
    { ...connectFields, username: "", password: bytes("") },
    { ...connectFields, username: "üser", password: Buffer.from([0, 0xff]), will },
    { ...connectFields, will: { ...will, payload: bytes(""), qos: 0, retain: false } },
    { cmd: "disconnect" },
  ],
  5: [
    ...common.filter(({ cmd }) => cmd !== "subscribe"),
    { ...connectFields, protocolVersion: 5, clientId: "" },
    { ...connectFields, protocolVersion: 5, username: "", password: Buffer.from([0, 0xff]), will },
    {
      ...connectFields,
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 0xffff_ffff, receiveMaximum: 1, authenticationMethod: "m" },
      will: { ...will, properties: { willDelayInterval: 5, correlationData: Buffer.from([0, 1]) } },
    },
    {
      cmd: "subscribe",
      messageId: 3,
      subscriptions: [{ topic: "a/#", qos: 0, nl: true, rap: false, rh: 2 }, {
        topic: "$share/g/a",
        qos: 2,
        nl: false,
        rap: true,
        rh: 0,
      }],
      properties: { subscriptionIdentifier: 268_435_455 },
    },
    { cmd: "puback", messageId: 1, reasonCode: 0x80 },
    { cmd: "pubrel", messageId: 1, reasonCode: 0x92, properties: { reasonString: "?" } },
    { cmd: "disconnect", reasonCode: 0 },
    { cmd: "disconnect", reasonCode: 4, properties: { sessionExpiryInterval: 0, reasonString: "bye" } },
    { cmd: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m", authenticationData: Buffer.of(1) } },
  ],
};

/** Decodes what mqtt-packet has generated. */
function roundTrip(packet: PacketLike, level: 4 | 5, decoder = new Decoder()): PacketLike {
  return decoded(decoder, generate(packet as Packet, { protocolVersion: level }), level);
}

for (const level of [4, 5] as const) {
  for (const packet of packets[level]) {
    Deno.test(`The decoder reads what mqtt-packet writes: level ${level}, ${JSON.stringify(packet).slice(0, 90)}`, () => {
      const found = roundTrip(packet, level);
      assertEquals(fieldsLike(found, packet), { ...packet });
      for (const name of ["username", "password", "will", "properties"]) {
        assertEquals(name in found, name in packet, name);
      }
    });
  }
}

Deno.test("One decoder serves connections of all versions, in any order, whatever it has refused in between", () => {
  const decoder = new Decoder();
  const some = ([4, 5] as const).flatMap((level) => packets[level].map((packet) => ({ level, packet })));
  for (const { level, packet } of [...some, ...some.toReversed()]) {
    assertEquals(fieldsLike(roundTrip(packet, level, decoder), packet), { ...packet });
    assertThrows(() => decoder.decode(frameOf(frame(0x40, 0, 1, 0x7f)), 5), MqttError, "Invalid puback reason code");
  }
});

Deno.test("A CONNECT says its version itself, whatever the connection speaks until then", () => {
  const decoder = new Decoder();
  for (const [found, spoken] of [[4, 5], [5, 4]] as const) {
    const connect = generate({ ...connectFields, protocolVersion: found } as Packet);
    assertEquals(fieldsLike(decoder.decode(frameOf(connect), spoken), connectFields), {
      ...connectFields,
      protocolVersion: found,
    });
    assertEquals(roundTrip({ cmd: "pingreq" }, spoken, decoder).cmd, "pingreq");
  }
});

Deno.test("Passwords, wills and data are copies, the payload of a PUBLISH is not: the frame's buffer may be written to again", () => {
  const decoder = new Decoder();
  const decode = (packet: PacketLike) => {
    const frame = generate(packet as Packet, { protocolVersion: 5 }),
      found = decoder.decode(frameOf(frame), 5) as PacketLike;
    frame.fill(0);
    return found;
  };
  const connect = decode({
    ...connectFields,
    protocolVersion: 5,
    username: "u",
    password: bytes("secret"),
    will: { ...will, properties: { correlationData: bytes("will data") } },
    properties: { authenticationMethod: "m", authenticationData: bytes("data") },
  });
  const publish = decode({
    cmd: "publish",
    topic: "a",
    payload: bytes("hello"),
    qos: 0,
    properties: { correlationData: bytes("question 1") },
  });
  const found = [
    connect.password,
    connect.will.payload,
    connect.will.properties.correlationData,
    connect.properties.authenticationData,
    publish.properties.correlationData,
  ];
  assertEquals(found.map(String), ["secret", "gone", "will data", "data", "question 1"]);
});

Deno.test("User properties keep their order and their duplicates, of a CONNECT and its will too [MQTT5-3.3.2-18]", () => {
  const pairs = fields(38, "b", "1", 38, "a", "2", 38, "b", "1"), userProperties = [["b", "1"], ["a", "2"], ["b", "1"]];
  const decode = (frame: Buffer) => new Decoder().decode(frameOf(frame), 5) as PacketLike;
  const connect = decode(frame(0x10, "MQTT", 5, 6, [0, 0], counted(pairs), "c", counted(pairs), "w", ""));
  assertEquals([connect.properties, connect.will.properties], [{ userProperties }, { userProperties }]);
  for (const packet of [frame(0x30, "t", counted(pairs)), frame(0x82, [0, 1], counted(pairs), "t", 0)]) {
    assertEquals(decode(packet).properties, { userProperties });
  }
});

Deno.test("A remaining length that takes more bytes than it needs is malformed in MQTT 5.0 [MQTT5-1.5.5-1]", () => {
  const long = [[0xc0, 0x80, 0], [0x40, 0x82, 0x80, 0, 0, 1], [0x30, 0x83, 0, 0, 1, 0x61]];
  for (const bytes of long) {
    const frame = Buffer.from(bytes);
    const error = assertThrows(
      () => new Decoder().decode(frameOf(frame), 5),
      MqttError,
      "Remaining length has more bytes",
    );
    assertEquals([error.reason, new Decoder().decode(frameOf(frame), 4).cmd.length > 0], ["malformed-packet", true]);
  }
});

const connect = (name: string, level: number) => frame(0x10, name, level, 2, [0, 0], "c");

Deno.test("connectLevel() finds the version that a refusal has to be said in, or nothing", () => {
  for (const level of [3, 4, 5]) assertEquals(connectLevel(frameOf(connect("MQTT", level))), level);
  const others = [
    connect("MQTT", 6),
    connect("MQTT", 0x84),
    connect("MQIsdp", 5),
    frame(0x10),
    frame(0x10, 0),
    frame(0x10, "MQTT"),
    frame(0xc0),
    frame(0x30, "MQTT", 5, 2, [0, 0], "c"),
  ];
  for (const other of others) assertEquals(connectLevel(frameOf(other)), undefined);
});

const levels = [["MQTT", 3, "4 or 5"], ["MQTT", 6, "4 or 5"], ["MQTT", 0x84, "4 or 5"], ["MQIsdp", 4, "3"], [
  "MQIsdp",
  5,
  "3",
]] as const;

for (const [name, found, wanted] of levels) {
  Deno.test(`The decoder refuses level ${found} of ${name} as such: it is to be answered [MQTT-3.1.2-2]`, () => {
    const error = assertThrows(() => new Decoder().decode(frameOf(connect(name, found)), 4), MqttError);
    assertEquals(error.message, `Protocol level of "${name}" is ${found}, not ${wanted}`);
    assertEquals(error.reason, "unsupported-protocol-version");
  });
}
