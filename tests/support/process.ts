// Programs as child processes: what they print is read line by line, and none of them outlives its test. Among them the broker
// itself, as the command that users start.
import { assert, assertEquals } from "@std/assert";
import { Mailbox } from "./mailbox.ts";

/** Where the repository is. */
export const root: URL = new URL("../../", import.meta.url);

/** Whether a program is installed here: it starts, whatever it says. */
export function has(command: string, ...args: readonly string[]): boolean {
  try {
    return new Deno.Command(command, { args: [...args], stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** How a program is started. */
export interface ProcessOptions {
  readonly args: readonly string[];
  /** Written to its standard input, which stays open until `endInput`. */
  readonly input?: string;
  readonly cwd?: string | URL;
  readonly env?: Readonly<Record<string, string>>;
}

/** What is left of a program that has ended. */
export interface Outcome {
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly output: readonly string[];
  readonly errors: readonly string[];
}

/** How long a program may take to its end, in milliseconds. */
const PATIENCE = 30_000;

/** A running program. */
export class Process implements AsyncDisposable {
  /** The lines of its standard output. */
  readonly output: Mailbox<string>;
  /** The lines of its standard error. */
  readonly errors: Mailbox<string>;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;

  constructor(command: string, { args, input, ...options }: ProcessOptions) {
    this.#child = new Deno.Command(command, {
      ...options,
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.errors = new Mailbox(`Errors of ${command}`);
    this.output = new Mailbox(`Output of ${command}`, this.errors);
    this.#read = Promise.all([lines(this.#child.stdout, this.output), lines(this.#child.stderr, this.errors)]);
    if (input) this.#input.write(new TextEncoder().encode(input)).catch(() => {}); // it may end before it has read it
  }

  /** Ends its standard input. */
  endInput(): void {
    this.#input.close().catch(() => {}); // it has ended already
  }

  /** Sends it a signal, unless it has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /**
   * Resolves to its exit code, or undefined where a signal ended it, once it has ended and all that it printed is read. It is killed
   * where it takes too long.
   */
  async ended(): Promise<number | undefined> {
    const late = setTimeout(() => this.signal("SIGKILL"), PATIENCE);
    const { code, signal } = await this.#child.status;
    clearTimeout(late);
    await this.#read;
    return signal === null ? code : undefined;
  }

  /** Resolves to its exit code and all lines that nobody has taken, once it has ended. */
  async outcome(): Promise<Outcome> {
    return { code: await this.ended(), output: this.output.rest(), errors: this.errors.rest() };
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    this.endInput();
    await this.ended();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

async function lines(stream: ReadableStream<Uint8Array>, mailbox: Mailbox<string>): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) mailbox.put(line);
  }
  if (rest) mailbox.put(rest);
  mailbox.end();
}

/** Runs a program to its end, which must be a success, and resolves to nothing. */
export async function run(command: string, options: ProcessOptions): Promise<void> {
  await using process = new Process(command, options);
  process.endInput();
  const { code, errors } = await process.outcome();
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${errors.join("\n")}`);
}

/** A program under Deno, which asks for no permission that it was not given: `args` is what follows `deno run`. */
export function denoRun(...args: readonly string[]): Process {
  return new Process(Deno.execPath(), { args: ["run", "--no-prompt", ...args], cwd: root, env: { NO_COLOR: "1" } });
}

/** Root writes where it likes, unless that is taken from it. */
const humbly = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"] : ["env"];

/** Whether `humbleRun` is possible here. */
export const canBeHumble: boolean = has(humbly[0]!, ...humbly.slice(1), "true");

/** As `denoRun`, without the right to write to files that are read-only. */
export function humbleRun(...args: readonly string[]): Process {
  const [command, ...options] = [...humbly, Deno.execPath(), "run", "--no-prompt", ...args];
  return new Process(command!, { args: options, cwd: root });
}

/** The broker as a process of its own, started as README.md says. */
export class BrokerProcess implements AsyncDisposable {
  readonly port: number;
  /** The ports by the scheme of their addresses, such as `ws`. */
  readonly ports: ReadonlyMap<string, number>;
  readonly #process: Process;

  private constructor(process: Process, ports: ReadonlyMap<string, number>) {
    this.#process = process;
    this.ports = ports;
    this.port = ports.get("mqtt")!;
  }

  /** Starts it on free ports, with further permissions where `options` name some, and resolves when it listens. */
  static start(...options: readonly string[]): Promise<BrokerProcess> {
    const [permissions, others] = [true, false].map((wanted) => options.filter((one) => isPermission(one) === wanted));
    return BrokerProcess.permitted(permissions!, "--port", "0", "--http", "0", ...others!);
  }

  /** Starts it with more permissions than those for the network, and no other options than these. */
  static async permitted(permissions: readonly string[], ...options: readonly string[]): Promise<BrokerProcess> {
    await using unlessStarted = new AsyncDisposableStack();
    const process = unlessStarted.use(denoRun("--allow-net", ...permissions, "mod.ts", ...options));
    const line = await process.output.take();
    const addresses = [...line.matchAll(/\b([a-z]+):\/\/127\.0\.0\.1:(\d+)/g)];
    const ports = new Map(addresses.map(([, scheme, port]) => [scheme!, Number(port)]));
    assert(line.startsWith("Brook ") && ports.has("mqtt"), `The first line is ${JSON.stringify(line)}`);
    unlessStarted.move();
    return new BrokerProcess(process, ports);
  }

  /** Resolves to the next line of the log that contains `text`. */
  logged(text: string): Promise<string> {
    return this.#process.errors.take((line) => line.includes(text));
  }

  /** Forgets the lines of the log so far that contain `text`. */
  forget(text: string): void {
    this.#process.errors.discard((line) => line.includes(text));
  }

  /** Resolves to the next line of its output that contains `text`. */
  printed(text = ""): Promise<string> {
    return this.#process.output.take((line) => line.includes(text));
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process.signal(signal);
  }

  /** Ends it as a user does, and resolves to its exit code. */
  stop(signal: Deno.Signal = "SIGTERM"): Promise<number | undefined> {
    this.#process.signal(signal);
    return this.#process.ended();
  }

  /** Ends it as a user does, and resolves to what is left of it. */
  end(signal: Deno.Signal = "SIGTERM"): Promise<Outcome> {
    this.#process.signal(signal);
    return this.#process.outcome();
  }

  /** Ends it; it must not have failed before, or now. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using _process = this.#process;
    assertEquals(await this.stop(), 0, "The broker did not end well");
  }
}

function isPermission(option: string): boolean {
  return /^--allow-(read|write|env)\b/.test(option);
}
