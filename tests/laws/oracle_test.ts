// mqtt-packet as the oracle of what is read and written by hand (PUBLISH, the acknowledgements, CONNECT, CONNACK, PINGRESP): packets that
// were damaged anywhere are read alike and refused alike, but for the rules that only ours checks, and what is written has the same
// bytes.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4";
import { Decoder } from "../../src/codec/decode.ts";
import { ackHeaders, encode } from "../../src/codec/encode.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import { MqttError } from "../../src/errors.ts";
import type { PacketLike } from "../support/client.ts";
import { decoded } from "../support/frames.ts";
import { fieldsLike, parsed } from "../support/packets.ts";
import { connect, others } from "./packets.ts";

/** What the standard forbids and mqtt-packet reads all the same, as the faults that ours finds. */
const stricter = [
  /has 0 as its packet identifier/,
  /has DUP set at QoS 0/,
  /Topic name .*(empty|wildcard|U\+0000|surrogate)/,
  /U\+0000/,
  /well-formed UTF-8/,
  /has the property \w+ twice/,
  /for the property/,
  /does not belong there/,
  /subscription identifier/,
  /neither a topic name nor a topic alias/,
  /more bytes than it needs/,
  /faulty (will|response topic)/,
  /goes on for \d+ bytes after its end/,
  /authentication data and no authentication method/,
  /password and no user name/,
  /will QoS or will retain, and no will/,
  /ends too early/, // properties that reach beyond the packet
  /more than 4 bytes/,
];

const byHand = (packet: PacketLike) => /^(publish|puback|pubrec|pubrel|pubcomp|connect)$/.test(packet.cmd);

/** Packets that are read by hand, by level. */
const written = fc.constantFrom(4 as const, 5 as const).chain((level) =>
  fc.oneof(connect[level], others[level].filter(byHand))
    .map((packet) => ({ level, bytes: generate(packet as Packet, { protocolVersion: level }) }))
);

const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  out: fc.nat(3),
  in: fc.uint8Array({ maxLength: 3 }),
});

/** The same packet with damages in its body, whose length is right. */
function damaged(bytes: Buffer, damages: readonly { at: number; out: number; in: Uint8Array }[]): Buffer {
  let start = 1;
  while (bytes[start++]! >= 0x80);
  const body = [...bytes.subarray(start)];
  for (const { at, out, in: put } of damages) body.splice(Math.floor(at * body.length), out, ...put);
  const length = body.length < 128 ? [body.length] : [body.length & 127 | 128, body.length >> 7];
  return Buffer.from([bytes[0]!, ...length, ...body]);
}

/** A packet, or why it is none. */
function attempt(read: () => PacketLike): PacketLike | Error {
  try {
    return read();
  } catch (error) {
    return error as Error;
  }
}

/** User properties as mqtt-packet keeps them: without their order. */
function plain(packet: PacketLike): PacketLike {
  const without = (properties: Record<string, unknown> = {}) => ({ ...properties, userProperties: undefined });
  const { properties, will } = packet;
  return {
    ...packet,
    ...properties && { properties: without(properties) },
    ...will && { will: { ...will, properties: without(will.properties) } },
  };
}

function compare(bytes: Buffer, level: ProtocolLevel): "read" | "refused" | "stricter" {
  const ours = attempt(() => decoded(new Decoder(), bytes, level)), theirs = attempt(() => parsed(bytes, level));
  if (!(ours instanceof Error)) {
    assert(!(theirs instanceof Error), `Only ours reads ${bytes.toString("hex")}: ${theirs}`);
    const like = plain(ours);
    assertEquals(fieldsLike(plain({ messageId: 0, ...theirs }), like), { ...like });
    return "read";
  }
  assert(ours instanceof MqttError, String(ours));
  if (theirs instanceof Error) return "refused";
  assertMatch(ours.message, new RegExp(stricter.map(({ source }) => source).join("|")));
  return "stricter";
}

Deno.test("Law: packets that are read by hand are read and refused as by mqtt-packet, however they are damaged", () => {
  const outcomes = { read: 0, refused: 0, stricter: 0 };
  fc.assert(
    fc.property(written, fc.array(damage, { maxLength: 3 }), ({ level, bytes }, damages) => {
      outcomes[compare(damaged(bytes, damages), level)]++;
    }),
    { numRuns: 6000 },
  );
  assert(outcomes.read > 500 && outcomes.refused > 500 && outcomes.stricter > 100, JSON.stringify(outcomes));
});

Deno.test("Law: a CONNACK of 3.1.1 and a PINGRESP have the bytes that mqtt-packet writes", () => {
  const answers = fc.oneof(
    fc.record({ cmd: fc.constant("connack" as const), sessionPresent: fc.boolean(), returnCode: fc.nat(5) }),
    fc.constant({ cmd: "pingresp" as const }),
  );
  fc.assert(fc.property(answers, (packet) => {
    assertEquals(Buffer.from(encode(packet, 4, Infinity)), generate(packet as Packet, { protocolVersion: 4 }));
  }));
});

Deno.test("Law: an acknowledgement has the bytes that mqtt-packet writes, and in 5.0 is read so in its short form", () => {
  for (const [cmd, header] of Object.entries(ackHeaders)) {
    for (const messageId of [1, 65_535]) {
      const bytes = Buffer.from([header, 2, messageId >> 8, messageId & 255]);
      assertEquals(bytes, generate({ cmd, messageId } as Packet));
      assertEquals(fieldsLike(parsed(bytes, 5), { cmd, messageId, reasonCode: 0 }), { cmd, messageId, reasonCode: 0 });
    }
  }
});
