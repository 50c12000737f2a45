// The sending half of a connection: packets become bytes in the outbox, as far as the client can take them. What many clients get
// alike is encoded once; a topic alias, or the time that a message has left, makes a PUBLISH this client's own.
import { ackHeaders, encode, withoutReason } from "../codec/encode.ts";
import { LARGEST_PACKET } from "../codec/frame.ts";
import type { AckPacket, PublishPacket, ServerPacket } from "../codec/packet.ts";
import type { Message } from "../message.ts";
import type { Terms } from "../session/terms.ts";
import type { Connection } from "./connection.ts";
import type { Outbox } from "./outbox.ts";
import { type Alias, OutgoingAliases } from "./topic_aliases.ts";

/** A topic alias takes at most this much room beside the topic that it introduces: it may make each of two lengths a byte longer. */
const ALIAS_SIZE = 5;

/** Bytes of an acknowledgement that says yes. */
const ACK_SIZE = 4;

/** What only one client gets so: the seconds that a message has left, and a topic alias. */
interface Own {
  readonly expiry: number | undefined;
  readonly alias: Alias | undefined;
}

/** Sends packets to one client. */
export class Sender {
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  #aliases: OutgoingAliases | undefined;

  constructor(connection: Connection, outbox: Outbox) {
    this.#connection = connection;
    this.#outbox = outbox;
  }

  /** False while a message of so many bytes had better wait. */
  takes(size: number): boolean {
    return this.#outbox.takes(size);
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
    const { trace, traffic } = this.#connection.context;
    this.#outbox.appendAck(ackHeaders[cmd], messageId);
    traffic.sent(ACK_SIZE, false);
    if (trace.observed) trace.sent(this.#connection, { cmd, messageId });
  }

  /** Sends a packet, without its reason in words where that is not welcome; false where it is too large for the client. */
  send(packet: Exclude<ServerPacket, PublishPacket>): boolean {
    const { terms: { problemInformation, maximumPacketSize }, dialect } = this.#connection;
    const sent = problemInformation ? packet : withoutReason(packet); // [MQTT5-3.1.2-29]
    const bytes = encode(sent, dialect.level, maximumPacketSize);
    if (bytes.length > maximumPacketSize) return false;
    this.#outbox.append(bytes);
    const { traffic, trace } = this.#connection.context;
    traffic.sent(bytes.length, false);
    trace.sent(this.#connection, sent);
    return true;
  }

  /** Sends a PUBLISH; false where it is too large for the client, or for any packet: it may have come with fewer properties. */
  publish(message: Message, terms: Terms, packetId: number, dup: boolean): boolean {
    const { context, dialect: { level }, terms: { maximumPacketSize } } = this.#connection;
    const { encoder, trace, traffic } = context, own = this.#ownOf(message, terms);
    const frame = own
      ? encoder.encode(message, level, terms, own.expiry, own.alias)
      : encoder.frame(message, level, terms);
    if (frame.size > maximumPacketSize || frame.size > LARGEST_PACKET) {
      this.#aliases = undefined; // the client does not know one that would have been introduced
      return false;
    }
    this.#outbox.appendPublish(frame, packetId, dup);
    traffic.sent(frame.size, true);
    if (trace.observed) trace.sent(this.#connection, this.#shown(message, terms, own, packetId, dup));
    return true;
  }

  /** What makes the PUBLISH of a message this client's own, if anything does. */
  #ownOf(message: Message, terms: Terms): Own | undefined {
    const { topicAliasMaximum, properties } = this.#connection.terms;
    if (!properties) return undefined;
    const expiry = this.#expiryOf(message);
    const alias = topicAliasMaximum > 0 ? this.#aliasOf(message, terms, expiry) : undefined;
    return expiry !== undefined || alias ? { expiry, alias } : undefined;
  }

  /** The seconds that a message has left [MQTT5-3.3.2-6]. */
  #expiryOf({ expiresAt, properties }: Message): number | undefined {
    if (expiresAt === undefined) return properties?.messageExpiryInterval;
    return Math.max(0, Math.ceil((expiresAt - this.#connection.context.turn.now) / 1000));
  }

  /** An alias, but where it might make the packet too large: it would count as introduced, and the client would not know it. */
  #aliasOf(message: Message, terms: Terms, expiry: number | undefined): Alias | undefined {
    const { context: { encoder }, dialect: { level }, terms: { topicAliasMaximum, maximumPacketSize } } =
      this.#connection;
    if (maximumPacketSize < Infinity) {
      if (encoder.encode(message, level, terms, expiry).size + ALIAS_SIZE > maximumPacketSize) return undefined;
    }
    return (this.#aliases ??= new OutgoingAliases(topicAliasMaximum)).use(message.topic);
  }

  /** The PUBLISH as this client gets it. */
  #shown(message: Message, terms: Terms, own: Own | undefined, messageId: number, dup: boolean): PublishPacket {
    const { topic, payload, properties } = message.keep(), { qos, retain, identifiers } = terms;
    const packet: PublishPacket = {
      cmd: "publish",
      topic: own?.alias?.known ? "" : topic,
      payload,
      qos,
      retain,
      messageId,
      dup,
    };
    if (!this.#connection.terms.properties) return packet;
    return {
      ...packet,
      properties: {
        ...properties,
        ...own?.expiry !== undefined && { messageExpiryInterval: own.expiry },
        ...own?.alias && { topicAlias: own.alias.id },
        ...identifiers && { subscriptionIdentifier: identifiers },
      },
    };
  }
}
