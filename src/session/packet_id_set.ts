// A set of packet identifiers in the order in which they came. Most sessions never have more than a few at a time: these stand in a
// list. A Set that gets and loses a member with every message would make a new table again and again, each of which keeps the next
// one alive until the old space is collected.

import type { Memory } from "../memory.ts";

/** How many stand in a list. */
const FEW = 64;

/** What one takes, in bytes. */
const WEIGHT = 40;

/** Packet identifiers (3.1.1 section 2.3.1). */
export class PacketIdSet {
  readonly #few: number[] = [];
  readonly #memory: Memory;
  /** Holds all of them while there are many. */
  #many: Set<number> | undefined;

  /** @param memory where they are counted */
  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get size(): number {
    return this.#many?.size ?? this.#few.length;
  }

  has(id: number): boolean {
    return this.#many?.has(id) ?? this.#few.includes(id);
  }

  /** Adds one; nothing changes where it is there already. */
  add(id: number): void {
    if (this.has(id)) return;
    this.#memory.add(WEIGHT);
    if (this.#many) this.#many.add(id);
    else if (this.#few.length < FEW) this.#few.push(id);
    else this.#many = new Set(this.#few).add(id);
  }

  /** Removes one; false where it was not there. */
  delete(id: number): boolean {
    const found = this.#many ? this.#deleteOfMany(this.#many, id) : this.#deleteOfFew(id);
    if (found) this.#memory.add(-WEIGHT);
    return found;
  }

  /** Removes all. */
  clear(): void {
    this.#memory.add(-WEIGHT * this.size);
    this.#many = undefined;
    this.#few.length = 0;
  }

  /** In the order in which they were added. */
  values(): Iterable<number> {
    return this.#many ?? this.#few;
  }

  #deleteOfFew(id: number): boolean {
    const at = this.#few.indexOf(id);
    if (at >= 0) this.#few.splice(at, 1);
    return at >= 0;
  }

  #deleteOfMany(many: Set<number>, id: number): boolean {
    const found = many.delete(id);
    if (many.size === 0) {
      this.#many = undefined;
      this.#few.length = 0;
    }
    return found;
  }
}
