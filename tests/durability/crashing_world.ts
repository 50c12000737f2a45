// A broker and its clients in one process, where the broker dies in the middle of its work: after so many changes and commits of its
// store. Another one takes its place on what was committed, and the clients come back by themselves.
import { setImmediate } from "node:timers";
import { type Broker, type BrokerEvent, type BrokerOptions, createBroker } from "../../mod.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { FaithfulClient, type FaithfulOptions } from "./faithful_client.ts";
import { Life } from "./life.ts";
import { DayClock } from "./restarts.ts";

/** How often it is looked whether everything has come to rest: a timer of the broker's takes a millisecond, and a look a few microseconds. */
const PATIENCE = 10_000;

/** A broker that dies again and again. */
export class CrashingWorld implements AsyncDisposable {
  readonly store: MemoryStore = new MemoryStore();
  readonly events: BrokerEvent[] = [];
  clock: DayClock = new DayClock(1_700_000_000_000);
  readonly #options: BrokerOptions;
  readonly #deaths: Iterator<number>;
  readonly #clients: FaithfulClient[] = [];
  readonly #streams = new Set<ByteStream>();
  #life: Life | undefined;
  #broker: Broker | undefined;
  #started = Promise.withResolvers<void>();
  #crashes = 0;

  /** @param deaths after how many changes and commits each broker dies; those behind the last number live */
  constructor(deaths: Iterable<number>, options: BrokerOptions = {}) {
    this.#options = options;
    this.#deaths = deaths[Symbol.iterator]();
    this.#start();
  }

  /** How many changes and commits the present broker has made. */
  get steps(): number {
    return this.#life!.steps;
  }

  /** How many brokers have died. */
  get crashes(): number {
    return this.#crashes;
  }

  #start(): void {
    this.#life = new Life(this.store, this.#deaths.next().value ?? Infinity, () => this.#die());
    this.#broker = createBroker({ ...this.#options, clock: this.clock, store: this.#life.store });
    this.#broker.events.subscribe((event) => this.events.push(event));
    if (!this.#life.dead) this.#started.resolve();
  }

  /** In the middle of something: the rest of that is what a dead broker does. */
  #die(): void {
    this.#crashes++;
    this.store.crash();
    this.#started = Promise.withResolvers();
    setImmediate(() => {
      for (const stream of this.#streams) stream.close();
      this.#streams.clear();
      this.clock = new DayClock(this.clock.time + 1000);
      this.#start();
    });
  }

  /** A client that is not connected yet. */
  client(id: string, options: Partial<FaithfulOptions> = {}): FaithfulClient {
    const client = new FaithfulClient({ id, open: () => this.#open(), ...options });
    this.#clients.push(client);
    return client;
  }

  async #open(): Promise<ByteStream> {
    await this.#started.promise;
    const [ours, theirs] = memoryPair();
    this.#streams.add(ours);
    this.#broker!.accept(theirs);
    return ours;
  }

  /** Resolves when nothing more comes, also with time, and everything is acknowledged; with a fault where that does not happen. */
  async rest(): Promise<string[]> {
    const state = () => `${this.#crashes} ${this.#clients.map(({ receipts }) => receipts.length)}`;
    for (let i = 0; i < PATIENCE; i++) {
      const before = state();
      await breathe();
      if (state() !== before || this.#clients.some((client) => !client.idle)) continue;
      await this.clock.advance(300);
      if (state() === before) return [];
    }
    return ["There was no rest"];
  }

  /** The last broker is left alone, like those that have died: it has nothing but memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop("drop")));
  }
}

/** Lets everything run that needs no more than a few rounds of the event loop: timers would take a millisecond each. */
async function breathe(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
