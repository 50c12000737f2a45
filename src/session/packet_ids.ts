// Packet identifiers of the messages that the broker sends to one client (3.1.1 section 2.3.1). They are given round robin, so
// that one that was just freed is the last to be used again.

const GREATEST = 65_535;

/** Gives identifiers that are not in use. */
export class PacketIds {
  #last = 0;

  /** The next identifier for which `inUse` is false; there must be one [MQTT-2.3.1-4]. */
  next(inUse: (id: number) => boolean): number {
    do this.#last = this.#last === GREATEST ? 1 : this.#last + 1; while (inUse(this.#last));
    return this.#last;
  }
}
