// From a frame to a packet. mqtt-packet does the reading, after inspect.ts has checked what it does not; publish.ts and the code
// below do that of the packets that come by the million. Invariant: pure, and every fault is an MqttError that says what was found.
import { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import { inspect, type Inspected } from "./inspect.ts";
import { type Packet as AnyPacket, type Parser, parser as createParser } from "./mqtt_packet.ts";
import type { AckPacket, ClientPacket, ConnectPacket, ProtocolLevel } from "./packet.ts";
import { decodePublish } from "./publish.ts";
import { TopicNames } from "./topic_names.ts";

const PUBLISH = 3, acks = { 0x40: "puback", 0x50: "pubrec", 0x62: "pubrel", 0x70: "pubcomp" } as const;

/** Takes packets apart, for all connections of a broker: it keeps nothing of them but topic names. */
export class Decoder {
  readonly #topics = new TopicNames();
  readonly #parsers = new Map<ProtocolLevel, Parser>();

  /**
   * The packet of a whole frame of a connection that speaks `level`; a CONNECT says itself which one it is.
   *
   * @throws {MqttError} where the frame breaks a rule of the standard
   */
  decode(frame: Buffer, level: ProtocolLevel): ClientPacket {
    const type = frame[0]! >> 4;
    if (frame.length === 4 && type >= 4 && type <= 7) {
      const ack = decodeAck(frame);
      if (ack) return ack;
    }
    const start = headerLength(frame);
    if (level === 5 && start > 2 && frame[start - 1] === 0) { // [MQTT5-1.5.5-1]
      throw new MqttError("malformed-packet", "Remaining length has more bytes than it needs");
    }
    if (type === PUBLISH) return decodePublish(frame, start, level, this.#topics);
    const inspected = inspect(type, frame[0]! & 15, frame.subarray(start), level);
    return complete(this.#parse(frame, level), inspected);
  }

  #parse(frame: Buffer, level: ProtocolLevel): ClientPacket {
    // A CONNECT would tell the parser its level; and after an error a parser is of no use.
    const fresh = frame[0] === 0x10 || !this.#parsers.has(level);
    const parser = fresh ? createParser({ protocolVersion: level }) : this.#parsers.get(level)!;
    this.#parsers.delete(level);
    let packet: AnyPacket | undefined;
    parser.removeAllListeners();
    parser.on("packet", (found) => packet = found);
    parser.on("error", (error) => {
      throw new MqttError("malformed-packet", error.message);
    });
    parser.parse(frame);
    if (frame[0] !== 0x10) this.#parsers.set(level, parser);
    return packet as unknown as ClientPacket;
  }
}

/** The protocol level that a CONNECT speaks, so that it can be refused in its own words; nothing where it is not to be made out. */
export function connectLevel(frame: Buffer): ProtocolLevel | undefined {
  if (frame[0] !== 0x10) return undefined;
  const start = headerLength(frame) + 2, end = start + (frame[start - 2]! << 8 | frame[start - 1]!), level = frame[end];
  if (level === 5) return frame.toString("latin1", start, end) === "MQTT" ? level : undefined; // no other protocol has a 5
  return level === 3 || level === 4 ? level : undefined;
}

/** An acknowledgement of four bytes: no reason code, no properties. */
function decodeAck(frame: Buffer): AckPacket | undefined {
  const cmd = acks[frame[0] as keyof typeof acks], messageId = frame[2]! << 8 | frame[3]!;
  if (cmd && messageId > 0 && frame[1] === 2) return { cmd, messageId };
}

function headerLength(frame: Buffer): number {
  let at = 1;
  while (frame[at++]! >= 0x80);
  return at;
}

/** Puts the properties in their order into the packet, and copies of what are views of the read buffer. */
function complete(packet: ClientPacket, { properties, willProperties }: Inspected): ClientPacket {
  if (packet.cmd !== "connect") return properties ? { ...packet, properties } as ClientPacket : packet;
  const { will, password } = packet;
  return {
    ...packet,
    ...properties && { properties },
    ...will &&
      { will: { ...will, payload: Buffer.from(will.payload), ...willProperties && { properties: willProperties } } },
    ...password && { password: Buffer.from(password) },
  } as ConnectPacket;
}
