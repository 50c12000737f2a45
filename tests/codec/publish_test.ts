// PUBLISH, which is read and written by hand, byte for byte.
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { PublishEncoder } from "../../src/codec/encode.ts";
import type { ProtocolLevel, PublishPacket } from "../../src/codec/packet.ts";
import type { MessageProperties } from "../../src/codec/properties.ts";
import { decodePublish } from "../../src/codec/publish.ts";
import { TopicNames } from "../../src/codec/topic_names.ts";
import { MqttError, type Reason } from "../../src/errors.ts";
import { Message } from "../../src/message.ts";
import { bytesOf, encodePublish, frameOf } from "../support/frames.ts";
import { counted, fields, frame, type Part } from "../support/packets.ts";

/** Decodes a frame, into a packet that no longer lies in it. */
function decode(frame: Buffer, level: ProtocolLevel): PublishPacket {
  const { cmd, topic, payload, qos, retain, dup, messageId, properties } = decodePublish(
    frameOf(frame),
    level,
    new TopicNames(),
  );
  return { cmd, topic, payload: Buffer.from(payload), qos, retain, dup, messageId, ...properties && { properties } };
}

const none = counted();
const plain = {
  cmd: "publish",
  topic: "a",
  payload: Buffer.from([7]),
  qos: 0,
  retain: false,
  dup: false,
  messageId: 0,
};

const packets: readonly (readonly [level: ProtocolLevel, frame: Buffer, fields: object])[] = [
  [4, frame(0x30, "a", 7), {}],
  [3, frame(0x31, "a", 7), { retain: true }],
  [4, frame(0x33, "ä/😀", [1, 2], 7), { topic: "ä/😀", qos: 1, retain: true, messageId: 258 }],
  [4, frame(0x3c, "a", [255, 255], 7), { qos: 2, dup: true, messageId: 65_535 }],
  [4, frame(0x30, "a"), { payload: Buffer.alloc(0) }],
  [5, frame(0x30, "a", none, 7), {}],
  [5, frame(0x32, "a", [1, 2], none), { qos: 1, messageId: 258, payload: Buffer.alloc(0) }],
  [5, frame(0x3b, "a", [0, 1], counted(1, 1), 7), {
    qos: 1,
    dup: true,
    retain: true,
    messageId: 1,
    properties: { payloadFormatIndicator: true },
  }],
  [5, frame(0x30, "a", counted(35, [0, 9]), 7), { properties: { topicAlias: 9 } }],
  [5, frame(0x30, "", counted(35, [0, 9]), 7), { topic: "", properties: { topicAlias: 9 } }],
  [5, frame(0x30, "a", counted(8, "b/c"), 7), { properties: { responseTopic: "b/c" } }],
];

for (const [level, frame, fields] of packets) {
  Deno.test(`A PUBLISH of level ${level} is read: ${frame.toHex()}`, () => {
    assertEquals(decode(frame, level), { ...plain, ...fields } as PublishPacket);
  });
}

Deno.test("The payload is a view of the frame, and the name is the same string as before", () => {
  const names = new TopicNames(), bytes = frame(0x30, "a", 7);
  const [first, second] = [1, 2].map(() => decodePublish(frameOf(bytes), 4, names));
  bytes.fill(0);
  assertEquals([...first!.payload], [0]);
  assertStrictEquals(first!.topic, second!.topic);
});

type Fault = readonly [rule: string, frame: Buffer, message: string, reason?: Reason];

function refuse(level: ProtocolLevel, faults: readonly Fault[]): void {
  for (const [rule, frame, message, reason = "malformed-packet"] of faults) {
    Deno.test(`At level ${level}, what is refused is a PUBLISH ${rule}`, () => {
      const error = assertThrows(() => decode(frame, level), MqttError);
      assertEquals([error.reason, error.message], [reason, message]);
    });
  }
}

/** What both versions refuse; 5.0 has properties behind the topic and the packet identifier. */
const faults = (...properties: readonly Part[]): readonly Fault[] => [
  ["with QoS 3 [MQTT-3.3.1-4]", frame(0x36, "a", [0, 1], ...properties), "PUBLISH has both QoS bits set"],
  ["with DUP at QoS 0 [MQTT-3.3.1-2]", frame(0x38, "a", ...properties), "PUBLISH has DUP set at QoS 0"],
  [
    "with a wildcard [MQTT-3.3.2-2]",
    frame(0x30, "a/+", ...properties),
    'Topic name "a/+" holds a wildcard, "+" or "#": only filters may',
  ],
  ["with U+0000 [MQTT-4.7.3-2]", frame(0x30, "a\0", ...properties), "Topic name holds U+0000"],
  [
    "with an ill-formed topic [MQTT-3.3.2-1]",
    frame(0x30, [0, 2, 0x61, 0xff], ...properties),
    "Topic name is not well-formed UTF-8",
  ],
  [
    "with packet identifier 0 [MQTT-2.3.1-1]",
    frame(0x32, "a", [0, 0], ...properties),
    "PUBLISH has 0 as its packet identifier",
  ],
  ["without its packet identifier", frame(0x32, "a"), "PUBLISH ends too early"],
  ["with half a packet identifier", frame(0x34, "a", 0), "PUBLISH ends too early"],
  ["whose topic ends outside", frame(0x30, [0, 9, 1], ...properties), "PUBLISH ends too early"],
  ["of nothing", frame(0x30), "PUBLISH ends too early"],
  ["of one byte", frame(0x30, 0), "PUBLISH ends too early"],
];

refuse(4, [
  ...faults(),
  [
    "without a topic [MQTT-4.7.3-1]",
    frame(0x30, "", 7),
    "Topic name is empty: it needs at least one character",
  ],
]);

refuse(5, [
  ...faults(none),
  [
    "with neither a topic nor an alias",
    frame(0x30, "", none, 7),
    "PUBLISH has neither a topic name nor a topic alias",
    "protocol-error",
  ],
  [
    "with topic alias 0 [MQTT5-3.3.2-8]",
    frame(0x30, "a", counted(35, [0, 0])),
    "PUBLISH has 0 for the property topicAlias",
    "protocol-error",
  ],
  [
    "with a subscription identifier [MQTT5-3.3.4-6]",
    frame(0x30, "a", counted(11, 1)),
    "PUBLISH of a client has a subscription identifier",
    "protocol-error",
  ],
  [
    "with a wildcard in its response topic [MQTT5-3.3.2-14]",
    frame(0x30, "a", counted(8, "b/#")),
    'PUBLISH has a faulty response topic: Topic name "b/#" holds a wildcard, "+" or "#": only filters may',
    "protocol-error",
  ],
  ["without its properties", frame(0x30, "a"), "PUBLISH ends too early"],
  ["whose properties end outside", frame(0x30, "a", 5, 1, 1), "PUBLISH ends too early"],
]);

const properties: MessageProperties = {
  payloadFormatIndicator: true,
  messageExpiryInterval: 60,
  contentType: "text/ü",
  responseTopic: "answer",
  correlationData: Uint8Array.of(0, 0xff),
  userProperties: [["a", "1"], ["b", ""], ["a", "2"]],
};
const forwarded = fields(
  [1, 1],
  3,
  "text/ü",
  8,
  "answer",
  [9, 0, 2, 0, 0xff],
  38,
  "a",
  "1",
  38,
  "b",
  "",
  38,
  "a",
  "2",
);

const message = new Message({ topic: "t", payload: Uint8Array.of(7), qos: 1, retain: false, client: "c", properties });

type Tail<T extends readonly unknown[]> = T extends readonly [unknown, unknown, unknown, ...infer Rest] ? Rest : never;

/** Encodes for a client of 5.0 at QoS 1, with packet identifier 0. */
function encoded(message: Message, ...rest: Tail<Parameters<typeof encodePublish>>): Buffer {
  const { bytes, idAt } = encodePublish(message, 5, { qos: 1, retain: false }, ...rest);
  return Buffer.from(bytes).fill(0, idAt, idAt + 2);
}

/** What `encoded` returns for a topic and properties. */
const expected = (topic: string, ...parts: readonly Part[]) => frame(0x32, topic, [0, 0], counted(...parts), 7);

Deno.test("The properties of a message go to every subscriber unaltered [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-20]", () => {
  assertEquals(encoded(message), expected("t", forwarded));
  for (const none of [undefined, {}]) assertEquals(encoded(message.with({ properties: none })), expected("t"));
});

Deno.test("An expiry interval is sent as what is left of it [MQTT5-3.3.2-6]", () => {
  assertEquals(encoded(message, 0x01020304), expected("t", 2, [1, 2, 3, 4], forwarded));
});

Deno.test("A topic alias comes with the topic name, and then in its place", () => {
  assertEquals(encoded(message, undefined, { id: 258, known: false }), expected("t", 35, [1, 2], forwarded));
  assertEquals(encoded(message, 1, { id: 258, known: true }), expected("", 35, [1, 2], 2, [0, 0, 0, 1], forwarded));
});

Deno.test("Subscription identifiers come with the PUBLISH of the one client that has them", () => {
  const encoder = new PublishEncoder(), identifiers = [1, 200], bare = message.with({ properties: {} });
  const encoded = (variant: object) => encoder.frame(bare, 5, { qos: 0, retain: true, ...variant });
  const shared = encoded({}), own = encoded({ identifiers });
  assertEquals(bytesOf(own), frame(0x31, "t", counted(11, 1, 11, [200, 1]), 7));
  assertEquals([encoded({}) === shared, encoded({ identifiers }) === own], [true, false]);
});

Deno.test("A client of 3.1.1 gets no properties, whatever the message has", () => {
  const { bytes } = encodePublish(message, 4, { qos: 0, retain: false, identifiers: [1] });
  assertEquals(bytes, frame(0x30, "t", 7));
});

Deno.test("A PUBLISH may be of any length", () => {
  for (const size of [0, 100, 118, 119, 120, 16_375, 16_376, 2_097_152]) {
    const large = message.with({ payload: Buffer.alloc(size, 7), properties: {} });
    const { bytes, idAt } = encodePublish(large, 5, { qos: 1, retain: false });
    Buffer.from(bytes.buffer, bytes.byteOffset).writeUInt16BE(9, idAt);
    const { messageId, payload } = decode(bytes, 5);
    assertEquals([messageId, payload.length, payload.every((byte) => byte === 7)], [9, size, true]);
  }
});
