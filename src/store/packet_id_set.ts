// Packet identifiers of QoS 2 of one session, in the order in which they came, and which of them have come or gone since the last
// commit: a log says only that, however many there are.

/** What makes one set out of another: first some are deleted, then some added, which may be the same. */
export interface PacketIdChanges {
  readonly gone: readonly number[];
  readonly come: readonly number[];
}

const none: ReadonlySet<number> = new Set();

/** A set of packet identifiers, and its changes. Most sessions never have any: they should not take memory for them. */
export class PacketIdSet {
  #ids: Set<number> | undefined;
  /** Those that are not as they were at the last commit, or have another place. */
  #changed: Set<number> | undefined;

  get size(): number {
    return this.#ids?.size ?? 0;
  }

  add(id: number): void {
    const ids = this.#ids ??= new Set();
    if (ids.has(id)) return;
    ids.add(id);
    this.#changed?.delete(id);
    this.#change(id);
  }

  delete(id: number): void {
    if (this.#ids?.delete(id)) this.#change(id);
  }

  #change(id: number): void {
    (this.#changed ??= new Set()).add(id);
  }

  [Symbol.iterator](): SetIterator<number> {
    return (this.#ids ?? none).values();
  }

  /** What has changed since the last commit. */
  get changes(): PacketIdChanges {
    const gone = [...this.#changed ?? none];
    return { gone, come: gone.filter((id) => this.#ids?.has(id)) };
  }

  /** Repeats changes. */
  apply({ gone, come }: PacketIdChanges): void {
    for (const id of gone) this.delete(id);
    for (const id of come) this.add(id);
  }

  /** The changes are committed. */
  commit(): void {
    this.#changed?.clear();
  }
}
