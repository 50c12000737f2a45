// From a frame to a packet. mqtt-packet does the reading, after inspect.ts has checked what it does not; publish.ts,
// connect.ts and the code below do that of the packets that come by the million or at once. Invariant: what a frame becomes depends on the frame
// and its level alone, and every fault is an MqttError that says what was found. What is kept from one frame to the
// next (topic names, parsers) only saves time.
import type { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import type { Frame } from "./frame.ts";
import { decodeConnect } from "./connect.ts";
import { inspect } from "./inspect.ts";
import { type Packet as AnyPacket, type Parser, parser as createParser } from "./mqtt_packet.ts";
import type { AckPacket, ClientPacket, ProtocolLevel } from "./packet.ts";
import { decodePublish } from "./publish.ts";
import { TopicNames } from "./topic_names.ts";

const PUBLISH = 3, CONNECT = 0x10, AUTH = 0xf0;

/** The acknowledgements by their first byte. */
const acks: Readonly<Record<number, AckPacket["cmd"]>> = {
  0x40: "puback",
  0x50: "pubrec",
  0x62: "pubrel",
  0x70: "pubcomp",
};

/** Takes packets apart, for all connections of a broker. From one to the next it keeps topic names and idle parsers. */
export class Decoder {
  readonly #topics = new TopicNames();
  readonly #parsers = new Map<ProtocolLevel, Parser>();
  /** What a parser has emitted, until it is returned. */
  #packet: AnyPacket | undefined;

  /**
   * The packet of a whole frame of a connection that speaks `level`; a CONNECT says itself which one it is.
   *
   * @throws {MqttError} where the frame breaks a rule of the standard
   */
  decode(frame: Frame, level: ProtocolLevel): ClientPacket {
    const { bytes, start, body, end } = frame, header = bytes[start]!;
    if (level === 5 && body - start > 2 && bytes[body - 1] === 0) { // [MQTT5-1.5.5-1]
      throw new MqttError("malformed-packet", "Remaining length has more bytes than it needs");
    }
    if (header >> 4 === PUBLISH) return decodePublish(frame, level, this.#topics);
    const ack = acks[header];
    if (ack && end - body === 2) return decodeAck(frame, ack);
    if (header === CONNECT) return decodeConnect(bytes.subarray(body, end));
    const properties = inspect(header >> 4, header & 15, bytes.subarray(body, end), level);
    if (header === AUTH && body === end) return { cmd: "auth", reasonCode: 0 }; // 5.0 section 3.15.2.1; mqtt-packet does not know it
    const packet = this.#parse(bytes.subarray(start, end), level);
    return properties ? { ...packet, properties } as ClientPacket : packet;
  }

  /** Has mqtt-packet read a frame: by one parser for each level. */
  #parse(frame: Buffer, level: ProtocolLevel): ClientPacket {
    const parser = this.#parsers.get(level) ?? this.#createParser(level);
    this.#parsers.delete(level); // after an error it is of no use
    parser.parse(frame);
    this.#parsers.set(level, parser);
    const packet = this.#packet as unknown as ClientPacket;
    this.#packet = undefined; // it would stay until the next one
    return packet;
  }

  #createParser(protocolVersion: ProtocolLevel): Parser {
    const parser = createParser({ protocolVersion });
    parser.on("packet", (packet) => this.#packet = packet);
    parser.on("error", (error) => {
      throw new MqttError("malformed-packet", error.message);
    });
    return parser;
  }
}

/**
 * The protocol level that a CONNECT speaks, so that it can be refused in its own words; nothing where it is not to be
 * made out.
 */
export function connectLevel({ bytes, start, body, end }: Frame): ProtocolLevel | undefined {
  if (bytes[start] !== CONNECT) return undefined;
  const name = body + 2, at = name + (bytes[body]! << 8 | bytes[body + 1]!), level = at < end ? bytes[at] : undefined;
  if (level === 5) return bytes.toString("latin1", name, at) === "MQTT" ? level : undefined; // no other one has a 5
  return level === 3 || level === 4 ? level : undefined;
}

/** An acknowledgement of four bytes: no reason code, no properties. */
function decodeAck({ bytes, body }: Frame, cmd: AckPacket["cmd"]): AckPacket {
  const messageId = bytes[body]! << 8 | bytes[body + 1]!;
  if (messageId === 0) throw new MqttError("malformed-packet", `${cmd.toUpperCase()} has 0 as its packet identifier`);
  return { cmd, messageId };
}
