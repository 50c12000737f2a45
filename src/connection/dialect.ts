// Every difference between the versions of MQTT beyond the bytes: what a client's packets mean, and how the broker says things to
// it. But for the codec nobody else looks at the protocol level.
import type {
  AckPacket,
  ConnackPacket,
  ConnackProperties,
  ConnectPacket,
  DisconnectPacket,
  ProtocolLevel,
  ReasonProperties,
  SubackPacket,
  SubscriptionRequest,
} from "../codec/packet.ts";
import { connackReturnCode, type MqttError, type Reason, reasonCode, reasonCodeIn } from "../errors.ts";
import type { QoS } from "../message.ts";
import type { SubscriptionOptions } from "../session/subscription.ts";

/** What a client can take, and wants to be told. */
export interface ClientTerms {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  /** Whether its packets have properties. */
  readonly properties: boolean;
  /** Whether reasons in words are welcome (5.0 section 3.1.2.11.7). */
  readonly problemInformation: boolean;
  /** Seconds that its session is to last without a connection. */
  readonly sessionExpiry: number;
}

/** What holds until a CONNECT has said otherwise. */
export const noTerms: ClientTerms = {
  receiveMaximum: 65_535,
  maximumPacketSize: Infinity,
  topicAliasMaximum: 0,
  properties: false,
  problemInformation: true,
  sessionExpiry: 0,
};

/** How one version of MQTT says things. */
export interface Dialect {
  readonly level: ProtocolLevel;
  /** The version, for people. */
  readonly name: string;
  /** What a CONNECT says of the client. */
  terms(packet: ConnectPacket): ClientTerms;
  /** The keep alive in seconds that is granted to a client. */
  keepAlive(wanted: number, longest: number): number;
  /** How many messages of QoS 1 and 2 such a client may have under way to the broker. */
  receiveMaximum(limit: number): number;
  /** Whether the broker may choose the client identifier of such a client. */
  assignsClientId(clean: boolean): boolean;
  /** The acceptance of a CONNECT; up to 3.1.1 without the details. */
  connack(sessionPresent: boolean, details: ConnackProperties): ConnackPacket;
  /** The refusal of a CONNECT, where this version has a way to say it. */
  refusal(fault: MqttError): ConnackPacket | undefined;
  /** The last word to a client, where this version has one. */
  disconnect(reason: Reason, text: string): DisconnectPacket | undefined;
  /** An acknowledgement, or the refusal of what it answers, where this version can refuse. */
  ack(cmd: AckPacket["cmd"], messageId: number, reason?: Reason, text?: string): AckPacket;
  /** The answer to a SUBSCRIBE: a granted quality of service or a refusal for each filter. */
  suback(messageId: number, results: readonly (QoS | Reason)[]): SubackPacket;
  /** The answer to an UNSUBSCRIBE: for each filter whether there was a subscription. */
  unsuback(messageId: number, existed: readonly boolean[]): SubackPacket;
  /** How a client wants to subscribe. */
  subscription(request: SubscriptionRequest, identifier: number | undefined): SubscriptionOptions;
  /** Whether the retained messages of a subscription are wanted (5.0 section 3.3.1.3). */
  wantsRetained(request: SubscriptionRequest, isNew: boolean): boolean;
}

const FOREVER = 0xffff_ffff, SUCCESS = 0, NO_SUBSCRIPTION_EXISTED = 0x11, LONGEST_REASON = 1000;

/** Up to 3.1.1 there are two kinds of clients. */
const clean311: ClientTerms = { ...noTerms, problemInformation: false },
  kept311 = { ...clean311, sessionExpiry: Infinity };

const mqtt311: Dialect = {
  level: 4,
  name: "MQTT 3.1.1",
  terms: ({ clean }) => clean ? clean311 : kept311,
  keepAlive: (wanted) => wanted,
  receiveMaximum: () => Infinity,
  assignsClientId: (clean) => clean, // [MQTT-3.1.3-6], [MQTT-3.1.3-7]
  connack: (sessionPresent) => ({ cmd: "connack", returnCode: 0, sessionPresent }),
  refusal({ reason }) {
    const returnCode = connackReturnCode(reason);
    if (returnCode !== undefined) return { cmd: "connack", returnCode, sessionPresent: false }; // [MQTT-3.2.2-4]
  },
  disconnect: () => undefined,
  ack: (cmd, messageId) => ({ cmd, messageId }), // [MQTT-3.3.5-2]
  suback: (messageId, results) => ({
    cmd: "suback",
    messageId,
    granted: results.map((r) => typeof r === "number" ? r : 0x80),
  }), // [MQTT-3.9.3-2]
  unsuback: (messageId) => ({ cmd: "unsuback", messageId }),
  subscription: ({ qos }) => ({ qos, noLocal: false, retainAsPublished: false, identifier: undefined }),
  wantsRetained: () => true, // [MQTT-3.8.4-3]
};

const mqtt31: Dialect = {
  ...mqtt311,
  level: 3,
  name: "MQTT 3.1",
  assignsClientId: () => false,
  connack: () => ({ cmd: "connack", returnCode: 0, sessionPresent: false }), // 3.1 has no session present flag
};

const mqtt5: Dialect = {
  level: 5,
  name: "MQTT 5.0",
  terms({ properties = {} }) {
    const { sessionExpiryInterval = 0 } = properties;
    return {
      receiveMaximum: properties.receiveMaximum ?? 65_535,
      maximumPacketSize: properties.maximumPacketSize ?? Infinity,
      topicAliasMaximum: properties.topicAliasMaximum ?? 0,
      properties: true,
      problemInformation: properties.requestProblemInformation ?? true,
      sessionExpiry: sessionExpiryOf(sessionExpiryInterval),
    };
  },
  keepAlive: (wanted, longest) =>
    longest < Infinity && (wanted === 0 || wanted > longest) ? Math.min(longest, 65_535) : wanted,
  receiveMaximum: (limit) => limit,
  assignsClientId: () => true,
  connack: (sessionPresent, properties) => ({ cmd: "connack", reasonCode: SUCCESS, sessionPresent, properties }),
  refusal({ reason, message, serverReference }) {
    const properties = { ...inWords(message), ...serverReference !== undefined && { serverReference } };
    return { cmd: "connack", reasonCode: reasonCodeIn("connack", reason), sessionPresent: false, properties };
  },
  disconnect(reason, text) {
    return { cmd: "disconnect", reasonCode: reasonCodeIn("disconnect", reason), properties: inWords(text) };
  },
  ack(cmd, messageId, reason, text) {
    if (!reason) return { cmd, messageId };
    const code = cmd === "puback" || cmd === "pubrec" ? reasonCodeIn("puback", reason) : reasonCode(reason);
    return { cmd, messageId, reasonCode: code, ...text && { properties: inWords(text) } };
  },
  suback(messageId, results) {
    return {
      cmd: "suback",
      messageId,
      granted: results.map((r) => typeof r === "number" ? r : reasonCodeIn("suback", r)),
    };
  },
  unsuback(messageId, existed) {
    return { cmd: "unsuback", messageId, granted: existed.map((did) => did ? SUCCESS : NO_SUBSCRIPTION_EXISTED) };
  },
  subscription: ({ qos, nl = false, rap = false }, identifier) => ({
    qos,
    noLocal: nl,
    retainAsPublished: rap,
    identifier,
  }),
  wantsRetained: ({ rh = 0 }, isNew) => rh === 0 || rh === 1 && isNew, // [MQTT5-3.3.1-9..11]
};

/** A reason for people; what it quotes of the client may be longer than a string of MQTT can be. */
function inWords(text: string): ReasonProperties {
  return { reasonString: text.slice(0, LONGEST_REASON) };
}

/** Seconds, or for ever (5.0 section 3.1.2.11.2). */
export function sessionExpiryOf(interval: number): number {
  return interval === FOREVER ? Infinity : interval;
}

/** The dialects by protocol level. */
export const dialects: Readonly<Record<ProtocolLevel, Dialect>> = { 3: mqtt31, 4: mqtt311, 5: mqtt5 };
