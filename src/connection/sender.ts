// The sending half of a connection: packets become bytes in the outbox, as far as the client can take them. What many clients get
// alike is encoded once; a topic alias, or the time that a message has left, makes a PUBLISH this client's own.
import { encode, encodePublish, type PublishFrame, withoutReason } from "../codec/encode.ts";
import type { PublishPacket, ServerPacket } from "../codec/packet.ts";
import type { Delivery } from "../session/queue.ts";
import type { Connection } from "./connection.ts";
import type { Outbox } from "./outbox.ts";
import { OutgoingAliases } from "./topic_aliases.ts";

/** A topic alias takes at most this much room beside the topic that it introduces: it may make each of two lengths a byte longer. */
const ALIAS_SIZE = 5;

/** Sends packets to one client. */
export class Sender {
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  #aliases: OutgoingAliases | undefined;

  constructor(connection: Connection, outbox: Outbox) {
    this.#connection = connection;
    this.#outbox = outbox;
  }

  /** True while messages had better wait. */
  get full(): boolean {
    return this.#outbox.full;
  }

  /** Resolves when everything is written, or can't be. */
  emptied(): Promise<void> {
    return this.#outbox.emptied();
  }

  /** Whether a packet is not too large for the client. */
  fits(packet: Exclude<ServerPacket, PublishPacket>): boolean {
    const { terms: { maximumPacketSize }, dialect } = this.#connection;
    return maximumPacketSize === Infinity ||
      encode(packet, dialect.level, maximumPacketSize).length <= maximumPacketSize;
  }

  /** Sends a packet, without its reason in words where that is not welcome; false where it is too large for the client. */
  send(packet: Exclude<ServerPacket, PublishPacket>): boolean {
    const { terms: { problemInformation, maximumPacketSize }, dialect } = this.#connection;
    const sent = problemInformation ? packet : withoutReason(packet); // [MQTT5-3.1.2-29]
    const bytes = encode(sent, dialect.level, maximumPacketSize);
    if (bytes.length > maximumPacketSize) return false;
    this.#watch(sent);
    this.#outbox.append(bytes);
    return true;
  }

  /** Sends a PUBLISH; false where it is too large for the client. */
  publish(delivery: Delivery, packetId: number, dup: boolean): boolean {
    const frame = this.#frame(delivery);
    if (frame.bytes.length > this.#connection.terms.maximumPacketSize) return false;
    this.#outbox.appendPublish(frame, packetId, dup);
    if (this.#connection.context.trace.observed) this.#watch(publishPacket(delivery, packetId, dup));
    return true;
  }

  #frame({ message, terms }: Delivery): PublishFrame {
    const { context: { encoder, turn }, dialect: { level }, terms: { maximumPacketSize, topicAliasMaximum } } =
      this.#connection;
    const { expiresAt, properties } = message;
    if (topicAliasMaximum === 0 && properties?.messageExpiryInterval === undefined) {
      return encoder.frame(message, level, terms);
    }
    const expiry = expiresAt === undefined
      ? properties?.messageExpiryInterval
      : Math.max(0, Math.ceil((expiresAt - turn.now) / 1000)); // [MQTT5-3.3.2-6]
    const plain = encodePublish(message, level, terms, expiry);
    if (topicAliasMaximum === 0 || plain.bytes.length + ALIAS_SIZE > maximumPacketSize) return plain;
    const alias = (this.#aliases ??= new OutgoingAliases(topicAliasMaximum)).use(message.topic);
    return alias ? encodePublish(message, level, terms, expiry, alias) : plain;
  }

  /** Shows a packet to whoever watches. */
  #watch(packet: ServerPacket): void {
    const { context: { trace }, label } = this.#connection;
    if (trace.observed) trace.next({ direction: "out", client: label, packet });
  }
}

function publishPacket({ message, terms }: Delivery, messageId: number, dup: boolean): PublishPacket {
  const { topic, payload, properties } = message, { qos, retain, identifiers } = terms;
  return {
    cmd: "publish",
    topic,
    payload,
    qos,
    retain,
    messageId,
    dup,
    properties: { ...properties, ...identifiers && { subscriptionIdentifier: identifiers } },
  };
}
