// Packets as bytes: right ones by mqtt-packet, and large or wrong ones from their parts.
import { Buffer } from "node:buffer";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import { varint } from "../conformance5/packets.ts";
import type { PacketLike } from "../support/client.ts";
import { fields, type Part } from "../support/packets.ts";

/** The bytes of a packet; what a test does not care for need not be given. */
export function bytes(packet: PacketLike, protocolVersion: ProtocolLevel = 4): Buffer {
  const whole = { clean: true, keepalive: 0, retain: false, dup: false, protocolVersion, ...packet };
  return generate(whole as unknown as Packet, { protocolVersion });
}

/** Fields behind their length, however long. */
export function measured(...parts: readonly Part[]): Buffer {
  const body = fields(...parts);
  return Buffer.concat([Buffer.from(varint(body.length)), body]);
}

/** A packet of any size: its first byte, and its fields. */
export function packet(first: number, ...parts: readonly Part[]): Buffer {
  return Buffer.concat([Buffer.from([first]), measured(...parts)]);
}

/** A SUBSCRIBE of 3.1.1 with as many filters as are given, at QoS 0. */
export function subscribe(filters: readonly string[]): Buffer {
  return packet(0x82, [0, 1], Buffer.concat(filters.map((filter) => fields(filter, 0))));
}

/** An UNSUBSCRIBE of 3.1.1. */
export function unsubscribe(filters: readonly string[]): Buffer {
  return packet(0xa2, [0, 1], Buffer.concat(filters.map((filter) => fields(filter))));
}
