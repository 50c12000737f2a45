// A stand-in for jsr:@std/cli/parse-args, on node:util: the options that our command line uses, with the same names,
// arguments and behaviour, for networks that do not reach JSR. Deleting "links" in deno.json goes back to JSR's own.
import { parseArgs as parse } from "node:util";

/** What `parseArgs` understands here. */
export interface ParseOptions<B extends string, S extends string, C extends S> {
  /** Flags that are true or false, and take no value. */
  boolean?: readonly B[];
  /** Flags with a value. */
  string?: readonly S[];
  /** Of these, those that can be repeated: their values become a list. */
  collect?: readonly C[];
  /** Short names. */
  alias?: Record<string, string>;
  /**
   * Called for every flag and argument that was not declared, up to `--`; returning false leaves it out of the result.
   */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The flags by name, and the positional arguments as `_`. */
export type Args<B extends string, S extends string, C extends S> =
  & { [flag in B]: boolean }
  & { [flag in Exclude<S, C>]?: string }
  & { [flag in C]: string[] }
  & { _: (string | number)[] };

/** Takes command line arguments apart. */
export function parseArgs<B extends string = never, S extends string = never, C extends S = never>(
  args: readonly string[],
  options: ParseOptions<B, S, C> = {},
): Args<B, S, C> {
  const booleans: readonly string[] = options.boolean ?? [], strings: readonly string[] = options.string ?? [];
  const lists: readonly string[] = options.collect ?? [];
  const declared: Record<string, { type: "boolean" | "string"; short?: string }> = {};
  for (const name of booleans) declared[name] = { type: "boolean" };
  for (const name of strings) declared[name] = { type: "string" };
  for (const [short, name] of Object.entries(options.alias ?? {})) declared[name]!.short = short;
  // What starts with a dash is no value of the flag before it, which node:util would take it for.
  const spelled = args.map((arg, i) => {
    const name = strings.find((name) => arg === `--${name}` || arg === `-${declared[name]!.short}`);
    return name && args[i + 1]?.startsWith("-") ? `--${name}=` : arg;
  });
  const { tokens } = parse({ args: spelled, options: declared, strict: false, tokens: true });
  const end = tokens.findIndex(({ kind }) => kind === "option-terminator");

  const result: Record<string, unknown> & { _: (string | number)[] } = { _: [] };
  for (const name of booleans) result[name] = false;
  for (const name of lists) result[name] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind === "positional") {
      if (end >= 0 && i > end || options.unknown?.(token.value) !== false) result._.push(token.value);
    } else if (token.kind === "option") {
      const known = Object.hasOwn(declared, token.name) ? declared[token.name] : undefined;
      const value = known?.type === "boolean" ? token.value !== "false" : token.value ?? (known ? "" : true);
      if (known && lists.includes(token.name)) (result[token.name] as unknown[]).push(value);
      else if (known || options.unknown?.(args[token.index]!, token.name, value) !== false) result[token.name] = value;
    }
  }
  return result as Args<B, S, C>;
}
