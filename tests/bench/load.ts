// A load test against any MQTT server: what gets through, how long it takes, and whether all of it comes, once and in
// order. `deno run --allow-net tests/bench/load.ts --help` tells how it is used. Exit status 1: something was lost,
// came twice, out of order or changed, or the server could not be reached; 2: used wrongly.
import { parseArgs } from "@std/cli/parse-args";
import { figuresOf, progress, table } from "./report.ts";
import { HEADER, run, scenarios, type Settings } from "./scenarios.ts";
import { Tally } from "./tally.ts";

const HELP = `Usage: deno run --allow-net tests/bench/load.ts [URL] [options]

  URL                  the server (default mqtt://127.0.0.1:1883)
  --scenario SCENARIO  pairs: N publishers with a subscriber each (default)
                       fanout: one publisher, N subscribers; fanin: N publishers, one subscriber
                       connect: N connections at a time that come and go
  --clients N          default 10
  --qos 0|1|2          of messages and subscriptions (default 0)
  --size BYTES         of a payload, at least ${HEADER} (default 64)
  --seconds S          how long to send (default 5)
  --count N            how much to send at most (default 10,000,000 messages, or 20,000 connections)
  --window N           messages on their way to one subscriber (default 100)
  --persistent         the subscribers' sessions outlive their connections: what is on its way to them has to be kept
  --version 4|5        MQTT 3.1.1 or 5.0 (default 4)
  --json               print the figures as JSON; the table goes to standard error`;

/** The least and the greatest value of what is a number. */
const ranges = {
  clients: [1, 20_000],
  qos: [0, 2],
  size: [HEADER, 1_000_000],
  seconds: [0.1, 3600],
  count: [1, 1_000_000_000],
  window: [1, 10_000],
  version: [4, 5],
} as const;

/** A command line that can't be followed. */
class UsageError extends Error {}

function settingsOf(args: readonly string[]): { settings: Settings; json: boolean } | undefined {
  const flags = parseArgs([...args], {
    boolean: ["json", "help", "persistent"],
    string: ["scenario", "clients", "qos", "size", "seconds", "count", "window", "version"],
    unknown: (arg) => {
      if (arg.startsWith("-")) throw new UsageError(`Unknown argument "${arg}": --help lists what there is`);
    },
  });
  if (flags.help) return undefined;
  const number = (name: keyof typeof ranges, otherwise: number) => {
    const [least, most] = ranges[name], text = flags[name] ?? String(otherwise), value = Number(text || NaN);
    if (value >= least && value <= most && (name === "seconds" || Number.isInteger(value))) return value;
    throw new UsageError(`--${name} is "${text}": it needs a number from ${least} to ${most}`);
  };
  const scenario = scenarios.find((scenario) => scenario === (flags.scenario ?? "pairs"));
  if (!scenario) throw new UsageError(`--scenario is "${flags.scenario}": there are ${scenarios.join(", ")}`);
  const settings = {
    ...serverOf(flags._),
    scenario,
    clients: number("clients", 10),
    qos: number("qos", 0) as Settings["qos"],
    size: number("size", 64),
    seconds: number("seconds", 5),
    count: number("count", scenario === "connect" ? 20_000 : 10_000_000),
    window: number("window", 100),
    version: number("version", 4) as Settings["version"],
    persistent: flags.persistent,
  };
  return { settings, json: flags.json };
}

function serverOf([url = "mqtt://127.0.0.1:1883", ...more]: readonly (string | number)[]) {
  const { protocol, hostname, port } = URL.parse(String(url)) ?? {};
  if (more.length > 0 || protocol !== "mqtt:" || !hostname) {
    throw new UsageError(`"${[url, ...more].join(" ")}" is not the URL of one server, such as mqtt://127.0.0.1:1883`);
  }
  return { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 1883) };
}

async function main(args: readonly string[]): Promise<number> {
  const given = settingsOf(args);
  if (!given) {
    console.log(HELP);
    return 0;
  }
  const { settings, json } = given, tally = new Tally();
  let second = 0, before = 0;
  const showing = setInterval(() => {
    console.error(progress(++second, tally.received - before, tally));
    before = tally.received;
  }, 1000);
  const seconds = await run(settings, tally).finally(() => clearInterval(showing));
  const figures = figuresOf(settings, tally, seconds);
  if (json) console.log(JSON.stringify(figures));
  (json ? console.error : console.log)(table(figures));
  return tally.faults > 0 ? 1 : 0;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    console.error(`load: ${(error as Error).message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
