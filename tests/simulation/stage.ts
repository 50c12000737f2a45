// What the clients of a run act on: the broker and the network, each with its disasters, and the model that watches every step.
import type { Access, Broker, BrokerEvent, BrokerOptions, ClientInfo, Credentials, Limits } from "../../mod.ts";
import { History, Violation } from "./history.ts";
import { type Deployment, Host } from "./host.ts";
import { Hypotheses } from "./hypotheses.ts";
import { Link, type NetworkOptions, type Peer } from "./network.ts";
import type { Random } from "./random.ts";
import { type BrokerClock, Schedule } from "./schedule.ts";

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
  readonly host: Host;
  /** How many steps there have been. */
  steps = 0;
  readonly #random: Random;
  readonly #network: NetworkOptions;
  readonly #limits: Limits & { readonly inflight: number; readonly sessionExpiry: number };
  /** Whether hooks take their time. */
  readonly #slow: boolean;
  readonly #links = new Set<Link>();
  /** The names of the links of the clients that are let in. */
  readonly #letIn = new Map<string, string>();
  #opened = 0;
  #wakesAt = 0;

  /** @param trace gets a line for each thing that happens */
  constructor(random: Random, deployment: Deployment, trace?: (line: string) => void) {
    const { schedule } = this, history = this.history = new History(() => schedule.now, trace);
    const latency = random.pick([1, 20, 200]), tearing = random.pick([0, 0.05, 0.5]), slow = random.chance(0.2);
    this.#random = random;
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
    this.host = new Host({
      ...{ deployment, schedule, random, history },
      configure: (clock) => ({ limits: this.#limits, ...this.#slow && this.#hooks(clock) }),
      started: (broker) => this.#observe(broker),
      crashed: () => this.#links.forEach((link) => link.freeze()),
    });
    this.host.start();
  }

  /** Whether clients may have a keep alive: where hooks take their time nobody can tell since when a client is silent. */
  get keepsAlive(): boolean {
    return !this.#slow;
  }

  /** Milliseconds for which all clients sleep from now on. */
  get night(): number {
    return Math.max(0, this.#wakesAt - this.schedule.now);
  }

  /** How often the broker has counted something. */
  counted(kind: string): number {
    return this.host.broker!.counters.get(kind) ?? 0;
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
    if (this.host.broker) this.host.broker.accept(link.stream);
    else link.freeze();
    return link;
  }

  /** Everybody is connected, and has had the time to take everything: nothing may be open. */
  complete(): void {
    const present = new Set(this.#letIn.values()), isPresent = ({ open, name }: Link) => open && present.has(name);
    const ignored = [...this.#links].find((link) => isPresent(link) && this.history.waiting(link).length > 0);
    if (ignored) throw new Violation(`${ignored.name} is not heard`);
    this.model.complete();
  }

  /** No connection may be open, and nothing be left of those that were. */
  async abandoned(): Promise<void> {
    await this.until(() => this.schedule.owed === 0 && ![...this.#links].some(({ open }) => open));
    await this.do(() => this.schedule.after(WRITTEN, () => {}));
    const { timers } = this.host;
    if (timers > 0) throw new Violation(`${timers} timers are left`);
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

  #observe(broker: Broker): void {
    broker.packets.subscribe(({ direction, client }) => {
      if (broker === this.host.broker && direction === "in") this.history.take(this.#linkOf(client));
    });
    broker.events.subscribe((event) => broker === this.host.broker && this.#told(event));
    broker.topic("will/#").subscribe((will) => {
      if (broker === this.host.broker && will.size > 0) this.history.add({ type: "will", text: will.text() });
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
    if (event.type === "disconnected" && this.#letIn.get(event.client) === event.remote) {
      this.#letIn.delete(event.client);
    }
    if (telling.test(event.type)) this.history.add({ type: "event", event });
  }

  #hooks(clock: BrokerClock): BrokerOptions {
    const decide = (link: string) => this.#decide(link, clock);
    return {
      authenticate: ({ remote }: Credentials) => decide(remote),
      authorize: ({ client, action }: Access) => this.#resumes(client, action) || decide(client.remote),
    };
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
