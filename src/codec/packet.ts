// The packets as the rest of the broker sees them: one union, told apart by `cmd`. The shapes are those of mqtt-packet, narrowed
// to what decode.ts guarantees (packet identifiers present, payloads as bytes).
import type {
  IConnackPacket,
  IConnectPacket,
  IDisconnectPacket,
  IPingreqPacket,
  IPingrespPacket,
  IPublishPacket,
  ISubackPacket,
  ISubscribePacket,
  IUnsubackPacket,
  IUnsubscribePacket,
} from "./mqtt_packet.ts";

/** Protocol levels: 3 is MQTT 3.1 (`MQIsdp`), 4 is MQTT 3.1.1 (3.1.1 section 3.1.2.2). */
export type ProtocolLevel = 3 | 4;

/** CONNECT (3.1.1 section 3.1). */
export type ConnectPacket = Required<Pick<IConnectPacket, "cmd" | "clientId" | "clean" | "keepalive">> & {
  readonly protocolVersion: ProtocolLevel;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly will?: Pick<PublishPacket, "topic" | "payload" | "qos" | "retain">;
};

/** PUBLISH (3.1.1 section 3.3); `messageId` is 0 at QoS 0. */
export type PublishPacket = Required<Pick<IPublishPacket, "cmd" | "qos" | "dup" | "retain" | "topic">> & {
  readonly payload: Uint8Array;
  readonly messageId: number;
};

/** PUBACK, PUBREC, PUBREL, PUBCOMP (3.1.1 sections 3.4 to 3.7). */
export interface AckPacket {
  readonly cmd: "puback" | "pubrec" | "pubrel" | "pubcomp";
  readonly messageId: number;
}

/** SUBSCRIBE (3.1.1 section 3.8). */
export type SubscribePacket = Required<Pick<ISubscribePacket, "cmd" | "messageId" | "subscriptions">>;

/** UNSUBSCRIBE (3.1.1 section 3.10). */
export type UnsubscribePacket = Required<Pick<IUnsubscribePacket, "cmd" | "messageId" | "unsubscriptions">>;

/** What a client may send. */
export type ClientPacket =
  | ConnectPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | UnsubscribePacket
  | IPingreqPacket
  | IDisconnectPacket;

/** What the broker sends. */
export type ServerPacket =
  | Required<Pick<IConnackPacket, "cmd" | "returnCode" | "sessionPresent">>
  | PublishPacket
  | AckPacket
  | { readonly cmd: ISubackPacket["cmd"]; readonly messageId: number; readonly granted: readonly number[] }
  | Required<Pick<IUnsubackPacket, "cmd" | "messageId">>
  | IPingrespPacket;

/** Any packet, in either direction. */
export type Packet = ClientPacket | ServerPacket;
