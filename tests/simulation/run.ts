// Runs simulations from the command line: one seed again, with all that happens, or as many as there is time for; with `--durable` over
// crashes that sessions and retained messages outlive.
//
//   deno run -A tests/simulation/run.ts --seed 17 --trace
//   deno run -A tests/simulation/run.ts --runs 100000 --seconds 3600
import { parseArgs } from "@std/cli/parse-args";
import { createBroker } from "../../mod.ts";
import { Campaign } from "./campaign.ts";

/** How often it is told how far it has come, in milliseconds. */
const TELLING = 30_000;

const { seed = "1", runs, seconds, durable = false, trace } = parseArgs(Deno.args, {
  string: ["seed", "runs", "seconds"],
  boolean: ["durable", "trace"],
});
const deployment = { start: createBroker, durable }, traced = trace && { trace: console.log };
const campaign = new Campaign(Number(seed), { deployment, ...traced });
const count = Number(runs ?? (seconds ? Infinity : 1)), end = performance.now() + Number(seconds ?? Infinity) * 1000;

for (let told = performance.now(), failed = 0; campaign.runs < count && performance.now() < end;) {
  await campaign.run();
  for (; failed < campaign.failures.length; failed++) console.error(`\n${campaign.failures[failed]!.message}\n`);
  if (performance.now() < told + TELLING) continue;
  told = performance.now();
  console.error(`${campaign}`);
}
console.error(`${campaign}`);
if (campaign.failures.length > 0) Deno.exit(1);
