// From a packet to bytes. A PUBLISH is encoded once per quality of service and RETAIN flag and shared by all its subscribers:
// each of them copies the bytes into its outbox and puts its own packet identifier in.
import { Buffer } from "node:buffer";
import type { Message, QoS } from "../message.ts";
import { generate, type Packet as AnyPacket } from "./mqtt_packet.ts";
import type { ServerPacket } from "./packet.ts";

/** The bytes of a packet. */
export function encode(packet: ServerPacket): Uint8Array {
  return generate(packet as AnyPacket);
}

/** The bytes of a PUBLISH, and where its packet identifier goes (0 at QoS 0, which has none). */
export interface PublishFrame {
  readonly bytes: Uint8Array;
  readonly idAt: number;
}

/** Encodes the PUBLISH packets of the message that is being delivered, each variant of them once. */
export class PublishEncoder {
  #message: Message | undefined;
  #frames: (PublishFrame | undefined)[] = [];

  /** The frame with DUP 0 and no packet identifier yet. */
  frame(message: Message, qos: QoS, retain: boolean): PublishFrame {
    if (message !== this.#message) {
      this.#message = message;
      this.#frames = [];
    }
    return this.#frames[qos * 2 + Number(retain)] ??= encodePublish(message, qos, retain);
  }
}

function encodePublish({ topic, payload }: Message, qos: QoS, retain: boolean): PublishFrame {
  const view = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const bytes = generate({ cmd: "publish", topic, payload: view, qos, dup: false, retain, messageId: 1 });
  return { bytes, idAt: qos === 0 ? 0 : bytes.length - payload.length - 2 };
}
