// The machine that the brokers of a run live on, one after the other: what they store lasts, where they have a store, and each of them has
// a clock of its own. A broker dies when it is told to, or closes; in danger it dies by itself, between any two operations of its store.
import type { Broker, BrokerOptions } from "../../mod.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Life } from "../durability/life.ts";
import { type History, type Published, Violation } from "./history.ts";
import { mortal } from "./mortal_store.ts";
import type { Random } from "./random.ts";
import type { BrokerClock, Schedule } from "./schedule.ts";

/** The brokers of a run. */
export interface Deployment {
  /** Makes a broker: the first one, and others after crashes. */
  start(options: BrokerOptions): Broker;
  /** Whether they have a store, so that sessions and retained messages outlive them. */
  readonly durable: boolean;
}

/** How a machine is set up. */
export interface HostOptions {
  readonly deployment: Deployment;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly history: History;
  /** What a broker is given beside its clock and its store. */
  configure(clock: BrokerClock): BrokerOptions;
  /** A broker has started. */
  started(broker: Broker): void;
  /** The broker has crashed. */
  crashed(): void;
}

/** How many times, before and after each change and commit, a broker in danger is spared. */
const LIVES = [Infinity, 20, 200, 2000];

/** For how many milliseconds there is no broker when one has died. */
const GAPS = [0, 5, 3000, 100_000];

/** How many seconds a broker may take to close. */
const CLOSING = 8;

/** A machine with one broker at a time. */
export class Host {
  readonly #options: HostOptions;
  readonly #store = new MemoryStore();
  #life: Life | undefined;
  #clock!: BrokerClock;
  #broker: Broker | undefined;
  #closing = false;
  #inDanger = false;
  /** How many more times the broker is spared. */
  #left = Infinity;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** The present broker, if there is one. */
  get broker(): Broker | undefined {
    return this.#broker;
  }

  /** How many timers are running. */
  get timers(): number {
    return this.#clock.pending;
  }

  /** Starts a broker. */
  start(): void {
    const { deployment, schedule, history, configure, started } = this.#options, clock = schedule.clock();
    const survives = () => !clock.stopped && (--this.#left > 0 || this.crash());
    const store = deployment.durable && { store: mortal((this.#life = new Life(this.#store)).store, survives) };
    this.#clock = clock;
    this.#closing = false;
    this.endanger(this.#inDanger);
    history.add({ type: "start" });
    const broker = deployment.start({ clock, ...configure(clock), ...store });
    if (!clock.stopped) started(this.#broker = broker);
  }

  /** From now on brokers are in danger, or are not any more. */
  endanger(inDanger: boolean): void {
    const { deployment, random } = this.#options;
    this.#inDanger = inDanger && deployment.durable;
    this.#left = this.#inDanger ? random.between(1, random.pick(LIVES)) : Infinity;
  }

  /** Kills the broker, and starts another one after a while; always false. */
  crash(): false {
    const { schedule, random, history, crashed } = this.#options;
    if (this.#clock.stopped) return false;
    history.add({ type: "crash" });
    this.#broker = undefined;
    this.#clock.stop();
    this.#forget();
    crashed();
    schedule.after(random.pick(GAPS), () => this.start());
    return false;
  }

  /** Closes the broker, and starts another one. */
  close(): void {
    const broker = this.#broker, clock = this.#clock, { schedule, history } = this.#options, begin = schedule.now;
    if (this.#closing || !broker) return;
    this.#closing = true;
    history.add({ type: "closing" });
    broker.close().then(() =>
      schedule.after(0, () => {
        if (broker !== this.#broker) return; // it has crashed
        const seconds = (schedule.now - begin) / 1000, { pending } = clock;
        if (pending > 0 || seconds > CLOSING) {
          throw new Violation(`Closing leaves ${pending} timers, after ${seconds} s`);
        }
        this.#forget();
        this.start();
      })
    );
  }

  /** What is not stored is lost. */
  #forget(): void {
    this.#life?.end();
    this.#store.crash();
  }

  /** Publishes a message of the process itself, if it runs. */
  publish(message: Published): void {
    const { topic, text, qos, retain, expiry, contentType } = message, { history } = this.#options, clock = this.#clock;
    if (this.#closing || !this.#broker) return;
    const properties = {
      ...expiry !== undefined && { messageExpiryInterval: expiry },
      ...contentType !== undefined && { contentType },
    };
    history.add({ type: "hosted", message });
    this.#broker.publish(topic, text, { qos, retain, properties })
      .then(() => clock.stopped || history.add({ type: "accepted", message }));
  }
}
