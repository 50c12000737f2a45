// What a message costs the broker, by what there is around it; and what it costs to hold something. Clients are scripts
// without sockets: of a real connection, the kernel and Deno have their own costs.
import { Buffer } from "node:buffer";
import process from "node:process";
import { type Broker, createBroker } from "../../mod.ts";
import { script, ScriptedClient } from "./script.ts";

/** A cost that may grow: for each size of something, microseconds of CPU time per published message. */
export interface Growth {
  readonly name: string;
  readonly points: readonly (readonly [size: number, microseconds: number])[];
}

/** Messages that one read brings: few enough that what goes to a subscriber fits its smallest outbox. */
const BATCH = 10;

/** Each point is the best of so many rounds: what else the machine does only adds to it. */
const ROUNDS = 5;

const payload = new Uint8Array(16);

/** What is measured, and how. */
interface Measuring {
  /** The largest size, as far as that can be done. */
  readonly most: number;
  /** Milliseconds that a round takes at least. */
  readonly round: number;
  /** Hears what is being measured. */
  readonly tell: (text: string) => void;
}

/** Makes the bytes that one read of the broker brings. */
type Batches = () => Uint8Array;

/** Fills a broker with so many of something. */
type Preparation = (broker: Broker, size: number) => Promise<void>;

/** A million of something is more than a client may have. */
const unlimited = { subscriptions: Infinity, retainedMessages: Infinity, memory: Infinity };

/** The powers of ten up to `most`. */
export function sizesUpTo(most: number): number[] {
  return Array.from({ length: Math.floor(Math.log10(most) + 1e-9) + 1 }, (_, i) => 10 ** i);
}

/** Every cost by its size. */
export async function growths({ most, round, tell }: Measuring): Promise<Growth[]> {
  const kinds:
    readonly (readonly [name: string, most: number, prepare: Preparation, batches: (size: number) => Batches])[] = [
      ["subscriptions, topic seen before", most, subscriptions, (size) => topics(Math.min(size, 100))],
      ["subscriptions, new topic", most, subscriptions, (size) => topics(size, true)],
      ["idle connections", Math.min(most, 10_000), idle, () => topics(1)],
      ["subscribers that get it", Math.min(most, 10_000), matches, () => topics(1)],
    ];
  const found = kinds.map(([name]) => ({ name, points: [] as [number, number][] }));
  for (const size of sizesUpTo(most)) { // the small ones first: a large heap makes everything dearer after it
    for (const [i, [name, most, prepare, batches]] of kinds.entries()) {
      if (size > most) continue;
      tell(`${name}: ${size.toLocaleString("en-US")}`);
      await using broker = createBroker({ limits: unlimited });
      await prepare(broker, size);
      found[i]!.points.push([size, await cpuPerPublish(broker, batches(size), round)]);
    }
  }
  return found;
}

/** One of the subscriptions matches, whatever the topic. */
async function subscriptions(broker: Broker, size: number): Promise<void> {
  const client = await ScriptedClient.connect(broker, "subscriber");
  for (let first = 0; first < size; first += 1000) {
    const filters = Array.from({ length: Math.min(1000, size - first) }, (_, i) => `growth/${first + i}/+`);
    await client.tell((packets) => packets.subscribe(1, filters, 0));
  }
}

/** All but one of the connections have nothing to do with it. */
function idle(broker: Broker, size: number): Promise<void> {
  return connections(broker, size, (i) => `growth/${i}/+`);
}

/** All of the subscribers get it. */
function matches(broker: Broker, size: number): Promise<void> {
  return connections(broker, size, () => "growth/+/same");
}

async function connections(broker: Broker, size: number, filterOf?: (i: number) => string): Promise<void> {
  for (let i = 0; i < size; i++) {
    const client = await ScriptedClient.connect(broker, `client-${i}`);
    if (filterOf) await client.tell((packets) => packets.subscribe(1, [filterOf(i)], 0));
  }
}

/** Topics of which each matches one of `size` subscriptions; where `fresh`, none comes a second time. */
function topics(size: number, fresh = false): Batches {
  let next = 0;
  const batch = () =>
    script((packets) => {
      for (let i = 0; i < BATCH; i++, next++) {
        packets.publish(Buffer.from(`growth/${next % size}/${fresh ? next : "same"}`), payload, 0);
      }
    });
  if (fresh) return batch;
  const batches = Array.from({ length: Math.ceil(size / BATCH) }, batch);
  return () => batches[next++ % batches.length]!;
}

/** The CPU time of the process for one message, in microseconds. */
async function cpuPerPublish(broker: Broker, next: Batches, milliseconds: number): Promise<number> {
  const publisher = await ScriptedClient.connect(broker, "publisher");
  let best = Infinity;
  for (let round = 0; round <= ROUNDS; round++) {
    const end = performance.now() + milliseconds;
    let messages = 0, spent = 0;
    do {
      const batches = Array.from({ length: 10 }, next), before = process.cpuUsage();
      for (const batch of batches) await publisher.say(batch);
      const { user, system } = process.cpuUsage(before);
      spent += user + system;
      messages += BATCH * batches.length;
    } while (performance.now() < end);
    if (round > 0) best = Math.min(best, spent / messages);
  }
  return best;
}

/** The bytes that one of something takes in memory. */
export interface Holding {
  readonly name: string;
  readonly bytes: number;
}

/** What it costs to hold things, measured with `count` of each. @param gc collects garbage */
export async function holdings(count: number, gc: () => void): Promise<Holding[]> {
  const kinds: readonly (readonly [name: string, hold: (broker: Broker) => Promise<void>])[] = [
    ["session without a connection", (broker) => visit(broker, count)],
    ["idle connection, with its session", (broker) => connections(broker, count)],
    ["subscription", (broker) => subscriptions(broker, count)],
    ["retained message of 16 bytes", (broker) => retain(broker, count)],
  ];
  const found: Holding[] = [];
  for (const [name, hold] of kinds) {
    await using broker = createBroker({ limits: unlimited });
    const before = await used(gc);
    await hold(broker);
    found.push({ name, bytes: (await used(gc) - before) / count });
  }
  return found;
}

async function visit(broker: Broker, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const client = await ScriptedClient.connect(broker, `visitor-${i}`, false);
    client.close();
    await client.ended;
  }
}

async function retain(broker: Broker, count: number): Promise<void> {
  const client = await ScriptedClient.connect(broker, "publisher");
  for (let i = 0; i < count; i++) {
    await client.tell((packets) => packets.publish(Buffer.from(`growth/retained/${i}`), payload, 0, 0, true));
  }
}

async function used(gc: () => void): Promise<number> {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10)); // what waits for a turn of the event loop to be released
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
