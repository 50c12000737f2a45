import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Decoder } from "../../src/codec/decode.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import { MqttError } from "../../src/errors.ts";
import type { PacketLike } from "../support/client.ts";

const bytes = (text: string) => Buffer.from(text);

/** A frame: the first byte, and a body of text and numbers; text gets its length in front. */
function frame(first: number, ...parts: readonly (string | number | readonly number[])[]): Buffer {
  const body = parts.flatMap((part) => {
    if (typeof part !== "string") return part;
    const text = bytes(part);
    return [text.length >> 8, text.length & 0xff, ...text];
  });
  if (body.length > 127) throw new RangeError("Only for short frames");
  return Buffer.from([first, body.length, ...body]);
}

const connectFields = { cmd: "connect", protocolVersion: 4, clean: true, keepalive: 60, clientId: "c" } as const;
const will = { topic: "will", payload: bytes("gone"), qos: 2, retain: true } as const;

/** Every kind of packet that a client sends, as mqtt-packet takes it and as the decoder returns it. */
const packets: readonly PacketLike[] = [
  connectFields,
  { ...connectFields, clientId: "", keepalive: 0 },
  { ...connectFields, clean: false, keepalive: 65_535 },
  { ...connectFields, protocolVersion: 3, protocolId: "MQIsdp" },
  { ...connectFields, username: "", password: bytes("") },
  { ...connectFields, username: "üser", password: Buffer.from([0, 0xff]), will },
  { ...connectFields, will: { ...will, payload: bytes(""), qos: 0, retain: false } },
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
  { cmd: "disconnect" },
];

for (const packet of packets) {
  Deno.test(`The decoder reads what mqtt-packet writes: ${JSON.stringify(packet).slice(0, 90)}`, () => {
    const decoded = new Decoder().decode(generate(packet as Packet)) as PacketLike;
    assertEquals(Object.fromEntries(Object.keys(packet).map((name) => [name, decoded[name]])), { ...packet });
    for (const name of ["username", "password", "will"]) assertEquals(name in decoded, name in packet, name);
  });
}

Deno.test("The packet identifier of a PUBLISH at QoS 0 is 0", () => {
  const decoded = new Decoder().decode(frame(0x30, "a")) as PacketLike;
  assertEquals(decoded.messageId, 0);
});

Deno.test("Payloads and passwords are copies: the frame's buffer may be written to again", () => {
  const decoder = new Decoder();
  const decode = (packet: PacketLike) => {
    const frame = generate(packet as Packet), decoded = decoder.decode(frame) as PacketLike;
    frame.fill(0);
    return decoded;
  };
  const connect = decode({ ...connectFields, username: "u", password: bytes("secret"), will });
  const publish = decode({ cmd: "publish", topic: "a", payload: bytes("hello"), qos: 0 });
  assertEquals([connect.password, connect.will.payload, publish.payload].map(String), ["secret", "gone", "hello"]);
});

const name = "MQTT", level = 4, keepAlive = [0, 60];
const subscribe = 0x82, unsubscribe = 0xa2, publish = 0x30, connect = 0x10;

/** What breaks a rule of the standard, and what is said of it. */
const faults: readonly (readonly [rule: string, frame: Buffer, message: string])[] = [
  [
    "CONNECT of another protocol [MQTT-3.1.2-1]",
    frame(connect, "HTTP", 4, 2, keepAlive, "c"),
    'Protocol name is "HTTP"',
  ],
  ["CONNECT with the reserved flag [MQTT-3.1.2-3]", frame(connect, name, level, 3, keepAlive, "c"), "bit 0 must be 0"],
  [
    "CONNECT with a will of QoS 3 [MQTT-3.1.2-14]",
    frame(connect, name, level, 0x1e, keepAlive, "c", "w", ""),
    "QoS is 3",
  ],
  [
    "CONNECT with a will QoS and no will [MQTT-3.1.2-13]",
    frame(connect, name, level, 0x0a, keepAlive, "c"),
    "Will QoS",
  ],
  [
    "CONNECT with will retain and no will [MQTT-3.1.2-15]",
    frame(connect, name, level, 0x22, keepAlive, "c"),
    "Will Retain",
  ],
  [
    "CONNECT with a wildcard in the will topic",
    frame(connect, name, level, 6, keepAlive, "c", "w/#", ""),
    'Will: Topic name "w/#"',
  ],
  [
    "CONNECT without a user name, with a password [MQTT-3.1.2-22]",
    frame(connect, name, level, 0x42, keepAlive, "c", "p"),
    "password and no user name",
  ],
  [
    "CONNECT with U+0000 in the client id [MQTT-1.5.3-2]",
    frame(connect, name, level, 2, keepAlive, "c\0"),
    "String of a CONNECT holds U+0000",
  ],
  [
    "CONNECT with an ill-formed client id [MQTT-1.5.3-1]",
    frame(connect, name, level, 2, keepAlive, [0, 1, 0xff]),
    "String of a CONNECT is not well-formed UTF-8",
  ],
  [
    "CONNECT with an ill-formed user name",
    frame(connect, name, level, 0x82, keepAlive, "c", [0, 1, 0x80]),
    "not well-formed UTF-8",
  ],
  [
    "CONNECT with an ill-formed will topic",
    frame(connect, name, level, 6, keepAlive, "c", [0, 1, 0x80], ""),
    "not well-formed UTF-8",
  ],
  [
    "CONNECT that goes on",
    frame(connect, name, level, 2, keepAlive, "c", 1, 2),
    "CONNECT goes on for 2 bytes after its end",
  ],
  ["CONNECT without its client id", frame(connect, name, level, 2, keepAlive), "too short"],
  ["CONNECT of one byte", frame(connect, 0), "Packet ends too early"],
  ["CONNECT whose client id ends outside", frame(connect, name, level, 2, keepAlive, [0, 9, 1]), "too short"],
  ["CONNECT with header flags [MQTT-2.2.2-2]", frame(0x11, name, level, 2, keepAlive, "c"), "Invalid header flag bits"],
  ["PUBLISH with QoS 3 [MQTT-3.3.1-4]", frame(0x36, "a", 0, 1), "both QoS bits"],
  ["PUBLISH with DUP at QoS 0 [MQTT-3.3.1-2]", frame(0x38, "a"), "PUBLISH has DUP set at QoS 0"],
  ["PUBLISH with a wildcard [MQTT-3.3.2-2]", frame(publish, "a/+"), 'Topic name "a/+" holds a wildcard'],
  ["PUBLISH without a topic [MQTT-4.7.3-1]", frame(publish, ""), "Topic name is empty"],
  ["PUBLISH with U+0000 [MQTT-4.7.3-2]", frame(publish, "a\0"), "Topic name holds U+0000"],
  [
    "PUBLISH with an ill-formed topic [MQTT-3.3.2-1]",
    frame(publish, [0, 2, 0x61, 0xff]),
    "Topic name is not well-formed UTF-8",
  ],
  [
    "PUBLISH with a surrogate in its topic [MQTT-1.5.3-1]",
    frame(publish, [0, 3, 0xed, 0xa0, 0x80]),
    "not well-formed UTF-8",
  ],
  ["PUBLISH with packet identifier 0 [MQTT-2.3.1-1]", frame(0x32, "a", 0, 0), "Packet identifier of a PUBLISH is 0"],
  ["PUBLISH without its packet identifier", frame(0x32, "a"), "Packet identifier of a PUBLISH is missing"],
  ["PUBLISH whose topic ends outside", frame(publish, [0, 9, 1]), "Cannot parse topic"],
  ["PUBLISH of nothing", frame(publish), "Cannot parse topic"],
  ["PUBACK with packet identifier 0", frame(0x40, 0, 0), "Packet identifier of a PUBACK is 0"],
  ["PUBACK of one byte", frame(0x40, 1), "Remaining length of PUBACK is 1, not 2"],
  ["PUBREC of three bytes", frame(0x50, 0, 1, 0), "Remaining length of PUBREC is 3, not 2"],
  ["PUBREL with header flags 0 [MQTT-3.6.1-1]", frame(0x60, 0, 1), "Invalid header flag bits"],
  ["PUBCOMP of nothing", frame(0x70), "Remaining length of PUBCOMP is 0, not 2"],
  ["SUBSCRIBE with header flags 0 [MQTT-3.8.1-1]", frame(0x80, 0, 1, "a", 0), "Invalid header flag bits"],
  ["SUBSCRIBE with packet identifier 0", frame(subscribe, 0, 0, "a", 0), "Packet identifier of a SUBSCRIBE is 0"],
  ["SUBSCRIBE without a filter [MQTT-3.8.3-3]", frame(subscribe, 0, 1), "SUBSCRIBE holds no topic filter"],
  [
    "SUBSCRIBE to an invalid filter [MQTT-4.7.1-2]",
    frame(subscribe, 0, 1, "a", 0, "a/#/b", 0),
    '"#" before its last level',
  ],
  [
    "SUBSCRIBE to an ill-formed filter [MQTT-3.8.3-1]",
    frame(subscribe, 0, 1, [0, 1, 0xff], 0),
    "String of a SUBSCRIBE is not well-formed UTF-8",
  ],
  ["SUBSCRIBE with QoS 3 [MQTT-3.8.3-4]", frame(subscribe, 0, 1, "a", 3), "Invalid subscribe QoS"],
  ["SUBSCRIBE with reserved bits [MQTT-3.8.3-4]", frame(subscribe, 0, 1, "a", 4), "bits 7-2 must be 0"],
  ["SUBSCRIBE without its QoS", frame(subscribe, 0, 1, "a"), "Malformed Subscribe Payload"],
  ["UNSUBSCRIBE with packet identifier 0", frame(unsubscribe, 0, 0, "a"), "Packet identifier of a UNSUBSCRIBE is 0"],
  ["UNSUBSCRIBE without a filter [MQTT-3.10.3-2]", frame(unsubscribe, 0, 1), "UNSUBSCRIBE holds no topic filter"],
  ["UNSUBSCRIBE from an invalid filter", frame(unsubscribe, 0, 1, "a+"), '"+" beside other characters'],
  [
    "UNSUBSCRIBE from an ill-formed filter [MQTT-3.10.3-1]",
    frame(unsubscribe, 0, 1, [0, 1, 0xff]),
    "String of a UNSUBSCRIBE is not well-formed UTF-8",
  ],
  ["PINGREQ with a body", frame(0xc0, 0), "Remaining length of PINGREQ is 1, not 0"],
  ["DISCONNECT with a body", frame(0xe0, 0), "Remaining length of DISCONNECT is 1, not 0"],
  ["DISCONNECT with header flags [MQTT-3.14.1-1]", frame(0xe1), "Invalid header flag bits"],
  ["a packet of the reserved type 0", frame(0x00), "Not supported"],
  ["a packet of the reserved type 15", frame(0xf0), "Not supported auth packet"],
];

for (const [rule, frame, message] of faults) {
  Deno.test(`The decoder refuses ${rule}`, () => {
    const error = assertThrows(() => new Decoder().decode(frame), MqttError, message);
    assertEquals(error.reason, "malformed-packet");
  });
}

const levels = [["MQTT", 3, 4], ["MQTT", 5, 4], ["MQTT", 0x84, 4], ["MQIsdp", 4, 3]] as const;

for (const [name, found, wanted] of levels) {
  Deno.test(`The decoder refuses level ${found} of ${name} as such: it is to be answered [MQTT-3.1.2-2]`, () => {
    const wrong = frame(connect, name, found, 2, keepAlive, "c");
    const error = assertThrows(() => new Decoder().decode(wrong), MqttError);
    assertEquals(error.message, `Protocol level of "${name}" is ${found}, not ${wanted}`);
    assertEquals(error.reason, "unsupported-protocol-version");
  });
}

for (
  const [cmd, bytes] of Object.entries({ connack: [0x20, 2, 0, 0], suback: [0x90, 3, 0, 1, 0], pingresp: [0xd0, 0] })
) {
  Deno.test(`The decoder refuses a ${cmd.toUpperCase()}: it is for the broker to send`, () => {
    const error = assertThrows(() => new Decoder().decode(Buffer.from(bytes)), MqttError);
    assertEquals([error.reason, error.message], ["protocol-error", `${cmd.toUpperCase()} is not for a client to send`]);
  });
}
