// The properties of MQTT 5.0 (5.0 section 2.2.2): what they are called, what they look like, where they may stand.
// mqtt-packet reads them too, but loses the order of user properties, and takes duplicates and properties that belong
// elsewhere.
import { Buffer } from "node:buffer";
import type { Reader } from "./reader.ts";
import { utf8Length, varintLength, writeText, writeUint16, writeVarint } from "./writer.ts";

/** The properties of a message, as they are forwarded to every subscriber. */
export interface MessageProperties {
  /** True where the payload says of itself that it is UTF-8 text (5.0 section 3.3.2.3.2). */
  readonly payloadFormatIndicator?: boolean;
  /** Seconds until the message is of no use (5.0 section 3.3.2.3.3). */
  readonly messageExpiryInterval?: number;
  /** What the payload is, such as a MIME type (5.0 section 3.3.2.3.9). */
  readonly contentType?: string;
  /** Where an answer is awaited (5.0 section 3.3.2.3.5). */
  readonly responseTopic?: string;
  /** What an answer has to carry (5.0 section 3.3.2.3.6). */
  readonly correlationData?: Uint8Array;
  /** Names and values in order; a name may come more than once (5.0 section 3.3.2.3.7). */
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

/** Any property that a client may send. */
export interface Properties extends MessageProperties {
  readonly subscriptionIdentifier?: number;
  readonly sessionExpiryInterval?: number;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
  readonly requestProblemInformation?: boolean;
  readonly requestResponseInformation?: boolean;
  readonly willDelayInterval?: number;
  readonly reasonString?: string;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly topicAlias?: number;
  readonly maximumPacketSize?: number;
}

/** Where properties stand. "ack" is PUBACK, PUBREC, PUBREL and PUBCOMP. */
export type PropertyPlace =
  | "connect"
  | "will"
  | "publish"
  | "ack"
  | "subscribe"
  | "unsubscribe"
  | "disconnect"
  | "auth";

type Kind = "flag" | "uint16" | "uint32" | "varint" | "string" | "binary";

interface Definition {
  readonly name: Exclude<keyof Properties, "userProperties">;
  readonly kind: Kind;
  readonly places: readonly PropertyPlace[];
  /** Whether 0 is a protocol error. */
  readonly positive?: boolean;
}

const USER_PROPERTY = 38, message = ["publish", "will"] as const;

const definitions = new Map<number, Definition>([
  [1, { name: "payloadFormatIndicator", kind: "flag", places: message }],
  [2, { name: "messageExpiryInterval", kind: "uint32", places: message }],
  [3, { name: "contentType", kind: "string", places: message }],
  [8, { name: "responseTopic", kind: "string", places: message }],
  [9, { name: "correlationData", kind: "binary", places: message }],
  [11, { name: "subscriptionIdentifier", kind: "varint", places: ["subscribe"], positive: true }],
  [17, { name: "sessionExpiryInterval", kind: "uint32", places: ["connect", "disconnect"] }],
  [21, { name: "authenticationMethod", kind: "string", places: ["connect", "auth"] }],
  [22, { name: "authenticationData", kind: "binary", places: ["connect", "auth"] }],
  [23, { name: "requestProblemInformation", kind: "flag", places: ["connect"] }],
  [24, { name: "willDelayInterval", kind: "uint32", places: ["will"] }],
  [25, { name: "requestResponseInformation", kind: "flag", places: ["connect"] }],
  [31, { name: "reasonString", kind: "string", places: ["ack", "disconnect", "auth"] }],
  [33, { name: "receiveMaximum", kind: "uint16", places: ["connect"], positive: true }],
  [34, { name: "topicAliasMaximum", kind: "uint16", places: ["connect"] }],
  [35, { name: "topicAlias", kind: "uint16", places: ["publish"], positive: true }],
  [39, { name: "maximumPacketSize", kind: "uint32", places: ["connect"], positive: true }],
]);

/** Reads a property length and the properties behind it; nothing where there are none. */
export function readProperties(reader: Reader, place: PropertyPlace): Properties | undefined {
  const length = reader.varint();
  if (length === 0) return undefined;
  const found: Record<string, unknown> = {}, user: [string, string][] = [];
  reader.part(length, () => {
    const id = reader.byte();
    if (id === USER_PROPERTY) user.push([reader.string(), reader.string()]);
    else readProperty(reader, place, id, found);
  });
  if (user.length > 0) found.userProperties = user;
  return found;
}

function readProperty(reader: Reader, place: PropertyPlace, id: number, found: Record<string, unknown>): void {
  const definition = definitions.get(id);
  if (!definition?.places.includes(place)) {
    if (id === 11 && place === "publish") throw reader.protocolError("of a client has a subscription identifier");
    throw reader.malformed(`has a property ${id}, which does not belong there`);
  }
  const { name, kind, positive } = definition;
  if (name in found) throw reader.protocolError(`has the property ${name} twice`);
  const value = found[name] = readValue(reader, name, kind);
  if (positive && value === 0) throw reader.protocolError(`has 0 for the property ${name}`);
}

function readValue(reader: Reader, name: string, kind: Kind): unknown {
  switch (kind) {
    case "flag": {
      const value = reader.byte();
      if (value > 1) throw reader.protocolError(`has ${value} for the property ${name}, not 0 or 1`);
      return value === 1;
    }
    case "binary":
      return Buffer.from(reader.binary()); // a copy: it may be kept
    default:
      return reader[kind]();
  }
}

/** What a delivery adds to the properties of the message. */
export interface DeliveryProperties {
  readonly identifiers: readonly number[] | undefined;
  /** Seconds left, in place of the message's own expiry interval [MQTT5-3.3.2-6]. */
  readonly expiry: number | undefined;
  readonly alias: number | undefined;
}

/** The bytes that the properties of a PUBLISH take, without the length in front of them. */
export function propertiesLength(properties: MessageProperties | undefined, extra: DeliveryProperties): number {
  let length = extra.alias === undefined ? 0 : 3;
  if (extra.expiry !== undefined) length += 5;
  for (const id of extra.identifiers ?? []) length += 1 + varintLength(id);
  if (!properties) return length;
  if (properties.payloadFormatIndicator !== undefined) length += 2;
  if (properties.contentType !== undefined) length += 3 + utf8Length(properties.contentType);
  if (properties.responseTopic !== undefined) length += 3 + utf8Length(properties.responseTopic);
  if (properties.correlationData !== undefined) length += 3 + properties.correlationData.length;
  for (const [name, value] of properties.userProperties ?? []) length += 5 + utf8Length(name) + utf8Length(value);
  return length;
}

/** Writes them; returns the place behind. */
export function writeProperties(
  buffer: Buffer,
  properties: MessageProperties | undefined,
  extra: DeliveryProperties,
  at: number,
): number {
  if (extra.alias !== undefined) at = writeUint16(buffer, extra.alias, id(buffer, 35, at));
  if (extra.expiry !== undefined) at = buffer.writeUInt32BE(extra.expiry, id(buffer, 2, at));
  for (const identifier of extra.identifiers ?? []) at = writeVarint(buffer, identifier, id(buffer, 11, at));
  if (!properties) return at;
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  if (payloadFormatIndicator !== undefined) at = buffer.writeUInt8(Number(payloadFormatIndicator), id(buffer, 1, at));
  if (contentType !== undefined) at = writeString(buffer, contentType, id(buffer, 3, at));
  if (responseTopic !== undefined) at = writeString(buffer, responseTopic, id(buffer, 8, at));
  if (correlationData !== undefined) {
    at = writeUint16(buffer, correlationData.length, id(buffer, 9, at));
    buffer.set(correlationData, at);
    at += correlationData.length;
  }
  for (const [name, value] of userProperties ?? []) {
    at = writeString(buffer, value, writeString(buffer, name, id(buffer, USER_PROPERTY, at)));
  }
  return at;
}

function id(buffer: Buffer, value: number, at: number): number {
  buffer[at] = value;
  return at + 1;
}

function writeString(buffer: Buffer, text: string, at: number): number {
  const length = utf8Length(text);
  return writeText(buffer, text, length, writeUint16(buffer, length, at));
}
