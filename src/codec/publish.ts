// Reads PUBLISH, the packet that all others are there for, by hand: that takes a tenth of the time of a general parser.
import type { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import type { QoS } from "../message.ts";
import { topicNameFault } from "../topics/filter.ts";
import type { Frame } from "./frame.ts";
import type { ProtocolLevel, ReceivedPublish } from "./packet.ts";
import { type Properties, readProperties } from "./properties.ts";
import { Reader } from "./reader.ts";
import type { TopicNames } from "./topic_names.ts";

class Received implements ReceivedPublish {
  readonly cmd = "publish";

  constructor(
    readonly topic: string,
    readonly qos: QoS,
    readonly retain: boolean,
    readonly dup: boolean,
    readonly messageId: number,
    readonly properties: Properties | undefined,
    readonly bytes: Buffer,
    readonly start: number,
    readonly end: number,
  ) {}

  get payload(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }
}

/**
 * The PUBLISH in a frame (section 3.3).
 *
 * @throws {MqttError} where the frame breaks a rule of the standard
 */
export function decodePublish(frame: Frame, level: ProtocolLevel, topics: TopicNames): ReceivedPublish {
  const { bytes, start, body, end } = frame;
  const header = bytes[start]!, qos = header >> 1 & 3, dup = (header & 8) !== 0, retain = (header & 1) !== 0;
  if (qos === 3) throw malformed("has both QoS bits set"); // [MQTT-3.3.1-4]
  if (dup && qos === 0) throw malformed("has DUP set at QoS 0"); // [MQTT-3.3.1-2]
  if (body + 2 > end) throw malformed("ends too early");
  const topicEnd = body + 2 + (bytes[body]! << 8 | bytes[body + 1]!);
  let at = topicEnd + (qos > 0 ? 2 : 0);
  if (at > end) throw malformed("ends too early");
  const messageId = qos > 0 ? bytes[topicEnd]! << 8 | bytes[topicEnd + 1]! : 0;
  if (qos > 0 && messageId === 0) throw malformed("has 0 as its packet identifier"); // [MQTT-2.3.1-1]
  let properties: Properties | undefined;
  if (level === 5 && bytes[at] === 0 && at < end) at++; // no properties
  else if (level === 5) {
    const reader = new Reader("PUBLISH", bytes.subarray(at, end));
    properties = readProperties(reader, "publish");
    requireResponseTopic(reader, properties);
    at += reader.position;
  }
  const nameless = level === 5 && topicEnd === body + 2; // an alias stands for it: the connection knows which
  if (nameless && properties?.topicAlias === undefined) { // 5.0 section 3.3.2.1
    throw new MqttError("protocol-error", "PUBLISH has neither a topic name nor a topic alias");
  }
  const topic = nameless ? "" : topics.read(bytes, body + 2, topicEnd);
  return new Received(topic, qos as QoS, retain, dup, messageId, properties, bytes, at, end);
}

/** A response topic is a topic name [MQTT5-3.3.2-14]. */
export function requireResponseTopic(reader: Reader, properties: Properties | undefined): void {
  if (properties?.responseTopic === undefined) return;
  const fault = topicNameFault(properties.responseTopic);
  if (fault) throw reader.protocolError(`has a faulty response topic: ${fault}`);
}

function malformed(fault: string): MqttError {
  return new MqttError("malformed-packet", `PUBLISH ${fault}`);
}
