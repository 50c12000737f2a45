// The command: flags to options, signals to an AbortSignal, faults to one clear line and an exit status (2: used wrongly;
// 1: could not do it).
import { parseArgs } from "jsr:@std/cli@^1/parse-args";
import { type Broker, createBroker } from "./broker.ts";
import { isLoss } from "./ledger.ts";
import { Lines } from "./observe/lines.ts";
import { type LogLevel, logLevels, logTo } from "./observe/log.ts";
import { eventText, traceLine } from "./observe/text.ts";
import { type Limits, ranges, resolveOptions } from "./options.ts";
import { isOverloadPolicy, overloadPolicies, type OverloadPolicy } from "./overload.ts";
import type { Store } from "./store/store.ts";
import { VERSION } from "./version.ts";

const HELP = `Brook ${VERSION}: an MQTT broker. Serves MQTT 5.0, 3.1.1 and 3.1 over TCP.

Usage: deno run --allow-net mod.ts [options]

      --host HOST        address to listen on (default 127.0.0.1: this machine only)
  -p, --port PORT        port to listen on, 0 for any free one (default 1883)
      --allow-anonymous  let everybody connect without a password, also from other machines
      --trace            print every packet of every client, in (->) and out (<-), and every loss (!!)
      --limit NAME=VALUE set a limit, such as packet=64KiB; can be repeated. There are
${limitLines()}
      --overload POLICY  what happens to messages that find a client's queue full: ${overloadPolicies.join(", ")}
      --store FILE       keep sessions, retained messages and wills in this file, through restarts and crashes;
                         needs --allow-read and --allow-write
      --durability LEVEL what that survives: full (default), a power loss; normal, a crash of the process
      --log-level LEVEL  ${logLevels.join(", ")} (default info)
  -v, --version          print the version
  -h, --help             print this`;

/** A command line that can't be followed. */
class UsageError extends Error {}

interface Settings {
  readonly host: string;
  readonly port: number;
  readonly allowAnonymous: boolean;
  readonly trace: boolean;
  readonly logLevel: LogLevel;
  readonly limits: Limits;
  readonly overload: OverloadPolicy;
  readonly store: string | undefined;
  readonly durability: Durability;
}

type Durability = "full" | "normal";

/** Runs the command and, where it fails, exits with a status. */
export async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "passwd") {
    const { passwdCommand } = await import("./access/passwd_command.ts");
    Deno.exit(await passwdCommand(args.slice(1)));
  }
  try {
    await run(args);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`brook: ${error.message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}

async function run(args: readonly string[]): Promise<void> {
  const flags = parse(args);
  if (flags.help) return console.log(HELP);
  if (flags.version) return console.log(VERSION);
  const settings = settingsOf(flags);
  const stop = new AbortController();
  const { limits, overload } = settings, store = settings.store === undefined ? {} : { store: await open(settings) };
  await using broker = createBroker({ signal: stop.signal, limits, overload, ...store });
  using _signals = onSignals(stop);
  console.log(startLine(listen(broker, settings), settings));
  // The log starts behind that line: where listening fails, the fault is the only one.
  const log = new Lines(console.error), packets = new Lines(console.log);
  broker.events.subscribe(logTo(log.add, settings.logLevel));
  if (settings.trace) {
    broker.packets.subscribe((trace) => packets.add(traceLine(trace)));
    broker.events.subscribe((event) => isLoss(event) && packets.add(`!! ${eventText(event)}`));
  }
  await broker.closed;
}

function parse(args: readonly string[]) {
  const unknown = (arg: string): never => {
    throw new UsageError(`Unknown argument "${arg}": --help lists what there is`);
  };
  const flags = parseArgs([...args], {
    boolean: ["allow-anonymous", "trace", "version", "help"],
    string: ["host", "port", "log-level", "limit", "overload", "store", "durability"],
    collect: ["limit"],
    alias: { h: "help", p: "port", v: "version" },
    unknown,
  });
  for (const arg of flags._) unknown(String(arg)); // what follows "--"
  return flags;
}

function settingsOf(flags: ReturnType<typeof parse>): Settings {
  const host = flags.host ?? "127.0.0.1", allowAnonymous = flags["allow-anonymous"];
  if (host === "") throw new UsageError(`${found("host", host)}: it needs an address, such as 127.0.0.1`);
  if (!allowAnonymous && !isLoopback(host)) {
    throw new UsageError(
      `--host ${host} would let everybody on the network in: say --allow-anonymous if that is wanted`,
    );
  }
  return {
    host,
    port: portOf(flags.port),
    allowAnonymous,
    trace: flags.trace,
    logLevel: logLevelOf(flags["log-level"]),
    limits: limitsOf(flags.limit),
    overload: overloadOf(flags.overload),
    store: storeOf(flags.store),
    durability: durabilityOf(flags.durability),
  };
}

function portOf(text = "1883"): number {
  const port = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new UsageError(`${found("port", text)}: it needs a number from 0 to 65535`);
  return port;
}

function logLevelOf(text = "info"): LogLevel {
  const level = logLevels.find((level) => level === text);
  if (!level) throw new UsageError(`${found("log-level", text)}: there are ${logLevels.join(", ")}`);
  return level;
}

function storeOf(path: string | undefined): string | undefined {
  if (path === "") throw new UsageError(`${found("store", path)}: it needs the path of a file, such as brook.db`);
  return path;
}

function durabilityOf(text = "full"): Durability {
  if (text !== "full" && text !== "normal") {
    throw new UsageError(`${found("durability", text)}: there are full, normal`);
  }
  return text;
}

async function open({ store, durability }: Settings): Promise<Store> {
  const { openStore } = await import("./store/sqlite.ts");
  try {
    return openStore(store!, { durability });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const how = "deno run --allow-net --allow-read --allow-write mod.ts";
    throw new Error(`Store "${store}" needs the permission to read and to write: ${how} --store ${store}`, {
      cause: error,
    });
  }
}

function overloadOf(text = "drop-newest"): OverloadPolicy {
  if (!isOverloadPolicy(text)) {
    throw new UsageError(`${found("overload", text)}: there are ${overloadPolicies.join(", ")}`);
  }
  return text;
}

/** Limits as they are written: a number, a size such as 64KiB, or "none". */
function limitsOf(texts: readonly string[]): Limits {
  const limits = Object.fromEntries(texts.map((text) => {
    const [, name, value] = /^(\w+)=(\S+)$/.exec(text) ?? [];
    if (!name || !value) {
      throw new UsageError(`${found("limit", text)}: it needs a name and a value, such as packet=64KiB`);
    }
    return [name, value === "none" ? Infinity : /^\d+$/.test(value) ? Number(value) : value];
  }));
  try {
    resolveOptions({ limits });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  return limits;
}

/** The limits and their defaults, a few a line. */
function limitLines(): string {
  const all = Object.entries(ranges).map(([name, [standard]]) =>
    `${name}=${standard === Infinity ? "none" : standard}`
  );
  const lines = [""];
  for (const one of all) {
    if (lines.at(-1)!.length + one.length > 78) lines.push("");
    lines[lines.length - 1] += ` ${one}`;
  }
  return lines.map((line) => `                        ${line}`).join("\n");
}

function found(flag: string, text: string): string {
  return text === "" ? `--${flag} has no value` : `--${flag} is "${text}"`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function listen(broker: Broker, { host: hostname, port }: Settings): string {
  try {
    return broker.listen({ hostname, port }).address;
  } catch (error) {
    throw new Error(listenFault(error, hostname, port), { cause: error });
  }
}

function listenFault(error: unknown, host: string, port: number): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `Port ${port} of ${host} is in use: stop the program that has it, or choose another one with --port`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return `Host "${host}" is not an address of this machine`;
  if (error instanceof Deno.errors.NotCapable) {
    return `Listening on ${host}:${port} needs the permission --allow-net: deno run --allow-net mod.ts`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `Port ${port} may not be used: ports below 1024 need more rights; choose another one with --port`;
  }
  return `Can't listen on ${host}:${port}: ${(error as Error).message}`;
}

function startLine(address: string, { host, allowAnonymous }: Settings): string {
  const local = "everybody on this machine may connect, nobody else";
  const how = allowAnonymous ? "" : "; --host 0.0.0.0 --allow-anonymous opens it to the network";
  const who = isLoopback(host)
    ? local + how
    : "everybody on the network may connect, without a password (--allow-anonymous)";
  return `Brook ${VERSION} listens on ${address}: ${who}.`;
}

/** Stops on SIGINT and SIGTERM; a second signal does not wait for the clients. */
function onSignals(stop: AbortController): Disposable {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const handler = () => stop.signal.aborted ? Deno.exit(130) : stop.abort();
  for (const signal of signals) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, handler);
    },
  };
}
