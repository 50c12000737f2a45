// The rules of the standard that mqtt-packet does not check, packet by packet, in the order of the bytes. A packet is
// inspected before mqtt-packet reads it, because the inspection knows which rule is broken, and so which reason code
// that is.
import type { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import { topicFilterFault } from "../topics/filter.ts";
import type { ProtocolLevel } from "./packet.ts";
import { type Properties, readProperties } from "./properties.ts";
import { Reader } from "./reader.ts";

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
 * Inspects the body of a packet that is neither a CONNECT nor a PUBLISH.
 *
 * @returns its properties, in order and without loss
 * @throws {MqttError} for the first rule that it breaks
 */
export function inspect(type: number, flags: number, body: Buffer, level: ProtocolLevel): Properties | undefined {
  const name = names[type]!, reader = new Reader(name, body);
  if (type === 0 || type === 15 && level < 5) throw reader.malformed("is not known to this version of MQTT");
  if (flags !== (type === 6 || type === 8 || type === 10 ? 2 : 0)) { // [MQTT-2.2.2-2]
    throw reader.malformed(`has the flags ${flags} in its fixed header`);
  }
  switch (name) {
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
      return undefined;
    case "DISCONNECT":
      return inspectReason(reader, level, "disconnect");
    case "AUTH": // without a reason code that is success (5.0 section 3.15.2.1), which mqtt-packet does not know
      return inspectReason(reader, level, "auth");
  }
  throw reader.protocolError("is not for a client to send");
}

/** What PUBACK, DISCONNECT and AUTH have in common: 5.0 may add a reason code, and properties behind that. */
function inspectReason(
  reader: Reader,
  level: ProtocolLevel,
  place: "ack" | "disconnect" | "auth",
): Properties | undefined {
  let properties;
  if (level === 5 && reader.more) {
    reader.byte(); // reason code: mqtt-packet knows those of each packet
    if (reader.more) properties = readProperties(reader, place);
  }
  reader.done();
  return properties;
}

function inspectSubscribe(reader: Reader, level: ProtocolLevel): Properties | undefined {
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
  return properties;
}

function inspectUnsubscribe(reader: Reader, level: ProtocolLevel): Properties | undefined {
  requirePacketId(reader);
  const properties = level === 5 ? readProperties(reader, "unsubscribe") : undefined;
  if (!reader.more) throw noFilter(reader); // [MQTT-3.10.3-2]
  while (reader.more) requireFilter(reader);
  return properties;
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
