// From a packet to bytes. A PUBLISH is encoded once for all subscribers that get the same one: each of them copies the
// bytes into its outbox and puts its own packet identifier in.
import { Buffer } from "node:buffer";
import type { Message, QoS } from "../message.ts";
import { LARGEST_PACKET } from "./frame.ts";
import { generate, type Packet as AnyPacket } from "./mqtt_packet.ts";
import type { ProtocolLevel, ServerPacket } from "./packet.ts";
import { propertiesLength, writeProperties } from "./properties.ts";
import { utf8Length, varintLength, writeText, writeUint16, writeVarint } from "./writer.ts";

/**
 * The bytes of a packet that is not a PUBLISH. `maximum` is the largest packet that the client takes: a reason string
 * that would exceed it is left out [MQTT5-3.4.2-2].
 */
export function encode(
  packet: Exclude<ServerPacket, { cmd: "publish" }>,
  level: ProtocolLevel,
  maximum: number,
): Uint8Array {
  const bytes = write(packet, level);
  return bytes.length > maximum ? write(withoutReason(packet), level) : bytes;
}

/** The same packet without its reason in words. */
export function withoutReason<P extends ServerPacket>(packet: P): P {
  if (!("properties" in packet) || !packet.properties || !("reasonString" in packet.properties)) return packet;
  const { reasonString: _, ...properties } = packet.properties;
  return { ...packet, properties };
}

const pingresp = Buffer.from([0xd0, 0]);

function write(packet: ServerPacket, protocolVersion: ProtocolLevel): Uint8Array {
  if (packet.cmd === "pingresp") return pingresp;
  if (packet.cmd === "connack" && protocolVersion < 5) { // after a restart of the broker there are thousands at once
    return Buffer.from([0x20, 2, packet.sessionPresent ? 1 : 0, packet.returnCode!]);
  }
  const { properties } = packet as { properties?: { readonly authenticationData?: Uint8Array } };
  const data = properties?.authenticationData; // mqtt-packet takes nothing but a Buffer
  const taken = data ? { ...packet, properties: { ...properties, authenticationData: Buffer.from(data) } } : packet;
  return generate(taken as unknown as AnyPacket, { protocolVersion });
}

/** The first byte of an acknowledgement that has no reason code: the packet identifier is all that follows. */
export const ackHeaders = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

/** What makes the PUBLISH packets of one message differ from each other, packet identifier and DUP flag aside. */
export interface PublishVariant {
  readonly qos: QoS;
  readonly retain: boolean;
  /** Subscription identifiers (5.0 section 3.3.2.3.8). */
  readonly identifiers?: readonly number[] | undefined;
}

/**
 * A PUBLISH: its bytes from `start` to `end`, where its packet identifier goes (0 at QoS 0, which has none), and its
 * size. A large payload is not copied into the frame: it follows from `rest`.
 */
export interface PublishFrame {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly idAt: number;
  readonly size: number;
  readonly rest: Message | undefined;
}

/** A payload of more bytes is not copied into frames. */
const LARGE = 1024;

/** Room for the variants of most messages. */
const SCRATCH = 16_384;

/**
 * Encodes the PUBLISH packets of the message that is being delivered, and remembers those that many subscribers get.
 * All in one buffer: a frame is good until another message is encoded.
 */
export class PublishEncoder {
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH);
  #used = 0;
  #message: Message | undefined;
  #frames: (PublishFrame | undefined)[] = [];

  /** The frame that every subscriber on these terms gets, with DUP 0 and no packet identifier yet. */
  frame(message: Message, level: ProtocolLevel, variant: PublishVariant): PublishFrame {
    this.#begin(message);
    if (variant.identifiers) return this.encode(message, level, variant);
    const key = (level === 5 ? 8 : 0) + variant.qos * 2 + (variant.retain ? 1 : 0);
    return this.#frames[key] ??= this.encode(message, level, variant);
  }

  /**
   * The frame of one subscriber (section 3.3): not written where it would be larger than any packet can be.
   *
   * @param expiry seconds that the message has left
   * @param alias a topic alias, which may stand for the topic name already
   */
  encode(
    message: Message,
    level: ProtocolLevel,
    { qos, retain, identifiers }: PublishVariant,
    expiry?: number,
    alias?: { readonly id: number; readonly known: boolean },
  ): PublishFrame {
    this.#begin(message);
    const topic = alias?.known ? "" : message.topic, topicLength = utf8Length(topic);
    const extra = { identifiers, expiry, alias: alias?.id };
    const properties = level === 5 ? propertiesLength(message.properties, extra) : 0;
    const propertiesSize = level === 5 ? varintLength(properties) + properties : 0;
    const remaining = 2 + topicLength + (qos > 0 ? 2 : 0) + propertiesSize + message.size;
    const size = 1 + varintLength(remaining) + remaining, rest = message.size > LARGE ? message : undefined;
    if (size > LARGEST_PACKET) return { buffer: this.#scratch, start: 0, end: 0, idAt: 0, size, rest };
    const own = rest ? size - message.size : size, fits = this.#used + own <= SCRATCH;
    const buffer = fits ? this.#scratch : Buffer.allocUnsafeSlow(own), start = fits ? this.#used : 0;
    if (fits) this.#used += own;
    buffer[start] = 0x30 | qos << 1 | (retain ? 1 : 0);
    let at = writeUint16(buffer, topicLength, writeVarint(buffer, remaining, start + 1));
    at = writeText(buffer, topic, topicLength, at);
    const idAt = qos > 0 ? at - start : 0;
    if (qos > 0) at += 2;
    if (level === 5) at = writeProperties(buffer, message.properties, extra, writeVarint(buffer, properties, at));
    if (!rest) message.copyTo(buffer, at);
    return { buffer, start, end: start + own, idAt, size, rest };
  }

  #begin(message: Message): void {
    if (message === this.#message) return;
    this.#message = message;
    this.#frames = [];
    this.#used = 0;
  }
}
