// The command line, taken apart.
import { parseArgs } from "jsr:@std/cli@^1/parse-args";
import { type Limits, resolveOptions } from "../options.ts";
import { found, UsageError } from "./fault.ts";
import { flag as boolean } from "./kinds.ts";
import { commands, type Given, type Key, type Setting, table } from "./settings.ts";

const settings = Object.entries(table) as [Key, Setting][];
const booleans = settings.filter(([, { kind }]) => kind === boolean).map(([, { flag }]) => flag);
const shorts = [...settings.map(([, { flag, short }]) => [short, flag]), ["v", "version"], ["h", "help"]];

/** The names come from a table: what types could tell of them is lost. */
const parse = parseArgs as (args: string[], options: object) => Record<string, unknown> & {
  readonly _: readonly (string | number)[];
};

/** A command line. */
export interface Flags {
  /** What it asks for beside the settings. */
  readonly asked: { readonly [name in keyof typeof commands]: name extends "config" ? string | undefined : boolean };
  readonly given: Given;
}

/**
 * Takes a command line apart.
 *
 * @throws {UsageError} where it can't be followed
 */
export function parseFlags(args: readonly string[]): Flags {
  const unknown = (arg: string): never => {
    throw new UsageError(`Unknown argument "${arg}": --help lists what there is`);
  };
  const flags = parse([...args], {
    boolean: [...booleans, "no-http", "check-config", "version", "help"],
    string: ["config", ...settings.map(([, { flag }]) => flag).filter((flag) => !booleans.includes(flag))],
    collect: settings.filter(([, { repeated }]) => repeated).map(([, { flag }]) => flag),
    alias: Object.fromEntries(shorts.filter(([short]) => short)),
    unknown,
  });
  for (const arg of flags._) unknown(String(arg)); // what follows "--"
  const { config, "check-config": check, version, help } = flags;
  if (config === "") throw new UsageError(`${found("--config", "")}: it needs the path of a file, such as brook.json`);
  return {
    asked: { config, "check-config": check, version, help } as Flags["asked"],
    given: { ...givenBy(flags), ...flags["no-http"] === true && { http: false } },
  };
}

function givenBy(flags: Readonly<Record<string, unknown>>): Given {
  const given: Record<string, unknown> = {};
  for (const [key, { kind, flag, repeated }] of settings) {
    const value = flags[flag];
    if (value === undefined || value === false || repeated && (value as string[]).length === 0) continue;
    if (key === "limits") {
      given[key] = limitsOf(value as string[]);
      continue;
    }
    const read = typeof value === "string" ? kind.fromText(value) : value;
    if (!kind.accepts(read)) throw new UsageError(`${found(`--${flag}`, value)}: ${kind.needs}`);
    given[key] = read;
  }
  return given;
}

/** Limits as they are written: a number, a size such as 64KiB, or "none". */
function limitsOf(texts: readonly string[]): Limits {
  return Object.fromEntries(texts.map((text) => {
    const [, name, value] = /^(\w+)=(\S+)$/.exec(text) ?? [];
    if (!name || !value) {
      throw new UsageError(`${found("--limit", text)}: it needs a name and a value, such as packet=64KiB`);
    }
    return [name, limitOf(name, /^\d+$/.test(value) ? Number(value) : value)];
  }));
}

/**
 * The value of a limit; "none" is no limit.
 *
 * @throws {UsageError} where there is no such limit, or it can't be that
 */
export function limitOf(name: string, value: unknown): number | string {
  const limit = value === "none" ? Infinity : value as number;
  try {
    resolveOptions({ limits: { [name]: limit } });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  return limit;
}
