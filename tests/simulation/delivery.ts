// One message for one session: whether a PUBLISH is it, and whether it may be missing.
import type { PacketLike } from "../support/client.ts";
import type { Deliveries } from "./deliveries.ts";
import { type Published, shortened } from "./history.ts";

/** A topic and a text that are shorter fit into the packets that any client of a run takes. */
const LARGE = 200;

/** A message that the broker has accepted. */
export interface Accepted extends Published {
  /** In milliseconds; `Infinity` for never. */
  readonly expiresAt: number;
}

/** How a session gets a message. */
export interface Terms {
  readonly qos: number;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
}

/** One message for a shared subscription: one of the members gets it. */
export interface Share {
  readonly name: string;
  readonly message: Accepted;
  readonly candidates: Set<Deliveries>;
  taken: boolean;
  /** There was a way for it to be lost. */
  mayBeLost: boolean;
  /** It may come at any place, for it may have been another member's before. */
  loose: boolean;
}

/** The retained messages for a new subscription: they come in any order, and only those that are still retained. */
export interface Replay {
  retains(message: Accepted): boolean;
}

/** The current step, and its time in milliseconds. */
export interface Moment {
  step: number;
  now: number;
}

/** Where a delivery comes from, if not from a subscription of the session's own. */
export interface Origin {
  readonly share?: Share;
  readonly replay?: Replay;
}

/** A message for a session. */
export interface Delivery extends Origin {
  readonly message: Accepted;
  readonly terms: Terms;
  readonly step: number;
  /** Its place among all. */
  readonly place: number;
  optional: boolean;
  /** The broker has told that it has dropped some like this one. */
  doubtful: boolean;
  /** It may have been sent over an earlier connection. */
  offered: boolean;
  /** It was seen being sent. */
  written: boolean;
  /** It has been sent over this connection. */
  sent: boolean;
  packetId: number | undefined;
}

/** What the broker tells of messages that it has dropped. */
export interface Drop {
  readonly reason: string;
  readonly topic: string | undefined;
  readonly count: number;
}

/** A PUBLISH as it comes. */
export interface Arrival {
  readonly packet: PacketLike;
  readonly topic: string;
  readonly text: string;
  /** The version of MQTT. */
  readonly level: number;
  /** Since when the broker may have had it ready, and when it is written. */
  readonly since: number;
  readonly now: number;
}

/** What a delivery is called in words. */
export function nameOf({ message: { text, topic } }: Delivery): string {
  return shortened(text || `nothing on ${topic}`);
}

/** Whether it may be one of those that the broker has dropped. */
export function isDropped(one: Delivery, { reason, topic }: Drop, { step, now }: Moment): boolean {
  const { message, replay, share } = one;
  if (one.sent || (topic === undefined ? !replay : message.topic !== topic)) return false;
  const large = message.topic.length + message.text.length > LARGE;
  return reason === "queue-full" && (one.step === step || share?.loose) ||
    reason === "expired" && message.expiresAt <= now || reason === "packet-too-large" && large;
}

/** Whether it may be that it never comes. */
export function mayBeMissing({ optional, replay, message }: Delivery): boolean {
  return optional || replay !== undefined && !replay.retains(message);
}

/** It may be missing: one like it has come, or one has been dropped, and nobody can tell which. */
export function doubt(delivery: Delivery): void {
  delivery.optional = true;
  if (delivery.share) delivery.share.mayBeLost = delivery.share.loose = true;
}

/** One of those who share a message has got it. */
export function take(share: Share, delivery: Delivery): void {
  share.taken = delivery.sent = true;
  for (const candidate of share.candidates) candidate.forgo(share);
}

/** What keeps a PUBLISH from being this delivery; `mixed`: some were seen in 3.1.1, where properties do not show. */
export function misfit(delivery: Delivery, arrival: Arrival, mixed: boolean): string | undefined {
  const { message, terms, offered, written, packetId } = delivery, { packet, topic, text, level, since, now } = arrival;
  const { qos, retain, dup, messageId, properties = {} } = packet;
  if (delivery.sent || message.topic !== topic || message.text !== text) return "another message";
  if (packetId !== undefined && packetId !== messageId) return `the packet identifier ${messageId}, not ${packetId}`;
  if (terms.qos !== qos || terms.retain !== retain) return `QoS ${qos}, RETAIN ${retain}, not ${JSON.stringify(terms)}`;
  if (dup !== written && !(dup && offered)) return `DUP ${dup}`;
  if (message.expiresAt <= since && !dup) return "no time left";
  if (level < 5 || mixed) return undefined;
  const { contentType, messageExpiryInterval: left = Infinity, subscriptionIdentifier = [] } = properties;
  const identifiers = [subscriptionIdentifier].flat().toSorted((a, b) => a - b);
  if (String(identifiers) !== String(terms.identifiers)) {
    return `the identifiers ${identifiers}, not ${terms.identifiers}`;
  }
  if (contentType !== message.contentType) return `the content type ${contentType}, not ${message.contentType}`;
  const seconds = (at: number) => Math.max(0, Math.ceil((message.expiresAt - at) / 1000));
  if (left < seconds(now) || left > seconds(since)) return `${left} s left, not ${seconds(since)}`;
}
