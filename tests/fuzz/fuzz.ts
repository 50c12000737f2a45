// The fuzzer as a program: what is wrong it makes small, writes to corpus/, and exits with status 1.
// `deno run --allow-read --allow-write=tests/fuzz/corpus tests/fuzz/fuzz.ts --help` tells how it is used.
import { parseArgs } from "@std/cli/parse-args";
import { Campaign, type Finding, findingIn, type Target, targets } from "./campaign.ts";
import { normalised } from "./features.ts";
import { parseInput, printInput } from "./input.ts";
import { minimised } from "./minimise.ts";

const HELP = `Usage: deno task fuzz [options] [FILE ...]

  FILE             an input to run once more, such as one of tests/fuzz/corpus
  --seconds S      how long to run (default 60, or without a limit where --runs is given)
  --runs N         how many runs at most
  --seed N         repeats the runs of a seed (default: a new one)
  --target TARGET  codec or broker (default: both)`;

/** Where inputs are kept. */
export const corpus: URL = new URL("corpus/", import.meta.url);

/** A finding as a file of the corpus: what went wrong, and the input. */
export function reportOf({ target, error, input }: Finding, origin: string): string {
  const message = error.message.split("\n").slice(0, 20).map((line) => `#   ${line.slice(0, 110)}`.trimEnd());
  return [`# ${target}: found by ${origin}`, "#", ...message, printInput(input)].join("\n");
}

/** Writes a finding to the corpus; returns the name of the file. */
function keep(finding: Finding, origin: string): string {
  const words = normalised(finding.error.message).toLowerCase().match(/[a-z]+/g) ?? ["finding"];
  const file = `${finding.target}_${words.slice(0, 8).join("_")}.txt`;
  Deno.writeTextFileSync(new URL(file, corpus), reportOf(finding, origin));
  return `tests/fuzz/corpus/${file}`;
}

async function replay(files: readonly string[], chosen: readonly Target[]): Promise<boolean> {
  let good = true;
  for (const file of files) {
    const input = parseInput(Deno.readTextFileSync(file));
    for (const target of chosen) {
      const finding = await findingIn(input, target);
      console.log(`${file}: ${target} ${finding ? "failed" : "ok"}`);
      if (finding) console.log(finding.error.stack);
      good &&= !finding;
    }
  }
  return good;
}

async function search(campaign: Campaign, seconds: number, runs: number): Promise<boolean> {
  const start = performance.now(), spent = () => (performance.now() - start) / 1000;
  const tell = () => {
    const rate = Math.round(campaign.runs / spent());
    console.log(`${Math.round(spent())} s: ${campaign.runs} runs, ${rate} a second; ${campaign.seen} things seen`);
  };
  for (let told = 0; spent() < seconds && campaign.runs < runs;) {
    const finding = await campaign.run();
    if (finding) return await found(finding, campaign);
    if (spent() - told >= 5) {
      told = spent();
      tell();
    }
  }
  tell();
  return true;
}

async function found(finding: Finding, { seed, runs }: Campaign): Promise<false> {
  console.log(`Run ${runs} failed (--seed ${seed} --runs ${runs}): ${finding.error.stack}\nMaking it small ...`);
  const small = await minimised(finding), file = keep(small, `run ${runs} of seed ${seed}`);
  console.log(`${printInput(small.input)}\nTo replay it: deno task fuzz ${file}`);
  return false;
}

function numberOf(name: string, text: string | undefined, otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (value >= 0) return value;
  throw new RangeError(`--${name} is "${text}", not a number from 0 on`);
}

async function main(args: readonly string[]): Promise<boolean> {
  const flags = parseArgs([...args], {
    string: ["seconds", "runs", "seed", "target"],
    boolean: ["help"],
    unknown: (arg) => {
      if (arg.startsWith("-")) throw new RangeError(`Unknown argument "${arg}": --help lists what there is`);
    },
  });
  const chosen = targets.filter((target) => flags.target === undefined || flags.target === target);
  if (flags.help || chosen.length === 0) {
    console.log(HELP);
    return chosen.length > 0;
  }
  if (flags._.length > 0) return await replay(flags._.map(String), chosen);
  const seed = numberOf("seed", flags.seed, crypto.getRandomValues(new Uint32Array(1))[0]!);
  console.log(`Seed ${seed}: --seed ${seed} repeats these runs`);
  const runs = numberOf("runs", flags.runs, Infinity);
  const seconds = numberOf("seconds", flags.seconds, flags.runs ? Infinity : 60);
  return await search(new Campaign(seed, chosen), seconds, runs);
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
