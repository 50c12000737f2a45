// What the command says instead of a stack trace.

/** A command line or a configuration that can't be followed: exit status 2. */
export class UsageError extends Error {}

/** A value that was given, such as `--port is "x"`. */
export function found(name: string, value: unknown): string {
  return value === "" ? `${name} has no value` : `${name} is ${JSON.stringify(value)}`;
}
