// The rules of the standard that mqtt-packet does not check, packet by packet, in the order of the bytes. A packet is
// inspected before mqtt-packet reads it, because the inspection knows which rule is broken, and so which reason code
// that is.
import type { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import { topicFilterFault, topicNameFault } from "../topics/filter.ts";
import type { ProtocolLevel } from "./packet.ts";
import { type Properties, readProperties } from "./properties.ts";
import { Reader } from "./reader.ts";

/** The properties that were found on the way, in order and without loss. */
export interface Inspected {
  readonly properties?: Properties | undefined;
  readonly willProperties?: Properties | undefined;
}

/** The names of the packets by their type (section 2.2.1). */
const names = [
  "Packet of the reserved type 0",
  "CONNECT",
  "CONNACK",
  "PUBLISH",
  "PUBACK",
  "PUBREC",
  "PUBREL",
  "PUBCOMP",
  "SUBSCRIBE",
  "SUBACK",
  "UNSUBSCRIBE",
  "UNSUBACK",
  "PINGREQ",
  "PINGRESP",
  "DISCONNECT",
  "AUTH",
];

/**
 * Inspects the body of a packet that is not a PUBLISH.
 *
 * @throws {MqttError} for the first rule that it breaks
 */
export function inspect(type: number, flags: number, body: Buffer, level: ProtocolLevel): Inspected {
  const name = names[type]!, reader = new Reader(name, body);
  if (type === 0 || type === 15 && level < 5) throw reader.malformed("is not known to this version of MQTT");
  if (flags !== (type === 6 || type === 8 || type === 10 ? 2 : 0)) { // [MQTT-2.2.2-2]
    throw reader.malformed(`has the flags ${flags} in its fixed header`);
  }
  switch (name) {
    case "CONNECT":
      return inspectConnect(reader);
    case "PUBACK":
    case "PUBREC":
    case "PUBREL":
    case "PUBCOMP":
      requirePacketId(reader);
      return inspectReason(reader, level, "ack");
    case "SUBSCRIBE":
      return inspectSubscribe(reader, level);
    case "UNSUBSCRIBE":
      return inspectUnsubscribe(reader, level);
    case "PINGREQ":
      reader.done();
      return {};
    case "DISCONNECT":
      return inspectReason(reader, level, "disconnect");
    case "AUTH":
      return inspectReason(reader, level, "auth");
  }
  throw reader.protocolError("is not for a client to send");
}

function inspectConnect(reader: Reader): Inspected {
  const level = inspectVersion(reader), flags = reader.byte();
  const has = (flag: number) => (flags & flag) !== 0;
  const will = has(0x04), willQos = flags >> 3 & 3;
  if (has(0x01)) throw reader.malformed("has its reserved flag set"); // [MQTT-3.1.2-3]
  if (willQos === 3) throw reader.malformed("has 3 as its will QoS, not 0, 1 or 2"); // [MQTT-3.1.2-14]
  if (!will && (willQos > 0 || has(0x20))) { // [MQTT-3.1.2-11]
    throw reader.malformed("has a will QoS or will retain, and no will");
  }
  if (level < 5 && has(0x40) && !has(0x80)) { // [MQTT-3.1.2-22]
    throw reader.malformed("has a password and no user name");
  }
  reader.uint16(); // keep alive
  const properties = level === 5 ? readProperties(reader, "connect") : undefined;
  if (properties?.authenticationData && properties.authenticationMethod === undefined) {
    throw reader.protocolError("has authentication data and no authentication method");
  }
  reader.string(); // client identifier
  const willProperties = will ? inspectWill(reader, level) : undefined;
  if (has(0x80)) reader.string(); // user name
  if (has(0x40)) reader.binary(); // password
  reader.done();
  return { properties, willProperties };
}

/**
 * A wrong name or level is told apart from a malformed packet: only an unsupported level is answered [MQTT-3.1.2-2].
 */
function inspectVersion(reader: Reader): ProtocolLevel {
  const name = reader.string(), level = reader.byte();
  if (name !== "MQTT" && name !== "MQIsdp") { // [MQTT-3.1.2-1]
    throw reader.malformed(`has the protocol name "${name.slice(0, 20)}", not "MQTT" or "MQIsdp"`);
  }
  const levels = name === "MQTT" ? [4, 5] : [3];
  if (!levels.includes(level)) {
    throw new MqttError(
      "unsupported-protocol-version",
      `Protocol level of "${name}" is ${level}, not ${levels.join(" or ")}`,
    );
  }
  return level as ProtocolLevel;
}

function inspectWill(reader: Reader, level: ProtocolLevel): Properties | undefined {
  const properties = level === 5 ? readProperties(reader, "will") : undefined;
  const fault = topicNameFault(reader.string());
  if (fault) throw reader.malformed(`has a faulty will: ${fault}`);
  requireResponseTopic(reader, properties);
  reader.binary(); // payload
  return properties;
}

/** A response topic is a topic name [MQTT5-3.3.2-14]. */
export function requireResponseTopic(reader: Reader, properties: Properties | undefined): void {
  if (properties?.responseTopic === undefined) return;
  const fault = topicNameFault(properties.responseTopic);
  if (fault) throw reader.protocolError(`has a faulty response topic: ${fault}`);
}

/** What PUBACK, DISCONNECT and AUTH have in common: 5.0 may add a reason code, and properties behind that. */
function inspectReason(reader: Reader, level: ProtocolLevel, place: "ack" | "disconnect" | "auth"): Inspected {
  let properties;
  if (level === 5 && reader.more) {
    reader.byte(); // reason code: mqtt-packet knows those of each packet
    if (reader.more) properties = readProperties(reader, place);
  }
  reader.done();
  return { properties };
}

function inspectSubscribe(reader: Reader, level: ProtocolLevel): Inspected {
  requirePacketId(reader); // [MQTT-2.3.1-1]
  const properties = level === 5 ? readProperties(reader, "subscribe") : undefined;
  if (!reader.more) throw noFilter(reader); // [MQTT-3.8.3-3]
  while (reader.more) {
    const filter = requireFilter(reader), options = reader.byte();
    if ((options & 3) === 3) {
      const fault = `asks for QoS 3 of "${filter}"`; // [MQTT-3.8.3-4], 5.0 section 3.8.3.1
      throw level === 5 ? reader.protocolError(fault) : reader.malformed(fault);
    }
    if ((options & (level === 5 ? 0xc0 : 0xfc)) !== 0) {
      throw reader.malformed(`has reserved bits set behind "${filter}"`);
    }
    if (options >> 4 === 3) throw reader.protocolError(`has 3 as the retain handling of "${filter}"`);
  }
  return { properties };
}

function inspectUnsubscribe(reader: Reader, level: ProtocolLevel): Inspected {
  requirePacketId(reader);
  const properties = level === 5 ? readProperties(reader, "unsubscribe") : undefined;
  if (!reader.more) throw noFilter(reader); // [MQTT-3.10.3-2]
  while (reader.more) requireFilter(reader);
  return { properties };
}

function noFilter(reader: Reader): MqttError {
  return reader.protocolError("holds no topic filter");
}

function requireFilter(reader: Reader): string {
  const filter = reader.string(), fault = topicFilterFault(filter);
  if (fault) throw reader.malformed(`is faulty: ${fault}`);
  return filter;
}

function requirePacketId(reader: Reader): void {
  if (reader.uint16() === 0) throw reader.malformed("has 0 as its packet identifier");
}
