// Thousands of short runs of the whole broker, each with another seed; and the proof that a broken promise would be noticed.
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { faults } from "./faults.ts";
import { simulate, SimulationError, type SimulationOptions } from "./simulation.ts";
import type { Deployment } from "./stage.ts";
import { Survivor } from "./survivor.ts";

const RUNS = 2000, SURVIVING_RUNS = 200;

/** Seeds within which a fault has to be noticed. */
const PATIENCE = 100;

/** What the runs must have met more than a hundred times, so that they prove something. */
const wanted = [
  ...[
    "read publish again",
    "written publish again",
    "written pubrel",
    "read garbage",
    "written disconnect",
    "will",
    "hosted",
  ],
  ...["connection-lost", "session-taken-over", "keep-alive-timeout", "server-shutting-down"],
  ...["the broker crashes", "the broker closes", "the network fails"],
  ...["queue-full", "packet-too-large", "expired", "client-offline", "session-ended"],
];

/** What a run with this seed shows of a fault. */
async function faultOf(seed: number, options: SimulationOptions): Promise<string> {
  try {
    await simulate(seed, options);
    return "";
  } catch (error) {
    if (error instanceof SimulationError) return error.message;
    throw error;
  }
}

/** The first seed that shows such a fault; fails where none does. */
async function seedThatShows(noticed: RegExp, deployment: () => Deployment): Promise<number> {
  const shown = new Set<string>();
  for (let seed = 1; seed <= PATIENCE; seed++) {
    const [line = ""] = (await faultOf(seed, { deployment: deployment() })).split("\n");
    if (noticed.test(line)) return seed;
    shown.add(line);
  }
  throw new Error(`Nothing like ${noticed} was noticed, but ${[...shown].join("\n")}`);
}

Deno.test("the broker keeps its promises, whatever clients and networks do", async () => {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= RUNS; seed++) {
    for (const [kind, count] of (await simulate(seed)).counts) counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  assertEquals(wanted.filter((kind) => (counts.get(kind) ?? 0) <= 100), []);
});

Deno.test("the promises hold over crashes where sessions and retained messages outlive them", async () => {
  let crashes = 0;
  for (let seed = 1; seed <= SURVIVING_RUNS; seed++) {
    const { counts } = await simulate(seed, { deployment: new Survivor() });
    crashes += counts.get("the broker crashes") ?? 0;
  }
  assert(crashes > 20, `Only ${crashes} crashes`);
});

Deno.test("a store that keeps nothing over a crash is noticed", async () => {
  await seedThatShows(/ does not find its session/, () => ({ start: createBroker, durable: true }));
});

for (const { name, noticed, start } of faults) {
  Deno.test(`a broker that ${name} is noticed`, async () => {
    await seedThatShows(noticed, () => ({ start, durable: false }));
  });
}

Deno.test("a run that fails tells its seed, its last steps and how to replay it, and fails again in the same way", async () => {
  const { noticed, start } = faults[0]!, deployment = { start, durable: false };
  const seed = await seedThatShows(noticed, () => deployment), message = await faultOf(seed, { deployment });
  for (const part of [`Seed ${seed}: `, "The last steps:", `run.ts --seed ${seed} --trace`]) {
    assertStringIncludes(message, part);
  }
  assertEquals(await faultOf(seed, { deployment }), message);
});

Deno.test("a run is a function of its seed, step by step", async () => {
  const traceOf = async (seed: number) => {
    const lines: string[] = [];
    await simulate(seed, { trace: (line) => lines.push(line) });
    return lines;
  };
  const lines = await traceOf(4);
  assert(lines.length > 1000);
  assertEquals(await traceOf(4), lines);
  assertNotEquals(await traceOf(5), lines);
});
