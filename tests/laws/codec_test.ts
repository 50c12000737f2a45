// For random packets, cut into random pieces: what is read is what was written, and what mqtt-packet alone would read. For random and
// damaged bytes: what comes out is a packet or an MqttError, never anything else.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4";
import { Decoder } from "../../src/codec/decode.ts";
import { FrameReader } from "../../src/codec/frame.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import type { MessageProperties } from "../../src/codec/properties.ts";
import { MqttError } from "../../src/errors.ts";
import { Message } from "../../src/message.ts";
import type { PacketLike } from "../support/client.ts";
import { decoded, encodePublish, feedAll, frameOf, pieces } from "../support/frames.ts";
import { fieldsLike, parsed } from "../support/packets.ts";
import { bytes, connect, conversation, messageId, messageProperties, others, qos, text, topic } from "./packets.ts";

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 2000 })), { minLength: 1 });

const write = (packet: PacketLike, protocolVersion: ProtocolLevel) => generate(packet as Packet, { protocolVersion });

type Pairs = readonly (readonly [name: string, value: string])[];

/** User properties as mqtt-packet has them: values by name, in an object without a prototype. */
function byName(pairs: Pairs): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of pairs) found[name] = name in found ? [found[name]!, value].flat() : value;
  return found;
}

/** A packet of ours, as mqtt-packet would have it. */
function alike({ properties, will, ...packet }: PacketLike): PacketLike {
  const regroup = ({ userProperties, ...rest }: { userProperties?: Pairs }) => ({
    ...rest,
    ...userProperties && { userProperties: byName(userProperties) },
  });
  return {
    ...packet as PacketLike,
    ...properties && { properties: regroup(properties) },
    ...will && { will: { ...will, ...will.properties && { properties: regroup(will.properties) } } },
  };
}

/** What is compared of a packet: what was written, and the properties, which may be none at all. */
const compared = (packet: PacketLike, written: PacketLike) =>
  fieldsLike({ reasonCode: 0, ...packet }, { ...written, properties: undefined });

Deno.test("Law: packets are read as mqtt-packet alone reads them, whatever the pieces in which their bytes come", () => {
  fc.assert(
    fc.property(conversation, sizes, ({ level, packets }, sizes) => {
      const reader = new FrameReader(1024 * 1024), decoder = new Decoder();
      const written = packets.map((packet) => write(packet, level));
      const frames = feedAll(reader, pieces(Buffer.concat(written), sizes));
      assertEquals(frames, written);
      for (const [i, packet] of packets.entries()) {
        const found = alike(decoded(decoder, frames[i]!, level));
        assertEquals(compared(found, packet), compared(parsed(frames[i]!, level), packet));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Law: where nothing else is said, packets are read as they were written", () => {
  fc.assert(fc.property(fc.oneof(connect[4], others[4]), (packet) => {
    assertEquals(fieldsLike(decoded(new Decoder(), write(packet, 4), 4), packet), { ...packet });
  }));
});

const identifiers = fc.uniqueArray(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 });
const pairs = fc.array(fc.tuple(text, text.filter(Boolean)), { maxLength: 5 });

/** A PUBLISH to a subscriber: the message, and what the delivery adds. */
const delivery = fc.record({
  topic,
  payload: bytes,
  retain: fc.boolean(),
  qos,
  messageId,
  properties: messageProperties,
  userProperties: pairs,
  expiry: fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
  identifiers: fc.option(identifiers, { nil: undefined }),
  alias: fc.option(fc.record({ id: messageId, known: fc.boolean() }), { nil: undefined }),
});

type DeliveryLike = typeof delivery extends fc.Arbitrary<infer Fields> ? Fields : never;

/** The bytes of a delivery as the broker writes it. */
function encoded(fields: DeliveryLike, level: ProtocolLevel): Buffer {
  const { qos, retain, identifiers, messageId, expiry, alias, userProperties } = fields;
  const properties = { ...fields.properties, userProperties } as MessageProperties;
  const message = new Message({ ...fields, client: undefined, properties });
  const { bytes, idAt } = encodePublish(message, level, { qos, retain, identifiers }, expiry, alias);
  const own = Buffer.from(bytes);
  if (qos > 0) own.writeUInt16BE(messageId, idAt);
  return own;
}

/** The same delivery as a packet for mqtt-packet, which writes the properties in this order. */
function packetOf({ properties, userProperties, expiry, identifiers, alias, ...fields }: DeliveryLike): PacketLike {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData } = properties as Record<string, unknown>;
  const all = {
    topicAlias: alias?.id,
    messageExpiryInterval: expiry,
    subscriptionIdentifier: identifiers,
    payloadFormatIndicator,
    contentType,
    responseTopic,
    correlationData,
    userProperties: userProperties.length > 0 ? byName(userProperties) : undefined,
  };
  return { ...fields, cmd: "publish", topic: alias?.known ? "" : fields.topic, properties: all };
}

Deno.test("Law: a PUBLISH of 3.1.1 has the bytes that mqtt-packet writes", () => {
  fc.assert(
    fc.property(delivery, ({ alias: _, ...rest }) => {
      const fields = { ...rest, alias: undefined };
      assertEquals(encoded(fields, 4), write(packetOf(fields), 4));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Law: a PUBLISH of 5.0 has the bytes that mqtt-packet writes, where user properties have one name", () => {
  fc.assert(
    fc.property(delivery, text, (delivery, name) => {
      const fields = {
        ...delivery,
        userProperties: delivery.userProperties.map(([, value]): [string, string] => [name, value]),
      };
      assertEquals(encoded(fields, 5), write(packetOf(fields), 5));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Law: a PUBLISH of 5.0 is read as mqtt-packet's own, and its user properties keep their order", () => {
  fc.assert(
    fc.property(delivery, (fields) => {
      const own = encoded(fields, 5), packet = packetOf(fields);
      assertEquals(parsed(own, 5), parsed(write(packet, 5), 5));
      const forClient = encoded({ ...fields, identifiers: undefined }, 5); // what a client may send itself
      const { properties } = new Decoder().decode(frameOf(forClient), 5) as PacketLike;
      assertEquals(properties?.userProperties ?? [], fields.userProperties);
    }),
    { numRuns: 1000 },
  );
});

const level = fc.constantFrom(4 as const, 5 as const);

/** Reads until the first fault, which must be one of the catalogue; returns how many packets there were. */
function readAll(stream: Uint8Array, sizes: readonly number[], level: ProtocolLevel): number {
  const reader = new FrameReader(65_536), decoder = new Decoder();
  let packets = 0;
  try {
    for (const frame of feedAll(reader, pieces(stream, sizes))) {
      assert(decoder.decode(frameOf(frame), level).cmd);
      packets++;
    }
  } catch (error) {
    if (!(error instanceof MqttError)) throw error;
  }
  return packets;
}

Deno.test("Law: random bytes are packets or an MqttError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), sizes, level, (stream, sizes, level) => {
      readAll(stream, sizes, level);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("Law: random bodies under a right header are packets or an MqttError", () => {
  const first = fc.nat(15).chain((type) => fc.constantFrom(type << 4, type << 4 | 2, type << 4 | 4));
  fc.assert(
    fc.property(first, fc.uint8Array({ maxLength: 100 }), level, (first, body, level) => {
      readAll(Buffer.from([first, body.length, ...body]), [1000], level);
    }),
    { numRuns: 4000 },
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
  const damages = fc.array(damage, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(conversation, damages, sizes, ({ level, packets }, damages, sizes) => {
      const stream = [...Buffer.concat(packets.map((packet) => write(packet, level)))];
      for (const { at, out, in: bytes } of damages) stream.splice(Math.floor(at * stream.length), out, ...bytes);
      runs++;
      if (readAll(Uint8Array.from(stream), sizes, level) > 0) whole++;
    }),
    { numRuns: 4000 },
  );
  assert(whole > 0 && whole < runs, `${whole} of ${runs} began with a packet`);
});
