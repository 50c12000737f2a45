import { assert, assertEquals, assertLess, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { FrameReader } from "../../src/codec/frame.ts";
import { MqttError } from "../../src/errors.ts";
import { feed, feedAll, pieces, viewOf } from "../support/frames.ts";

const MiB = 1024 * 1024;

/** A frame of a body of `length` bytes, which tell their places. */
function frameOf(length: number, type = 0x30): Buffer {
  return Buffer.concat([header(length, type), Buffer.from(Array.from({ length }, (_, i) => i % 251))]);
}

function header(length: number, type = 0x30): Buffer {
  const bytes = [type];
  let rest = length;
  for (; rest > 0x7f; rest >>= 7) bytes.push(rest & 0x7f | 0x80);
  return Buffer.from([...bytes, rest]);
}

const frames = [frameOf(0, 0xc0), frameOf(1), frameOf(127), frameOf(128), frameOf(0, 0xc0), frameOf(700), frameOf(300)];
const stream = Buffer.concat(frames);

Deno.test("Frames are found wherever the stream is cut in two", () => {
  for (let cut = 1; cut < stream.length; cut++) {
    const reader = new FrameReader(MiB);
    assertEquals([...feed(reader, stream.subarray(0, cut)), ...feed(reader, stream.subarray(cut))], frames, `${cut}`);
  }
});

Deno.test("Frames are found in pieces of any size, byte by byte included", () => {
  for (const size of [1, 2, 3, 7, 128, 511, 512, 513]) {
    assertEquals(feedAll(new FrameReader(MiB), pieces(stream, [size])), frames, `${size}`);
  }
});

for (const length of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
  Deno.test(`A body of ${length} bytes is framed by its remaining length (3.1.1 section 2.2.3)`, () => {
    const frame = frameOf(length), reader = new FrameReader(4 * MiB);
    assertEquals(feed(reader, frame.subarray(0, -1)), []);
    const [found, ...others] = feed(reader, frame.subarray(-1));
    assert(found!.equals(frame));
    assertEquals(others, []);
  });
}

Deno.test("A remaining length in more bytes than it needs counts as what it says", () => {
  const bytes = [0x30, 0x82, 0x80, 0x80, 0x00, 7, 8];
  assertEquals(feed(new FrameReader(64), Buffer.from(bytes)), [Buffer.from(bytes)]);
});

Deno.test("A remaining length that goes on after its fourth byte is refused at that byte", () => {
  const reader = new FrameReader(MiB);
  assertEquals(feed(reader, Buffer.from([0x30, 0xff, 0xff, 0xff])), []);
  const error = assertThrows(
    () => feed(reader, Buffer.from([0xff])),
    MqttError,
    "Remaining length has more than 4 bytes",
  );
  assertEquals(error.reason, "malformed-packet");
});

for (const limit of [64, 200, 20_000]) {
  Deno.test(`A packet of the limit of ${limit} bytes passes, one byte more is refused by its header alone`, () => {
    const body = limit - (limit < 130 ? 2 : limit < 16_000 ? 3 : 4);
    assertEquals(feed(new FrameReader(limit), frameOf(body)).length, 1);
    const reader = new FrameReader(limit),
      { message, reason } = assertThrows(
        () => feed(reader, header(body + 1)),
        MqttError,
      );
    assertEquals([reason, message], ["packet-too-large", `Packet of ${limit + 1} bytes exceeds the limit of ${limit}`]);
    assertLess(reader.space().length, 1025); // nothing was allocated for it
  });
}

Deno.test("Memory grows with what has come, not with what was declared", () => {
  const reader = new FrameReader(256 * MiB);
  feed(reader, header(200 * MiB));
  assertLess(reader.space().length, 1025);
  for (let total = 1024; total <= MiB; total += 1024) {
    feed(reader, Buffer.alloc(1024));
    assertLess(reader.space().length, 4 * total);
  }
});

Deno.test("A limit that is raised holds for the packets behind, also for those that were read already", () => {
  const reader = new FrameReader(64), first = frameOf(10), second = frameOf(100), both = Buffer.concat([first, second]);
  reader.space().set(both);
  reader.received(both.length);
  assert(viewOf(reader.next()!).equals(first));
  reader.limit = 200;
  assert(viewOf(reader.next()!).equals(second));
});

for (const body of [0, 98]) { // frames that fill the buffer to its end, and frames of which the last is always cut
  Deno.test(`The buffer grows for whoever fills it, up to 64 KiB: frames of ${body + 2} bytes`, () => {
    const reader = new FrameReader(MiB), stream = Buffer.concat(Array(200_000 / (body + 2)).fill(frameOf(body, 0xc0)));
    const sizes = new Set<number>();
    for (let at = 0; at < stream.length;) {
      const space = reader.space(), count = stream.copy(space, 0, at, at + space.length);
      sizes.add(2 ** Math.ceil(Math.log2(space.length)));
      reader.received(count);
      while (reader.next());
      at += count;
    }
    assertEquals([...sizes], [512, 2048, 8192, 32_768, 65_536]);
  });
}

Deno.test("A buffer that grew for a large packet is kept for more of them, and given back when small ones follow", () => {
  const reader = new FrameReader(MiB);
  for (let i = 0; i < 2; i++) {
    feed(reader, frameOf(200_000));
    assertEquals(reader.space().length, 262_144);
  }
  feed(reader, frameOf(10));
  assertEquals(reader.space().length, 65_536);
});

Deno.test("A buffer that grew for a burst becomes small again for a client that sends little", () => {
  const reader = new FrameReader(MiB), burst = Buffer.concat(Array(30).fill(frameOf(60_000)));
  feed(reader, burst);
  assertEquals(reader.space().length >= 65_536, true);
  for (let i = 0; i < 100; i++) feed(reader, frameOf(10));
  assertEquals(reader.space().length, 512);
});

Deno.test("A buffer that grew for a very large packet is given back at once", () => {
  const reader = new FrameReader(MiB);
  feed(reader, frameOf(MiB - 10));
  assertEquals(reader.space().length, 65_536);
});

Deno.test("Frames that came with one read are views of one buffer: none is copied", () => {
  const reader = new FrameReader(MiB), space = reader.space();
  space.set(stream.subarray(0, 200));
  reader.received(200);
  for (const wanted of frames.slice(0, 3)) {
    const frame = viewOf(reader.next()!);
    assert(frame.equals(wanted));
    assertStrictEquals(frame.buffer, space.buffer);
  }
});
