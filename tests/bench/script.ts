// A client without a socket: what it says is a script, what it hears is only counted. So what is measured is the
// broker.
import type { Broker, ByteStream } from "../../mod.ts";
import { PacketWriter } from "./wire.ts";

/** The other end of a connection of the broker. */
export class ScriptedClient implements ByteStream {
  readonly remote = "script";
  /** Bytes that it was sent. */
  heard = 0;
  readonly ended: Promise<void>;
  #rest: Uint8Array | undefined;
  #closed = false;
  /** What the broker's next read waits for. */
  #said = Promise.withResolvers<void>();
  /** What `say` waits for. */
  #taken = Promise.withResolvers<void>();

  private constructor(broker: Broker) {
    this.ended = broker.accept(this);
  }

  /** A client that is connected when this resolves. */
  static async connect(broker: Broker, id: string, clean = true): Promise<ScriptedClient> {
    const client = new ScriptedClient(broker);
    await client.tell((packets) => packets.connect(id, clean));
    return client;
  }

  /** Sends packets of MQTT 3.1.1, and resolves when the broker has handled them. */
  tell(write: (packets: PacketWriter) => void): Promise<void> {
    return this.say(script(write));
  }

  /** Sends bytes, and resolves when the broker has handled them. */
  say(bytes: Uint8Array): Promise<void> {
    this.#rest = bytes;
    this.#taken = Promise.withResolvers();
    this.#said.resolve();
    return this.#taken.promise;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (!this.#rest && !this.#closed) {
      this.#said = Promise.withResolvers();
      this.#taken.resolve();
      await this.#said.promise;
    }
    const bytes = this.#rest;
    if (!bytes || this.#closed) return null;
    const count = Math.min(bytes.length, buffer.length);
    buffer.set(bytes.subarray(0, count));
    this.#rest = count < bytes.length ? bytes.subarray(count) : undefined;
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.heard += bytes.length;
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    this.#said.resolve();
    this.#taken.resolve();
  }
}

/** The bytes of packets of MQTT 3.1.1. */
export function script(write: (packets: PacketWriter) => void): Uint8Array {
  const packets = new PacketWriter(4);
  write(packets);
  return packets.take();
}
