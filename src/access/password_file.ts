// A password file in Mosquitto's format: a line `user:hash` for each user, and comments that begin with "#". What the
// hook reads, passwords.ts, and what the command writes, passwd_command.ts. Invariant: an error tells where the fault is
// and whose line it is, and nothing of what stands behind the colon.
import { hashText, parseHash, type PasswordHash } from "./password_hash.ts";

/** A login costs about 7 ms of a core with these. Mosquitto 2.0 writes 101. */
export const ITERATIONS = 10_000;

/**
 * A line for a password file, `user:$7$…`, without the end of the line. Mosquitto 2.0 can read it, too.
 *
 * @param iterations of PBKDF2: more cost whoever has stolen the file more, and each login as well; default 10,000,
 * about 7 ms of a core
 * @throws {TypeError} where the user name can't stand in a file, or the password is empty
 * @throws {RangeError} where the number of iterations is not possible
 *
 * @example
 * ```ts
 * import { passwordEntry, passwords } from "@brook/mqtt";
 *
 * const authenticate = passwords([await passwordEntry("alice", "correct horse")]);
 * ```
 */
export async function passwordEntry(user: string, password: string, iterations: number = ITERATIONS): Promise<string> {
  const fault = userFault(user);
  if (fault) throw new TypeError(fault);
  if (password === "") throw new TypeError(`Password of user "${user}" is empty: it needs at least one character`);
  return `${user}:${await hashText(password, iterations)}`;
}

/** What keeps a user name from standing in a file, as a sentence, or `undefined`. */
export function userFault(user: string): string | undefined {
  if (user === "") return "User name is empty: it needs at least one character";
  if (user.includes(":")) return `User name "${user}" holds ":", which ends the name in a file`;
  // deno-lint-ignore no-control-regex
  if (/[\0-\x1f\x7f]/.test(user)) return `User name ${JSON.stringify(user)} holds a control character`;
  if (user.trim() !== user) return `User name "${user}" begins or ends with a space`;
  if (user.startsWith("#")) return `User name "${user}" begins with "#", as a comment does`;
}

/**
 * The hashes by user.
 *
 * @throws {SyntaxError} where a line is faulty, with its number
 */
export function readPasswords(file: string | readonly string[]): Map<string, PasswordHash> {
  const found = new Map<string, PasswordHash>();
  for (const [i, line] of (typeof file === "string" ? file.split("\n") : file).entries()) {
    if (isComment(line)) continue;
    const [user, text] = partsOf(line), hash = parseHash(text?.trim() ?? "");
    const fault = (what: string) => new SyntaxError(`Line ${i + 1} of the password file ${what}`);
    if (text === undefined) throw fault('has no ":" behind a user name'); // it may be a password that stands alone
    if (user === "") throw fault('has no user name before its ":"');
    if (found.has(user)) throw fault(`names user "${user}" again`);
    if (!hash) throw fault(`has no hash for user "${user}": it wants "$7$iterations$salt$hash" or "$6$salt$hash"`);
    found.set(user, hash);
  }
  return found;
}

/** The file with another line for a user, or with none; all else stays as it is. `found` tells whether there was one. */
export function withEntry(
  file: string,
  user: string,
  entry?: string,
): { readonly text: string; readonly found: boolean } {
  let found = false;
  const lines = linesOf(file).flatMap((line) => {
    if (isComment(line) || partsOf(line)[0] !== user) return [line];
    const first = !found;
    found = true;
    return entry !== undefined && first ? [entry] : [];
  });
  if (entry !== undefined && !found) lines.push(entry);
  return { text: lines.map((line) => `${line}\n`).join(""), found };
}

/** The file with hashes instead of passwords; `count` tells of how many. What looks like a hash stays as it is. */
export async function hashed(
  file: string,
  iterations: number,
): Promise<{ readonly text: string; readonly count: number }> {
  let count = 0, text = "";
  for (const line of linesOf(file)) {
    const [user, password] = partsOf(line);
    const isPlain = !isComment(line) && password !== undefined && !/^\s*\$[67]\$/.test(password);
    if (isPlain) count++;
    text += `${isPlain ? await passwordEntry(user, password, iterations) : line}\n`;
  }
  return { text, count };
}

function linesOf(file: string): string[] {
  const lines = file.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function isComment(line: string): boolean {
  return /^\s*(#|$)/.test(line);
}

/** What stands before the first colon, and what behind it. */
function partsOf(line: string): readonly [user: string, rest: string | undefined] {
  const [, user = "", rest] = /^([^:]*):(.*?)\r?$/s.exec(line) ?? [];
  return [user.trim(), rest];
}
