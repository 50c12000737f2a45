// Reads CONNECT (section 3.1), the packet that every stranger sends: by hand, because a general parser leaves a hundred times the
// packet's size as garbage, and after a restart of the broker all clients come at once.
import { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import type { QoS } from "../message.ts";
import { topicNameFault } from "../topics/filter.ts";
import type { Frame } from "./frame.ts";
import type { ConnectPacket, ProtocolLevel, WillPacket } from "./packet.ts";
import { readProperties } from "./properties.ts";
import { requireResponseTopic } from "./publish.ts";
import { Reader } from "./reader.ts";

/** Its first byte, and those of others: of a TLS handshake, and of HTTP methods. */
const CONNECT = 0x10, HANDSHAKE = 0x16, methods = /^(GET |HEAD|POST|PUT |OPTI|CONN|PRI )/;

/** The flags of its variable header (section 3.1.2.3). */
const RESERVED = 0x01, CLEAN = 0x02, WILL = 0x04, WILL_RETAIN = 0x20, PASSWORD = 0x40, USER_NAME = 0x80;

/**
 * The CONNECT with this body.
 *
 * @throws {MqttError} for the first rule of the standard that it breaks
 */
export function decodeConnect(body: Buffer): ConnectPacket {
  const reader = new Reader("CONNECT", body),
    [protocolId, protocolVersion] = readVersion(reader),
    flags = reader.byte();
  requireFlags(reader, flags, protocolVersion);
  const keepalive = reader.uint16(), properties = protocolVersion === 5 ? readProperties(reader, "connect") : undefined;
  if (properties?.authenticationData && properties.authenticationMethod === undefined) {
    throw reader.protocolError("has authentication data and no authentication method");
  }
  const clientId = reader.string(), will = flags & WILL ? readWill(reader, flags, protocolVersion) : undefined;
  const username = flags & USER_NAME ? reader.string() : undefined;
  const password = flags & PASSWORD ? Buffer.from(reader.binary()) : undefined;
  reader.done();
  return {
    cmd: "connect",
    protocolId,
    protocolVersion,
    clientId,
    clean: (flags & CLEAN) !== 0,
    keepalive,
    ...username !== undefined && { username },
    ...password && { password },
    ...will && { will },
    ...properties && { properties },
  };
}

/**
 * Nothing, for whoever has come to the right port.
 *
 * @throws {MqttError} where the first bytes are those of TLS or of HTTP, which look like strange packets
 */
export function requireMqtt({ bytes, start }: Frame): void {
  if (bytes[start] === CONNECT) return;
  const spoken = bytes[start] === HANDSHAKE && bytes[start + 1] === 3
    ? "TLS"
    : methods.test(bytes.toString("latin1", start, start + 4))
    ? "HTTP"
    : undefined;
  if (spoken) throw new MqttError("malformed-packet", `Client speaks ${spoken}: this is a port for MQTT alone`);
}

/** A wrong name or level is told apart from a malformed packet: only an unsupported level is answered [MQTT-3.1.2-2]. */
function readVersion(reader: Reader): ["MQTT" | "MQIsdp", ProtocolLevel] {
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
  return [name, level as ProtocolLevel];
}

function requireFlags(reader: Reader, flags: number, level: ProtocolLevel): void {
  const willQos = flags >> 3 & 3;
  if (flags & RESERVED) throw reader.malformed("has its reserved flag set"); // [MQTT-3.1.2-3]
  if (willQos === 3) throw reader.malformed("has 3 as its will QoS, not 0, 1 or 2"); // [MQTT-3.1.2-14]
  if (!(flags & WILL) && (willQos > 0 || flags & WILL_RETAIN)) { // [MQTT-3.1.2-11]
    throw reader.malformed("has a will QoS or will retain, and no will");
  }
  if (level < 5 && flags & PASSWORD && !(flags & USER_NAME)) { // [MQTT-3.1.2-22]
    throw reader.malformed("has a password and no user name");
  }
}

function readWill(reader: Reader, flags: number, level: ProtocolLevel): WillPacket {
  const properties = level === 5 ? readProperties(reader, "will") : undefined;
  const topic = reader.string(), fault = topicNameFault(topic);
  if (fault) throw reader.malformed(`has a faulty will: ${fault}`);
  requireResponseTopic(reader, properties);
  const payload = Buffer.from(reader.binary());
  const qos = (flags >> 3 & 3) as QoS, retain = (flags & WILL_RETAIN) !== 0;
  return { topic, payload, qos, retain, ...properties && { properties } };
}
