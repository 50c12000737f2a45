// A client that does not read for a while, so that its messages pile up in the broker: how many go to its outbox and how many wait
// behind that is the same each time.
import { assertEquals } from "@std/assert";
import type { Broker } from "../../src/broker.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import type { QoS } from "../../src/message.ts";
import { type PacketLike, TestClient } from "./client.ts";

/** With this outbox two of the messages of `publishLarge` are on their way to a client that does not read; the next ones wait. */
export const outbox = "1KiB", ON_THE_WAY = 2;

/** Publishes messages of about 1 KiB, each in a turn of its own: `topic=text`. */
export async function publishLarge(broker: Broker, qos: QoS, ...all: readonly string[]): Promise<void> {
  for (const one of all) {
    const [topic = "", text = ""] = one.split("=");
    await broker.publish(topic, text.padEnd(1000), { qos });
  }
}

/** One end of a connection, of which reading can be held back. */
class Valve implements ByteStream {
  readonly #stream: ByteStream;
  #opened: PromiseWithResolvers<void> | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  get remote(): string {
    return this.#stream.remote;
  }

  shut(): void {
    this.#opened ??= Promise.withResolvers();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    await this.#opened?.promise;
    return this.#stream.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): void {
    this.open();
    this.#stream.close();
  }
}

/** A client that can stop to read. Few bytes fit on their way, so that a write to it waits from the first message on. */
export class SlowClient extends TestClient {
  readonly #valve: Valve;

  private constructor(valve: Valve) {
    super(valve);
    this.#valve = valve;
  }

  /** A connected client, which reads. */
  static async connected(broker: Broker, clientId: string, options: Partial<PacketLike> = {}): Promise<SlowClient> {
    const [ours, theirs] = memoryPair(64);
    broker.accept(theirs);
    const client = new SlowClient(new Valve(ours));
    await client.connect({ clientId, ...options });
    return client;
  }

  /** Reads nothing more from here on. */
  async stall(): Promise<void> {
    this.#valve.shut();
    await this.expectNothing(); // a read was under way: its answer is the last thing that is read
  }

  /** Reads again. */
  resume(): void {
    this.#valve.open();
  }

  /** Reads again, and asserts that it gets messages with these texts, in this order, and no other ones. */
  async expectTexts(texts: readonly string[]): Promise<void> {
    this.resume();
    const got: string[] = [];
    while (got.length < texts.length) got.push(`${(await this.expect({ cmd: "publish" })).payload}`.trim());
    assertEquals(got, texts);
    await this.expectNothing();
  }
}
