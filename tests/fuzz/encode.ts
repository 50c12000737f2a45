// Packets of a client as trees, written by the book (3.1.1 section 3, 5.0 section 3) and by nothing of the broker's: what the
// decoder makes of such bytes has to be the packet that they were written from.
import type { ClientPacket, ConnectPacket, ProtocolLevel } from "../../src/codec/packet.ts";
import type { Properties } from "../../src/codec/properties.ts";
import { type Branch, branch, counted, leaf, type Node, number, varint } from "./tree.ts";

/** A packet that can be written: a PUBLISH needs no read buffer here. */
export type WritablePacket = Exclude<ClientPacket, { cmd: "publish" }> | {
  readonly cmd: "publish";
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly messageId: number;
  readonly properties?: Properties | undefined;
};

type Writer = (value: never) => Node;
const flag = (value: boolean) => number(Number(value), 1, "flags");
const uint16 = (value: number) => number(value, 2), uint32 = (value: number) => number(value, 4);
const integer = (value: number) => leaf("number", varint(value));

/** The properties that a client may send: identifier, and how the value is written (5.0 section 2.2.2.2). */
export const properties: Readonly<Record<keyof Properties, readonly [id: number, write: Writer]>> = {
  payloadFormatIndicator: [1, flag],
  messageExpiryInterval: [2, uint32],
  contentType: [3, counted],
  responseTopic: [8, counted],
  correlationData: [9, counted],
  subscriptionIdentifier: [11, integer],
  sessionExpiryInterval: [17, uint32],
  authenticationMethod: [21, counted],
  authenticationData: [22, counted],
  requestProblemInformation: [23, flag],
  willDelayInterval: [24, uint32],
  requestResponseInformation: [25, flag],
  reasonString: [31, counted],
  receiveMaximum: [33, uint16],
  topicAliasMaximum: [34, uint16],
  topicAlias: [35, uint16],
  userProperties: [38, ([name, value]: readonly [string, string]) => branch("none", counted(name), counted(value))],
  maximumPacketSize: [39, uint32],
};

const firstBytes = { connect: 0x10, subscribe: 0x82, unsubscribe: 0xa2, pingreq: 0xc0, disconnect: 0xe0, auth: 0xf0 };
const acks = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

/** A packet behind its first byte and its remaining length (section 2.2). */
function packet(first: number, ...fields: readonly Node[]): Branch {
  return branch("none", number(first, 1, "header"), branch("varint", ...fields));
}

/** The packet as a tree. */
export function treeOf(written: WritablePacket, level: ProtocolLevel): Branch {
  switch (written.cmd) {
    case "connect":
      return connectTree(written);
    case "publish": {
      const { qos, retain, dup, topic, messageId, payload } = written;
      const id = qos > 0 ? [uint16(messageId)] : [], about = propertyTrees(written.properties, level);
      const first = 0x30 | Number(dup) << 3 | qos << 1 | Number(retain);
      return packet(first, counted(topic), ...id, ...about, leaf("raw", payload));
    }
    case "subscribe": {
      const filters = written.subscriptions.flatMap(({ topic, qos, nl = false, rap = false, rh = 0 }) => [
        counted(topic),
        number(level < 5 ? qos : qos | Number(nl) << 2 | Number(rap) << 3 | rh << 4, 1, "flags"),
      ]);
      return packet(0x82, uint16(written.messageId), ...propertyTrees(written.properties, level), ...filters);
    }
    case "unsubscribe": {
      const about = propertyTrees((written as { properties?: Properties }).properties, level);
      return packet(0xa2, uint16(written.messageId), ...about, ...written.unsubscriptions.map(counted));
    }
    case "disconnect":
    case "auth":
      return packet(firstBytes[written.cmd], ...reasonTrees(written, level));
    case "pingreq":
      return packet(0xc0);
    case "pingresp":
      return packet(0xd0);
    default:
      return packet(acks[written.cmd], uint16(written.messageId), ...reasonTrees(written, level));
  }
}

function connectTree(
  { protocolVersion, clean, keepalive, clientId, will, username, password, ...rest }: ConnectPacket,
) {
  const flags = Number(clean) << 1 |
    (will ? 0x04 | will.qos << 3 | Number(will.retain) << 5 : 0) |
    (password ? 0x40 : 0) | (username !== undefined ? 0x80 : 0);
  return packet(
    firstBytes.connect,
    counted(protocolVersion === 3 ? "MQIsdp" : "MQTT"),
    number(protocolVersion, 1, "flags"),
    number(flags, 1, "flags"),
    uint16(keepalive),
    ...propertyTrees(rest.properties, protocolVersion),
    counted(clientId),
    ...will ? [...propertyTrees(will.properties, protocolVersion), counted(will.topic), counted(will.payload)] : [],
    ...username === undefined ? [] : [counted(username)],
    ...password ? [counted(password)] : [],
  );
}

/** What 5.0 may add to an acknowledgement: nothing where the reason code is 0 and there are no properties. */
function reasonTrees({ reasonCode = 0, properties }: ReasonLike, level: ProtocolLevel): Node[] {
  if (level < 5 || reasonCode === 0 && !properties) return [];
  const code = number(reasonCode, 1, "flags");
  return properties ? [code, ...propertyTrees(properties, level)] : [code];
}

interface ReasonLike {
  readonly reasonCode?: number;
  readonly properties?: object;
}

/** Properties behind their length; nothing up to 3.1.1. */
function propertyTrees(given: object | undefined, level: ProtocolLevel): Node[] {
  if (level < 5) return [];
  const one = ([name, value]: [string, unknown]) => {
    const [id, write] = properties[name as keyof Properties], values = name === "userProperties" ? value : [value];
    return (values as never[]).map((value) => branch("none", number(id, 1, "property"), write(value)));
  };
  return [branch("varint", ...Object.entries(given ?? {}).flatMap(one))];
}
