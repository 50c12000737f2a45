// Bytes into a FrameReader as a socket delivers them: in pieces of whatever size, of which each is read into the reader's space.
import { Buffer } from "node:buffer";
import type { Decoder } from "../../src/codec/decode.ts";
import { PublishEncoder, type PublishFrame } from "../../src/codec/encode.ts";
import type { Frame, FrameReader } from "../../src/codec/frame.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import type { PacketLike } from "./client.ts";

/** A whole packet as a frame. */
export function frameOf(bytes: Buffer): Frame {
  let body = 1;
  while (bytes[body++]! >= 0x80);
  return { bytes, start: 0, body, end: bytes.length };
}

/** Decodes a packet; a PUBLISH as a plain object that no longer lies in its frame. */
export function decoded(decoder: Decoder, bytes: Buffer, level: ProtocolLevel): PacketLike {
  const packet = decoder.decode(frameOf(bytes), level);
  if (packet.cmd !== "publish") return packet as PacketLike;
  const { cmd, topic, payload, qos, retain, dup, messageId, properties } = packet;
  return { cmd, topic, payload: Buffer.from(payload), qos, retain, dup, messageId, ...properties && { properties } };
}

/** Encodes one PUBLISH; its bytes are a copy. */
export function encodePublish(...args: Parameters<PublishEncoder["encode"]>): { bytes: Buffer; idAt: number } {
  const frame = new PublishEncoder().encode(...args);
  return { bytes: bytesOf(frame), idAt: frame.idAt };
}

/** A copy of the bytes of an encoded PUBLISH. */
export function bytesOf({ buffer, start, end, size, rest }: PublishFrame): Buffer {
  const bytes = Buffer.alloc(size);
  buffer.copy(bytes, 0, start, end);
  rest?.copyTo(bytes, end - start);
  return bytes;
}

/** The bytes of a frame, where they lie. */
export function viewOf({ bytes, start, end }: Frame): Buffer {
  return bytes.subarray(start, end);
}

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
    for (let frame = reader.next(); frame; frame = reader.next()) frames.push(Buffer.from(viewOf(frame)));
  }
  return frames;
}

/** Reads pieces one after the other. */
export function feedAll(reader: FrameReader, all: Iterable<Uint8Array>): Buffer[] {
  return [...all].flatMap((piece) => feed(reader, piece));
}
