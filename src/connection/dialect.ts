// Every difference between the versions of MQTT that the rest of the broker would otherwise have to ask about.
import type { ProtocolLevel, ServerPacket } from "../codec/packet.ts";
import { connackReturnCode, type Reason } from "../errors.ts";
import type { QoS } from "../message.ts";

/** How one version of MQTT says things. */
export interface Dialect {
  /** The version, for people. */
  readonly name: string;
  /** Whether the broker may choose the client identifier of such a client. */
  assignsClientId(clean: boolean): boolean;
  /** The acceptance of a CONNECT. */
  connack(sessionPresent: boolean): ServerPacket;
  /** The refusal of a CONNECT, where this version has a way to say it. */
  refusal(reason: Reason): ServerPacket | undefined;
  /** What a SUBACK says of one topic filter. */
  subackCode(qos: QoS, refused: Reason | undefined): number;
}

const mqtt311: Dialect = {
  name: "MQTT 3.1.1",
  assignsClientId: (clean) => clean, // [MQTT-3.1.3-6], [MQTT-3.1.3-7]
  connack: (sessionPresent) => ({ cmd: "connack", returnCode: 0, sessionPresent }),
  refusal(reason) {
    const returnCode = connackReturnCode(reason);
    if (returnCode !== undefined) return { cmd: "connack", returnCode, sessionPresent: false }; // [MQTT-3.2.2-4]
  },
  subackCode: (qos, refused) => refused ? 0x80 : qos, // [MQTT-3.9.3-2]
};

const mqtt31: Dialect = {
  ...mqtt311,
  name: "MQTT 3.1",
  assignsClientId: () => false,
  connack: () => mqtt311.connack(false), // 3.1 has no session present flag
};

/** The dialects by protocol level. */
export const dialects: Readonly<Record<ProtocolLevel, Dialect>> = { 3: mqtt31, 4: mqtt311 };
