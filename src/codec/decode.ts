// From a frame to a packet. mqtt-packet does the reading; this file adds the checks of the standard that it leaves out, so that
// whoever receives a packet from here can rely on it. Invariant: pure, and every fault is an MqttError that says what was found.
import { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import { topicFilterFault, topicNameFault } from "../topics/filter.ts";
import { type Packet as AnyPacket, type Parser, parser as createParser } from "./mqtt_packet.ts";
import type { ClientPacket, ConnectPacket, ProtocolLevel, PublishPacket } from "./packet.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Takes the packets of one connection apart. The first frame must be a CONNECT; that one sets the protocol level. */
export class Decoder {
  #parser: Parser = createParser();
  #packet: AnyPacket | undefined;
  #error: Error | undefined;

  constructor() {
    this.#parser.on("packet", (packet) => this.#packet = packet);
    this.#parser.on("error", (error) => this.#error = error);
  }

  /**
   * The packet of a whole frame. Payloads are copies: they may be kept.
   *
   * @throws {MqttError} where the frame breaks a rule of the standard; the decoder is of no use after that
   */
  decode(frame: Buffer): ClientPacket {
    try {
      return this.#decode(frame);
    } catch (error) {
      if (error instanceof MqttError) throw error;
      throw malformed(`Packet ends too early: ${(error as Error).message}`); // a read beyond the end of the frame
    }
  }

  #decode(frame: Buffer): ClientPacket {
    if (frame[0]! >> 4 === 1) checkConnectHead(frame);
    this.#packet = undefined;
    this.#parser.parse(frame);
    if (this.#error) throw malformed(this.#error.message);
    const packet = this.#packet as unknown as ClientPacket;
    check(packet, frame.subarray(headerLength(frame)));
    return packet;
  }
}

/** An unsupported level or name is told apart from a malformed packet here: only the former is answered [MQTT-3.1.2-2]. */
function checkConnectHead(frame: Buffer): void {
  const start = headerLength(frame), nameEnd = start + 2 + frame.readUInt16BE(start);
  const name = frame.toString("latin1", start + 2, nameEnd);
  if (name !== "MQTT" && name !== "MQIsdp") { // [MQTT-3.1.2-1]
    throw new MqttError("malformed-packet", `Protocol name is "${name.slice(0, 20)}", not "MQTT" or "MQIsdp"`);
  }
  const level = frame.readUInt8(nameEnd), expected: ProtocolLevel = name === "MQTT" ? 4 : 3;
  if (level !== expected) {
    throw new MqttError("unsupported-protocol-version", `Protocol level of "${name}" is ${level}, not ${expected}`);
  }
}

function headerLength(frame: Buffer): number {
  let at = 1;
  while (frame[at++]! >= 0x80);
  return at;
}

function check(packet: ClientPacket, body: Buffer): void {
  switch (packet.cmd) {
    case "publish":
      return checkPublish(packet, body);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      requireLength(packet.cmd, body, 2);
      return requirePacketId(packet.cmd, packet.messageId);
    case "subscribe":
      requirePacketId(packet.cmd, packet.messageId); // [MQTT-2.3.1-1]
      for (const { topic } of packet.subscriptions) requireFilter(topic);
      requireSome(packet.cmd, packet.subscriptions); // [MQTT-3.8.3-3]
      return checkStrings(packet.cmd, body, 2, packet.subscriptions.map(() => "string+byte" as const));
    case "unsubscribe":
      requirePacketId(packet.cmd, packet.messageId);
      for (const filter of packet.unsubscriptions) requireFilter(filter);
      requireSome(packet.cmd, packet.unsubscriptions); // [MQTT-3.10.3-2]
      return checkStrings(packet.cmd, body, 2, packet.unsubscriptions.map(() => "string" as const));
    case "connect":
      return checkConnect(packet, body);
    case "pingreq":
    case "disconnect":
      return requireLength(packet.cmd, body, 0);
    default:
      throw new MqttError("protocol-error", `${(packet as AnyPacket).cmd.toUpperCase()} is not for a client to send`);
  }
}

function checkPublish(packet: PublishPacket, body: Buffer): void {
  const { topic, qos, dup } = packet;
  const fault = topicNameFault(topic);
  if (fault) throw malformed(fault);
  if (topic.includes("\ufffd")) requireUtf8("Topic name", body.subarray(2, 2 + body.readUInt16BE(0))); // [MQTT-3.3.2-1]
  if (qos > 0) requirePacketId(packet.cmd, packet.messageId);
  else if (dup) throw malformed("PUBLISH has DUP set at QoS 0"); // [MQTT-3.3.1-2]
  const mutable = packet as { payload: Uint8Array; messageId: number };
  mutable.messageId ??= 0;
  mutable.payload = Buffer.from(mutable.payload); // a view of the read buffer would change under whoever keeps it
}

function checkConnect(packet: ConnectPacket, body: Buffer): void {
  const nameLength = 2 + body.readUInt16BE(0);
  const { will, username, password } = packet;
  if (password !== undefined && username === undefined) throw malformed("CONNECT has a password and no user name"); // [MQTT-3.1.2-22]
  if (will) {
    if (will.qos > 2) throw malformed(`Will QoS is ${will.qos}, not 0, 1 or 2`); // [MQTT-3.1.2-14]
    const fault = topicNameFault(will.topic);
    if (fault) throw malformed(`Will: ${fault}`);
  }
  checkStrings(packet.cmd, body, nameLength + 4, [
    "string", // client identifier
    ...will ? ["string", "binary"] as const : [],
    ...username !== undefined ? ["string"] as const : [],
    ...password !== undefined ? ["binary"] as const : [],
  ]);
  // Copies: a view would change with the next read.
  const mutable = packet as { will?: { payload: Uint8Array }; password?: Uint8Array };
  if (mutable.will) mutable.will.payload = Buffer.from(mutable.will.payload);
  if (mutable.password) mutable.password = Buffer.from(mutable.password);
}

/** Walks the length-prefixed fields of a body: strings are UTF-8 without U+0000, and nothing follows the last field. */
function checkStrings(cmd: string, body: Buffer, start: number, fields: ("string" | "string+byte" | "binary")[]): void {
  let at = start;
  for (const field of fields) {
    const end = at + 2 + body.readUInt16BE(at);
    if (field !== "binary") requireUtf8(`String of a ${cmd.toUpperCase()}`, body.subarray(at + 2, end));
    at = field === "string+byte" ? end + 1 : end;
  }
  if (at !== body.length) throw malformed(`${cmd.toUpperCase()} goes on for ${body.length - at} bytes after its end`);
}

function requireUtf8(what: string, bytes: Uint8Array): void {
  try {
    utf8.decode(bytes);
  } catch {
    throw malformed(`${what} is not well-formed UTF-8`); // [MQTT-1.5.3-1]
  }
  if (bytes.includes(0)) throw malformed(`${what} holds U+0000`); // [MQTT-1.5.3-2]
}

function requireFilter(filter: string): void {
  const fault = topicFilterFault(filter);
  if (fault) throw malformed(fault);
}

function requirePacketId(cmd: string, id: number | undefined): void {
  if (!id || id < 0) throw malformed(`Packet identifier of a ${cmd.toUpperCase()} is ${id === 0 ? "0" : "missing"}`);
}

function requireSome(cmd: string, list: readonly unknown[]): void {
  if (list.length === 0) throw malformed(`${cmd.toUpperCase()} holds no topic filter`);
}

function requireLength(cmd: string, body: Buffer, length: number): void {
  if (body.length !== length) {
    throw malformed(`Remaining length of ${cmd.toUpperCase()} is ${body.length}, not ${length}`);
  }
}

function malformed(message: string): MqttError {
  return new MqttError("malformed-packet", message);
}
