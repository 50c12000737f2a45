// Chance that comes again: numbers from a seed, and what a careless or hostile hand does to right bytes.
import { Buffer } from "node:buffer";

/** Random numbers from a seed: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 up to `end`, which is left out. */
  below(end: number): number {
    let mixed = this.#state = this.#state + 0x6d2b79f5 | 0;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * end);
  }

  /** One of these. */
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Up to `most` bytes. */
  bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.below(most + 1) }, () => this.below(256)));
  }
}

type Mutation = (random: Random, bytes: Buffer, other: Buffer) => Buffer;

const mutations: readonly Mutation[] = [
  function flip(random, bytes) {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes;
  },
  function replace(random, bytes) {
    bytes[random.below(bytes.length)] = random.of([0, 1, 0x7f, 0x80, 0xff]);
    return bytes;
  },
  function truncate(random, bytes) {
    return bytes.subarray(0, 1 + random.below(bytes.length));
  },
  function extend(random, bytes) {
    return Buffer.concat([bytes, random.bytes(5)]);
  },
  function splice(random, bytes, other) {
    return Buffer.concat([
      bytes.subarray(0, 1 + random.below(bytes.length)),
      other.subarray(random.below(other.length)),
    ]);
  },
  function relabel(_random, bytes) {
    if (bytes.length > 1 && bytes.length < 130) bytes[1] = bytes.length - 2; // so that what was done before is not seen at once
    return bytes;
  },
];

/** Bytes to which something has been done, once or several times. */
export function mutated(random: Random, bytes: Buffer, other: Buffer): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let times = 1 + random.below(3); times > 0; times--) result = random.of(mutations)(random, result, other);
  return result;
}
