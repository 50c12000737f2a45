// The sending half of a connection: packets become bytes in the outbox, as far as the client can take them. What many clients get
// alike is encoded once; a topic alias, or the time that a message has left, makes a PUBLISH this client's own.
import { ackHeaders, encode, type PublishFrame, withoutReason } from "../codec/encode.ts";
import type { AckPacket, PublishPacket, ServerPacket } from "../codec/packet.ts";
import type { Message } from "../message.ts";
import type { Terms } from "../session/terms.ts";
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

  /** True while the client had better not be read: it does not take the answers. */
  get choked(): boolean {
    return this.#outbox.choked;
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

  /** Sends an acknowledgement that says yes. */
  acknowledge(cmd: AckPacket["cmd"], messageId: number): void {
    this.#outbox.appendAck(ackHeaders[cmd], messageId);
    this.#connection.context.trace.sent(this.#connection.label, { cmd, messageId });
  }

  /** Sends a packet, without its reason in words where that is not welcome; false where it is too large for the client. */
  send(packet: Exclude<ServerPacket, PublishPacket>): boolean {
    const { terms: { problemInformation, maximumPacketSize }, dialect } = this.#connection;
    const sent = problemInformation ? packet : withoutReason(packet); // [MQTT5-3.1.2-29]
    const bytes = encode(sent, dialect.level, maximumPacketSize);
    if (bytes.length > maximumPacketSize) return false;
    this.#outbox.append(bytes);
    this.#connection.context.trace.sent(this.#connection.label, sent);
    return true;
  }

  /** Sends a PUBLISH; false where it is too large for the client. */
  publish(message: Message, terms: Terms, packetId: number, dup: boolean): boolean {
    const frame = this.#frame(message, terms);
    if (frame.size > this.#connection.terms.maximumPacketSize) return false;
    this.#outbox.appendPublish(frame, packetId, dup);
    this.#connection.context.trace.delivered(this.#connection.label, message, terms, packetId, dup);
    return true;
  }

  #frame(message: Message, terms: Terms): PublishFrame {
    const { context: { encoder, turn }, dialect: { level }, terms: { maximumPacketSize, topicAliasMaximum } } =
      this.#connection;
    const { expiresAt, properties } = message;
    if (topicAliasMaximum === 0 && properties?.messageExpiryInterval === undefined) {
      return encoder.frame(message, level, terms);
    }
    const expiry = expiresAt === undefined
      ? properties?.messageExpiryInterval
      : Math.max(0, Math.ceil((expiresAt - turn.now) / 1000)); // [MQTT5-3.3.2-6]
    const plain = encoder.encode(message, level, terms, expiry);
    if (topicAliasMaximum === 0 || plain.size + ALIAS_SIZE > maximumPacketSize) return plain;
    const alias = (this.#aliases ??= new OutgoingAliases(topicAliasMaximum)).use(message.topic);
    return alias ? encoder.encode(message, level, terms, expiry, alias) : plain;
  }
}
