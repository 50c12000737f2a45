// Many subscribers that only count: each PUBLISH that they get is as long as every other.
import type { Buffer } from "node:buffer";
import { soon } from "./soon.ts";

/** Subscribers on connections of their own, which read as fast as they can. */
export class Readers implements Disposable {
  readonly #connections: Deno.Conn[] = [];
  #missing = 0;
  #done = Promise.withResolvers<void>();
  #longest = 0;
  #since = 0;

  /** Connects as many; `hello` is what each sends, and is answered with `answer` bytes. */
  static async connect(port: number, count: number, hello: (i: number) => Buffer, answer: number): Promise<Readers> {
    const readers = new Readers(), buffer = new Uint8Array(65_536);
    await Promise.all(Array.from({ length: count }, async (_, i) => {
      const connection = await Deno.connect({ port });
      readers.#connections.push(connection);
      await connection.write(hello(i));
      for (let got = 0; got < answer;) got += (await connection.read(buffer))!;
      readers.#read(connection);
    }));
    return readers;
  }

  /** The longest time between two readings of one of them since the last call, in milliseconds. */
  takeLongestGap(): number {
    const longest = this.#longest;
    this.#longest = 0;
    this.#since = performance.now();
    return longest;
  }

  /** Resolves when each has read so many more bytes. */
  async expect(bytes: number): Promise<void> {
    this.#missing += bytes * this.#connections.length;
    this.#done = Promise.withResolvers();
    if (this.#missing > 0) await soon(this.#done.promise, `${bytes} bytes for each reader`);
  }

  async #read(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    let last = 0;
    try {
      for (let count; (count = await connection.read(buffer)) !== null;) {
        const now = performance.now();
        this.#longest = Math.max(this.#longest, now - Math.max(last, this.#since));
        last = now;
        if ((this.#missing -= count) === 0) this.#done.resolve();
      }
    } catch {
      // Closed by the test.
    }
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections.splice(0)) connection.close();
  }
}
