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

/** The packets of all connections of a broker. Who observes them may keep them: what they show is no longer in a buffer. */
export class Trace extends Source<PacketTrace> {
  /** Shows a packet of a client; not to be called while nobody observes. */
  received(client: string, packet: ClientPacket): void {
    this.next({ direction: "in", client, packet: packet.cmd === "publish" ? kept(packet) : packet });
  }

  /** Shows a packet to a client; not to be called while nobody observes. */
  sent(client: string, packet: Packet): void {
    this.next({ direction: "out", client, packet });
  }
}

function kept({ cmd, topic, payload, qos, retain, dup, messageId, properties }: PublishPacket): PublishPacket {
  return { cmd, topic, payload: new Uint8Array(payload), qos, retain, dup, messageId, properties };
}
