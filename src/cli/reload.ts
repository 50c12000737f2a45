// What changes while the broker runs: on SIGHUP the configuration and the files that it names are read again,
// certificates also when their files change. Invariant: whatever is
// faulty stays as it was, and one line says what; each file is by itself.
import type { Broker } from "../broker.ts";
import type { AccessHooks } from "./access.ts";
import { made } from "./files.ts";
import { identityOf, type Listeners } from "./listeners.ts";
import type { CommandLog } from "./log.ts";
import { type Key, type Settings, table } from "./settings.ts";
import { Watch } from "./watch.ts";

/** What is there to be changed. */
export interface Running {
  readonly broker: Broker;
  readonly access: AccessHooks;
  readonly listeners: Listeners;
  readonly log: CommandLog;
}

/** The settings that need no new start. */
const changeable: readonly Key[] = ["passwords", "acl", "cert", "key", "clientCa", "limits", "logLevel"];

/** Reads again what has changed. */
export class Reloader implements Disposable {
  readonly #running: Running;
  readonly #started: Settings;
  readonly #read: () => Settings;
  readonly #watch: Watch;
  #settings: Settings;
  #last = Promise.resolve();

  /** @param read what the command line and the configuration say at present */
  constructor(running: Running, started: Settings, read: () => Settings) {
    this.#running = running;
    this.#started = this.#settings = started;
    this.#read = read;
    this.#watch = new Watch(() => certificateFiles(this.#settings), () => this.#certificates());
  }

  /** Reads everything again, one call after the other. */
  readonly all = (): void => {
    this.#last = this.#last.then(async () => {
      const { log } = this.#running;
      try {
        this.#settings = this.#read();
        this.#watch.seen();
        await reload(this.#running, this.#started, this.#settings);
        log.note("Reloaded");
      } catch (error) {
        log.note(`Not reloaded: ${(error as Error).message}`);
      }
    });
  };

  #certificates(): void {
    if (replaceCertificates(this.#running, this.#settings)) this.#running.log.note("Reloaded the certificates");
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

/** The files of certificates that are in use. */
function certificateFiles({ cert, key, clientCa }: Settings): string[] {
  return [...cert, ...key, ...clientCa === undefined ? [] : [clientCa]];
}

/** @param started the settings that the broker was started with */
async function reload(running: Running, started: Settings, settings: Settings): Promise<void> {
  const { broker, access, log } = running;
  const { passwords, acl } = settings;
  for (const key of Object.keys(table) as Key[]) {
    if (!changeable.includes(key) && !isSame(started[key], settings[key])) log.note(later(key));
  }
  replace("passwords", passwords, access.passwords, log, (changed) => disconnect(broker, changed));
  if (replace("acl", acl, access.acl, log)) await broker.reauthorize();
  replaceCertificates(running, settings);
  for (const name of broker.setLimits(settings.limits)) log.note(later(`limits.${name}`));
  log.show(settings.logLevel);
}

/** New connections get the certificates as they are now. False where nobody does. */
function replaceCertificates({ listeners: { tls }, log }: Running, settings: Settings): boolean {
  // Deno's web server has no way to change its own.
  if (settings.https !== undefined) log.note("--https keeps its certificate until the next start");
  return tls !== undefined && attempt("cert", log, () => tls.replace(identityOf(settings)));
}

/** Replaces what a file says. False where that was not possible, or there is no such file. */
function replace<Outcome>(
  key: "passwords" | "acl",
  path: string | undefined,
  hook: { replace(text: string): Outcome } | undefined,
  log: CommandLog,
  then: (outcome: Outcome) => void = () => {},
): boolean {
  if ((path === undefined) !== (hook === undefined)) log.note(later(key));
  if (path === undefined || !hook) return false;
  return attempt(key, log, () => then(made(key, path, (text) => hook.replace(text))));
}

/** Ends the connections of users: who has the new password comes again. */
function disconnect({ status }: Broker, users: ReadonlySet<string>): void {
  const clients = [...status.clients()].filter(({ connected, username }) => connected && users.has(username ?? ""));
  for (const { id } of clients) status.disconnect(id);
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
