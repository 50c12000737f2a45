// Every packet of every client, for whoever wants to watch; nothing while nobody does.
import type { ClientPacket, Packet, PublishPacket } from "../codec/packet.ts";
import { Source } from "../operators/source.ts";

/** A packet that went over a connection. */
export interface PacketTrace {
  readonly direction: "in" | "out";
  /** The client, or its address until it has said who it is. */
  readonly client: string;
  readonly packet: Packet;
}

/** Whose label is made where it is wanted: that of a stranger is an address, put together each time. */
interface Labelled {
  readonly label: string;
}

/** The packets of all connections of a broker. Who observes them may keep them: what they show is no longer in a buffer. */
export class Trace extends Source<PacketTrace> {
  /** Shows a packet of a client. */
  received(from: Labelled, packet: ClientPacket): void {
    if (!this.observed) return;
    this.next({ direction: "in", client: from.label, packet: packet.cmd === "publish" ? kept(packet) : packet });
  }

  /** Shows a packet to a client. */
  sent(to: Labelled, packet: Packet): void {
    if (this.observed) this.next({ direction: "out", client: to.label, packet });
  }
}

function kept({ cmd, topic, payload, qos, retain, dup, messageId, properties }: PublishPacket): PublishPacket {
  return { cmd, topic, payload: new Uint8Array(payload), qos, retain, dup, messageId, properties };
}
