// Packet identifiers of QoS 2 of one session, in the order in which they came, and which of them have come or gone since the last
// commit: a log says only that, however many there are.

/** What makes one set out of another: first some are deleted, then some added, which may be the same. */
export interface PacketIdChanges {
  readonly gone: readonly number[];
  readonly come: readonly number[];
}

/** A set of packet identifiers, and its changes. */
export class PacketIdSet {
  readonly #ids = new Set<number>();
  /** Those that are not as they were at the last commit, or have another place. */
  readonly #changed = new Set<number>();

  get size(): number {
    return this.#ids.size;
  }

  add(id: number): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#changed.delete(id);
    this.#changed.add(id);
  }

  delete(id: number): void {
    if (this.#ids.delete(id)) this.#changed.add(id);
  }

  [Symbol.iterator](): SetIterator<number> {
    return this.#ids.values();
  }

  /** What has changed since the last commit. */
  get changes(): PacketIdChanges {
    const gone = [...this.#changed];
    return { gone, come: gone.filter((id) => this.#ids.has(id)) };
  }

  /** Repeats changes. */
  apply({ gone, come }: PacketIdChanges): void {
    for (const id of gone) this.delete(id);
    for (const id of come) this.add(id);
  }

  /** The changes are committed. */
  commit(): void {
    this.#changed.clear();
  }
}
