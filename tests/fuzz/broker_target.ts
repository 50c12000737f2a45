// What a broker owes to those around a client that may send anything, at any time, and come and go as it likes: the others are
// served, nothing fails within, a connection ends for the right reason or goes on, and when all have gone, nothing is left.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Broker, type BrokerEvent, createBroker } from "../../mod.ts";
import { counterOf } from "../../src/events.ts";
import { read, type Reading } from "./codec_target.ts";
import { treeOf } from "./encode.ts";
import { type Features, normalised } from "./features.ts";
import { type Input, streamsOf } from "./input.ts";
import { Peer } from "./peer.ts";
import { Strays } from "./strays.ts";
import { JumpingClock, LARGEST, optionsOf, quiet } from "./surroundings.ts";
import { bytesOf } from "./tree.ts";
import { cleanClients, clientsOf, messagesOf, requireReason, requireTerms } from "./verdict.ts";
import { type Seen, seen, Witness } from "./witness.ts";

/** How long the witness waits for anything, in milliseconds. */
const PATIENCE = 10_000;

/** Bytes on their way to a client before a write waits. */
const CAPACITY = { tight: 256, roomy: 65_536 } as const;

/** The witness is asked every so many steps. */
const PERIOD = 16;

/** So many hooks that take their time may be under way for one client at the end. */
const HOOKS = 100;

/** What the process of the broker says itself. */
const GONE = "somebody has gone";

/** Events that nothing which a client sends may lead to. */
const failures = /^(observer-error|hook-error|routing-error|.+\/(implementation-specific|unspecified)-error)$/;

/** Puts an input through a broker; returns what was seen. */
export async function checkBroker(input: Input): Promise<Features> {
  using strays = new Strays();
  const features = await new Run(input).all();
  await quiet();
  strays.requireNone();
  return features;
}

/** One broker, and who is around it. */
class Run {
  readonly #input: Input;
  readonly #size: "tight" | "roomy";
  readonly #clock: JumpingClock;
  readonly #broker: Broker;
  readonly #peers = new Map<number, Peer>();
  readonly #readings = new Map<string, Reading>();
  readonly #events: BrokerEvent[] = [];
  readonly #routed: Seen[] = [];
  readonly #late = Promise.withResolvers<never>();

  constructor(input: Input) {
    const { broker } = this.#input = input;
    this.#size = broker.includes("tight") ? "tight" : "roomy";
    this.#clock = new JumpingClock(broker.includes("drifting"));
    this.#broker = createBroker(optionsOf(broker, this.#clock));
    this.#broker.events.subscribe((event) => this.#events.push(event));
    if (broker.includes("observed")) {
      this.#broker.routed.subscribe((m) => m.topic.startsWith("$") || this.#routed.push(seen(m)));
    }
    if (broker.includes("hooks")) { // what is published from within waits for its turn
      this.#broker.topic("a/b").subscribe(({ payload, qos }) => this.#broker.publish("derived", payload, { qos }));
      this.#broker.events.subscribe(({ type }) => type === "disconnected" && this.#broker.publish("gone", GONE));
    }
    for (const [client, pieces] of streamsOf(input)) {
      this.#readings.set(nameOf(client), read(pieces, LARGEST[this.#size]));
    }
    this.#late.promise.catch(() => {});
  }

  /** Everything from the beginning to the end. */
  async all(): Promise<Features> {
    const timer = setTimeout(() => this.#late.reject(new Error(`Nothing came within ${PATIENCE} ms`)), PATIENCE);
    try {
      const witness = await Witness.enter(this.#broker, this.#late.promise);
      await this.#steps(witness);
      await this.#end(witness);
      return this.#features();
    } finally {
      clearTimeout(timer);
      const closed = this.#broker.close({ drain: 0 });
      await quiet();
      this.#clock.pass(10_000); // whoever does not read must not keep it open
      await closed;
    }
  }

  async #steps(witness: Witness): Promise<void> {
    for (const [i, step] of this.#input.steps.entries()) {
      if (step.do === "pass") this.#clock.pass(step.seconds * 1000);
      else if (step.do === "send") this.#peer(step.client).send(step.bytes);
      else this.#peer(step.client)[step.do]();
      if (step.wait) {
        await quiet();
        this.#clock.pass(0);
      }
      if (i % PERIOD === PERIOD - 1) await witness.check();
    }
    for (let i = 0; i < HOOKS; i++) await quiet();
    await witness.check();
  }

  #peer(client: number): Peer {
    let peer = this.#peers.get(client);
    if (!peer) this.#peers.set(client, peer = new Peer(this.#broker, nameOf(client), CAPACITY[this.#size]));
    return peer;
  }

  /** Everybody goes; what they did is judged, and nothing of it is left. */
  async #end(witness: Witness): Promise<void> {
    const inTime = !this.#input.broker.includes("drifting");
    for (const peer of this.#peers.values()) {
      const reading = this.#readings.get(peer.name);
      if (reading) requireReason(peer, reading, this.#events, inTime);
      if (reading) requireTerms(peer, reading, optionsOf(this.#input.broker, this.#clock).limits!.inflight);
      peer.reset();
    }
    await this.#inTime(Promise.all(this.#peers.values().map(({ served }) => served)));
    do await witness.check(); while (!witness.heardItself);
    this.#requireMessages(witness);
    await witness.leave();
    await this.#endSessions();
    await this.#clearRetained();
    assertEquals(this.#clock.pending, 0, "A timer is running where there is nobody");
    this.#requireHealth();
  }

  async #inTime(promise: Promise<unknown>): Promise<void> {
    await Promise.race([promise, this.#late.promise]);
  }

  /** The witness has seen what was routed, or at least nothing that nobody has sent. */
  #requireMessages(witness: Witness): void {
    const lost = this.#events.filter((event) => event.type === "dropped").filter(({ client }) => client === Witness.id);
    const named = lost.filter(({ reason }) => reason !== "expired" && this.#size === "roomy");
    assertEquals(named, [], "The witness has lost something");
    const topics = lost.flatMap(({ topic = "", count }) => Array<string>(count).fill(topic));
    if (this.#input.broker.includes("observed")) witness.requireAll(this.#routed, topics);
    const sent = messagesOf([...this.#readings.values()]).map(({ payload }) => Buffer.from(payload).toString("latin1"));
    const known = new Set([...sent, ...witness.said, GONE]);
    for (const { payloads } of [witness, ...this.#peers.values()]) {
      const [unknown] = payloads.difference(known);
      assert(unknown === undefined, `Somebody got "${unknown?.slice(0, 50)}", which nobody has sent`);
    }
  }

  /** Clean clients have no session; the others end theirs now. */
  async #endSessions(): Promise<void> {
    const clean = cleanClients(this.#events, this.#readings);
    for (const client of clientsOf(this.#events)) {
      const present = await this.#visit(client, false);
      assert(!present || !clean.has(client), `Client "${client}" has a session after its end`);
      await this.#visit(client, true);
    }
  }

  /** Connects and goes; tells whether there was a session. */
  async #visit(clientId: string, clean: boolean): Promise<boolean> {
    const visitor = new Peer(this.#broker, "visitor"), answer = Promise.withResolvers<boolean>();
    visitor.onPacket = ({ cmd, sessionPresent }) => cmd === "connack" && answer.resolve(sessionPresent);
    visitor.send(bytesOf(treeOf({ cmd: "connect", protocolVersion: 4, clientId, clean, keepalive: 0 }, 4)));
    await this.#inTime(answer.promise);
    visitor.send(bytesOf(treeOf({ cmd: "disconnect" }, 4)));
    await this.#inTime(visitor.served);
    return answer.promise;
  }

  async #clearRetained(): Promise<void> {
    const topics = new Set(messagesOf([...this.#readings.values()]).map(({ topic }) => topic));
    for (const topic of topics) if (topic !== "") await this.#broker.publish(topic, "", { retain: true });
  }

  /** Nothing has failed within, and every client got only what it may get. */
  #requireHealth(): void {
    for (const { fault } of this.#peers.values()) if (fault) throw fault;
    const failure = this.#events.find((event) => failures.test(counterOf(event)));
    assert(!failure, `The broker has failed: ${Deno.inspect(failure)}`);
  }

  #features(): Features {
    const told = this.#events.map((event) =>
      `${counterOf(event)} ${"detail" in event ? normalised(event.detail) : ""}`
    );
    return [...told, ...this.#peers.values().flatMap(({ heard }) => heard)];
  }
}

function nameOf(client: number): string {
  return `client-${client}`;
}
