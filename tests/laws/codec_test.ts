// For random packets, cut into random pieces: what is read is what was written. For random and damaged bytes: what comes out is a
// packet or an MqttError, never anything else.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4";
import { Decoder } from "../../src/codec/decode.ts";
import { FrameReader } from "../../src/codec/frame.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import { MqttError } from "../../src/errors.ts";
import { topicFilterFault, topicNameFault } from "../../src/topics/filter.ts";
import type { PacketLike } from "../support/client.ts";
import { feedAll, pieces } from "../support/frames.ts";

const qos = fc.constantFrom(0, 1, 2), messageId = fc.integer({ min: 1, max: 65_535 });
const bytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const text = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.includes("\0"));
const topic = fc.oneof(text, fc.constantFrom("a", "a/b", "/", "$SYS/x")).filter((topic) => !topicNameFault(topic));
const filter = fc.oneof(topic, fc.constantFrom("#", "+/a", "a/+/#", "+")).filter((filter) => !topicFilterFault(filter));

const will = fc.record({ topic, payload: bytes, qos, retain: fc.boolean() }, { noNullPrototype: true });
const login = fc.oneof(
  fc.constant({}),
  fc.record({ username: text }),
  fc.record({ username: text, password: bytes }),
);

const connect = fc.tuple(
  fc.record({
    cmd: fc.constant("connect" as const),
    clean: fc.boolean(),
    keepalive: fc.nat(65_535),
    clientId: text.filter(Boolean),
  }),
  fc.constantFrom({ protocolVersion: 4 }, { protocolVersion: 3, protocolId: "MQIsdp" }),
  login,
  fc.oneof(fc.constant({}), fc.record({ will })),
).map((parts): PacketLike => Object.assign({}, ...parts));

const publish = fc.record({
  cmd: fc.constant("publish" as const),
  topic,
  payload: bytes,
  qos,
  retain: fc.boolean(),
  dup: fc.boolean(),
  messageId,
}).map(({ dup, messageId, ...packet }) => packet.qos === 0 ? { ...packet, dup: false } : { ...packet, dup, messageId });

const others: fc.Arbitrary<PacketLike> = fc.oneof(
  publish,
  fc.record({
    cmd: fc.constantFrom("puback" as const, "pubrec" as const, "pubrel" as const, "pubcomp" as const),
    messageId,
  }),
  fc.record({
    cmd: fc.constant("subscribe" as const),
    messageId,
    subscriptions: fc.array(fc.record({ topic: filter, qos }, { noNullPrototype: true }), {
      minLength: 1,
      maxLength: 5,
    }),
  }),
  fc.record({
    cmd: fc.constant("unsubscribe" as const),
    messageId,
    unsubscriptions: fc.array(filter, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({ cmd: fc.constantFrom("pingreq" as const, "disconnect" as const) }),
);

const conversation = fc.tuple(connect, fc.array(others, { maxLength: 8 })).map(([first, rest]) => [first, ...rest]);

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 2000 })), { minLength: 1 });

const write = (packet: PacketLike) => generate(packet as Packet);

Deno.test("Law: packets are read as they were written, whatever the pieces in which their bytes come", () => {
  fc.assert(
    fc.property(conversation, sizes, (packets, sizes) => {
      const reader = new FrameReader(1024 * 1024), decoder = new Decoder();
      const frames = feedAll(reader, pieces(Buffer.concat(packets.map(write)), sizes));
      const decoded = frames.map((frame) => decoder.decode(frame) as PacketLike);
      assertEquals(decoded.length, packets.length);
      for (const [i, packet] of packets.entries()) {
        assertEquals(Object.fromEntries(Object.keys(packet).map((name) => [name, decoded[i]![name]])), { ...packet });
      }
    }),
    { numRuns: 500 },
  );
});

/** Reads until the first fault, which must be one of the catalogue; returns how many packets there were. */
function readAll(stream: Uint8Array, sizes: readonly number[]): number {
  const reader = new FrameReader(65_536), decoder = new Decoder();
  let packets = 0;
  try {
    for (const frame of feedAll(reader, pieces(stream, sizes))) {
      assert(decoder.decode(frame).cmd);
      packets++;
    }
  } catch (error) {
    if (!(error instanceof MqttError)) throw error;
  }
  return packets;
}

Deno.test("Law: random bytes are packets or an MqttError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), sizes, (stream, sizes) => void readAll(stream, sizes)), {
    numRuns: 2000,
  });
});

Deno.test("Law: random bodies under a right header are packets or an MqttError", () => {
  const first = fc.nat(15).chain((type) => fc.constantFrom(type << 4, type << 4 | 2, type << 4 | 4));
  fc.assert(
    fc.property(first, fc.uint8Array({ maxLength: 100 }), (first, body) => {
      readAll(Buffer.from([first, body.length, ...body]), [1000]);
    }),
    { numRuns: 2000 },
  );
});

/** A damage: at a place (as a part of the length) bytes are taken out and others put in. */
const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  out: fc.nat(3),
  in: fc.uint8Array({ maxLength: 3 }),
});

Deno.test("Law: damaged packets are packets or an MqttError", () => {
  let whole = 0, runs = 0;
  fc.assert(
    fc.property(conversation, fc.array(damage, { minLength: 1, maxLength: 3 }), sizes, (packets, damages, sizes) => {
      const stream = [...Buffer.concat(packets.map(write))];
      for (const { at, out, in: bytes } of damages) stream.splice(Math.floor(at * stream.length), out, ...bytes);
      runs++;
      if (readAll(Uint8Array.from(stream), sizes) > 0) whole++;
    }),
    { numRuns: 2000 },
  );
  assert(whole > 0 && whole < runs, `${whole} of ${runs} began with a packet`);
});
