// A client that does everything right, in the middle of those that do not: it has to get every message, once and in order, or the
// broker has to say what became of it; what it publishes is acknowledged, and its pings are answered.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Broker, Message } from "../../mod.ts";
import type { PacketLike } from "../support/client.ts";
import { treeOf, type WritablePacket } from "./encode.ts";
import { Peer } from "./peer.ts";
import { bytesOf } from "./tree.ts";

/** A message as it is compared. */
export interface Seen {
  readonly topic: string;
  readonly text: string;
}

type MessageLike = Pick<Message, "topic" | "payload" | "qos" | "retain" | "properties">;

/** How the witness sees a message. */
export function seen({ topic, payload, qos, retain, properties }: MessageLike): Seen {
  const { contentType = "", responseTopic = "", correlationData = "", payloadFormatIndicator } = properties ?? {};
  const about = [contentType, responseTopic, Buffer.from(correlationData).toString("hex"), payloadFormatIndicator];
  const pairs = pairsOf(properties?.userProperties);
  return {
    topic,
    text: JSON.stringify([topic, qos, retain, Buffer.from(payload).toString("latin1"), ...about, pairs]),
  };
}

/** User properties as they can be compared: mqtt-packet has them by name, and loses empty values of a name that comes again. */
function pairsOf(properties: object = []): string[] {
  const pairs = Array.isArray(properties)
    ? properties
    : Object.entries(properties).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
  return pairs.filter(([, value]) => value !== "").map((pair) => pair.join("=")).sort();
}

const brief = (text = "nothing") => text.slice(0, 50);

/** The one that is served well. */
export class Witness {
  static readonly id = "witness of all this";
  /** Payloads that it has published itself, as "latin1". */
  readonly said: string[] = [];
  readonly #peer: Peer;
  readonly #late: Promise<never>;
  readonly #received: Seen[] = [];
  #answer = Promise.withResolvers<void>();

  private constructor(broker: Broker, late: Promise<never>) {
    this.#late = late;
    this.#peer = new Peer(broker, Witness.id);
    this.#peer.onPacket = (packet) => this.#take(packet);
    this.#peer.onEnd = () => this.#accuse("The witness has lost its connection");
  }

  /** A witness of everything that is published from now on. @param late rejects when it has waited too long */
  static async enter(broker: Broker, late: Promise<never>): Promise<Witness> {
    const witness = new Witness(broker, late);
    const subscriptions = [{ topic: "#", qos: 2, rap: true } as const];
    await witness.#ask({ cmd: "connect", protocolVersion: 5, clientId: Witness.id, clean: true, keepalive: 0 });
    await witness.#ask({ cmd: "subscribe", messageId: 1, subscriptions });
    return witness;
  }

  /** Every payload that it got, as "latin1". */
  get payloads(): ReadonlySet<string> {
    return this.#peer.payloads;
  }

  /** True where the last thing that it has published has come to it, and so everything before that. */
  get heardItself(): boolean {
    return this.#peer.payloads.has(this.said.at(-1) ?? "");
  }

  /** Publishes something, and is served. */
  async check(): Promise<void> {
    const qos = this.said.length % 3, text = `said ${this.said.length}`;
    const about = { topic: "witness", qos, retain: false, dup: false, messageId: qos === 0 ? 0 : 7 };
    this.said.push(text);
    const packet: WritablePacket = { cmd: "publish", payload: Buffer.from(text), ...about };
    if (qos > 0) await this.#ask(packet);
    else this.#say(packet);
    await this.#ask({ cmd: "pingreq" });
  }

  /**
   * Asserts that it got what was routed, but for what it was told is lost, in that order. @param lost topics, one for each message
   */
  requireAll(routed: readonly Seen[], lost: readonly string[]): void {
    const missing = [...lost], received = this.#received.values();
    let next = received.next().value;
    for (const { topic, text } of routed) {
      if (next?.text === text) next = received.next().value;
      else {
        const at = missing.indexOf(topic);
        assert(at >= 0, `The witness missed "${brief(text)}" or got it late: next was "${brief(next?.text)}"`);
        missing.splice(at, 1);
      }
    }
    assert(!next, `The witness got "${brief(next?.text)}", which nobody has published then`);
    assertEquals(missing, [], "The witness got what was reported as lost");
  }

  /** Says goodbye; the broker has done nothing wrong to it. */
  async leave(): Promise<void> {
    this.#peer.onEnd = () => {};
    this.#say({ cmd: "disconnect", reasonCode: 0 });
    await Promise.race([this.#peer.served, this.#late]);
    if (this.#peer.fault) throw this.#peer.fault;
  }

  #accuse(fault: string): void {
    this.#peer.fault ??= new Error(fault);
    this.#answer.resolve();
  }

  #say(packet: WritablePacket): void {
    this.#peer.send(bytesOf(treeOf(packet, 5)));
  }

  async #ask(packet: WritablePacket): Promise<void> {
    this.#answer = Promise.withResolvers();
    this.#say(packet);
    await Promise.race([this.#answer.promise, this.#late]);
    if (this.#peer.fault) throw this.#peer.fault;
  }

  #take(packet: PacketLike): void {
    const { cmd, qos, messageId } = packet;
    if (cmd === "publish") {
      this.#received.push(seen(packet as unknown as MessageLike));
      if (qos > 0) this.#say({ cmd: qos === 1 ? "puback" : "pubrec", messageId: messageId! });
    } else if (cmd === "pubrec") this.#say({ cmd: "pubrel", messageId: messageId! });
    else if (cmd === "pubrel") this.#say({ cmd: "pubcomp", messageId: messageId! });
    else if (cmd === "disconnect") this.#accuse(`The witness was told to go: ${packet.reasonCode}`);
    if (cmd !== "publish" && cmd !== "pubrec" && cmd !== "pubrel") this.#answer.resolve();
  }
}
