// What a broker is fed with, byte by byte and step by step, as it is kept in corpus/: one line for each step. A client connects
// with its first step. `1 send 10 0d …` sends bytes in one piece; `&` at the end of a line means that the next step does not wait
// until nothing happens any more.
//
//   broker tight hooks     how the broker is set up
//   1 send c0 00 &         client 1 sends a piece; a0*5 is five times the same byte
//   1 end                  says that it will send nothing more; or: reset, stall (reads no more), read (reads again)
//   pass 30                seconds go by
import { Buffer } from "node:buffer";

/** How the broker is set up: small limits, hooks, an observer of what is routed, a clock that runs while there is work. */
export const settings = ["tight", "hooks", "observed", "drifting"] as const;

export type Setting = typeof settings[number];

const deeds = ["end", "reset", "stall", "read"] as const;

/** One thing that happens. */
export type Step =
  | { readonly do: "send"; readonly client: number; readonly bytes: Uint8Array; readonly wait: boolean }
  | { readonly do: typeof deeds[number]; readonly client: number; readonly wait: boolean }
  | { readonly do: "pass"; readonly seconds: number; readonly wait: boolean };

/** A broker, and what happens to it. */
export interface Input {
  readonly broker: readonly Setting[];
  readonly steps: readonly Step[];
}

/** An input as text. */
export function printInput({ broker, steps }: Input): string {
  return [["broker", ...broker].join(" "), ...steps.map(printStep), ""].join("\n");
}

function printStep(step: Step): string {
  const words = step.do === "pass" ? ["pass", step.seconds] : [step.client, step.do];
  if (step.do === "send") words.push(printBytes(step.bytes));
  return [...words, ...step.wait ? [] : ["&"]].join(" ");
}

function printBytes(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return text.replace(/(..)(?: \1){7,}/g, (run, byte) => `${byte}*${(run.length + 1) / 3}`);
}

function parseBytes(words: readonly string[]): Buffer {
  return Buffer.concat(words.map((word) => {
    const [byte = "", times = "1"] = word.split("*");
    return Buffer.alloc(Number(times), parseInt(byte, 16));
  }));
}

/**
 * An input from text; lines that begin with # are comments.
 *
 * @throws {SyntaxError} where a line is not understood
 */
export function parseInput(text: string): Input {
  const [first = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const [name, ...broker] = first.split(" ");
  const unknown = broker.find((word) => !settings.includes(word as Setting));
  if (name !== "broker" || unknown !== undefined) throw new SyntaxError(`First line is "${first}"`);
  return { broker: broker as Setting[], steps: lines.map(parseStep) };
}

function parseStep(line: string): Step {
  const words = line.trim().split(/\s+/), wait = words.at(-1) !== "&", [first, deed, ...rest] = words;
  if (!wait) rest.pop();
  if (first === "pass") return { do: "pass", seconds: numberOf(deed, line), wait };
  const client = numberOf(first, line);
  if (deed === "send") return { do: "send", client, bytes: parseBytes(rest), wait };
  const found = deeds.find((name) => name === deed);
  if (!found) throw new SyntaxError(`Line "${line}" is no step`);
  return { do: found, client, wait };
}

function numberOf(word: string | undefined, line: string): number {
  const value = Number(word);
  if (!(value >= 0)) throw new SyntaxError(`Line "${line}" is no step`);
  return value;
}

/** What each client sends, piece by piece. */
export function streamsOf({ steps }: Input): Map<number, Uint8Array[]> {
  const streams = new Map<number, Uint8Array[]>();
  for (const step of steps) {
    if (step.do !== "send") continue;
    const pieces = streams.get(step.client);
    if (pieces) pieces.push(step.bytes);
    else streams.set(step.client, [step.bytes]);
  }
  return streams;
}
