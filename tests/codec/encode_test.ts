import { assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { encode, PublishEncoder } from "../../src/codec/encode.ts";
import type { ServerPacket } from "../../src/codec/packet.ts";
import { Message, payloadBytes, type QoS } from "../../src/message.ts";
import { fieldsLike, parsed } from "../support/packets.ts";
import { bytesOf } from "../support/frames.ts";

type OtherPacket = Exclude<ServerPacket, { cmd: "publish" }>;

const acks: readonly OtherPacket[] = [
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 256 },
  { cmd: "pubrel", messageId: 65_535 },
  { cmd: "pubcomp", messageId: 2 },
  { cmd: "pingresp" },
];

const authenticationData = Buffer.from([0, 0xff]), reasonString = "Größe";

/** Every kind of packet that the broker sends, but PUBLISH. */
const packets: { readonly [level in 4 | 5]: readonly OtherPacket[] } = {
  4: [
    ...acks,
    { cmd: "connack", returnCode: 0, sessionPresent: true },
    { cmd: "connack", returnCode: 5, sessionPresent: false },
    { cmd: "suback", messageId: 3, granted: [0, 1, 2, 0x80] },
    { cmd: "unsuback", messageId: 4 },
  ],
  5: [
    ...acks,
    { cmd: "connack", reasonCode: 0, sessionPresent: true },
    { cmd: "connack", reasonCode: 0x87, sessionPresent: false, properties: { reasonString, serverReference: "b" } },
    {
      cmd: "connack",
      reasonCode: 0,
      sessionPresent: false,
      properties: {
        sessionExpiryInterval: 0,
        receiveMaximum: 1,
        maximumPacketSize: 0xffff_ffff,
        assignedClientIdentifier: "c",
        topicAliasMaximum: 65_535,
        serverKeepAlive: 60,
        responseInformation: "r",
        authenticationMethod: "m",
        authenticationData,
      },
    },
    { cmd: "puback", messageId: 1, reasonCode: 0x99, properties: { reasonString } },
    { cmd: "pubrec", messageId: 2, reasonCode: 0x87 },
    { cmd: "pubrel", messageId: 3, reasonCode: 0x92 },
    { cmd: "pubcomp", messageId: 4, reasonCode: 0x92, properties: { reasonString: "" } },
    { cmd: "suback", messageId: 3, granted: [0, 1, 2, 0x80, 0x8f] },
    { cmd: "unsuback", messageId: 4, granted: [0, 0x11] },
    { cmd: "disconnect", reasonCode: 0x8e, properties: { reasonString } },
    { cmd: "disconnect", reasonCode: 0x9d, properties: { serverReference: "b" } },
    { cmd: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m", authenticationData } },
  ],
};

for (const level of [4, 5] as const) {
  for (const packet of packets[level]) {
    Deno.test(`encode() writes what mqtt-packet reads: level ${level}, ${JSON.stringify(packet).slice(0, 90)}`, () => {
      assertEquals(fieldsLike(parsed(encode(packet, level, Infinity), level), packet), { ...packet });
    });
  }
}

Deno.test("Authentication data need not be a Buffer", () => {
  const packet = (authenticationData: Uint8Array): OtherPacket => ({
    cmd: "auth",
    reasonCode: 0x18,
    properties: { authenticationMethod: "m", authenticationData },
  });
  for (const bytes of [[], [1, 2, 3]]) {
    const [plain, buffer] = [Uint8Array, Buffer].map((type) => encode(packet(type.from(bytes)), 5, Infinity));
    assertEquals(plain, buffer);
  }
});

const refusals: readonly OtherPacket[] = [
  { cmd: "puback", messageId: 1, reasonCode: 0x87, properties: { reasonString } },
  { cmd: "disconnect", reasonCode: 0x81, properties: { reasonString } },
  { cmd: "connack", reasonCode: 0x84, sessionPresent: false, properties: { reasonString } },
];

for (const packet of refusals) {
  Deno.test(`A ${packet.cmd} keeps its reason code where its reason in words does not fit [MQTT5-3.4.2-2] [MQTT5-3.14.2-3] [MQTT5-3.2.2-19]`, () => {
    const whole = encode(packet, 5, Infinity), fits = encode(packet, 5, whole.length);
    assertEquals(fits, whole);
    const { reasonCode, properties } = parsed(encode(packet, 5, whole.length - 1), 5);
    assertEquals([reasonCode, properties], ["reasonCode" in packet && packet.reasonCode, undefined]);
  });
}

Deno.test("What is larger than the client takes, with no reason to leave out, is returned as it is", () => {
  assertEquals(encode({ cmd: "suback", messageId: 1, granted: Array(30).fill(0) }, 5, 20).length, 35);
});

const message = new Message({ topic: "a/ü", payload: payloadBytes("hello"), qos: 2, retain: true, client: "c" });

for (const qos of [0, 1, 2] as QoS[]) {
  for (const retain of [false, true]) {
    Deno.test(`A PUBLISH frame of QoS ${qos}, retain ${retain}, has a place for its packet identifier`, () => {
      const frame = new PublishEncoder().frame(message, 4, { qos, retain }), { idAt } = frame, own = bytesOf(frame);
      if (qos > 0) own.writeUInt16BE(0xabcd, idAt);
      const { cmd, topic, payload, dup, messageId, ...found } = parsed(own);
      assertEquals([cmd, topic, String(payload), dup], ["publish", "a/ü", "hello", false]);
      assertEquals([found.qos, found.retain, messageId], [qos, retain, qos > 0 ? 0xabcd : undefined]);
      assertEquals(idAt > 0, qos > 0);
    });
  }
}

Deno.test("A message is encoded once for each version, QoS and RETAIN flag, whatever the order of its subscribers", () => {
  const encoder = new PublishEncoder(),
    variants = [4, 5].flatMap((level) =>
      [0, 1, 2].flatMap((qos) => [false, true].map((retain) => ({ level: level as 4 | 5, qos: qos as QoS, retain })))
    );
  const first = variants.map(({ level, ...variant }) => encoder.frame(message, level, variant));
  assertEquals(new Set(first).size, 12);
  for (const [i, { level, ...variant }] of variants.entries()) {
    assertStrictEquals(encoder.frame(message, level, variant), first[i]);
  }
});

const plain = { qos: 1, retain: false } as const;

Deno.test("Another message is encoded anew, also one with the same fields", () => {
  const encoder = new PublishEncoder(), first = encoder.frame(message, 4, plain);
  assertEquals(encoder.frame(message.with({}), 4, plain) === first, false);
  const bytes = bytesOf(encoder.frame(message.with({ payload: payloadBytes("x") }), 4, plain));
  assertEquals(String(parsed(bytes).payload), "x");
});

Deno.test("A payload that is a part of a larger buffer is sent as that part", () => {
  const payload = Buffer.from("before hello behind").subarray(7, 12);
  for (const part of [payload, new Uint8Array(payload.buffer, payload.byteOffset, 5), new Uint8Array()]) {
    const bytes = bytesOf(new PublishEncoder().frame(message.with({ payload: part }), 4, plain));
    assertEquals(String(parsed(bytes).payload), part.length > 0 ? "hello" : "");
  }
});

Deno.test("A PUBLISH that is larger than any packet can be has its size, and is not written", () => {
  const encoder = new PublishEncoder(), lent = { bytes: new Uint8Array(), start: 0, end: 268_435_450 };
  const message = new Message({ topic: "t", qos: 0, retain: false, client: undefined }, undefined, lent);
  const variant = { qos: 0, retain: false } as const, remaining = 2 + 1 + lent.end, room = 268_435_455 - remaining;
  assertEquals(encoder.encode(message, 4, variant).size, 5 + remaining);
  for (const [count, properties] of [[0, 1], [1, 1 + 2], [100, 2 + 200]] as const) {
    const { size, start, end } = encoder.encode(message, 5, { ...variant, identifiers: Array(count).fill(1) });
    assertEquals([size - 5 - remaining, end > start], [properties, properties <= room]);
  }
});
