// A look at what a broker gets of each real connection: how many bytes it has read, and how its reading ended. By this a test cuts
// packets where it wants to, and knows that a reset was one.
import type { Broker } from "../../mod.ts";
import { listenTcp } from "../../src/transport/tcp.ts";
import type { Acceptor, ByteStream } from "../../src/transport/transport.ts";
import { Peer } from "./peer.ts";
import { soon } from "./soon.ts";

/** The broker's side of a connection. */
export class Served {
  /** How the broker's reading has ended: an error, or nothing at the end of the stream; or a reset that a write was told first. */
  readonly lost: Promise<unknown>;
  /** Resolves when the broker has nothing to do with the connection any more: its socket is closed. */
  readonly over: Promise<void>;
  readonly #lost = Promise.withResolvers<unknown>();
  #count = 0;
  #largestWrite = 0;
  #changed = Promise.withResolvers<void>();

  constructor(broker: Broker, stream: ByteStream) {
    this.lost = this.#lost.promise;
    const write = (bytes: Uint8Array) => {
      this.#largestWrite = Math.max(this.#largestWrite, bytes.length);
      return stream.write(bytes).catch((error) => {
        if (error instanceof Deno.errors.ConnectionReset) this.#lost.resolve(error); // the system tells it once
        throw error;
      });
    };
    this.over = broker.accept({
      remote: stream.remote,
      read: (buffer) => this.#read(stream, buffer),
      write,
      closeWrite: () => stream.closeWrite(),
      close: () => stream.close(),
    });
  }

  /** How many bytes the broker has read. */
  get count(): number {
    return this.#count;
  }

  /** How many bytes the broker has written at once, at most. */
  get largestWrite(): number {
    return this.#largestWrite;
  }

  /** Resolves when the broker has read so many bytes, or the connection is over. */
  async read(count: number): Promise<void> {
    const over = this.over.then(() => true);
    while (this.#count < count) {
      if (await soon(Promise.race([this.#changed.promise, over]), `byte ${count} to be read`)) return;
    }
  }

  async #read(stream: ByteStream, buffer: Uint8Array): Promise<number | null> {
    try {
      const count = await stream.read(buffer);
      if (count === null) this.#lost.resolve(undefined);
      else this.#note(count);
      return count;
    } catch (error) {
      this.#lost.resolve(error);
      throw error;
    }
  }

  #note(count: number): void {
    this.#count += count;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}

/** A TCP port of a broker. */
export class Tap implements AsyncDisposable {
  readonly #acceptor: Acceptor = listenTcp({ port: 0 });
  readonly #served = new Map<string, PromiseWithResolvers<Served>>();
  readonly #serving: Promise<void>;

  constructor(broker: Broker) {
    this.#serving = this.#serve(broker);
  }

  get port(): number {
    return this.#acceptor.port;
  }

  /** Connects a peer; resolves to both sides of it. */
  async connect(): Promise<{ peer: Peer; served: Served }> {
    const peer = await Peer.to(this.port);
    return { peer, served: await soon(this.#of(`127.0.0.1:${peer.port}`).promise, "accept") };
  }

  async #serve(broker: Broker): Promise<void> {
    for await (const stream of this.#acceptor) this.#of(stream.remote).resolve(new Served(broker, stream));
  }

  #of(remote: string): PromiseWithResolvers<Served> {
    let served = this.#served.get(remote);
    if (!served) this.#served.set(remote, served = Promise.withResolvers());
    return served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#acceptor.close();
    await this.#serving;
  }
}
