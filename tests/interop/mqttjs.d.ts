// The part of MQTT.js that the tests use. Its own types bring those of Node along, which would then hold in every other test too.
import type { QoS } from "../../src/message.ts";

/** Properties of any packet. */
export interface WireProperties {
  readonly payloadFormatIndicator?: boolean;
  readonly messageExpiryInterval?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** Their order is lost between names. */
  readonly userProperties?: Readonly<Record<string, string | string[]>>;
  readonly subscriptionIdentifier?: number | number[];
  readonly sessionExpiryInterval?: number;
  readonly willDelayInterval?: number;
  readonly topicAlias?: number;
  readonly topicAliasMaximum?: number;
  readonly maximumPacketSize?: number;
  readonly receiveMaximum?: number;
  readonly serverKeepAlive?: number;
  readonly assignedClientIdentifier?: string;
  readonly requestResponseInformation?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly reasonString?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

export interface Packet {
  readonly cmd: string;
  readonly reasonCode?: number;
  readonly granted?: readonly number[];
  readonly sessionPresent?: boolean;
  readonly topic?: string;
  readonly properties?: WireProperties;
}

interface Publication {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: WireProperties;
}

export interface ClientOptions {
  readonly clientId: string;
  readonly protocolVersion: number;
  readonly protocolId: string;
  readonly reconnectPeriod: number;
  readonly clean?: boolean;
  readonly keepalive?: number;
  readonly username?: string;
  readonly password?: string;
  readonly will?: Publication & { readonly topic: string; readonly payload: string };
  readonly properties?: WireProperties;
  readonly autoAssignTopicAlias?: boolean;
  readonly autoUseTopicAlias?: boolean;
}

export interface SubscribeOptions {
  readonly qos: QoS;
  /** No local. */
  readonly nl?: boolean;
  /** Retain as published. */
  readonly rap?: boolean;
  /** Retain handling. */
  readonly rh?: 0 | 1 | 2;
  readonly properties?: WireProperties;
}

export interface Client {
  on(event: "message", listener: (topic: string, payload: Uint8Array, packet: Publication) => void): this;
  on(event: "connect" | "close", listener: () => void): this;
  on(event: "packetsend" | "packetreceive", listener: (packet: Packet) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  subscribeAsync(filters: string | string[], options: SubscribeOptions): Promise<{ readonly qos: number }[]>;
  unsubscribeAsync(filters: string | string[]): Promise<Packet>;
  publishAsync(topic: string, payload: string | Uint8Array, options: Publication): Promise<unknown>;
  /** Answers an AUTH; may be replaced. */
  handleAuth(packet: Packet, answer: (error?: Error, packet?: Packet) => void): void;
  /** Sends any packet: there is no public way to authenticate anew. */
  _sendPacket(packet: Packet): void;
  /** `force` leaves out DISCONNECT. */
  endAsync(force?: boolean, disconnect?: Omit<Packet, "cmd">): Promise<void>;
  /** The connection, piped into the parser. */
  readonly stream: { unpipe(): { pause(): void } };
}

declare const mqtt: { connect(address: string, options: ClientOptions): Client };
export default mqtt;
