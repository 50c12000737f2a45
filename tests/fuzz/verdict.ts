// What is right after a run, told from the bytes of each client, from the broker's events, and from what others have seen.
import { assert, assertEquals } from "@std/assert";
import type { BrokerEvent } from "../../mod.ts";
import type { Reading } from "./codec_target.ts";
import type { PacketLike } from "../support/client.ts";
import type { Peer } from "./peer.ts";

/** What only bytes can be blamed for. */
const faultsOfBytes = ["malformed-packet", "unsupported-protocol-version", "packet-too-large"];

/** Asserts that a connection has ended for the fault of its bytes, or for another reason, or goes on. */
export function requireReason(peer: Peer, { fault }: Reading, events: readonly BrokerEvent[], inTime: boolean): void {
  const endings = events.filter((event) =>
    (event.type === "refused" || event.type === "disconnected") && event.remote === peer.name
  ) as Extract<BrokerEvent, { type: "refused" | "disconnected" }>[];
  assert(endings.length < 2, `A connection has ended twice: ${endings.map(({ reason }) => reason)}`);
  const [ending] = endings;
  if (ending && faultsOfBytes.includes(ending.reason) && !ending.detail.endsWith("too large for the client")) {
    const found = { reason: ending.reason, message: ending.detail };
    assertEquals(found, fault, "A connection has ended for a fault that its bytes do not have");
  }
  const unread = peer.stalled || peer.gone || peer.unwritten > 0 || !inTime;
  assert(ending || peer.over || !fault || unread, `A connection goes on: ${fault?.message}`);
}

/**
 * Asserts that no packet to the client was larger than it takes [MQTT5-3.1.2-24], and that no more messages came than it has
 * acknowledged, and then its receive maximum [MQTT5-3.3.4-9]. @param inflight the broker's own limit
 */
export function requireTerms({ largest, begun }: Peer, { packets }: Reading, inflight = 100): void {
  const { properties } = (packets[0] ?? {}) as Partial<PacketLike>, maximum = properties?.maximumPacketSize ?? Infinity;
  assert(largest <= maximum, `A packet of ${largest} bytes came to a client that takes ${maximum}`);
  const window = Math.min(inflight, properties?.receiveMaximum ?? Infinity);
  const settled = packets.filter(({ cmd }) => cmd === "puback" || cmd === "pubrec" || cmd === "pubcomp").length;
  assert(
    begun <= window + settled,
    `${begun} messages came to a client that takes ${window} and has settled ${settled}`,
  );
}

/** What a client publishes. */
interface Published {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Every message that the clients have published, or left as their will. */
export function messagesOf(readings: readonly Reading[]): Published[] {
  return readings.flatMap(({ packets }) => packets).flatMap((packet): Published[] => {
    if (packet.cmd === "publish") return [packet];
    return packet.cmd === "connect" && packet.will ? [packet.will] : [];
  });
}

/** The client identifiers that have no session once their connections are gone. */
export function cleanClients(events: readonly BrokerEvent[], readings: ReadonlyMap<string, Reading>): Set<string> {
  const clean = new Set<string>();
  for (const event of events) {
    if (event.type !== "connected") continue;
    const { properties } = (readings.get(event.remote)?.packets[0] ?? {}) as Partial<PacketLike>;
    const ends = event.protocolLevel === 5 ? !properties?.sessionExpiryInterval : event.clean;
    if (ends) clean.add(event.client);
    else clean.delete(event.client);
  }
  return clean;
}

/** Every client identifier that was let in. */
export function clientsOf(events: readonly BrokerEvent[]): Set<string> {
  return new Set(events.filter((event) => event.type === "connected").map(({ client }) => client));
}
