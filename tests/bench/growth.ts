// How the cost of a message grows with what there is around it, as a table and, with --svg PATH, as a chart. It takes
// one or two minutes, most of it for a million subscriptions; --most 1000 is fast. `deno task bench:growth` runs it and
// renews growth.svg beside this file.
import { parseArgs } from "@std/cli/parse-args";
import { chart } from "./chart.ts";
import { type Growth, growths, type Holding, holdings, sizesUpTo } from "./costs.ts";

const MOST = 1_000_000, HELD = 10_000, ROUND = 60;

/** The costs of messages as a table: a column for each size. */
export function growthTable(found: readonly Growth[]): string {
  const sizes = sizesUpTo(Math.max(...found.flatMap(({ points }) => points.map(([size]) => size))));
  return rows([
    ["µs of CPU per message, among", ...sizes.map(grouped)],
    ...found.map(({ name, points }) => [name, ...points.map(([, cost]) => precise(cost))]),
  ]);
}

/** The costs of holding things as a table. */
export function holdingTable(found: readonly Holding[]): string {
  return rows([["bytes of memory", "each"], ...found.map(({ name, bytes }) => [name, grouped(Math.round(bytes))])]);
}

function rows(cells: readonly (readonly string[])[]): string {
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2)).join("").trimEnd()
  ).join("\n");
}

function precise(value: number): string {
  return grouped(Number(value.toPrecision(3)));
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of the command line. */
function numberOf(text: string | undefined, otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (!(value >= 1)) throw new RangeError(`"${text}" is not a number from 1 on`);
  return value;
}

async function main(args: readonly string[]): Promise<void> {
  const { svg, most, held } = parseArgs([...args], { string: ["svg", "most", "held"] });
  const costs = await growths({ most: numberOf(most, MOST), round: ROUND, tell: console.error });
  console.log(growthTable(costs));
  const { gc } = globalThis as { gc?: () => void };
  if (gc) console.log(`\n${holdingTable(await holdings(numberOf(held, HELD), gc))}`);
  else console.error("Memory is not measured: that needs --v8-flags=--expose-gc");
  const title = "What a message costs the broker";
  if (svg) Deno.writeTextFileSync(svg, chart(costs, { title, x: "how many there are", y: "µs of CPU time" }));
}

if (import.meta.main) await main(Deno.args);
