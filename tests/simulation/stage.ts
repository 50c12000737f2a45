// What the clients of a run act on: the broker and the network, each with its disasters, and the model that watches every step.
import type { Access, Broker, BrokerEvent, BrokerOptions, ClientInfo, Credentials, Limits } from "../../mod.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Life } from "../durability/life.ts";
import { History, type Published, Violation } from "./history.ts";
import { Hypotheses } from "./hypotheses.ts";
import { mortal } from "./mortal_store.ts";
import { Link, type NetworkOptions, type Peer } from "./network.ts";
import type { Random } from "./random.ts";
import { type BrokerClock, Schedule } from "./schedule.ts";

/** The brokers of a run. */
export interface Deployment {
  /** Makes a broker: the first one, and others after crashes. */
  start(options: BrokerOptions): Broker;
  /** Whether they have a store, so that sessions and retained messages outlive them. */
  readonly durable: boolean;
}

/** How many times, before and after each change and commit, a broker is spared, and how many milliseconds there is none when it has died. */
const LIVES = [Infinity, 20, 200, 2000], GAPS = [0, 5, 3000, 100_000];

/** Milliseconds that one part of a run takes at most. */
const PATIENCE = 10_000_000;

/** How many messages a client may have under way. */
export const QUOTA = 10;

/** How many messages may wait in a session. */
const QUEUES = [3, 10_000, 10_000];

/** So many messages may wait in any session. */
export const WAITING: number = Math.min(...QUEUES);

/** Milliseconds after which a store has been told of everything. */
const WRITTEN = 20;

/** The events that say something of what is promised. */
const telling = /^(connected|disconnected|refused|dropped)$|error/;

/** The stage of one run. */
export class Stage {
  readonly schedule: Schedule = new Schedule();
  readonly history: History;
  readonly model: Hypotheses;
  /** How many steps there have been. */
  steps = 0;
  readonly #random: Random;
  readonly #deployment: Deployment;
  readonly #network: NetworkOptions;
  readonly #limits: Limits & { readonly inflight: number; readonly sessionExpiry: number };
  /** Whether hooks take their time. */
  readonly #slow: boolean;
  readonly #links = new Set<Link>();
  /** The names of the links by the clients that have been let in last. */
  readonly #letIn = new Map<string, string>();
  readonly #store = new MemoryStore();
  #life: Life | undefined;
  /** How many more times the broker is spared. */
  #left = Infinity;
  #opened = 0;
  #clock!: BrokerClock;
  #broker: Broker | undefined;
  #closing = false;
  #mortal = false;
  #wakesAt = 0;

  /** @param trace gets a line for each thing that happens */
  constructor(random: Random, deployment: Deployment, trace?: (line: string) => void) {
    const { schedule } = this, history = this.history = new History(() => schedule.now, trace);
    const latency = random.pick([1, 20, 200]), tearing = random.pick([0, 0.05, 0.5]), slow = random.chance(0.2);
    this.#random = random;
    this.#deployment = deployment;
    this.#slow = slow;
    this.#network = { schedule, random, history, latency, tearing, oneByOne: slow };
    this.#limits = {
      inflight: random.pick([1, 2, 5, 20]),
      queuedMessages: random.pick(QUEUES),
      outbox: random.pick([1024, 1024 * 1024]),
      sessionExpiry: random.pick([3, 1000, Infinity, Infinity]),
      receiveMaximum: QUOTA,
    };
    this.model = new Hypotheses(this.#limits, deployment.durable);
    this.#start();
  }

  /** Whether clients may have a keep alive: where hooks take their time nobody can tell since when a client is silent. */
  get keepsAlive(): boolean {
    return !this.#slow;
  }

  /** Whether there is a broker. */
  get up(): boolean {
    return this.#broker !== undefined;
  }

  /** Milliseconds for which all clients sleep from now on. */
  get night(): number {
    return Math.max(0, this.#wakesAt - this.schedule.now);
  }

  /** How often the broker has counted something. */
  counted(kind: string): number {
    return this.#broker!.counters.get(kind) ?? 0;
  }

  /** Does something, and waits until that is over. */
  do(work: () => void): Promise<void> {
    this.schedule.after(0, work);
    return this.until(() => this.schedule.owed === 0);
  }

  /** Goes on until something is so, or nothing more happens. */
  async until(reached: () => boolean): Promise<void> {
    const latest = this.schedule.now + PATIENCE;
    const settled = () => {
      this.steps++;
      this.model.absorb(this.history.step(), this.schedule.now);
      if (this.schedule.now > latest) throw new Violation("This has no end");
    };
    await this.schedule.run(() => !reached(), settled);
  }

  /** Opens a connection. */
  open(client: string, version: number, peer: Peer): Link {
    for (const link of this.#links) if (!link.open) this.#links.delete(link);
    const link = new Link(`${client}/${++this.#opened}`, version, peer, this.#network);
    this.#links.add(link);
    if (this.#broker) this.#broker.accept(link.stream);
    else link.freeze();
    return link;
  }

  /** Publishes a message of the process itself. */
  publish(message: Published): void {
    const { topic, text, qos, retain, expiry, contentType } = message;
    const properties = {
      ...expiry !== undefined && { messageExpiryInterval: expiry },
      ...contentType !== undefined && { contentType },
    };
    if (this.#closing || !this.up) return;
    this.history.add({ type: "hosted", message });
    const clock = this.#clock, accepted = () => clock.stopped || this.history.add({ type: "accepted", message });
    this.#broker!.publish(topic, text, { qos, retain, properties }).then(accepted);
  }

  /** Everybody is connected, and has had the time to take everything: nothing may be open. */
  complete(): void {
    const ignored = [...this.#links].find((link) => link.open && this.history.waiting(link).length > 0);
    if (ignored) throw new Violation(`${ignored.name} is not heard`);
    this.model.complete();
  }

  /** No connection may be open, and nothing be left of those that were. */
  async abandoned(): Promise<void> {
    await this.until(() => this.schedule.owed === 0 && ![...this.#links].some(({ open }) => open));
    await this.do(() => this.schedule.after(WRITTEN, () => {}));
    if (this.#clock.pending > 0) throw new Violation(`${this.#clock.pending} timers are left`);
  }

  // Disasters.

  /** From now on the broker dies now and then, in the middle of its work, or it does not any more. */
  endanger(mortal: boolean): void {
    this.#mortal = mortal && this.#deployment.durable;
    this.#left = this.#mortal ? this.#random.between(1, this.#random.pick(LIVES)) : Infinity;
  }

  /** The broker is thrown away, and another one takes its place; always false. */
  crash(): false {
    if (this.#clock.stopped) return false;
    this.history.add({ type: "crash" });
    this.#broker = undefined;
    this.#clock.stop();
    this.#forgo();
    for (const link of this.#links) link.freeze();
    this.schedule.after(this.#random.pick(GAPS), () => this.#start());
    return false;
  }

  /** What the broker has not stored is lost. */
  #forgo(): void {
    this.#life?.end();
    this.#store.crash();
  }

  /** The broker closes, and another one takes its place. */
  close(): void {
    if (this.#closing || !this.up) return;
    this.history.add({ type: "closing" });
    const broker = this.#broker!, clock = this.#clock, begin = this.schedule.now;
    this.#closing = true;
    broker.close().then(() => {
      if (broker !== this.#broker) return; // it has crashed
      this.schedule.after(0, () => {
        const seconds = (this.schedule.now - begin) / 1000;
        if (clock.pending > 0 || seconds > 8) {
          throw new Violation(`Closing leaves ${clock.pending} timers, after ${seconds} s`);
        }
        if (broker !== this.#broker) return;
        this.#forgo();
        this.#start();
      });
    });
  }

  /** All connections break, one after the other. */
  outage(): void {
    this.history.add({ type: "disaster", text: "the network fails" });
    for (const link of this.#links) this.schedule.after(0, () => link.fail());
  }

  /** All clients sleep for so many milliseconds. */
  sleep(length: number): void {
    this.history.add({ type: "disaster", text: "everybody falls asleep" });
    this.#wakesAt = this.schedule.now + length;
  }

  #start(): void {
    const clock = this.#clock = this.schedule.clock(), decide = (link: string) => this.#decide(link, clock);
    const hooks = this.#slow && {
      authenticate: ({ remote }: Credentials) => decide(remote),
      authorize: ({ client, action }: Access) => this.#resumes(client, action) || decide(client.remote),
    };
    const survives = () => !clock.stopped && (--this.#left > 0 || this.crash());
    const store = this.#deployment.durable && { store: mortal((this.#life = new Life(this.#store)).store, survives) };
    this.#closing = false;
    this.history.add({ type: "start" });
    this.endanger(this.#mortal);
    const broker = this.#deployment.start({ clock, limits: this.#limits, ...hooks, ...store });
    if (!clock.stopped) this.#observe(this.#broker = broker);
  }

  #observe(broker: Broker): void {
    broker.packets.subscribe(({ direction, client }) => {
      if (broker === this.#broker && direction === "in") this.history.take(this.#linkOf(client));
    });
    broker.events.subscribe((event) => broker === this.#broker && this.#told(event));
    broker.topic("will/#").subscribe((will) => {
      if (broker === this.#broker && will.size > 0) this.history.add({ type: "will", text: will.text() });
    });
  }

  /** The link of a client that has been let in, or of that name. */
  #linkOf(client: string): Link {
    const name = this.#letIn.get(client) ?? client;
    return [...this.#links].find((link) => link.name === name)!;
  }

  #told(event: BrokerEvent): void {
    if (event.type === "connected") this.#letIn.set(event.client, event.remote);
    if (event.type === "disconnected" && event.reason === "malformed-packet") {
      this.history.take(this.#linkOf(event.remote)); // which is none that could be shown
    }
    if (telling.test(event.type)) this.history.add({ type: "event", event });
  }

  /** Whether it is about a subscription of a session that a store has kept, which no packet waits for. */
  #resumes({ remote }: ClientInfo, action: string): boolean {
    return action === "subscribe" && this.history.taken(remote)?.packet.cmd === "connect";
  }

  /** A hook always says yes, but now and then it takes its time: what was read is handled no sooner. */
  #decide(link: string, clock: BrokerClock): true | Promise<true> {
    if (clock.stopped || this.#random.chance(0.7)) return true;
    const handled = this.history.withhold(link);
    return new Promise((resolve) =>
      this.schedule.after(this.#random.between(0, 2000), () => {
        if (clock.stopped) return;
        handled();
        resolve(true);
      })
    );
  }
}
