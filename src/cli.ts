// The command: flags and files to options, signals to an AbortSignal, faults to one clear line and an exit status (2: used wrongly;
// 1: could not do it).
import { createBroker } from "./broker.ts";
import { accessOf } from "./cli/access.ts";
import { UsageError } from "./cli/fault.ts";
import { parseFlags } from "./cli/flags.ts";
import { helpText } from "./cli/help.ts";
import { openStore } from "./cli/kept.ts";
import { checkCertificates, listenAll, startLine } from "./cli/listeners.ts";
import { CommandLog } from "./cli/log.ts";
import { otelMetrics } from "./observe/otel.ts";
import { sysTopics } from "./observe/sys_topics.ts";
import { Reloader } from "./cli/reload.ts";
import { settingsOf } from "./cli/settings.ts";
import { onSignals } from "./cli/signals.ts";
import { VERSION } from "./version.ts";

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
  const { asked, given } = parseFlags(args);
  if (asked.help) return console.log(helpText());
  if (asked.version) return console.log(VERSION);
  const file = asked.config, { readConfig } = file === undefined ? {} : await import("./cli/config_file.ts");
  const read = () => settingsOf(readConfig?.(file!) ?? {}, given);
  const settings = read(), access = accessOf(settings);
  if (asked["check-config"]) {
    checkCertificates(settings);
    return console.log("The settings and their files are right");
  }
  const stop = new AbortController();
  const { limits, overload, origins } = settings, store = await openStore(settings);
  await using broker = createBroker({ signal: stop.signal, limits, overload, origins, ...access.hooks, ...store });
  using listeners = await listenAll(broker, settings);
  if (listeners.web) broker.serve((await import("./observe/monitor.ts")).monitor(broker));
  using _topics = sysTopics(broker);
  using _metrics = otelMetrics(broker);
  const log = new CommandLog(broker);
  using reload = new Reloader({ broker, access, listeners, log }, settings, read);
  using _signals = onSignals(stop, reload.all);
  console.log(startLine(listeners, settings));
  // The log starts behind that line: where listening fails, the fault is the only one.
  log.start(settings);
  if (listeners.missing) log.note(listeners.missing, "warn");
  await broker.closed;
}
