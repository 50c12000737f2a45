// `passwd`: the command that writes password files, for those who know mosquitto_passwd. Invariant: comments and the order
// of lines stay, what it writes can be read, and no password gets into a message.
import { hashed, ITERATIONS, passwordEntry, readPasswords, userFault, withEntry } from "./password_file.ts";
import { readPrivate, writePrivate } from "./private_file.ts";
import { StandardTerminal, type Terminal } from "./terminal.ts";

const PERMISSIONS = "--allow-read --allow-write";

const HELP = `Sets the password of a user in a password file. It is asked for, or read from standard input.

Usage: deno run ${PERMISSIONS} mod.ts passwd [options] FILE USER
       deno run ${PERMISSIONS} mod.ts passwd [options] --batch FILE USER PASSWORD
       deno run ${PERMISSIONS} mod.ts passwd --delete FILE USER
       deno run ${PERMISSIONS} mod.ts passwd [options] --upgrade FILE

  -b, --batch           take the password from the command line, which others may see
  -c, --create          make a new file; one that there is loses all its users
  -D, --delete          delete the user
  -U, --upgrade         replace passwords that stand in the file as they are by hashes
  -I, --iterations NUM  how much work a hash is (default ${ITERATIONS})
  -h, --help            print this`;

const flags: Readonly<Record<string, string>> = {
  "-b": "--batch",
  "-c": "--create",
  "-D": "--delete",
  "-U": "--upgrade",
  "-I": "--iterations",
  "-h": "--help",
};

/** What goes with which option, the first of them that is there. */
const modes = [
  { option: "--upgrade", others: ["--iterations"], words: ["FILE"] },
  { option: "--delete", others: [], words: ["FILE", "USER"] },
  { option: "--batch", others: ["--create", "--iterations"], words: ["FILE", "USER", "PASSWORD"] },
];
const plainMode = { option: "", others: ["--create", "--iterations"], words: ["FILE", "USER"] };

/** A command line that can't be followed. */
class UsageError extends Error {}

interface Call {
  readonly options: ReadonlySet<string>;
  readonly file: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly iterations: number;
}

/**
 * Runs the command; what goes wrong becomes one line.
 *
 * @param args what stands behind `passwd`
 * @returns the exit status; 2: used wrongly, 1: could not do it, 130: interrupted
 */
export async function passwdCommand(
  args: readonly string[],
  terminal: Terminal = new StandardTerminal(),
): Promise<number> {
  try {
    const call = parse(args);
    if (call.options.has("--help")) terminal.print(HELP);
    else if (call.options.has("--upgrade")) await upgrade(call, terminal);
    else if (call.options.has("--delete")) await remove(call, terminal);
    else return await set(call, terminal);
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    terminal.printError(`brook passwd: ${error.message}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function parse(args: readonly string[]): Call {
  const options = new Set<string>(), words: string[] = [];
  let iterations: string | undefined;
  for (const queue = [...args]; queue.length > 0;) {
    const arg = queue.shift()!, option = flags[arg] ?? arg;
    if (!arg.startsWith("-") || words.length === 2 && options.has("--batch")) words.push(arg); // whatever the password is
    else if (!Object.values(flags).includes(option)) {
      throw new UsageError(
        `Unknown option ${words.length < 2 ? `"${arg}"` : "behind the user"}: --help lists what there is`,
      );
    } else if (options.add(option) && option === "--iterations") iterations = queue.shift() ?? "";
  }
  if (!options.has("--help")) requireFit(options, words);
  const [file = "", user = "", password] = words;
  return { options, file, user, password, iterations: iterationsOf(iterations) };
}

function requireFit(options: ReadonlySet<string>, words: readonly string[]): void {
  const mode = modes.find(({ option }) => options.has(option)) ?? plainMode;
  const other = [...options].find((option) => option !== mode.option && !mode.others.includes(option));
  if (other) throw new UsageError(`${mode.option} and ${other} do not go together`);
  if (words.length !== mode.words.length) {
    throw new UsageError(`There are ${words.length} arguments, not ${mode.words.length}: ${mode.words.join(" ")}`);
  }
  const fault = words[1] === undefined ? undefined : userFault(words[1]);
  if (fault) throw new UsageError(fault);
}

function iterationsOf(text = `${ITERATIONS}`): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) {
    throw new UsageError(`--iterations is "${text}": it needs a number from 1 to 9999999`);
  }
  return Number(text);
}

async function set({ options, file, user, password, iterations }: Call, terminal: Terminal): Promise<number> {
  const before = options.has("--create") ? "" : await readPrivate(file), typed = password ?? await ask(user, terminal);
  if (typed === undefined) return 130;
  const { text, found } = withEntry(before, user, await passwordEntry(user, typed, iterations));
  await write(file, text);
  terminal.print(found ? `Changed the password of user "${user}"` : `Added user "${user}"`);
  return 0;
}

async function ask(user: string, terminal: Terminal): Promise<string | undefined> {
  const password = await terminal.ask(`Password for ${user}: `);
  if (password === undefined && !terminal.isInteractive) throw new Error("There is no password in standard input");
  if (!password || !terminal.isInteractive) return password;
  const again = await terminal.ask("The same again: ");
  if (again !== undefined && again !== password) throw new Error("The two passwords differ");
  return again;
}

async function remove({ file, user }: Call, terminal: Terminal): Promise<void> {
  const { text, found } = withEntry(await readPrivate(file), user);
  if (!found) throw new Error(`There is no user "${user}" in "${file}"`);
  await write(file, text);
  terminal.print(`Deleted user "${user}"`);
}

async function upgrade({ file, iterations }: Call, terminal: Terminal): Promise<void> {
  const { text, count } = await hashed(await readPrivate(file), iterations);
  await write(file, text);
  terminal.print(`Passwords hashed: ${count}`);
}

async function write(file: string, text: string): Promise<void> {
  readPasswords(text); // or it throws
  await writePrivate(file, text);
}
