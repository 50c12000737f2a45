// The memory that outgoing bytes are collected in: chunks of a few sizes, used again by one connection after another.
import { Buffer } from "node:buffer";
import type { Memory } from "../memory.ts";

/** The size of a busy client's chunk, in bytes: one that needs more grows by doubling. */
export const CHUNK = 65_536;

/** The sizes that are kept for use again, and how many bytes of each. */
const SIZES = [512, 4096, CHUNK, 4 * CHUNK], SPARE_BYTES = 16 * 1024 * 1024;

/** Chunks that went out and can be filled again; shared by the connections of a broker. */
export class ChunkPool {
  readonly memory: Memory;
  readonly #spare: ReadonlyMap<number, Buffer[]> = new Map(SIZES.map((size) => [size, []]));

  /** @param memory where the chunks that are out are counted */
  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** A chunk of at least `size` bytes. */
  take(size: number): Buffer {
    const chunk = this.#take(size);
    this.memory.add(chunk.length);
    return chunk;
  }

  #take(size: number): Buffer {
    const kept = SIZES.find((kept) => size <= kept);
    return this.#spare.get(kept ?? 0)?.pop() ?? Buffer.allocUnsafeSlow(kept ?? size);
  }

  /** Gives a chunk back. */
  give(chunk: Buffer): void {
    this.memory.add(-chunk.length);
    const spare = this.#spare.get(chunk.length);
    if (spare && spare.length * chunk.length < SPARE_BYTES) spare.push(chunk);
  }
}
