// Packets as bytes: right or wrong ones from their parts, and what mqtt-packet alone, without the broker's codec, reads in them.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Packet, parser } from "../../src/codec/mqtt_packet.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import type { PacketLike } from "./client.ts";

/** A field of a packet: a text, which gets its length in front, a byte, or bytes as they are. */
export type Part = string | number | readonly number[] | Uint8Array;

/** The bytes of fields, one behind the other. */
export function fields(...parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map((part) => {
    if (typeof part === "number") return Buffer.from([part]);
    if (typeof part !== "string") return Buffer.from(part);
    const text = Buffer.from(part);
    return Buffer.from([text.length >> 8, text.length & 0xff, ...text]);
  }));
}

/** A length of one byte, and the fields that it is the length of. */
export function counted(...parts: readonly Part[]): Buffer {
  const body = fields(...parts);
  if (body.length > 127) throw new RangeError("Only for what is short");
  return Buffer.from([body.length, ...body]);
}

/** A frame: the first byte, and its fields. */
export function frame(first: number, ...parts: readonly Part[]): Buffer {
  return Buffer.from([first, ...counted(...parts)]);
}

/** The one packet that these bytes are, as mqtt-packet reads it. */
export function parsed(bytes: Uint8Array, protocolVersion: ProtocolLevel = 4): PacketLike {
  const packets: Packet[] = [], reader = parser({ protocolVersion });
  reader.on("packet", (packet) => packets.push(packet));
  reader.on("error", (error) => {
    throw error;
  });
  assertEquals([reader.parse(Buffer.from(bytes)), packets.length], [0, 1]);
  return packets[0] as PacketLike;
}

/** The fields of a packet that another one has too, for a comparison with that one. */
export function fieldsLike(packet: PacketLike, like: object): Record<string, unknown> {
  return Object.fromEntries(Object.keys(like).map((name) => [name, packet[name]]));
}
