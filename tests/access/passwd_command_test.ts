// The command in a process of its own, with real files, and with a real terminal where somebody types.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { passwdCommand } from "../../src/access/passwd_command.ts";
import { passwordEntry } from "../../src/access/password_file.ts";
import { passwords } from "../../src/access/passwords.ts";
import { has, type Outcome, Process, root, run } from "../support/process.ts";
import { testWithMosquitto } from "./mosquitto_server.ts";

const PROGRAM = "tests/access/passwd_program.ts", RIGHTS = ["--allow-read", "--allow-write"];

/** A folder of its own, with a password file where there is a text for one. */
class Folder implements Disposable {
  readonly path: string = Deno.makeTempDirSync();
  readonly file: string = `${this.path}/passwd`;

  constructor(text?: string) {
    if (text !== undefined) Deno.writeTextFileSync(this.file, text);
  }

  get text(): string {
    return Deno.readTextFileSync(this.file);
  }

  /** The mode of the file, as in `chmod`. */
  get mode(): string {
    return (Deno.statSync(this.file).mode! & 0o777).toString(8);
  }

  get names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  /** Runs the command; `FILE` stands for the file. */
  async passwd(words: string, input = "", rights: readonly string[] = RIGHTS): Promise<Outcome> {
    const args = ["run", "--no-prompt", ...rights, PROGRAM, ...words.replace("FILE", this.file).split(" ")];
    await using process = new Process(Deno.execPath(), { args, input, cwd: root, env: { NO_COLOR: "1" } });
    process.endInput();
    return await process.outcome();
  }

  /** Whether the file lets a user in. */
  async lets(username: string, password: string): Promise<boolean> {
    const passwordBytes = new TextEncoder().encode(password);
    return await passwords(this.text)({ clientId: "c", username, password, passwordBytes, remote: "" }) === true;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const alice = await passwordEntry("alice", "one", 10), bob = await passwordEntry("bob", "two", 10);

function success(...output: readonly string[]): Outcome {
  return { code: 0, output, errors: [] };
}

Deno.test("A new file is made with --create, for nobody else to read", async () => {
  using folder = new Folder();
  assertEquals(await folder.passwd("-c FILE alice", "correct horse\n"), success('Added user "alice"'));
  assertEquals([folder.mode, folder.names, await folder.lets("alice", "correct horse")], ["600", ["passwd"], true]);
  assertMatch(folder.text, /^alice:\$7\$10000\$\S+\n$/);
  assertEquals(await folder.passwd("--create --batch FILE bob x"), success('Added user "bob"'));
  assertMatch(folder.text, /^bob:\$7\$10000\$\S+\n$/);
});

Deno.test("A password is changed in its place, and all else stays as it was", async () => {
  using folder = new Folder(`# people\n${alice}\n\n${bob}\n  # things\nlamp:${bob.slice(4)}`);
  assertEquals(await folder.passwd("FILE bob", "new one\r\n"), success('Changed the password of user "bob"'));
  const [comment, ...lines] = folder.text.split("\n"), [line] = lines.splice(2, 1);
  assertEquals([comment, ...lines], ["# people", alice, "", "  # things", `lamp:${bob.slice(4)}`, ""]);
  assertMatch(line!, /^bob:\$7\$10000\$/);
  assertEquals([await folder.lets("bob", "new one"), await folder.lets("bob", "two")], [true, false]);
});

Deno.test("A user that has several lines has one then, where the first was", async () => {
  using folder = new Folder(`${bob}\n${alice}\n${bob}\n`);
  assertEquals(await folder.passwd("-I 30 -b FILE bob x"), success('Changed the password of user "bob"'));
  assertMatch(folder.text, /^bob:\$7\$30\$\S+\nalice:\S+\n$/);
});

Deno.test("A user is added at the end, also where the last line has none; --iterations says how much work a hash is", async () => {
  using folder = new Folder(alice);
  assertEquals(await folder.passwd("-I 77 -b FILE bob -x"), success('Added user "bob"'));
  assertMatch(folder.text, /^alice:\S+\nbob:\$7\$77\$\S+\n$/);
  assertEquals([await folder.lets("alice", "one"), await folder.lets("bob", "-x")], [true, true]);
});

Deno.test("A user is deleted, with every line of its own", async () => {
  using folder = new Folder(`${alice}\n# bob:\n${bob}\n${bob}\n`);
  assertEquals(await folder.passwd("FILE bob --delete"), success('Deleted user "bob"'));
  assertEquals(folder.text, `${alice}\n# bob:\n`);
  assertEquals(await folder.passwd("-D FILE bob"), {
    code: 1,
    output: [],
    errors: [`brook passwd: There is no user "bob" in "${folder.file}"`],
  });
});

Deno.test("Passwords that stand in the file become hashes, and hashes stay as they are", async () => {
  using folder = new Folder(`# people\n${alice}\nbob: two: three \r\n`);
  assertEquals(await folder.passwd("-U FILE -I 20"), success("Passwords hashed: 1"));
  assert(folder.text.startsWith(`# people\n${alice}\nbob:$7$20$`));
  assertEquals([await folder.lets("alice", "one"), await folder.lets("bob", " two: three ")], [true, true]);
  const { text } = folder;
  assertEquals(await folder.passwd("--upgrade FILE"), success("Passwords hashed: 0"));
  assertEquals(folder.text, text);
});

Deno.test("Owner, group and a link to the file stay, and the group may read it where it could", async () => {
  for (const [before, after] of [[0o640, "640"], [0o664, "640"], [0o604, "600"], [0o400, "600"]] as const) {
    using folder = new Folder(`${alice}\n`);
    Deno.renameSync(folder.file, `${folder.path}/real`);
    Deno.symlinkSync("real", folder.file);
    Deno.chmodSync(folder.file, before);
    const isRoot = Deno.uid() === 0;
    if (isRoot) Deno.chownSync(folder.file, 1234, 5678);
    assertEquals(await folder.passwd("-b FILE bob x"), success('Added user "bob"'));
    const { uid, gid } = Deno.statSync(folder.file);
    assertEquals([folder.mode, isRoot ? [uid, gid] : []], [after, isRoot ? [1234, 5678] : []]);
    assertEquals([Deno.readLinkSync(folder.file), folder.names], ["real", ["passwd", "real"]]);
  }
});

const failures:
  readonly (readonly [what: string, text: string | undefined, words: string, input: string, fault: string])[] = [
    ["there is no file", undefined, "FILE bob", "x\n", 'File "FILE" can\'t be read: there is no such file or folder'],
    ["there is no password", `${alice}\n`, "FILE bob", "", "There is no password in standard input"],
    [
      "the password is empty",
      `${alice}\n`,
      "FILE bob",
      "\n",
      'Password of user "bob" is empty: it needs at least one character',
    ],
    [
      "a line is none",
      `${alice}\nhunter2\n`,
      "FILE bob",
      "x\n",
      'Line 2 of the password file has no ":" behind a user name',
    ],
    [
      "a password stands in it",
      "alice:hunter2\n",
      "FILE bob",
      "x\n",
      'Line 1 of the password file has no hash for user "alice": it wants "$7$iterations$salt$hash" or "$6$salt$hash"',
    ],
    [
      "the one that becomes a hash is empty",
      "alice:\n",
      "-U FILE",
      "",
      'Password of user "alice" is empty: it needs at least one character',
    ],
  ];

for (const [what, text, words, input, fault] of failures) {
  Deno.test(`Where ${what}, the file stays as it is: exit status 1, and one line`, async () => {
    using folder = new Folder(text);
    const errors = [`brook passwd: ${fault.replace("FILE", folder.file)}`];
    assertEquals(await folder.passwd(words, input), { code: 1, output: [], errors });
    assertEquals(folder.names.map(() => folder.text), text === undefined ? [] : [text]);
  });
}

Deno.test("A file that is not text, and rights that are missing, are told", async () => {
  using folder = new Folder(`${alice}\n`);
  const path = folder.file.replace(/\/[^/]*$/, ""),
    needs = `it needs the permissions --allow-read=${path} --allow-write=${path}`;
  const errors = [`brook passwd: File "${folder.file}" can't be written: ${needs}`];
  assertEquals(await folder.passwd("-b FILE bob x", "", ["--allow-read"]), { code: 1, output: [], errors });
  Deno.writeFileSync(folder.file, Uint8Array.of(0x61, 0x3a, 0xff));
  const fault = [`brook passwd: File "${folder.file}" is not UTF-8 text`];
  assertEquals(await folder.passwd("-b FILE bob x"), { code: 1, output: [], errors: fault });
  assertEquals(Deno.readFileSync(folder.file), Uint8Array.of(0x61, 0x3a, 0xff));
});

/** Runs the command in this process, without a terminal. */
async function here(...args: readonly string[]): Promise<{ code: number; output: string; errors: string }> {
  const said = { output: "", errors: "" };
  const code = await passwdCommand(args, {
    isInteractive: false,
    ask: () => Promise.resolve(undefined),
    print: (line) => said.output += line,
    printError: (line) => said.errors += line,
  });
  return { code, ...said };
}

Deno.test("--help says what the command does and lists every option", async () => {
  for (const help of [["-h"], ["--help"], ["f", "u", "--help"]]) {
    const { code, output, errors } = await here(...help);
    assertEquals([code, errors], [0, ""]);
    for (const option of ["--batch", "--create", "--delete", "--upgrade", "--iterations", "--help"]) {
      assert(output.includes(`, ${option} `), option);
    }
  }
});

const misuses: readonly (readonly [words: string, fault: string])[] = [
  ["f", "There are 1 arguments, not 2: FILE USER"],
  ["f u secret", "There are 3 arguments, not 2: FILE USER"],
  ["-b f u", "There are 2 arguments, not 3: FILE USER PASSWORD"],
  ["-b f u secret more", "There are 4 arguments, not 3: FILE USER PASSWORD"],
  ["-U f u", "There are 2 arguments, not 1: FILE"],
  ["-x f u", 'Unknown option "-x": --help lists what there is'],
  ["f u -secret", "Unknown option behind the user: --help lists what there is"],
  ["-D -c f u", "--delete and --create do not go together"],
  ["-U -b f", "--upgrade and --batch do not go together"],
  ["-D -b f u", "--delete and --batch do not go together"],
  ["-I 0 f u", '--iterations is "0": it needs a number from 1 to 9999999'],
  ["f u -I", '--iterations is "": it needs a number from 1 to 9999999'],
  ["f a:b", 'User name "a:b" holds ":", which ends the name in a file'],
];

for (const [words, fault] of misuses) {
  Deno.test(`passwd ${words}: exit status 2, and one line that holds no password`, async () => {
    assertEquals(await here(...words.split(" ")), { code: 2, output: "", errors: `brook passwd: ${fault}` });
  });
}

testWithMosquitto("mosquitto_passwd goes on with a file of this command, and the other way round", async () => {
  using folder = new Folder();
  await folder.passwd("-c -b FILE alice one");
  await run("mosquitto_passwd", { args: ["-b", folder.file, "bob", "two"] });
  await folder.passwd("-b FILE carol three");
  await run("mosquitto_passwd", { args: ["-D", folder.file, "alice"] });
  assertEquals([await folder.lets("bob", "two"), await folder.lets("carol", "three")], [true, true]);
  assertEquals(await folder.lets("alice", "one"), false);
});

const script = has("sh", "-c", "command -v script");

/** Registers a test with a terminal, which `script` makes one of. */
function testWithTerminal(name: string, test: () => Promise<void>): void {
  Deno.test({
    name: script ? name : `${name} (not installed: script)`,
    ignore: !script && !Deno.env.get("CI"),
    timeout: 60_000,
    fn: test,
  });
}

/** Types an answer at each prompt; resolves to the exit status, and to all that the terminal has shown. */
async function typed(file: string, ...answers: readonly (readonly [prompt: string, keys: string])[]) {
  const command = [Deno.execPath(), "run", "--no-prompt", ...RIGHTS, PROGRAM, "-I", "10", file, "alice"].join(" ");
  const env = { NO_COLOR: "1", SHELL: "/bin/sh" }, args = ["-qec", command, "/dev/null"];
  const child = new Deno.Command("script", { args, cwd: root, env, stdin: "piped", stdout: "piped" }).spawn();
  const keys = child.stdin.getWriter(), waiting = [...answers];
  let shown = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    shown += text;
    if (waiting[0] && shown.includes(waiting[0][0])) await keys.write(new TextEncoder().encode(waiting.shift()![1]));
  }
  await keys.close().catch(() => {});
  return { code: (await child.status).code, shown };
}

const first = "Password for alice: ", second = "The same again: ";

testWithTerminal("Whoever types a password does so twice, and sees nothing of it", async () => {
  using folder = new Folder("");
  const outcome = await typed(folder.file, [first, "pässword\r"], [second, "pässword\r"]);
  assertEquals(outcome, { code: 0, shown: `${first}\r\n${second}\r\nAdded user "alice"\r\n` });
  assertEquals(await folder.lets("alice", "pässword"), true);
});

testWithTerminal("What was typed can be taken back, and pasted at once", async () => {
  using folder = new Folder("");
  const { code } = await typed(folder.file, [first, "wrong\x15pä😀\x7f\x7fass\rpass\r"]);
  assertEquals([code, await folder.lets("alice", "pass")], [0, true]);
});

testWithTerminal("Two passwords that differ, and none, change nothing", async () => {
  using folder = new Folder(`${bob}\n`);
  const differ = await typed(folder.file, [first, "one\r"], [second, "two\r"]);
  assertEquals(differ, { code: 1, shown: `${first}\r\n${second}\r\nbrook passwd: The two passwords differ\r\n` });
  assertEquals((await typed(folder.file, [first, "\r"])).code, 1);
  assertEquals(folder.text, `${bob}\n`);
});

testWithTerminal("Ctrl-C ends it, at either prompt, and changes nothing", async () => {
  using folder = new Folder(`${bob}\n`);
  assertEquals(await typed(folder.file, [first, "on\x03"]), { code: 130, shown: `${first}\r\n` });
  const later = await typed(folder.file, [first, "one\r"], [second, "\x03"]);
  assertEquals([later.code, folder.text], [130, `${bob}\n`]);
});
