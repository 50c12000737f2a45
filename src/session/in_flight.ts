// What is under way to one client at QoS 1 and 2, by packet identifier (3.1.1 sections 2.3.1, 4.3 and 4.4): messages that were sent
// and not acknowledged, and identifiers that were released by a PUBREL. Identifiers are given round robin, so that one that was just
// freed is the last to be used again, and a message has its place in a ring by the low bits of its identifier: an identifier
// whose place is taken is passed over.
import type { Memory } from "../memory.ts";
import type { Delivery } from "./queue.ts";
import { PacketIdSet } from "./packet_id_set.ts";

const GREATEST = 65_535, SMALLEST_RING = 8;

/** By how many later ones the first delivery may have been overtaken before it was sent. */
const OVERTAKEN = 16_384;

/**
 * Deliveries in the order in which they were sent: that of their identifiers, which are given round robin. A store has them as they
 * came to it, and what a replay finds comes to it when it is sent, behind what waits already.
 */
export function asSent(deliveries: readonly Delivery[]): Delivery[] {
  const start = (deliveries[0]?.packetId ?? 0) - OVERTAKEN;
  const place = ({ packetId }: Delivery) => (packetId - start + GREATEST) % GREATEST;
  return deliveries.toSorted((a, b) => place(a) - place(b));
}

/** The messages of QoS 1 and 2 between the broker and one client. */
export class InFlight {
  #ring: (Delivery | undefined)[] = Array(SMALLEST_RING).fill(undefined);
  #unacknowledged = 0;
  #last = 0;
  /** How many have been begun. */
  #begun = 0;
  readonly #released: PacketIdSet;
  /** Messages of former links that the present one has not seen yet. */
  #unsent: Set<Delivery> | undefined;
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#released = new PacketIdSet(memory);
  }

  /** How many the client has over its present link and has not settled. */
  get underWay(): number {
    return this.#unacknowledged - (this.#unsent?.size ?? 0) + this.#released.size;
  }

  /** True while messages of former links are to be sent again, which others must not overtake. */
  get behind(): boolean {
    return this.#unsent !== undefined && this.#unsent.size > 0;
  }

  /** Identifiers that await their PUBCOMP, in the order of their PUBRECs. */
  get released(): Iterable<number> {
    return this.#released.values();
  }

  /** Messages without an acknowledgement, oldest first. */
  get deliveries(): Delivery[] {
    return this.#ring.filter((delivery) => delivery !== undefined).sort((a, b) => a.order - b.order);
  }

  /** The message with this identifier. */
  get(packetId: number): Delivery | undefined {
    const delivery = this.#ring[packetId & this.#ring.length - 1];
    return delivery?.packetId === packetId ? delivery : undefined;
  }

  /** Gives a message its identifier, which is not in use [MQTT-2.3.1-4]. */
  begin(delivery: Delivery): void {
    if ((this.#unacknowledged + this.#released.size) * 2 >= this.#ring.length) this.#grow();
    const ring = this.#ring, mask = ring.length - 1;
    let id = this.#last;
    do id = id === GREATEST ? 1 : id + 1; while (ring[id & mask] || this.#released.has(id));
    this.#last = delivery.packetId = id;
    this.#place(delivery);
  }

  /** Takes up a message that was sent before the broker was started, with its identifier; the oldest comes first. */
  restore(delivery: Delivery): void {
    while (this.#ring[delivery.packetId & this.#ring.length - 1]) this.#grow();
    this.#place(delivery);
    this.#last = delivery.packetId;
  }

  /** Takes up an identifier that was released before the broker was started. */
  restoreReleased(packetId: number): void {
    this.#released.add(packetId);
  }

  /** Removes an acknowledged message. */
  settle(delivery: Delivery): void {
    this.#ring[delivery.packetId & this.#ring.length - 1] = undefined;
    this.#unacknowledged--;
    this.#memory.release(delivery.message);
    this.#unsent?.delete(delivery);
  }

  /** In place of a message that the client has received its PUBREL is under way. */
  release(delivery: Delivery): void {
    this.settle(delivery);
    this.#released.add(delivery.packetId);
  }

  /** Whether an identifier awaits its PUBCOMP. */
  isReleased(packetId: number): boolean {
    return this.#released.has(packetId);
  }

  /** The end of QoS 2; false for an identifier that was not released. */
  complete(packetId: number): boolean {
    return this.#released.delete(packetId);
  }

  /** Lets go of everything. */
  clear(): void {
    for (const delivery of this.deliveries) this.settle(delivery);
    this.#released.clear();
  }

  /** There is another link: everything that is unacknowledged is to be sent again. */
  restart(): void {
    this.#unsent = this.#unacknowledged > 0 ? new Set(this.deliveries) : undefined;
  }

  /** The link is gone. */
  stop(): void {
    this.#unsent = undefined;
  }

  /** The oldest message that the present link has not seen; it counts as sent from here on. */
  next(): Delivery | undefined {
    const [delivery] = this.#unsent ?? [];
    if (delivery) this.#unsent!.delete(delivery);
    return delivery;
  }

  #place(delivery: Delivery): void {
    delivery.order = ++this.#begun;
    this.#ring[delivery.packetId & this.#ring.length - 1] = delivery;
    this.#unacknowledged++;
    this.#memory.hold(delivery.message);
  }

  #grow(): void {
    const former = this.#ring, ring = this.#ring = Array(former.length * 2).fill(undefined);
    for (const delivery of former) if (delivery) ring[delivery.packetId & ring.length - 1] = delivery;
  }
}
