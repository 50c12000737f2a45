// The soak test: clients of all kinds come and go for as long as it is told to, while the heap of the broker, after garbage
// collection and with everybody gone, must not grow. `deno task soak --help` tells how it is used.
import { assert, assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { Random } from "../fuzz/random.ts";
import { denoRun } from "../support/process.ts";
import { EXPIRY, type Usage } from "./broker.ts";
import { Churn } from "./churn.ts";
import { SoakClient } from "./client.ts";
import { growthOf } from "./growth.ts";

const HELP = `Usage: deno task soak [options]

  --minutes M  how long (default 60)
  --seed N     of the choices that clients make (default: a new one)`;

/** How many clients there are at a time, about. */
const WORKERS = 20;

/** Seconds until everything is forgotten: sessions, and clients that were silent for too long. */
const PAUSE = EXPIRY + 1.5;

/** Bytes that may be left for each packet that clients send, and what caches may hold more at the end than at the beginning. */
const PERMITTED = 0.5, CACHES = 1_500_000;

/** The first samples are left out: code is compiled, and what is bounded fills up. */
const WARM_UP = 0.3;

/** A round of visits, and what the broker has held after it. */
interface Round {
  readonly operations: number;
  readonly connections: number;
  readonly usage: Usage;
}

/** What is told of a soak test when it is over. */
export interface Outcome {
  readonly rounds: readonly Round[];
  /** Bytes of heap for each operation, and outside of it. */
  readonly growth: { readonly heap: number; readonly external: number };
  /** How much of each is permitted: the less, the longer the test was. */
  readonly permitted: number;
}

/** How long a soak test is, in seconds. */
export interface Duration {
  readonly rounds: number;
  /** Of visits; between them there is a pause, until everything is forgotten. */
  readonly seconds: number;
}

/** As many rounds as fit in so many minutes, of which there had better be dozens. */
export function durationOf(minutes: number): Duration {
  const rounds = Math.min(60, Math.max(4, Math.round(minutes * 8)));
  return { rounds, seconds: Math.max(1, minutes * 60 / rounds - PAUSE) };
}

/** Soaks a broker. @param tell hears of each round */
export async function soak(
  { rounds, seconds }: Duration,
  seed: number,
  tell: (line: string) => void,
): Promise<Outcome> {
  await using process = denoRun("--allow-net", "--v8-flags=--expose-gc", "tests/soak/broker.ts");
  const port = Number(await process.output.take()), churn = new Churn(port, new Random(seed));
  const start = performance.now(), found: Round[] = [];
  for (let i = 0; i < rounds; i++) {
    const end = performance.now() + seconds * 1000, isOver = () => performance.now() > end;
    await Promise.all(Array.from({ length: WORKERS }, () => churn.run(isOver)));
    await new Promise((resolve) => setTimeout(resolve, PAUSE * 1000));
    const round = { ...churn.tally, usage: await sample(port) };
    found.push(round);
    tell(lineOf(round, (performance.now() - start) / 1000));
  }
  process.signal("SIGTERM");
  assertEquals(await process.outcome(), { code: 0, output: [], errors: [] });
  return outcomeOf(found);
}

async function sample(port: number): Promise<Usage> {
  const client = await SoakClient.connect(port, 4, { connections: 0, operations: 0 }, { clientId: "sampler" });
  const usage = new Promise<Usage>((resolve) => client.onMessage = (payload) => resolve(JSON.parse(`${payload}`)));
  await client.ask({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "soak/samples", qos: 0 }] });
  client.send({ cmd: "publish", topic: "soak/sample", payload: "", qos: 0 });
  try {
    return await usage;
  } finally {
    await client.leave();
  }
}

/** @throws where something has failed in the broker */
function outcomeOf(rounds: readonly Round[]): Outcome {
  const { counters } = rounds.at(-1)!.usage, settled = rounds.slice(Math.floor(rounds.length * WARM_UP));
  const failures = Object.keys(counters).filter((name) => /-error$/.test(name) && !/malformed|protocol/.test(name));
  assertEquals(failures, [], "Something has failed in the broker");
  const points = (of: "heap" | "external") => settled.map(({ operations, usage }) => [operations, usage[of]] as const);
  const range = settled.at(-1)!.operations - settled[0]!.operations;
  return {
    rounds,
    growth: { heap: growthOf(points("heap")), external: growthOf(points("external")) },
    permitted: PERMITTED + CACHES / Math.max(1, range),
  };
}

/** Asserts that nothing has leaked. */
export function requireFlat({ growth, permitted }: Outcome): void {
  for (const [name, bytes] of Object.entries(growth)) {
    assert(bytes < permitted, `${name} grows by ${bytes.toFixed(2)} bytes an operation, not less than ${permitted}`);
  }
}

/** The numbers that count. */
export function summary({ growth: { heap, external }, permitted }: Outcome): string {
  const [found, outside, most] = [heap, external, permitted].map((bytes) => bytes.toFixed(3));
  return `Growth in MB per million operations: heap ${found}, external ${outside}; permitted ${most}`;
}

function lineOf({ operations, connections, usage: { heap, external, rss } }: Round, seconds: number): string {
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`, count = (n: number) => n.toLocaleString("en-US");
  return [
    `${Math.round(seconds)} s`,
    `${count(operations)} operations`,
    `${count(connections)} connections`,
    `heap ${mb(heap)}`,
    `external ${mb(external)}`,
    `rss ${mb(rss)}`,
  ].map((text, i) => text.padStart(i === 0 ? 6 : 20)).join("");
}

async function main(args: readonly string[]): Promise<void> {
  const flags = parseArgs([...args], {
    string: ["minutes", "seed"],
    boolean: ["help"],
    unknown: (arg) => {
      throw new RangeError(`Unknown argument "${arg}": --help lists what there is`);
    },
  });
  if (flags.help) return console.log(HELP);
  const minutes = Number(flags.minutes ?? 60),
    seed = Number(flags.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  if (!(minutes >= 0)) throw new RangeError(`--minutes is "${flags.minutes}", not a number from 0 on`);
  console.log(`Seed ${seed}`);
  const outcome = await soak(durationOf(minutes), seed, console.log);
  console.log(summary(outcome));
  requireFlat(outcome);
}

if (import.meta.main) await main(Deno.args);
