// The packets as the rest of the broker sees them: one union, told apart by `cmd`. The shapes are those of mqtt-packet,
// narrowed to what decode.ts guarantees (packet identifiers present, payloads as bytes, user properties in order).
import type { QoS } from "../message.ts";
import type { MessageProperties, Properties } from "./properties.ts";

/** Protocol levels: 3 is MQTT 3.1 (`MQIsdp`), 4 is MQTT 3.1.1, 5 is MQTT 5.0 (section 3.1.2.2). */
export type ProtocolLevel = 3 | 4 | 5;

/** A will (section 3.1.2.5). */
export interface WillPacket {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: Properties;
}

/** CONNECT (section 3.1). */
export interface ConnectPacket {
  readonly cmd: "connect";
  /** The name of the protocol (section 3.1.2.1). */
  readonly protocolId?: "MQTT" | "MQIsdp";
  readonly protocolVersion: ProtocolLevel;
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepalive: number;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly will?: WillPacket;
  readonly properties?: Properties;
}

/** CONNACK (section 3.2): `returnCode` up to 3.1.1, `reasonCode` from 5.0 on. */
export interface ConnackPacket {
  readonly cmd: "connack";
  readonly sessionPresent: boolean;
  readonly returnCode?: number;
  readonly reasonCode?: number;
  readonly properties?: ConnackProperties;
}

/** What a CONNACK of 5.0 says of the broker (5.0 section 3.2.2.3). */
export interface ConnackProperties {
  readonly sessionExpiryInterval?: number;
  readonly receiveMaximum?: number;
  readonly maximumPacketSize?: number;
  readonly assignedClientIdentifier?: string;
  readonly topicAliasMaximum?: number;
  readonly serverKeepAlive?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
  readonly reasonString?: string;
}

/** PUBLISH (section 3.3); `messageId` is 0 at QoS 0, `topic` is empty where an alias stands for it. */
export interface PublishPacket {
  readonly cmd: "publish";
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly messageId: number;
  readonly properties?: Properties | DeliveredProperties | undefined;
}

/** A PUBLISH of a client, as it lies in the read buffer: whoever keeps the payload copies it before the next read. */
export interface ReceivedPublish extends PublishPacket {
  readonly properties: Properties | undefined;
  /** The payload once more: from `start` to `end` of `bytes`. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What a PUBLISH to a subscriber has beside the message's own properties. */
export interface DeliveredProperties extends MessageProperties {
  readonly subscriptionIdentifier?: readonly number[];
  readonly topicAlias?: number;
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7); without a reason code that is 0. */
export interface AckPacket {
  readonly cmd: "puback" | "pubrec" | "pubrel" | "pubcomp";
  readonly messageId: number;
  readonly reasonCode?: number;
  readonly properties?: ReasonProperties;
}

/** Why, in words, for whoever wants to know. */
export interface ReasonProperties {
  readonly reasonString?: string;
}

/** One topic filter of a SUBSCRIBE; the options after `qos` are those of 5.0 (5.0 section 3.8.3.1). */
export interface SubscriptionRequest {
  readonly topic: string;
  readonly qos: QoS;
  /** No local. */
  readonly nl?: boolean;
  /** Retain as published. */
  readonly rap?: boolean;
  /** Retain handling. */
  readonly rh?: number;
}

/** SUBSCRIBE (section 3.8). */
export interface SubscribePacket {
  readonly cmd: "subscribe";
  readonly messageId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties?: Properties;
}

/** SUBACK (section 3.9); UNSUBACK (section 3.11), which has codes from 5.0 on. */
export interface SubackPacket {
  readonly cmd: "suback" | "unsuback";
  readonly messageId: number;
  readonly granted?: readonly number[];
}

/** UNSUBSCRIBE (section 3.10). */
export interface UnsubscribePacket {
  readonly cmd: "unsubscribe";
  readonly messageId: number;
  readonly unsubscriptions: readonly string[];
}

/** PINGREQ and PINGRESP (sections 3.12 and 3.13). */
export interface PingPacket {
  readonly cmd: "pingreq" | "pingresp";
}

/** DISCONNECT (section 3.14): from 5.0 on in both directions, with a reason code. */
export interface DisconnectPacket {
  readonly cmd: "disconnect";
  readonly reasonCode?: number;
  readonly properties?: ReasonProperties & {
    readonly sessionExpiryInterval?: number;
    readonly serverReference?: string;
  };
}

/** AUTH (5.0 section 3.15). */
export interface AuthPacket {
  readonly cmd: "auth";
  readonly reasonCode: number;
  readonly properties?: ReasonProperties & {
    readonly authenticationMethod?: string;
    readonly authenticationData?: Uint8Array;
  };
}

/** What a client may send. */
export type ClientPacket =
  | ConnectPacket
  | ReceivedPublish
  | AckPacket
  | SubscribePacket
  | UnsubscribePacket
  | PingPacket
  | DisconnectPacket
  | AuthPacket;

/** What the broker sends. */
export type ServerPacket =
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubackPacket
  | PingPacket
  | DisconnectPacket
  | AuthPacket;

/** Any packet, in either direction. */
export type Packet = ClientPacket | ServerPacket;
