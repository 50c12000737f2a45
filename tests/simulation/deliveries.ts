// What one session has still to get, in the order in which it must come, and the check of what it does get: nothing is left out,
// doubled or overtaken. Brook promises more than the standard here: one order for each session, whoever publishes. A message may only
// be missing where the standard or an event of the broker says so, and of what it drops the broker tells how many there are.
import {
  type Accepted,
  type Arrival,
  type Delivery,
  doubt,
  type Drop,
  isDropped,
  mayBeMissing,
  misfit,
  type Moment,
  nameOf,
  type Origin,
  type Share,
  take,
  type Terms,
} from "./delivery.ts";
import { shortened, Violation } from "./history.ts";

/** How long a broker may put off remembering that a delivery has ended, in milliseconds. */
const PUT_OFF = 10;

/** Instead of a time: perhaps it has never been. */
const PERHAPS = -1;

/** Why the broker may drop a message for a client that is connected, or comes back. */
const excuses: ReadonlySet<string> = new Set(["queue-full", "expired", "packet-too-large"]);

/** The deliveries of one session. */
export class Deliveries {
  readonly client: string;
  /** Whether the client is connected. */
  attached = false;
  /** The most messages of QoS 1 and 2 that may be under way. */
  window = 0;
  /**
   * Packet identifiers of QoS 2 messages whose PUBREC has come, in that order, and when their PUBCOMPs have; or `PERHAPS` where a broker that
   * has crashed may have forgotten that.
   */
  readonly #released = new Map<number, number>();
  /** The versions of MQTT that the client has spoken. */
  readonly #levels = new Set<number>();
  #list: Delivery[] = [];
  #places = 0;
  /** What has been acknowledged a moment ago, and when. */
  #settled: { readonly delivery: Delivery; readonly at: number }[] = [];
  /** What is missing for no reason that is known yet: drops are told at the end of the turn. */
  #overtaken: { readonly delivery: Delivery; readonly by: Delivery }[] = [];
  /** How many may still be missing because the broker has told so. */
  #excuses = 0;

  constructor(client: string) {
    this.client = client;
  }

  /** How many messages of QoS 1 and 2 are under way. */
  get underWay(): number {
    return this.#list.filter(({ sent }) => sent).length + this.#incomplete.length;
  }

  get #incomplete(): readonly number[] {
    return [...this.#released].flatMap(([id, at]) => at === Infinity ? id : []);
  }

  /** The PUBRELs that a new connection begins with, each either `sure`, or such that the broker may have forgotten the PUBCOMP. */
  get pubrels(): readonly { readonly id: number; readonly sure: boolean }[] {
    return [...this.#released].map(([id, at]) => ({ id, sure: at === Infinity }));
  }

  /** The shared messages that it has, or may get. */
  get shares(): ReadonlySet<Share> {
    return new Set(this.#list.flatMap(({ share }) => share ?? []));
  }

  /** A message has been routed to this session. */
  expect(message: Accepted, terms: Terms, { step }: Moment, origin: Origin = {}): void {
    const { share } = origin, gone = terms.qos === 0 && !this.attached;
    if (share && gone) share.mayBeLost = true;
    if (gone && !share?.loose) return;
    share?.candidates.add(this);
    const state = { optional: share !== undefined, doubtful: false, offered: false, written: false, sent: false };
    this.#list.push({ ...origin, message, terms, step, place: this.#places++, ...state, packetId: undefined });
  }

  /** The client has a new connection: what it has not acknowledged is sent again. */
  attach(window: number, level: number): void {
    this.#forget(Infinity);
    this.#levels.add(level);
    this.attached = true;
    this.window = window;
  }

  /** The connection is over: what is of QoS 0 may be lost with it. */
  detach(): void {
    this.attached = false;
    for (const delivery of this.#list) {
      delivery.sent = false;
      delivery.offered = true;
      if (delivery.terms.qos > 0) continue;
      delivery.optional = true;
      if (delivery.share) delivery.share.mayBeLost = true;
    }
  }

  /** Another broker has the session: what its predecessor had not begun to send of retained messages is not in the store. */
  restart(): void {
    for (const one of this.#list) if (one.replay && !one.written) one.optional = true;
  }

  /** The broker has crashed: it may have forgotten what was ended last. */
  crash(now: number): void {
    this.detach();
    const forgotten = this.#settled.filter(({ at }) => at >= now - PUT_OFF).map(({ delivery }) => delivery);
    this.#settled = [];
    for (const one of forgotten) Object.assign(one, { sent: false, offered: true, optional: true });
    this.#list = [...this.#list, ...forgotten].sort((a, b) => a.place - b.place);
    this.#forget(now - PUT_OFF);
    for (const [id, at] of this.#released) if (at < Infinity) this.#released.set(id, PERHAPS);
  }

  /** Forgets the identifiers whose PUBCOMPs have come before a time. */
  #forget(time: number): void {
    for (const [id, at] of this.#released) if (at !== PERHAPS && at < time) this.#released.delete(id);
  }

  /** A PUBREL is sent again, or for the first time: the broker has not forgotten it. */
  remind(packetId: number): void {
    if (this.#released.has(packetId)) this.#released.set(packetId, Infinity);
  }

  /** The session gets a PUBLISH. */
  arrive(arrival: Arrival): void {
    const { packet: { messageId }, text } = arrival, mixed = this.#levels.size > 1;
    const fits = (one: Delivery) => misfit(one, arrival, mixed) === undefined;
    const delivery = this.#list.find((one) => one.packetId === messageId && fits(one)) ?? this.#list.find(fits);
    if (!delivery) {
      const close = this.#list.find((one) => !one.sent && one.message.text === text);
      throw this.#fault(
        `gets "${shortened(text)}" ${close ? `with ${misfit(close, arrival, mixed)}` : "unexpectedly"}`,
      );
    }
    if (!delivery.share?.loose) this.#requireOrder(delivery);
    const others = this.#list.filter((one) => one !== delivery && fits(one));
    for (const other of others) other.doubtful ||= delivery.doubtful; // it may be that one which was dropped
    const twins = others.filter((one) => mayBeMissing(delivery) || one.share);
    for (const twin of twins) doubt(twin);
    if (twins.length > 0) doubt(delivery);
    else if (delivery.share) take(delivery.share, delivery);
    delivery.optional = delivery.doubtful = false;
    if (delivery.terms.qos === 0) return this.#remove(delivery);
    this.#send(delivery, messageId);
  }

  #send(delivery: Delivery, messageId: number): void {
    if (delivery.packetId === undefined && this.#uses(messageId)) {
      throw this.#fault(`gets the packet identifier ${messageId} twice`);
    }
    delivery.packetId = messageId;
    delivery.sent = delivery.written = true;
    if (this.underWay > this.window) throw this.#fault(`has ${this.underWay} of ${this.window} messages under way`);
  }

  #uses(packetId: number): boolean {
    return this.#released.get(packetId) === Infinity ||
      this.#list.some((one) => one.packetId === packetId && !one.optional);
  }

  /** Everything before it has come, unless it need not. */
  #requireOrder(delivery: Delivery): void {
    for (const other of this.#list.slice(0, this.#list.indexOf(delivery))) {
      if (other.sent || other.share?.loose || other.message === delivery.message) continue;
      if (other.replay && other.replay === delivery.replay) continue;
      this.#remove(other);
      if (!this.#excuse(other)) this.#overtaken.push({ delivery: other, by: delivery });
    }
  }

  /** PUBACK, or a PUBREC that refuses. */
  acknowledge(packetId: number, at: number): void {
    const settled = this.#take(packetId).map((delivery) => ({ delivery, at }));
    this.#settled = [...this.#settled.filter((one) => one.at >= at - PUT_OFF), ...settled];
  }

  /** PUBREC: true where a PUBREL is to follow. */
  release(packetId: number): boolean {
    if (this.#take(packetId).length === 0) return this.#released.get(packetId) === Infinity;
    this.#released.delete(packetId); // it comes behind the others
    this.#released.set(packetId, Infinity);
    return true;
  }

  /** PUBCOMP. */
  finish(packetId: number, at: number): void {
    if (this.#released.get(packetId) === Infinity) this.#released.set(packetId, at);
  }

  #take(packetId: number): readonly Delivery[] {
    const taken = this.#list.filter((one) => one.packetId === packetId && one.sent);
    this.#list = this.#list.filter((one) => !taken.includes(one));
    return taken;
  }

  /** The broker has told that it has dropped messages; where it does not say which, it may be any that come into question. */
  drop(drop: Drop, moment: Moment): void {
    const { reason, topic, count } = drop;
    if (reason === "client-offline" && this.attached) throw this.#fault("loses a message as if it were offline");
    if (!excuses.has(reason)) return;
    for (const one of [...this.#list, ...this.#overtaken.map(({ delivery }) => delivery)]) {
      if (!isDropped(one, drop, moment)) continue;
      if (one.share || topic === undefined) doubt(one);
      else one.doubtful = true;
    }
    this.#excuses += count;
    this.#overtaken = this.#overtaken.filter(({ delivery }) => !this.#excuse(delivery));
  }

  /** Whether it may be missing because the broker has told so: as many may as were dropped. */
  #excuse(delivery: Delivery): boolean {
    if (mayBeMissing(delivery) || !delivery.doubtful || this.#excuses === 0) return false;
    this.#excuses--;
    return true;
  }

  /** A step is over: all drops have been told. */
  settle(): void {
    const fault = this.#overtaken.find(({ delivery }) => !mayBeMissing(delivery));
    this.#overtaken = [];
    if (fault) throw this.#fault(`gets "${nameOf(fault.by)}" before "${nameOf(fault.delivery)}"`);
  }

  /** The session is over: a shared message that it has goes to somebody else, or is lost with it. */
  lose(share: Share): void {
    for (const { terms: { qos }, written } of this.#list.filter((one) => one.share === share)) {
      if (qos === 2) share.mayBeLost = true; // [MQTT5-4.8.2-5]
      else if (written) share.taken = false;
    }
    share.candidates.delete(this);
  }

  /** Takes a shared message away, which somebody else has got. */
  forgo(share: Share): void {
    this.#list = this.#list.filter((one) => one.share !== share || one.sent);
  }

  /** What has not come, and must; to be asked when everything has had its time. */
  missing(): readonly string[] {
    this.#list = this.#list.filter((one) => one.sent || !this.#excuse(one));
    this.#excuses = 0;
    const open = this.#list.filter((one) => one.sent || !mayBeMissing(one));
    const missing = open.map((one) => `${one.sent ? "the acknowledgement of " : ""}"${nameOf(one)}"`);
    return [...missing, ...this.#incomplete.map((id) => `the PUBCOMP of ${id}`)];
  }

  #remove(delivery: Delivery): void {
    this.#list.splice(this.#list.indexOf(delivery), 1);
  }

  #fault(what: string): Violation {
    return new Violation(`${this.client} ${what}`);
  }
}
