// The files that settings name: read at the start, and again on SIGHUP. Invariant: what goes wrong names the flag and the file.

/**
 * Reads a file.
 *
 * @param flag that names it
 * @throws {Error} where it can't be read
 */
export function readFile(flag: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`--${flag}: File "${path}" can't be read: ${whyNot(error, path)}`, { cause: error });
  }
}

/** What is made of a file; where it is faulty, the error says which it is. */
export function made<T>(flag: string, path: string, make: (text: string) => T): T {
  const text = readFile(flag, path);
  try {
    return make(text);
  } catch (error) {
    throw new Error(`--${flag}: File "${path}": ${(error as Error).message}`, { cause: error });
  }
}

function whyNot(error: unknown, path: string): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotCapable) return `it needs the permission --allow-read=${path}`;
  if (error instanceof Deno.errors.PermissionDenied) return "this user has no right to do that";
  return (error as Error).message;
}
