// From a packet to bytes. A PUBLISH is encoded once for all subscribers that get the same one: each of them copies the bytes into
// its outbox and puts its own packet identifier in.
import { Buffer } from "node:buffer";
import type { Message, QoS } from "../message.ts";
import { generate, type Packet as AnyPacket } from "./mqtt_packet.ts";
import type { ProtocolLevel, ServerPacket } from "./packet.ts";
import { propertiesLength, writeProperties } from "./properties.ts";
import { utf8Length, varintLength, writeText, writeUint16, writeVarint } from "./writer.ts";

const acks = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

/**
 * The bytes of a packet that is not a PUBLISH. `maximum` is the largest packet that the client takes: a reason string that would
 * exceed it is left out [MQTT5-3.4.2-2].
 */
export function encode(
  packet: Exclude<ServerPacket, { cmd: "publish" }>,
  level: ProtocolLevel,
  maximum: number,
): Uint8Array {
  if (packet.cmd in acks && !("reasonCode" in packet)) {
    const { cmd, messageId } = packet as { cmd: keyof typeof acks; messageId: number };
    return Buffer.from([acks[cmd], 2, messageId >> 8, messageId & 0xff]);
  }
  const bytes = write(packet, level);
  return bytes.length > maximum ? write(withoutReason(packet), level) : bytes;
}

/** The same packet without its reason in words. */
export function withoutReason<P extends ServerPacket>(packet: P): P {
  if (!("properties" in packet) || !packet.properties || !("reasonString" in packet.properties)) return packet;
  const { reasonString: _, ...properties } = packet.properties;
  return { ...packet, properties };
}

function write(packet: ServerPacket, protocolVersion: ProtocolLevel): Uint8Array {
  const { properties } = packet as { properties?: { readonly authenticationData?: Uint8Array } };
  const data = properties?.authenticationData; // mqtt-packet takes nothing but a Buffer
  const taken = data ? { ...packet, properties: { ...properties, authenticationData: Buffer.from(data) } } : packet;
  return generate(taken as unknown as AnyPacket, { protocolVersion });
}

/** What makes the PUBLISH packets of one message differ from each other, packet identifier and DUP flag aside. */
export interface PublishVariant {
  readonly qos: QoS;
  readonly retain: boolean;
  /** Subscription identifiers (5.0 section 3.3.2.3.8). */
  readonly identifiers?: readonly number[] | undefined;
}

/** The bytes of a PUBLISH, and where its packet identifier goes (0 at QoS 0, which has none). */
export interface PublishFrame {
  readonly bytes: Uint8Array;
  readonly idAt: number;
}

/** Encodes the PUBLISH packets of the message that is being delivered, and remembers those that many subscribers get. */
export class PublishEncoder {
  #message: Message | undefined;
  #frames: (PublishFrame | undefined)[] = [];

  /** The frame with DUP 0 and no packet identifier yet. */
  frame(message: Message, level: ProtocolLevel, variant: PublishVariant): PublishFrame {
    if (variant.identifiers) return encodePublish(message, level, variant);
    if (message !== this.#message) {
      this.#message = message;
      this.#frames = [];
    }
    const key = Number(level === 5) * 8 + variant.qos * 2 + Number(variant.retain);
    return this.#frames[key] ??= encodePublish(message, level, variant);
  }
}

/**
 * Encodes a PUBLISH (section 3.3).
 *
 * @param expiry seconds that the message has left @param alias a topic alias, which may stand for the topic name already
 */
export function encodePublish(
  message: Message,
  level: ProtocolLevel,
  { qos, retain, identifiers }: PublishVariant,
  expiry?: number,
  alias?: { readonly id: number; readonly known: boolean },
): PublishFrame {
  const { payload } = message, topic = alias?.known ? "" : message.topic, topicLength = utf8Length(topic);
  const extra = { identifiers, expiry, alias: alias?.id };
  const properties = level === 5 ? propertiesLength(message.properties, extra) : 0;
  const propertiesSize = level === 5 ? varintLength(properties) + properties : 0;
  const remaining = 2 + topicLength + (qos > 0 ? 2 : 0) + propertiesSize + payload.length;
  const bytes = Buffer.allocUnsafe(1 + varintLength(remaining) + remaining);
  bytes[0] = 0x30 | qos << 1 | Number(retain);
  let at = writeUint16(bytes, topicLength, writeVarint(bytes, remaining, 1));
  at = writeText(bytes, topic, topicLength, at);
  const idAt = qos > 0 ? at : 0;
  if (qos > 0) at += 2;
  if (level === 5) at = writeProperties(bytes, message.properties, extra, writeVarint(bytes, properties, at));
  bytes.set(payload, at);
  return { bytes, idAt };
}
