import { assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { encode, PublishEncoder } from "../../src/codec/encode.ts";
import { type Packet, parser } from "../../src/codec/mqtt_packet.ts";
import type { ServerPacket } from "../../src/codec/packet.ts";
import { Message, payloadBytes, type QoS } from "../../src/message.ts";
import type { PacketLike } from "../support/client.ts";

/** The one packet that these bytes are, as mqtt-packet reads it. */
function parsed(bytes: Uint8Array): PacketLike {
  const packets: Packet[] = [], reader = parser();
  reader.on("packet", (packet) => packets.push(packet));
  assertEquals([reader.parse(Buffer.from(bytes)), packets.length], [0, 1]);
  return packets[0] as PacketLike;
}

/** Every kind of packet that the broker sends, but PUBLISH. */
const packets: readonly ServerPacket[] = [
  { cmd: "connack", returnCode: 0, sessionPresent: true },
  { cmd: "connack", returnCode: 5, sessionPresent: false },
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 256 },
  { cmd: "pubrel", messageId: 65_535 },
  { cmd: "pubcomp", messageId: 2 },
  { cmd: "suback", messageId: 3, granted: [0, 1, 2, 0x80] },
  { cmd: "unsuback", messageId: 4 },
  { cmd: "pingresp" },
];

for (const packet of packets) {
  Deno.test(`encode() writes what mqtt-packet reads: ${JSON.stringify(packet)}`, () => {
    const found = parsed(encode(packet));
    assertEquals(Object.fromEntries(Object.keys(packet).map((name) => [name, found[name]])), { ...packet });
  });
}

const message = new Message({ topic: "a/ü", payload: payloadBytes("hello"), qos: 2, retain: true, client: "c" });

for (const qos of [0, 1, 2] as QoS[]) {
  for (const retain of [false, true]) {
    Deno.test(`A PUBLISH frame of QoS ${qos}, retain ${retain}, has a place for its packet identifier`, () => {
      const { bytes, idAt } = new PublishEncoder().frame(message, qos, retain), own = Buffer.from(bytes);
      if (qos > 0) own.writeUInt16BE(0xabcd, idAt);
      const { cmd, topic, payload, dup, messageId, ...found } = parsed(own);
      assertEquals([cmd, topic, String(payload), dup], ["publish", "a/ü", "hello", false]);
      assertEquals([found.qos, found.retain, messageId], [qos, retain, qos > 0 ? 0xabcd : undefined]);
      assertEquals(idAt > 0, qos > 0);
    });
  }
}

Deno.test("A message is encoded once for each QoS and RETAIN flag, whatever the order of its subscribers", () => {
  const encoder = new PublishEncoder(), first = encoder.frame(message, 1, false);
  const others = [encoder.frame(message, 1, true), encoder.frame(message, 0, false), encoder.frame(message, 2, false)];
  assertStrictEquals(encoder.frame(message, 1, false), first);
  assertEquals(new Set([first, ...others]).size, 4);
});

Deno.test("Another message is encoded anew, also one with the same fields", () => {
  const encoder = new PublishEncoder(), first = encoder.frame(message, 1, false);
  assertEquals(encoder.frame(message.with({}), 1, false) === first, false);
  assertEquals(
    String(parsed(encoder.frame(message.with({ payload: payloadBytes("x") }), 0, false).bytes).payload),
    "x",
  );
});

Deno.test("A payload that is a part of a larger buffer is sent as that part", () => {
  const payload = Buffer.from("before hello behind").subarray(7, 12);
  for (const part of [payload, new Uint8Array(payload.buffer, payload.byteOffset, 5), new Uint8Array()]) {
    const { bytes } = new PublishEncoder().frame(message.with({ payload: part }), 1, false);
    assertEquals(String(parsed(bytes).payload), part.length > 0 ? "hello" : "");
  }
});
