// What the SQLite store knows of a session while it is open: which deliveries are under way, and the changes that wait for a commit.
// It does not know what waits in the session's queue, which may be long: that is on disk only.
import type { Message } from "../message.ts";
import type { DeliveryTerms, SessionState, SubscriptionTerms, WillTerms } from "./store.ts";

/** A message that is to be stored, once for all sessions that it was given to in a row. */
export interface Body {
  readonly message: Message;
  readonly acceptedAt: number;
  /** In how many deliveries the commit of this number writes it, and as which row, where it has one. */
  commit: number;
  copies: number;
  id: number;
}

/** A delivery that waits for a commit. */
export interface AddedDelivery {
  readonly sequence: number;
  readonly body: Body;
  readonly terms: DeliveryTerms;
}

/** A will that waits for a commit. */
export interface AddedWill {
  readonly message: Message;
  readonly terms: WillTerms;
}

/** The state of one session. */
export class SessionRecord {
  /** What its rows are found by. */
  readonly id: number;
  readonly clientId: string;
  /** The greatest number of a delivery. */
  last = 0;
  /** The same for those that are committed. */
  committed = 0;
  /** Deliveries from this number on are all left, and have not been sent. */
  boundary = 1;
  /** Packet identifiers of those before it that are left, in order of their numbers; 0 for one that has not been sent. */
  readonly underWay = new Map<number, number>();
  /** Whether some of what is committed may refer to rows for many sessions. */
  shares = false;

  // What waits for a commit.
  state: SessionState | undefined;
  will: AddedWill | "none" | undefined;
  subscriptions: Map<string, SubscriptionTerms | undefined> | undefined;
  added: AddedDelivery[] = [];
  /** Committed deliveries that are over. */
  ended: number[] = [];
  /** Whether the packet identifiers of committed deliveries, or of QoS 2, have changed. */
  flowed = false;
  readonly received = new Set<number>();
  readonly released = new Set<number>();

  constructor(id: number, clientId: string) {
    this.id = id;
    this.clientId = clientId;
  }

  /** Whether a delivery is left, as far as that is known here. */
  has(sequence: number): boolean {
    return sequence <= this.last && this.packetId(sequence) !== undefined;
  }

  /** The packet identifier of a delivery, 0 where it has none; nothing for one that is over. */
  packetId(sequence: number): number | undefined {
    return sequence >= this.boundary ? 0 : this.underWay.get(sequence);
  }

  /** The number of the first delivery that is left, or may be. */
  get oldest(): number {
    return this.underWay.keys().next().value ?? this.boundary;
  }

  /** The boundary moves behind a delivery, which is left and has not been sent. */
  pass(sequence: number): void {
    if (sequence < this.boundary) return;
    this.underWay.set(sequence, 0);
    this.boundary = sequence + 1;
  }

  /** The boundary moves up to a delivery and behind it, past all that were added meanwhile. */
  reach(sequence: number): void {
    if (sequence > this.boundary) {
      for (const { sequence: passed } of this.added) if (passed < sequence) this.pass(passed);
    }
    this.pass(sequence);
  }

  /** A delivery before the boundary has got its packet identifier. */
  sent(sequence: number, packetId: number): void {
    this.underWay.set(sequence, packetId);
    if (sequence <= this.committed) this.flowed = true;
  }

  /** A delivery before the boundary is over. */
  end(sequence: number): void {
    this.underWay.delete(sequence);
    if (sequence <= this.committed) this.ended.push(sequence);
  }

  /**
   * The spans between deliveries that are left in which something has ended, as the numbers on both sides: whatever lies in one is
   * over.
   */
  *gaps(): Generator<readonly [after: number, before: number], void, undefined> {
    const ended = this.ended.sort((a, b) => a - b);
    let after = 0, next = 0;
    for (const before of [...this.underWay.keys(), this.boundary]) {
      const start = next;
      while (next < ended.length && ended[next]! < before) next++;
      if (next > start) yield [after, before];
      if (next === ended.length) return;
      after = before;
    }
  }

  /** Nothing waits any more: it is committed. */
  settle(): void {
    this.shares = this.oldest <= this.last && (this.shares || this.added.some(({ body }) => body.id > 0));
    this.committed = this.last;
    this.state = this.will = this.subscriptions = undefined;
    this.flowed = false;
    if (this.added.length > 0) this.added = [];
    if (this.ended.length > 0) this.ended = [];
  }
}
