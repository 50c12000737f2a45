// What changes while the broker runs: on SIGHUP the configuration and the files that it names are read again. Invariant: whatever is
// faulty stays as it was, and one line says what; each file is by itself.
import type { Broker } from "../broker.ts";
import type { AccessHooks } from "./access.ts";
import { made } from "./files.ts";
import { identityOf, type Listeners } from "./listeners.ts";
import type { CommandLog } from "./log.ts";
import { type Key, type Settings, table } from "./settings.ts";

/** What is there to be changed. */
export interface Running {
  readonly broker: Broker;
  readonly access: AccessHooks;
  readonly listeners: Listeners;
  readonly log: CommandLog;
}

/** The settings that need no new start. */
const changeable: readonly Key[] = ["passwords", "acl", "cert", "key", "clientCa", "limits", "logLevel"];

/** Reads everything again whenever it is called, one call after the other. */
export function reloader(running: Running, settings: Settings, read: () => Settings): () => void {
  let last = Promise.resolve();
  return () => {
    last = last.then(async () => {
      const { log } = running;
      try {
        const next = read();
        await reload(running, settings, next);
        log.note("Reloaded");
      } catch (error) {
        log.note(`Not reloaded: ${(error as Error).message}`);
      }
    });
  };
}

/** @param started the settings that the broker was started with */
async function reload(running: Running, started: Settings, settings: Settings): Promise<void> {
  const { broker, access, listeners: { tls }, log } = running;
  const { passwords, acl } = settings;
  for (const key of Object.keys(table) as Key[]) {
    if (!changeable.includes(key) && !isSame(started[key], settings[key])) log.note(later(key));
  }
  replace("passwords", passwords, access.passwords, log);
  if (replace("acl", acl, access.acl, log)) await broker.reauthorize();
  if (tls) attempt("cert", log, () => tls.replace(identityOf(settings)));
  if (settings.https !== undefined) log.note("The certificate of --https is read again at the next start");
  for (const name of broker.setLimits(settings.limits)) log.note(later(`limits.${name}`));
  log.show(settings.logLevel);
}

/** Replaces what a file says. False where that was not possible, or there is no such file. */
function replace(
  key: "passwords" | "acl",
  path: string | undefined,
  hook: AccessHooks["passwords"],
  log: CommandLog,
): boolean {
  if ((path === undefined) !== (hook === undefined)) log.note(later(key));
  if (path === undefined || !hook) return false;
  return attempt(key, log, () => made(key, path, (text) => hook.replace(text)));
}

function attempt(key: Key, log: CommandLog, change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    log.note(`"${key}" stays as it was: ${(error as Error).message}`);
    return false;
  }
}

function later(key: string): string {
  return `"${key}" changes at the next start`;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
