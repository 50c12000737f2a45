// What the SQLite store knows of a session while it is open: which deliveries are under way, and what has changed since the last
// commit and since the last checkpoint. It does not know what waits in the session's queue, which may be long: that is on disk only.
import type { Message } from "../message.ts";
import { PacketIdSet } from "./packet_id_set.ts";
import type { DeliveryTerms, SessionState, SubscriptionTerms, WillTerms } from "./store.ts";

/** A message that is to be stored, once for all sessions that it was given to in a row. */
export interface Body {
  readonly message: Message;
  readonly acceptedAt: number;
  /** Which row of the log it was written to last, and its place among the messages there. */
  row: number;
  index: number;
  /** Which checkpoint has counted it last, in how many deliveries, and the row that it was written to, if it has one. */
  checkpoint: number;
  copies: number;
  id: number;
}

/** A message that has not been written yet. */
export function newBody(message: Message, acceptedAt: number): Body {
  return { message, acceptedAt, row: 0, index: 0, checkpoint: 0, copies: 0, id: 0 };
}

/** A delivery that is not in a chunk yet. */
export interface AddedDelivery {
  readonly sequence: number;
  readonly body: Body;
  readonly terms: DeliveryTerms;
}

/** The state of one session. */
export class SessionRecord {
  /** What its rows are found by. */
  readonly id: number;
  readonly clientId: string;
  /** The greatest number of a delivery, of one that is committed, and of one that lies in a chunk. */
  last = 0;
  committed = 0;
  stored = 0;
  /** Deliveries from this number on are all left, and have not been sent. */
  boundary = 1;
  /** Packet identifiers of those before it that are left, in order of their numbers; 0 for one that has not been sent. */
  readonly underWay = new Map<number, number>();
  readonly received = new PacketIdSet();
  readonly released = new PacketIdSet();
  /** Whether it has chunks that refer to rows of messages, or may have; and whether it has a row of `flow`. */
  shares = false;
  flows = false;

  // Since the last commit.
  state: SessionState | undefined;
  will: { readonly message: Message; readonly terms: WillTerms } | "none" | undefined;
  subscriptions: Map<string, SubscriptionTerms | undefined> | undefined;
  /** Where those begin among `added` that are not committed. */
  fresh = 0;
  sentNow: number[] = [];
  /** Deliveries that were committed before, and are over. */
  endedNow: number[] = [];
  /** Whether identifiers of QoS 2 may have come or gone. */
  exchangedNow = false;

  // Since the last checkpoint.
  added: AddedDelivery[] = [];
  /** How many of those that are committed are over. */
  #over = 0;
  /** Deliveries in chunks that are over. */
  ended: number[] = [];
  /** Whether the row of `flow` is out of date. */
  flowed = false;

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

  /** Adds a delivery behind all others. */
  add(delivery: AddedDelivery): void {
    this.added.push(delivery);
    this.last = delivery.sequence;
  }

  /** Moves the boundary behind a delivery, which is left and has not been sent. */
  pass(sequence: number): void {
    if (sequence < this.boundary) return;
    this.underWay.set(sequence, 0);
    this.boundary = sequence + 1;
    this.flowed = true;
  }

  /** Moves the boundary up to a delivery and behind it, past all before it that are not in chunks yet. */
  reach(sequence: number): void {
    if (sequence > this.boundary) {
      for (const { sequence: passed } of this.added) if (passed < sequence) this.pass(passed);
    }
    this.pass(sequence);
  }

  /** A delivery before the boundary has got its packet identifier. */
  send(sequence: number, packetId: number): void {
    this.underWay.set(sequence, packetId);
    this.sentNow.push(sequence);
    this.flowed = true;
  }

  /** A delivery before the boundary is over. */
  end(sequence: number): void {
    this.underWay.delete(sequence);
    if (sequence <= this.committed) this.endedNow.push(sequence);
    if (sequence <= this.stored) this.ended.push(sequence);
    else if (sequence <= this.committed) this.#over++;
    this.flowed = true;
  }

  /** Identifiers of QoS 2 come or go. */
  exchange(): void {
    this.exchangedNow = this.flowed = true;
  }

  /** Forgets what is over: of what was added since the last commit always, and of all where that is half of it. */
  dropOver(): void {
    const { added, fresh } = this, all = this.#over * 2 > fresh;
    let end = all ? 0 : fresh;
    for (let i = end; i < added.length; i++) {
      if (i === fresh) this.fresh = end;
      if (this.packetId(added[i]!.sequence) !== undefined) added[end++] = added[i]!;
    }
    if (fresh === added.length) this.fresh = end;
    added.length = end;
    if (all) this.#over = 0;
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

  /** Everything is committed. */
  commit(): void {
    this.fresh = this.added.length;
    this.committed = this.last;
    this.state = this.will = this.subscriptions = undefined;
    if (this.sentNow.length > 0) this.sentNow = [];
    if (this.endedNow.length > 0) this.endedNow = [];
    if (this.exchangedNow) { for (const set of [this.received, this.released]) set.commit(); }
    this.exchangedNow = false;
  }

  /** Everything is committed, and lies in chunks. */
  checkpoint(): void {
    this.shares = this.oldest <= this.last && (this.shares || this.added.some(({ body }) => body.id > 0));
    this.flows = this.flowed ? this.lasting : this.flows;
    this.stored = this.last;
    this.fresh = this.#over = 0;
    if (this.added.length > 0) this.added = [];
    if (this.ended.length > 0) this.ended = [];
    this.flowed = false;
  }

  /** Whether a row of `flow` has something to say. */
  get lasting(): boolean {
    return this.oldest <= this.last || this.received.size > 0 || this.released.size > 0;
  }
}
