import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Reader } from "../../src/codec/reader.ts";
import { varintLength, writeVarint } from "../../src/codec/writer.ts";
import { MqttError } from "../../src/errors.ts";
import { fields, type Part } from "../support/packets.ts";

const reader = (...parts: readonly Part[]) => new Reader("PACKET", fields(...parts));

/** Asserts that reading fails, with that message, as malformed. */
function assertMalformed(read: () => unknown, fault: string): void {
  const error = assertThrows(read, MqttError);
  assertEquals([error.reason, error.message], ["malformed-packet", `PACKET ${fault}`]);
}

Deno.test("Fields are read one after the other, and the position is the number of bytes that were read", () => {
  const packet = reader(7, [1, 2], [0xff, 0xff, 0xff, 0xfe], [0x80, 1], "grün", [0, 2, 0, 0xff]);
  const found = [packet.byte(), packet.uint16(), packet.uint32(), packet.varint(), packet.string(), packet.binary()];
  assertEquals(found, [7, 258, 0xffff_fffe, 128, "grün", Buffer.from([0, 0xff])]);
  assertEquals([packet.more, packet.position], [false, 20]);
  packet.done();
});

Deno.test("Binary data is a view: whoever keeps it makes a copy", () => {
  const bytes = fields([0, 1, 7]), data = new Reader("PACKET", bytes).binary();
  bytes[2] = 9;
  assertEquals([...data], [9]);
});

const short: Readonly<Record<string, readonly [bytes: readonly number[], read: (reader: Reader) => unknown]>> = {
  "a byte": [[], (reader) => reader.byte()],
  "a two byte integer": [[1], (reader) => reader.uint16()],
  "a four byte integer": [[1, 2, 3], (reader) => reader.uint32()],
  "a variable byte integer": [[0x80], (reader) => reader.varint()],
  "the length of binary data": [[0], (reader) => reader.binary()],
  "binary data": [[0, 2, 1], (reader) => reader.binary()],
  "a string": [[0, 2, 0x61], (reader) => reader.string()],
  "a part": [[1, 2], (reader) => reader.part(3, () => reader.byte())],
  "a field within a part": [[1, 2, 3], (reader) => reader.part(1, () => reader.uint16())],
};

for (const [what, [bytes, read]] of Object.entries(short)) {
  Deno.test(`Where ${what} is cut off, the packet ends too early`, () => {
    const packet = reader(bytes);
    assertMalformed(() => read(packet), "ends too early");
  });
}

Deno.test("A variable byte integer has up to 4 bytes, and no more than it needs [MQTT5-1.5.5-1]", () => {
  for (const value of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]) {
    const bytes = Buffer.alloc(varintLength(value));
    assertEquals(writeVarint(bytes, value, 0), bytes.length);
    assertStrictEquals(reader(bytes).varint(), value);
    if (bytes.length === 4) continue;
    const last = bytes.length - 1;
    const long = [...bytes.subarray(0, last), bytes[last]! | 0x80, 0];
    assertMalformed(() => reader(long).varint(), "has a variable byte integer with more bytes than it needs");
  }
  for (const bytes of [[0x80, 0x80, 0x80, 0x80, 1], [0xff, 0xff, 0xff, 0xff]]) {
    assertMalformed(() => reader(bytes).varint(), "has a variable byte integer of more than 4 bytes");
  }
});

const strings: Readonly<Record<string, string>> = {
  "of nothing": "",
  "with a byte order mark in front [MQTT5-1.5.4-3]": "\ufeffa",
  "with the last code point": "\u{10ffff}",
  "with control characters": "\x01\x7f\x9f",
  "of 65,535 bytes": "x".repeat(65_535),
};

for (const [what, text] of Object.entries(strings)) {
  Deno.test(`A string ${what} is read as it is`, () => assertStrictEquals(reader(text).string(), text));
}

const illFormed: Readonly<Record<string, readonly number[]>> = {
  "a lone continuation byte": [0x80],
  "a surrogate": [0xed, 0xa0, 0x80],
  "a surrogate pair": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  "an overlong form": [0xc0, 0x80],
  "a code point beyond the last one": [0xf4, 0x90, 0x80, 0x80],
  "half of a character": [0x61, 0xe2, 0x82],
};

for (const [what, bytes] of Object.entries(illFormed)) {
  Deno.test(`A string with ${what} is malformed [MQTT-1.5.3-1] [MQTT5-1.5.4-1]`, () => {
    const packet = reader([0, bytes.length, ...bytes]);
    assertMalformed(() => packet.string(), "has a string that is not well-formed UTF-8");
  });
}

Deno.test("A string with U+0000 is malformed [MQTT-1.5.3-2] [MQTT5-1.5.4-2]", () => {
  assertMalformed(() => reader("a\0").string(), "has a string with U+0000");
});

Deno.test("A part is used up, and what is behind it comes next", () => {
  const packet = reader([1, 2, 3, 4]), seen: number[] = [];
  packet.part(3, () => seen.push(packet.byte()));
  packet.part(0, () => seen.push(99));
  assertEquals([seen, packet.byte(), packet.more], [[1, 2, 3], 4, false]);
});

Deno.test("done() refuses what goes on", () => {
  const packet = reader([1, 2, 3]);
  packet.byte();
  assertMalformed(() => packet.done(), "goes on for 2 bytes after its end");
});

Deno.test("A protocol error is told apart from a malformed packet", () => {
  const { reason, message } = reader().protocolError("is not due");
  assertEquals([reason, message], ["protocol-error", "PACKET is not due"]);
});
