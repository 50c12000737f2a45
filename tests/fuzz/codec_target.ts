// What the codec owes to whatever comes: of any bytes, in any pieces, packets and at most one fault of the catalogue; packets that
// hold no more than their bytes, and that are the same when they are written and read once more.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { connectLevel, Decoder } from "../../src/codec/decode.ts";
import { type Frame, FrameReader } from "../../src/codec/frame.ts";
import type { ClientPacket, ProtocolLevel } from "../../src/codec/packet.ts";
import { isReason, MqttError } from "../../src/errors.ts";
import type { PacketLike } from "../support/client.ts";
import { frameOf, pieces } from "../support/frames.ts";
import { treeOf, type WritablePacket } from "./encode.ts";
import { type Features, normalised } from "./features.ts";
import { type Input, streamsOf } from "./input.ts";
import { bytesOf } from "./tree.ts";

/** The limit of a packet, in bytes. */
const LIMIT = 100_000;

/** What a stream of bytes says. */
export interface Reading {
  readonly level: ProtocolLevel;
  /** The packets up to the first fault. */
  readonly packets: readonly WritablePacket[];
  /** The first byte of each, and how many there are behind its fixed header. */
  readonly headers: readonly (readonly [first: number, remaining: number])[];
  readonly fault: { readonly reason: string; readonly message: string } | undefined;
}

/** A broker has one decoder for all, so it must not remember anything of one stream that shows in another. */
const shared = new Decoder();

/** Reads a stream, as the broker does; the packets are what matters of them. */
export function read(stream: Iterable<Uint8Array>, limit: number, decoder: Decoder = shared): Reading {
  const packets: WritablePacket[] = [], headers: [number, number][] = [];
  let level: ProtocolLevel = 4;
  try {
    for (const frame of framesOf(stream, limit)) {
      if (packets.length === 0) level = connectLevel(frame) ?? level;
      packets.push(essence(requireLean(decoder.decode(frame, level), frame)));
      headers.push([frame.bytes[frame.start]!, frame.end - frame.body]);
    }
  } catch (error) {
    return { level, packets, headers, fault: faultOf(error) };
  }
  return { level, packets, headers, fault: undefined };
}

/** The frames of a stream; each is good until the next one. */
function* framesOf(stream: Iterable<Uint8Array>, limit: number): Generator<Frame, void, undefined> {
  const frames = new FrameReader(limit);
  let received = 0;
  for (const piece of stream) {
    for (let rest = piece; rest.length > 0;) {
      const space = frames.space(), count = Math.min(space.length, rest.length);
      requireModesty(space, received);
      space.set(rest.subarray(0, count));
      frames.received(count);
      received += count;
      rest = rest.subarray(count);
      for (let frame = frames.next(); frame; frame = frames.next()) yield frame;
    }
  }
}

function faultOf(error: unknown): Reading["fault"] {
  if (!(error instanceof MqttError)) throw error;
  if (!isReason(error.reason) || error.message === "") throw new Error("A fault without a reason", { cause: error });
  return { reason: error.reason, message: error.message };
}

/** The read buffer grows with what has come, and not with what was announced. */
function requireModesty(space: Uint8Array, received: number): void {
  const size = space.buffer.byteLength, permitted = Math.max(1024, received * 4);
  if (size > permitted) throw new Error(`Read buffer has ${size} bytes where ${received} have come`);
}

/** A packet holds no more than its frame did. */
function requireLean(packet: ClientPacket, { start, end }: Frame): ClientPacket {
  const held = weightOf(essence(packet)), size = end - start;
  if (held > size) throw new Error(`${packet.cmd.toUpperCase()} of ${size} bytes holds ${held}`);
  return packet;
}

function weightOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 0;
  const { cmd: _, ...parts } = value as Record<string, unknown>;
  return Object.values(parts).reduce<number>((sum, part) => sum + weightOf(part), 0);
}

const parts: Readonly<Record<ClientPacket["cmd"], readonly string[]>> = {
  connect: ["protocolVersion", "clientId", "clean", "keepalive", "username", "password"],
  publish: ["topic", "qos", "retain", "dup", "messageId"],
  subscribe: ["messageId", "subscriptions"],
  unsubscribe: ["messageId", "unsubscriptions"],
  puback: ["messageId"],
  pubrec: ["messageId"],
  pubrel: ["messageId"],
  pubcomp: ["messageId"],
  pingreq: [],
  pingresp: [],
  disconnect: [],
  auth: [],
};

/** What matters of a packet, in a form of its own: without what mqtt-packet adds, and no longer in the read buffer. */
export function essence(packet: ClientPacket | WritablePacket): WritablePacket {
  const { cmd, payload, will, properties, reasonCode = 0, ...rest } = packet as PacketLike;
  const names = parts[cmd as ClientPacket["cmd"]];
  return {
    cmd,
    ...Object.fromEntries(names.filter((name) => rest[name] !== undefined).map((name) => [name, rest[name]])),
    ...properties && { properties },
    ...cmd === "publish" && { payload: Buffer.from(payload) },
    ...names.length < 2 && { reasonCode },
    ...will && { will: { ...will, payload: Buffer.from(will.payload) } },
  } as WritablePacket;
}

/** Byte by byte costs as much as all the rest: only where that is not too long. */
const SHORT = 5000;

/** Puts the streams of an input through the codec; returns what was seen. */
export function checkCodec(input: Input): Features {
  const features: string[] = [];
  for (const stream of streamsOf(input).values()) {
    const whole = Buffer.concat(stream), reading = read(stream, LIMIT);
    assertEquals(read([whole], LIMIT), reading, "In one piece it reads differently");
    const sizes = whole.length < SHORT ? [1] : [997, 1, 64];
    assertEquals(read(pieces(whole, sizes), LIMIT, new Decoder()), reading, "In small pieces it reads differently");
    for (const [i, packet] of reading.packets.entries()) {
      requireRoundTrip(packet, reading.headers[i]!, reading.level);
      features.push(describe(packet, reading.level));
    }
    if (reading.fault) features.push(`${reading.level} ${reading.fault.reason}: ${normalised(reading.fault.message)}`);
  }
  return features;
}

/** Written again by the book, the packet reads as the same, and has the size that it had: there is one way to write it. */
function requireRoundTrip(
  packet: WritablePacket,
  [first, size]: Reading["headers"][number],
  level: ProtocolLevel,
): void {
  const again = frameOf(bytesOf(treeOf(packet, level))), { bytes, body, end } = again;
  assertEquals(essence(shared.decode(again, level)), packet, "Written and read once more it differs");
  assertEquals(bytes[0], first, "Written once more it begins differently");
  const optional = level === 5 && "reasonCode" in packet ? 2 : 0; // a reason code of 0, and that there are no properties
  assert(size >= end - body && size <= end - body + optional, `${size} bytes are ${end - body} when written once more`);
}

function describe(packet: WritablePacket, level: ProtocolLevel): string {
  const { cmd, properties, qos, reasonCode, will } = packet as PacketLike;
  const names = Object.keys(properties ?? {}).sort(), willNames = Object.keys(will ?? {});
  return [level, cmd, qos ?? "", reasonCode ?? "", ...names, ...willNames].join(" ");
}
