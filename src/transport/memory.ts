// A connection inside the process: two streams, each of which reads what the other writes. For tests, and for clients that live
// in the broker's own process. A write waits while the way is full, as that of a socket does.
import type { ByteStream } from "./transport.ts";

/**
 * Two ends of one connection; `capacity` bytes fit on the way in each direction before a write waits.
 *
 * @example
 * ```ts
 * import { createBroker, memoryPair } from "@brook/mqtt";
 * import { assertEquals } from "@std/assert";
 *
 * await using broker = createBroker();
 * const [client, server] = memoryPair();
 * broker.accept(server);
 * await client.write(new Uint8Array([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 1, 97])); // CONNECT as "a"
 * const connack = new Uint8Array(4);
 * await client.read(connack);
 * assertEquals([...connack], [0x20, 2, 0, 0]);
 * client.close();
 * ```
 */
export function memoryPair(capacity = 65_536): [ByteStream, ByteStream] {
  const up = new Pipe(capacity), down = new Pipe(capacity);
  return [end(down, up), end(up, down)];
}

function end(incoming: Pipe, outgoing: Pipe): ByteStream {
  return {
    remote: "memory",
    read: (buffer) => incoming.read(buffer),
    write: (bytes) => outgoing.write(bytes),
    closeWrite() {
      outgoing.end();
      return Promise.resolve();
    },
    close() {
      incoming.break();
      outgoing.end();
    },
  };
}

/** One direction. Whoever has to wait awaits the next change, and looks again. */
class Pipe {
  readonly #capacity: number;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #broken = false;
  #changed = Promise.withResolvers<void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#broken) throw new Deno.errors.Interrupted("Stream was closed");
      const chunk = this.#chunks[0];
      if (chunk) return this.#take(chunk, buffer);
      if (this.#ended) return null;
      await this.#changed.promise;
    }
  }

  #take(chunk: Uint8Array, buffer: Uint8Array): number {
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#size -= count;
    this.#notify();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.#size >= this.#capacity && !this.#broken && !this.#ended) await this.#changed.promise;
    if (this.#broken || this.#ended) throw new Deno.errors.BrokenPipe("The other side has closed the stream");
    const count = Math.min(bytes.length, this.#capacity - this.#size);
    this.#chunks.push(new Uint8Array(bytes.subarray(0, count))); // not `slice`: that of a Buffer is a view
    this.#size += count;
    this.#notify();
    return count;
  }

  /** The writing side is done. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** The reading side is gone. */
  break(): void {
    this.#broken = true;
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
