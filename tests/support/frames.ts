// Bytes into a FrameReader as a socket delivers them: in pieces of whatever size, of which each is read into the reader's space.
import { Buffer } from "node:buffer";
import type { FrameReader } from "../../src/codec/frame.ts";

/** Cuts bytes into pieces of the given sizes, over and over; a size is at least 1. */
export function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array, void, undefined> {
  for (let at = 0, i = 0; at < bytes.length; i++) yield bytes.subarray(at, at += sizes[i % sizes.length]!);
}

/** Reads a piece, and returns copies of the frames that are whole by now. */
export function feed(reader: FrameReader, piece: Uint8Array): Buffer[] {
  const frames: Buffer[] = [];
  for (let rest = piece; rest.length > 0;) {
    const space = reader.space(), count = Math.min(space.length, rest.length);
    space.set(rest.subarray(0, count));
    reader.received(count);
    rest = rest.subarray(count);
    for (let frame = reader.next(); frame; frame = reader.next()) frames.push(Buffer.from(frame));
  }
  return frames;
}

/** Reads pieces one after the other. */
export function feedAll(reader: FrameReader, all: Iterable<Uint8Array>): Buffer[] {
  return [...all].flatMap((piece) => feed(reader, piece));
}
