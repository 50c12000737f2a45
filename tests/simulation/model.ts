// What the broker must do. The model reads what the broker reads, in the same order, and is told after each step what has come of it:
// what must be answered, who gets which message, which will is due when, which session is found again, and which connection may end.
// It knows nothing of how the broker does that; what the standard leaves open is open here.
import type { BrokerEvent } from "../../mod.ts";
import type { PacketLike } from "../support/client.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Moment } from "./delivery.ts";
import { type Happening, type Published, Violation } from "./history.ts";
import type { Link } from "./network.ts";
import { type Options, Routing } from "./routing.ts";
import { type Connection, CRASH, LATE, type Session, type SessionLimits, Sessions } from "./sessions.ts";

/** Before an answer that may not come: the broker may have forgotten that it is not needed any more. */
const PERHAPS = "perhaps ";

/** What is known of a broker from outside, and what follows from it. */
export class Model {
  readonly #durable: boolean;
  readonly #moment: Moment = { step: 0, now: 0 };
  /** Whether the broker is being closed, and whether there is none. */
  #closing = false;
  #down = true;
  readonly #byClient = new Map<string, Session>();
  readonly #routing = new Routing(this.#byClient, this.#moment);
  readonly #sessions: Sessions;
  /** Every connection that there has been, by the name of its link. */
  readonly #connections = new Map<string, Connection>();
  /** Those whose end has not been told. */
  readonly #open = new Set<Connection>();
  /** Messages of the process itself that have not been accepted. */
  readonly #hosted = new Set<Published>();
  /** Links that the broker has given up before their CONNECT. */
  readonly #refused = new Set<string>();

  /** @param durable whether sessions and retained messages outlive the broker */
  constructor(limits: SessionLimits, durable: boolean) {
    this.#durable = durable;
    this.#sessions = new Sessions(this.#byClient, this.#routing, this.#moment, limits);
  }

  /** Topics of the messages that are retained. */
  get retained(): readonly string[] {
    return this.#routing.retained;
  }

  /** The deliveries of all sessions that there are. */
  get deliveries(): readonly Deliveries[] {
    return [...this.#byClient.values()].map(({ deliveries }) => deliveries);
  }

  /** Takes notice of what has happened in one step; throws a Violation where that must not be. */
  absorb(happenings: readonly Happening[], now: number): void {
    Object.assign(this.#moment, { step: this.#moment.step + 1, now });
    if (!this.#down) this.#sessions.begin();
    for (const happening of happenings) this.#notice(happening);
    for (const { deliveries } of this.#byClient.values()) deliveries.settle();
    if (this.#down) return;
    this.#sessions.watch();
    for (const connection of this.#open) this.#watch(connection);
  }

  /** Everybody is connected, and has had the time to take everything: nothing may be open. */
  complete(): void {
    for (const { client, connection, deliveries } of this.#byClient.values()) {
      const missing = [...deliveries.missing(), ...connection?.answers.filter(isSure) ?? []];
      if (missing.length > 0) throw new Violation(`${client} waits in vain for ${missing.join(", ")}`);
    }
    const share = this.#routing.missed();
    if (share) throw new Violation(`Nobody of ${share.name} gets "${share.message.text}"`);
  }

  /** Sessions and retained messages are those that there were, or there are none. */
  #start(): void {
    this.#closing = this.#down = false;
    if (this.#durable) this.#sessions.restart(this.#open);
    else {
      this.#sessions.clear();
      this.#routing.clear();
    }
    for (const connection of this.#open) connection.ended = CRASH;
    this.#open.clear();
  }

  #notice(happening: Happening): void {
    switch (happening.type) {
      case "read":
        return this.#read(happening);
      case "written":
        return this.#written(happening.link, happening.packet, happening.since);
      case "lost":
        return this.#lost(happening.link);
      case "event":
        return this.#told(happening.event);
      case "hosted":
        this.#hosted.add(happening.message);
        return this.#routing.route(happening.message);
      case "accepted":
        if (!this.#hosted.delete(happening.message)) {
          throw new Violation(`"${happening.message.text}" is accepted, and lost`);
        }
        return;
      case "will":
        return this.#sessions.publishWill(happening.text);
      case "closing":
        this.#closing = true;
        return;
      case "crash":
        this.#down = true;
        return this.#sessions.crash();
      case "start":
        return this.#start();
    }
  }

  #watch({ name, lost, ended, session, connect: { keepalive }, heard }: Connection): void {
    if (lost || ended) throw new Violation(`${name} has not ended: ${ended ?? "connection-lost"}`);
    if (!session) throw new Violation(`${name} is not let in`);
    if (keepalive > 0 && this.#moment.now >= heard + keepalive * 1500 + LATE) {
      throw new Violation(`${name} may be silent for too long`);
    }
  }

  // What the broker reads.

  #read({ link, packet, message, at }: Happening & { readonly type: "read" }): void {
    if (packet.cmd === "connect") return this.#connect(link, packet, message);
    const connection = this.#connections.get(link.name);
    if (!connection || connection.ended) return; // the broker has read it, and does not care
    connection.heard = this.#moment.now;
    if (packet.cmd === "publish") return this.#publish(connection, packet, message!, at);
    this.#answer(connection, connection.session!, packet);
  }

  #connect({ name }: Link, connect: PacketLike, will: Published | undefined): void {
    if (this.#refused.has(name)) return;
    this.#sessions.claim(connect);
    const state = { session: undefined, heard: this.#moment.now, lost: false, ended: undefined, dismissed: false };
    const connection: Connection = { name, connect, will, answers: [], aliases: new Map(), ...state };
    this.#connections.set(name, connection);
    this.#open.add(connection);
  }

  #publish({ answers, session }: Connection, { qos, messageId }: PacketLike, message: Published, at: number): void {
    const { received } = session!;
    if (qos < 2 || !received.has(messageId)) this.#routing.route(message, at);
    if (qos === 2) received.add(messageId);
    if (qos > 0) answers.push(`${qos === 1 ? "puback" : "pubrec"} ${messageId}`);
  }

  #answer(connection: Connection, session: Session, packet: PacketLike): void {
    const { messageId, reasonCode = 0 } = packet, { answers, connect } = connection, { deliveries } = session;
    const { now } = this.#moment;
    switch (packet.cmd) {
      case "pubrel": {
        const known = session.received.delete(messageId) || connect.protocolVersion < 5;
        answers.push(`pubcomp ${messageId}${known ? "" : " 146"}`);
        return;
      }
      case "puback":
        return deliveries.acknowledge(messageId, now);
      case "pubrec":
        if (reasonCode >= 0x80) deliveries.acknowledge(messageId, now);
        else if (deliveries.release(messageId)) answers.push(`pubrel ${messageId}`);
        return;
      case "pubcomp":
        return deliveries.finish(messageId, now);
      case "subscribe":
        return this.#subscribe(answers, session, packet);
      case "unsubscribe": {
        const existed = packet.unsubscriptions.map((filter: string) => session.subscriptions.delete(filter) ? 0 : 0x11);
        answers.push(`unsuback ${messageId}${connect.protocolVersion < 5 ? "" : ` ${existed}`}`);
        return;
      }
      case "pingreq":
        answers.push("pingresp");
        return;
      case "disconnect":
        if (reasonCode === 0) connection.will = undefined;
        session.expiry = this.#sessions.expiry(packet.properties?.sessionExpiryInterval ?? session.expiry);
        return this.#sessions.end(connection, "disconnect");
      default: // garbage
        return this.#sessions.end(connection, "malformed-packet");
    }
  }

  #subscribe(answers: string[], session: Session, { messageId, subscriptions, properties }: PacketLike): void {
    answers.push(`suback ${messageId} ${subscriptions.map(({ qos }: Options) => qos)}`);
    for (const { topic: filter, qos, nl = false, rap = false, rh = 0 } of subscriptions) {
      const isNew = !session.subscriptions.has(filter);
      const options = { qos, nl, rap, identifier: properties?.subscriptionIdentifier };
      session.subscriptions.set(filter, options);
      this.#routing.subscribed(session, filter, options, rh === 0 || rh === 1 && isNew);
    }
  }

  // What the broker writes.

  #written({ name }: Link, packet: PacketLike, since: number): void {
    const connection = this.#connections.get(name), { cmd, messageId, sessionPresent, granted, reasonCode } = packet;
    if (!connection) return; // it was refused
    if (connection.dismissed) throw new Violation(`${name} gets ${cmd} after a DISCONNECT`);
    connection.dismissed = cmd === "disconnect";
    if (cmd === "publish") return this.#arrive(connection, packet, since);
    if (connection.ended && cmd === "disconnect") return;
    const parts = [cmd, messageId, sessionPresent, granted?.join(","), reasonCode || undefined];
    const answer = parts.filter((part) => part !== undefined).join(" "), perhaps = PERHAPS + answer;
    let wanted: string | undefined;
    do wanted = connection.answers.shift(); while (wanted && !isSure(wanted) && wanted !== perhaps);
    if (wanted === perhaps) connection.session!.deliveries.remind(messageId);
    else if (wanted !== answer) throw new Violation(`${name} gets "${answer}", not "${wanted}"`);
  }

  #arrive({ name, connect, ended, session, aliases }: Connection, packet: PacketLike, since: number): void {
    if (ended) return; // it was on its way
    const { topicAliasMaximum: most = 0 } = connect.properties ?? {}, { topicAlias: alias } = packet.properties ?? {};
    if (alias > most) throw new Violation(`${name} gets the topic alias ${alias}: ${most} are permitted`);
    if (alias && packet.topic) aliases.set(alias, packet.topic);
    const topic = packet.topic || aliases.get(alias), text = String(packet.payload), level = connect.protocolVersion;
    if (!topic) throw new Violation(`${name} does not know the topic alias ${alias}`);
    session!.deliveries.arrive({ packet, topic, text, level, since, now: this.#moment.now });
  }

  // What the broker tells, and is told.

  #told(event: BrokerEvent): void {
    if (event.type.endsWith("-error")) throw new Violation(Deno.inspect(event));
    if (event.type === "refused") this.#refused.add(event.remote);
    else if (event.type === "connected") this.#connected(this.#connections.get(event.remote)!, event.sessionPresent);
    else if (event.type === "disconnected") this.#disconnected(this.#connections.get(event.remote)!, event);
    else if (event.type === "dropped") {
      for (const { deliveries } of this.#sessions.of(event.client)) {
        deliveries.drop(event, this.#moment);
      }
    }
  }

  #connected(connection: Connection, present: boolean): void {
    this.#sessions.open(connection, present);
    connection.answers.push(`connack ${present}`);
    for (const { id, sure } of connection.session!.deliveries.pubrels) {
      connection.answers.push(`${sure ? "" : PERHAPS}pubrel ${id}`);
    }
  }

  /** The broker ends a connection for a reason that is known already, or for one that only it can tell when. */
  #disconnected(
    connection: Connection,
    { reason, detail }: { readonly reason: string; readonly detail: string },
  ): void {
    const { name, lost, heard, connect: { keepalive } } = connection;
    const silent = keepalive > 0 && this.#moment.now >= heard + keepalive * 1500;
    const right = lost && reason === "connection-lost" || silent && reason === "keep-alive-timeout" ||
      this.#closing && reason === "server-shutting-down";
    if (right) this.#sessions.end(connection, reason);
    if (connection.ended !== reason && connection.ended !== CRASH) {
      throw new Violation(`${name} ends: ${reason}, ${detail}; expected: ${connection.ended}`);
    }
    this.#open.delete(connection);
  }

  /** The broker will have noticed by the end of the step. */
  #lost({ name }: Link): void {
    const connection = this.#connections.get(name);
    if (connection) connection.lost = true;
  }
}

function isSure(answer: string): boolean {
  return !answer.startsWith(PERHAPS);
}
