// Packets cut in two at every byte, as a network may cut them, and as an attacker will: what comes of them is the same as of whole ones.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Broker, createBroker } from "../../mod.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import { authPacket, toy } from "../conformance5/toy.ts";
import type { PacketLike } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { bytes } from "./bytes.ts";
import { soon } from "./soon.ts";
import { Tap } from "./tap.ts";

const will = { topic: "w", payload: Buffer.from("gone"), qos: 1, retain: false };
const user = { userProperties: { name: ["value", "another"] } };
const properties = {
  ...user,
  payloadFormatIndicator: true,
  messageExpiryInterval: 100,
  contentType: "text/plain",
  responseTopic: "r",
  correlationData: Buffer.from("id"),
};

/** Every packet that a client may send behind its CONNECT; with `v5` those of 5.0 with all that they may hold. */
function packets(v5: boolean): PacketLike[] {
  const own = v5 ? { properties } : {},
    reason = v5 ? { reasonCode: 0, properties: { ...user, reasonString: "so" } } : {};
  const publish = (qos: number, messageId?: number): PacketLike => {
    return { cmd: "publish", topic: "cut/é", payload: "payload", qos, messageId, ...own };
  };
  return [
    { cmd: "subscribe", messageId: 3, subscriptions: [{ topic: "cut/+", qos: 2 }], ...v5 && { properties: user } },
    publish(0),
    publish(1, 1),
    publish(2, 2),
    { cmd: "pubrel", messageId: 2, ...reason },
    { cmd: "puback", messageId: 1, ...reason }, // of the delivery, as all that follow
    { cmd: "pubrec", messageId: 2, ...reason },
    { cmd: "pubcomp", messageId: 2, ...reason },
    { cmd: "unsubscribe", messageId: 4, unsubscriptions: ["cut/+"], ...v5 && { properties: user } },
    { cmd: "pingreq" },
    { cmd: "disconnect", ...v5 && { reasonCode: 4, properties: { ...user, sessionExpiryInterval: 0 } } },
  ];
}

const login = { cmd: "connect", clientId: "c", username: "u", password: Buffer.from("p"), will } as const;
const opening = { ...user, sessionExpiryInterval: 1, receiveMaximum: 10, topicAliasMaximum: 5 };

/** What a client says in one go; then it awaits an answer. */
const conversations: Readonly<Record<string, readonly Buffer[]>> = {
  "MQTT 3.1": [said(3, { ...login, protocolId: "MQIsdp" }, ...packets(false))],
  "MQTT 3.1.1": [said(4, login, ...packets(false))],
  "MQTT 5.0": [
    said(5, {
      ...login,
      properties: { ...opening, authenticationMethod: "toy", authenticationData: Buffer.from("ann:1") },
      will: { ...will, properties: { ...properties, willDelayInterval: 1 } },
    }),
    said(5, authPacket("2")),
    said(5, ...packets(true)),
  ],
};

function said(level: ProtocolLevel, ...packets: readonly PacketLike[]): Buffer {
  return Buffer.concat(packets.map((packet) => bytes(packet, level)));
}

/** Cuts a conversation into pieces in front of the bytes for which `cut` is true; parts are what is said in one go. */
function pieces(parts: readonly Buffer[], cut: (at: number) => boolean): Buffer[][] {
  let at = 0;
  return parts.map((part) => {
    const pieces: Buffer[] = [];
    let start = 0;
    for (let i = 1; i <= part.length; i++) {
      if (i < part.length && !cut(at + i)) continue;
      pieces.push(part.subarray(start, i));
      start = i;
    }
    at += part.length;
    return pieces;
  });
}

/** Holds a conversation, each piece of which the broker reads for itself; resolves to all that comes of it. */
async function outcome(broker: Broker, tap: Tap, parts: readonly (readonly Buffer[])[]): Promise<unknown[]> {
  const seen: unknown[] = [];
  const watching = [
    broker.published.subscribe((m) => seen.push([m.topic, m.qos, m.properties, m.text()])),
    broker.events.subscribe((event) => seen.push({ ...event, remote: "" })),
  ];
  const { peer, served } = await tap.connect();
  let sent = 0;
  for (const [i, pieces] of parts.entries()) {
    const heard = peer.received.length;
    for (const piece of pieces) {
      await peer.send(piece);
      await served.read(sent += piece.length);
    }
    if (i < parts.length - 1) await peer.receive(heard + 1);
  }
  await soon(Promise.all([peer.ended, served.over]), "the end");
  for (const subscription of watching) subscription.unsubscribe();
  return [peer.received.toString("hex"), ...seen];
}

for (const [version, parts] of Object.entries(conversations)) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  Deno.test(`${version}: a conversation with every packet ends the same, wherever it is cut in two`, async () => {
    await using broker = createBroker({ authenticationMethods: { toy }, clock: new VirtualClock() });
    await using tap = new Tap(broker);
    const whole = await outcome(broker, tap, pieces(parts, () => false));
    assertEquals(broker.counters.get("disconnected/disconnect"), 1);
    for (let at = 1; at < length; at++) {
      assertEquals(await outcome(broker, tap, pieces(parts, (i) => i === at)), whole, `Cut at ${at} of ${length}`);
    }
    assertEquals(await outcome(broker, tap, pieces(parts, () => true)), whole, "Each byte for itself");
  });
}
