// What the tests of both kinds of simulation have in common: many runs have to succeed and to have met enough that they prove something,
// a fault has to be noticed, and a seed has to say all.
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { Campaign } from "./campaign.ts";
import type { Fault } from "./faults.ts";
import { simulate, SimulationError } from "./simulation.ts";
import type { Deployment } from "./host.ts";

/** Seeds within which a fault has to be noticed. */
const PATIENCE = 300;

/** The first seed of the runs, and how many there are. */
const FIRST = 1, RUNS = Deno.env.get("CI") ? 1500 : 150;

/** Runs that many seeds, in which things of all these kinds have to happen. */
export async function requireSuccess(durable: boolean, wanted: readonly string[]): Promise<void> {
  const campaign = new Campaign(FIRST, { deployment: { start: createBroker, durable } });
  while (campaign.runs < RUNS && campaign.failures.length === 0) await campaign.run();
  console.log(`${campaign}`);
  if (campaign.failures[0]) throw campaign.failures[0];
  assertEquals(wanted.filter((kind) => (campaign.counts.get(kind) ?? 0) < RUNS / 20), []);
}

/** The message of the first run that shows such a fault. */
export async function noticeOf({ noticed, ...fault }: Fault): Promise<{ seed: number; message: string }> {
  const shown = new Set<string>();
  for (let seed = FIRST; seed < FIRST + PATIENCE; seed++) {
    const message = await failureOf(seed, fault), [line = ""] = message.split("\n");
    if (noticed.test(line)) return { seed, message };
    shown.add(line);
  }
  throw new Error(`Nothing like ${noticed} was noticed, but ${[...shown].join("\n")}`);
}

async function failureOf(seed: number, deployment: Deployment): Promise<string> {
  try {
    await simulate(seed, { deployment });
    return "";
  } catch (error) {
    if (error instanceof SimulationError) return error.message;
    throw error;
  }
}

/** A run that fails does so again in the same way, and tells how. */
export async function requireReplay(fault: Fault): Promise<void> {
  const { seed, message } = await noticeOf(fault), flag = fault.durable ? " --durable" : "";
  for (const part of [`Seed ${seed}: `, "The last steps:", `run.ts --seed ${seed}${flag} --trace`]) {
    assertStringIncludes(message, part);
  }
  assertEquals(await failureOf(seed, fault), message);
}

/** A run is a function of its seed, in this process and in another one. */
export async function requireRepetition(durable: boolean): Promise<void> {
  const lines = await traceOf(4, durable), hash = await hashOf(lines);
  assert(lines.length > 500, `There are only ${lines.length} lines`);
  assertNotEquals(await hashOf(await traceOf(5, durable)), hash);
  assertEquals(await hashOf(await traceOf(4, durable)), hash);
  const args = ["run", "-A", "--no-check", import.meta.resolve("./run.ts"), "--seed", "4", "--trace"];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: durable ? [...args, "--durable"] : args })
    .output();
  assertEquals(await hashOf(new TextDecoder().decode(stdout).trimEnd().split("\n")), hash);
}

async function traceOf(seed: number, durable: boolean): Promise<string[]> {
  const lines: string[] = [];
  await simulate(seed, { deployment: { start: createBroker, durable }, trace: (line) => lines.push(line) });
  return lines;
}

async function hashOf(lines: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(lines.join("\n"));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
