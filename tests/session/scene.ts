// A session without a socket: its link only writes down what it is given.
import type { Message, QoS } from "../../src/message.ts";
import type { Terms } from "../../src/session/terms.ts";
import { type Link, Session } from "../../src/session/session.ts";
import { plain, Surroundings } from "./surroundings.ts";

/**
 * What a client would get, as text: `topic:qos#identifier`, with `+dup` and `+retain` and the subscription identifiers in brackets,
 * and `pubrel#identifier`.
 */
export class RecordingLink implements Link {
  writable = true;
  receiveMaximum = 65_535;
  /** Topics of messages that are too large for the client. */
  readonly tooLarge = new Set<string>();
  readonly #sent: string[] = [];

  takes(): boolean {
    return this.writable;
  }

  publish(message: Message, { qos, retain, identifiers }: Terms, packetId: number, dup: boolean): boolean {
    if (this.tooLarge.has(message.topic)) return false;
    const id = packetId > 0 ? `#${packetId}` : "",
      list = identifiers ? `[${identifiers.toSorted((a, b) => a - b)}]` : "";
    this.#sent.push(`${message.topic}:${qos}${id}${dup ? "+dup" : ""}${retain ? "+retain" : ""}${list}`);
    return true;
  }

  overloaded(): void {
    this.#sent.push("overloaded");
  }

  release(packetId: number): void {
    this.#sent.push(`pubrel#${packetId}`);
  }

  /** What was sent since the last time. */
  take(): string[] {
    return this.#sent.splice(0);
  }
}

/** A session and its surroundings. */
export class Scene extends Surroundings {
  readonly link = new RecordingLink();
  readonly session: Session;

  constructor(limits: Partial<Surroundings["limits"]> = {}, attached = true) {
    super(limits);
    this.session = new Session("c", 0, this);
    if (attached) this.session.attach(this.link);
  }

  subscribe(filter: string, qos: QoS): void {
    this.session.subscriptions.set(filter, { ...plain, qos });
  }

  /** Publishes at one QoS, and at no other. */
  publishAll(qos: QoS, ...topics: readonly string[]): void {
    for (const topic of topics) this.route({ topic, qos });
  }

  /** What was sent since the last time. */
  take(): string[] {
    return this.link.take();
  }
}
