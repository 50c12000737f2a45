// One run: a broker under a virtual clock, a network that fails, clients that follow their whims, and a model that watches. A run is a
// pure function of its seed. It ends in good order: everybody comes back and gets what it is owed; then everybody leaves, and nothing
// may be left of them.
import { createBroker } from "../../mod.ts";
import { SimulatedClient, type World } from "./client.ts";
import { type History, Violation } from "./history.ts";
import { Random } from "./random.ts";
import type { Deployment } from "./host.ts";
import { QUOTA, Stage, WAITING } from "./stage.ts";
import { Whims } from "./whims.ts";

/** How to run. */
export interface SimulationOptions {
  /** Default: brokers that keep nothing. */
  readonly deployment?: Deployment;
  /** Gets a line for each thing that happens. */
  readonly trace?: (line: string) => void;
}

/** What has been simulated. */
export interface Outcome {
  /** Virtual seconds. */
  readonly seconds: number;
  readonly steps: number;
  /** How often each kind of thing has happened. */
  readonly counts: ReadonlyMap<string, number>;
}

/** A run that has shown a fault. */
export class SimulationError extends Error {
  constructor(seed: number, durable: boolean, history: History, cause: unknown) {
    const what = cause instanceof Violation ? cause.message : cause instanceof Error ? cause.stack : String(cause);
    const replay = `deno run -A tests/simulation/run.ts --seed ${seed}${durable ? " --durable" : ""} --trace`;
    super(`Seed ${seed}: ${what}\n\nThe last steps:\n${history.tail()}\n\nReplay: ${replay}`, { cause });
  }
}

/**
 * Runs what the seed says, and checks it. One run at a time: it borrows the event loop's timers.
 *
 * @throws {SimulationError} where the broker breaks a promise
 */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const { deployment = { start: createBroker, durable: false }, trace } = options, random = new Random(seed);
  const stage = new Stage(random, deployment, trace), { schedule, history } = stage, begin = schedule.now;
  try {
    await new Run(random, stage).run();
  } catch (error) {
    throw new SimulationError(seed, deployment.durable, history, error);
  }
  return { seconds: (schedule.now - begin) / 1000, steps: stage.steps, counts: history.counts };
}

/** A topic that nobody else subscribes to, whatever comes to their minds. */
function fullTopic(client: string): string {
  return `$full/${client}`;
}

class Run {
  readonly #random: Random;
  readonly #stage: Stage;
  readonly #whims: Whims;
  readonly #world: World;
  readonly #clients: readonly SimulatedClient[];

  constructor(random: Random, stage: Stage) {
    const whims = new Whims(random, stage.keepsAlive),
      world = { stage, random, whims, lag: random.pick([0, 50, 3000]) };
    const newClient = (_: unknown, i: number) => new SimulatedClient(`c${i + 1}`, world);
    this.#random = random;
    this.#stage = stage;
    this.#whims = whims;
    this.#world = world;
    this.#clients = Array.from({ length: random.between(2, 6) }, newClient);
  }

  async run(): Promise<void> {
    await this.#deepen();
    await this.#live();
    await this.#payDebts();
    await this.#fillWindows();
    await this.#leave();
    await this.#stage.do(() => this.#stage.host.close());
  }

  /** Something is retained on the deep topics, so that searches take long. */
  async #deepen(): Promise<void> {
    const { deepTopics } = this.#whims;
    if (deepTopics.length === 0) return;
    const probe = await this.#probe();
    await this.#stage.do(() => deepTopics.forEach((topic) => this.#retain(probe, topic, "deep")));
    await this.#stage.do(() => probe.leave());
  }

  /** Everybody does what comes to its mind, and now and then two do so in the name of one. */
  async #live(): Promise<void> {
    const random = this.#random, { schedule } = this.#stage, length = random.pick([1, 3, 10, 30, 100]) * 1000;
    const twins = random.chance(0.2) ? [new SimulatedClient("c1", this.#world)] : [];
    for (const client of [...this.#clients, ...twins]) schedule.after(random.between(0, 1000), () => client.live());
    const end = schedule.now + length + this.#expectTheWorst(length);
    this.#stage.host.endanger(true);
    await this.#stage.until(() => schedule.now >= end);
    this.#stage.host.endanger(false);
    await this.#stage.until(() => this.#stage.host.broker !== undefined);
    for (const twin of twins) schedule.after(0, () => twin.vanish());
  }

  /** Now and then something fails, or everybody sleeps; the result tells for how long. */
  #expectTheWorst(length: number): number {
    const random = this.#random, stage = this.#stage, night = random.pick([0, 0, 0, 100, 500, 4000]) * 1000;
    const soon = (work: () => void) => stage.schedule.after(random.between(0, length), work);
    for (let left = random.pick([0, 0, 0, 1, 2]); left > 0; left--) {
      soon(random.pick([() => stage.host.crash(), () => stage.host.close(), () => stage.outage()]));
    }
    for (let left = random.pick([0, 5]); left > 0; left--) {
      soon(() => stage.host.publish(this.#whims.message("the process itself", 5)));
    }
    if (night > 0) soon(() => stage.sleep(night));
    return night;
  }

  /** Everybody comes back: nothing that it is owed may be missing. */
  async #payDebts(): Promise<void> {
    await this.#all("everybody comes back", (client) => client.calm());
    this.#stage.complete();
  }

  /** As many messages as may be under way are, and as many as may wait: no packet identifier and no place has been forgotten. */
  async #fillWindows(): Promise<void> {
    const stage = this.#stage, probe = await this.#probe(), dropped = stage.counted("dropped/queue-full");
    await this.#all("everybody gets as much as may be under way", (client) => {
      client.subscribe({ subscriptions: [{ topic: fullTopic(client.id), qos: 2 }] });
      client.hold(true);
    });
    for (const { client, underWay, window } of stage.model.deliveries) {
      if (underWay > 0) throw new Violation(`${client} has ${underWay} messages under way, and nobody knows which`);
      for (let left = client === probe.id ? 0 : window + WAITING; left > 0; left -= QUOTA) {
        const send = () => this.#send(probe, fullTopic(client), this.#random.pick([1, 2]));
        await stage.do(() => Array.from({ length: Math.min(left, QUOTA) }, send));
      }
    }
    for (const { client, underWay, window } of stage.model.deliveries) {
      if (underWay < window && client !== probe.id) {
        throw new Violation(`${client} gets only ${underWay} of ${window} messages`);
      }
    }
    await this.#all("everybody acknowledges", (client) => client.hold(false));
    stage.complete();
    if (stage.counted("dropped/queue-full") > dropped) throw new Violation(`No ${WAITING} messages may wait`);
    await stage.do(() => probe.leave());
  }

  /** Everybody leaves: no timer, no session and no subscription may be left. */
  async #leave(): Promise<void> {
    await this.#all("everybody leaves", (client) => client.leave());
    const stage = this.#stage, left = stage.model.deliveries.map(({ client }) => client);
    if (left.length > 0) throw new Violation(`${left} can't leave`);
    const dropped = stage.counted("dropped/client-offline"), probe = await this.#probe();
    const full = this.#clients.map(({ id }) => fullTopic(id));
    const topics = new Set([...this.#whims.topics, ...stage.model.retained, ...full]);
    await stage.do(() => topics.forEach((topic) => this.#retain(probe, topic, "")));
    await stage.do(() => probe.leave());
    if (stage.counted("dropped/client-offline") > dropped) {
      throw new Violation("A subscription is left where no session is");
    }
    await stage.abandoned();
  }

  /** Somebody who only publishes. */
  async #probe(): Promise<SimulatedClient> {
    const probe = new SimulatedClient("probe", this.#world);
    await this.#stage.do(() => probe.calm());
    return probe;
  }

  #send(from: SimulatedClient, topic: string, qos: 1 | 2): void {
    const text = String(this.#whims.number());
    from.publish({ topic, text, qos, retain: false, client: from.id, expiry: undefined, contentType: undefined });
  }

  #retain(from: SimulatedClient, topic: string, text: string): void {
    from.publish({ topic, text, qos: 0, retain: true, client: from.id, expiry: undefined, contentType: undefined });
  }

  /** Has all clients do something, and waits until that is over. */
  #all(what: string, act: (client: SimulatedClient) => void): Promise<void> {
    this.#stage.history.add({ type: "note", text: what });
    return this.#stage.do(() => this.#clients.forEach(act));
  }
}
