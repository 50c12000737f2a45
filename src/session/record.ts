// What a store keeps of one session, told change by change. Of a session that ends with its connection it keeps no more than the will.
import type { WallTime } from "../clock.ts";
import type { SessionState, Store, SubscriptionTerms } from "../store/store.ts";
import type { Will } from "./sessions.ts";
import type { Delivery } from "./queue.ts";

/** What the records of a broker share. */
export interface RecordContext {
  readonly store: Store;
  readonly wallTime: WallTime;
}

/** The stored side of one session. */
export class SessionRecord {
  readonly #clientId: string;
  readonly #context: RecordContext;
  readonly #store: Store;
  /** Where its state is kept; nowhere where only its will is. */
  readonly #state: Store | undefined;
  #next: number;

  /** @param onlyWill whether nothing else is kept @param next the number of the next delivery */
  constructor(clientId: string, context: RecordContext, onlyWill: boolean, next = 1) {
    this.#clientId = clientId;
    this.#context = context;
    this.#store = context.store;
    this.#state = onlyWill ? undefined : context.store;
    this.#next = next;
  }

  /** Saves the session itself; `connected` or since now not any more. */
  save(expiry: number, connected: boolean): void {
    const disconnectedAt = connected ? undefined : this.#context.wallTime.now();
    const state: SessionState = { clientId: this.#clientId, expiry, disconnectedAt };
    this.#store.saveSession(state);
  }

  /** Deletes all of it. */
  delete(): void {
    this.#store.deleteSession(this.#clientId);
  }

  subscribe(filter: string, terms: SubscriptionTerms): void {
    this.#state?.saveSubscription(this.#clientId, filter, terms);
  }

  unsubscribe(filter: string): void {
    this.#state?.deleteSubscription(this.#clientId, filter);
  }

  /** Keeps a delivery, unless it is of QoS 0 or is kept already. */
  add(delivery: Delivery): void {
    if (!this.#state || delivery.terms.qos === 0 || delivery.sequence > 0) return;
    const { message, terms } = delivery, acceptedAt = this.#context.wallTime.of(message.acceptedAt);
    delivery.sequence = this.#next++;
    this.#state.addDelivery(this.#clientId, delivery.sequence, message, acceptedAt, terms);
  }

  /** A delivery goes to the client. */
  sent({ sequence, packetId }: Delivery): void {
    if (sequence > 0) this.#state?.sent(this.#clientId, sequence, packetId);
  }

  /** A delivery is over. */
  done({ sequence }: Delivery): void {
    if (sequence > 0) this.#state?.deleteDelivery(this.#clientId, sequence);
  }

  received(packetId: number): void {
    this.#state?.addReceived(this.#clientId, packetId);
  }

  releasedByClient(packetId: number): void {
    this.#state?.deleteReceived(this.#clientId, packetId);
  }

  released(packetId: number): void {
    this.#state?.addReleased(this.#clientId, packetId);
  }

  completed(packetId: number): void {
    this.#state?.deleteReleased(this.#clientId, packetId);
  }

  /** @param due milliseconds from now until it is to be published; `undefined` while the client is connected */
  saveWill({ message, delay }: Will, due?: number): void {
    const dueAt = due === undefined ? undefined : this.#context.wallTime.now() + due;
    this.#store.saveWill(this.#clientId, message, { delay, dueAt });
  }

  deleteWill(): void {
    this.#store.deleteWill(this.#clientId);
  }
}
