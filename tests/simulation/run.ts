// Runs simulations from the command line: one seed again, with all that happens, or as many as there is time for; with `--durable` over
// crashes that sessions and retained messages outlive.
//
//   deno run -A tests/simulation/run.ts --seed 17 --trace
//   deno run -A tests/simulation/run.ts --runs 100000 --seconds 3600
import { parseArgs } from "@std/cli/parse-args";
import { createBroker } from "../../mod.ts";
import { simulate, SimulationError } from "./simulation.ts";

/** How often it is told how far it has come, in milliseconds. */
const TELLING = 30_000;

const { seed = "1", runs, seconds, durable, trace } = parseArgs(Deno.args, {
  string: ["seed", "runs", "seconds"],
  boolean: ["durable", "trace"],
});
const first = Number(seed), count = Number(runs ?? (seconds ? Infinity : 1));
const end = performance.now() + Number(seconds ?? Infinity) * 1000;
const total = { runs: 0, seconds: 0, steps: 0, failed: 0 };

for (let told = performance.now(); total.runs < count && performance.now() < end; total.runs++) {
  await run(first + total.runs);
  if (performance.now() < told + TELLING) continue;
  told = performance.now();
  tell();
}
tell();
if (total.failed > 0) Deno.exit(1);

async function run(number: number): Promise<void> {
  try {
    const options = {
      ...durable && { deployment: { start: createBroker, durable } },
      ...trace && { trace: console.log },
    };
    const outcome = await simulate(number, options);
    total.seconds += outcome.seconds;
    total.steps += outcome.steps;
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    console.error(`\n${error.message}\n`);
    total.failed++;
  }
}

function tell(): void {
  const { runs, seconds, steps, failed } = total;
  console.error(
    `${runs} runs from seed ${first}: ${Math.round(seconds)} virtual seconds, ${steps} steps, ${failed} failed`,
  );
}
