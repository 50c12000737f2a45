// Reads PUBLISH, the packet that all others are there for, by hand: that takes a tenth of the time of a general parser.
import { Buffer } from "node:buffer";
import { MqttError } from "../errors.ts";
import type { QoS } from "../message.ts";
import type { ProtocolLevel, PublishPacket } from "./packet.ts";
import { requireResponseTopic } from "./inspect.ts";
import { readProperties } from "./properties.ts";
import { Reader } from "./reader.ts";
import type { TopicNames } from "./topic_names.ts";

/**
 * The PUBLISH in a frame whose body begins at `start` (3.1.1 and 5.0 section 3.3). The payload is a copy: it may be kept.
 *
 * @throws {MqttError} where the frame breaks a rule of the standard
 */
export function decodePublish(frame: Buffer, start: number, level: ProtocolLevel, topics: TopicNames): PublishPacket {
  const header = frame[0]!, qos = header >> 1 & 3, dup = (header & 8) !== 0;
  if (qos === 3) throw malformed("has both QoS bits set"); // [MQTT-3.3.1-4]
  if (dup && qos === 0) throw malformed("has DUP set at QoS 0"); // [MQTT-3.3.1-2]
  if (start + 2 > frame.length) throw malformed("ends too early");
  const topicEnd = start + 2 + (frame[start]! << 8 | frame[start + 1]!);
  let at = topicEnd + (qos > 0 ? 2 : 0);
  if (at > frame.length) throw malformed("ends too early");
  const messageId = qos > 0 ? frame[topicEnd]! << 8 | frame[topicEnd + 1]! : 0;
  if (qos > 0 && messageId === 0) throw malformed("has 0 as its packet identifier"); // [MQTT-2.3.1-1]
  let properties;
  if (level === 5) {
    const reader = new Reader("PUBLISH", frame.subarray(at));
    properties = readProperties(reader, "publish");
    requireResponseTopic(reader, properties);
    if (topicEnd === start + 2 && properties?.topicAlias === undefined) {
      throw reader.protocolError("has neither a topic name nor a topic alias"); // 5.0 section 3.3.2.1
    }
    at += reader.position;
  }
  // An empty name is one that an alias stands for: the connection knows which.
  const topic = topicEnd === start + 2 && properties?.topicAlias ? "" : topics.read(frame, start + 2, topicEnd);
  return {
    cmd: "publish",
    topic,
    payload: Buffer.from(frame.subarray(at)),
    qos: qos as QoS,
    retain: (header & 1) !== 0,
    dup,
    messageId,
    ...properties && { properties },
  };
}

function malformed(fault: string): MqttError {
  return new MqttError("malformed-packet", `PUBLISH ${fault}`);
}
