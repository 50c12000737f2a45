// Makes an input smaller for as long as the same thing goes wrong with it: fewer steps, fewer settings, fewer packets, fewer bytes.
import { Buffer } from "node:buffer";
import { type Finding, findingIn, kindOf } from "./campaign.ts";
import { type Input, type Step } from "./input.ts";
import { varint } from "./tree.ts";

/** How long it may take, in milliseconds. */
const PATIENCE = 120_000;

/**
 * The smallest input that was found for a finding.
 *
 * @param tries inputs that are tried at most
 * @param find what tells whether something is wrong with an input
 */
export async function minimised(finding: Finding, tries = 2000, find = findingIn): Promise<Finding> {
  const end = performance.now() + PATIENCE;
  let best = finding, left = tries;
  const kind = kindOf(finding);
  const accept = async (input: Input): Promise<boolean> => {
    if (left-- <= 0 || performance.now() > end) return false;
    const found = await find(input, finding.target);
    if (!found || kindOf(found) !== kind) return false;
    best = found;
    return true;
  };
  for (let size = Infinity; sizeOf(best.input) < size && left > 0;) {
    size = sizeOf(best.input);
    await shorter(best.input.broker, (broker) => accept({ ...best.input, broker }));
    await shorter(best.input.steps, (steps) => accept({ ...best.input, steps }));
    await accept({ ...best.input, steps: joined(best.input.steps) });
    await accept({ ...best.input, steps: best.input.steps.flatMap(packetsOf) });
    await shorter(best.input.steps, (steps) => accept({ ...best.input, steps }));
    await accept({ ...best.input, steps: best.input.steps.map((step) => ({ ...step, wait: true })) });
    for (const at of best.input.steps.keys()) await shorterStep(best.input, at, accept);
  }
  return best;
}

/** What an input takes to tell. */
function sizeOf({ broker, steps }: Input): number {
  const bytes = steps.reduce((sum, step) => sum + (step.do === "send" ? step.bytes.length : 0), 0);
  return broker.length + steps.length * 4 + bytes + steps.filter(({ wait }) => !wait).length;
}

/** Leaves out parts of a list: halves first, then smaller ones, as far as what is left is accepted. */
async function shorter<T>(list: readonly T[], accept: (list: T[]) => Promise<boolean>): Promise<void> {
  let kept = [...list];
  for (let part = Math.max(1, kept.length >> 1); part >= 1; part = part === 1 ? 0 : part >> 1) {
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + part)];
      if (await accept(without)) kept = without;
      else at += part;
    }
  }
}

/** Pieces of one client that come one behind the other, as one. */
function joined(steps: readonly Step[]): Step[] {
  const found: Step[] = [];
  for (const step of steps) {
    const last = found.at(-1);
    if (last?.do !== "send" || step.do !== "send" || last.client !== step.client) found.push(step);
    else found.splice(-1, 1, { ...step, bytes: Buffer.concat([last.bytes, step.bytes]) });
  }
  return found;
}

/** A piece as one step for each packet in it. */
function packetsOf(step: Step): Step[] {
  if (step.do !== "send") return [step];
  const steps: Step[] = [];
  for (let rest = step.bytes; rest.length > 0;) {
    const { body, length } = headerOf(rest), end = Math.max(1, body + length);
    steps.push({ ...step, bytes: rest.subarray(0, end) });
    rest = rest.subarray(end);
  }
  return steps;
}

/** Where the body of a packet begins, and how long it says it is. */
function headerOf(bytes: Uint8Array): { readonly body: number; readonly length: number } {
  let length = 0, body = 1;
  for (let factor = 1; body < bytes.length && body < 5; factor *= 128) {
    const byte = bytes[body++]!;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  return { body, length };
}

/** Leaves bytes out of what a step sends, with the remaining length put right, and as they are. */
async function shorterStep(input: Input, at: number, accept: (input: Input) => Promise<boolean>): Promise<void> {
  const step = input.steps[at]!;
  if (step.do !== "send") return;
  const head = step.bytes.subarray(0, 1), { body, length } = headerOf(step.bytes), { steps } = input;
  const replaced = (bytes: Uint8Array) => accept({ ...input, steps: steps.with(at, { ...step, bytes }) });
  const whole = (content: number[]) => Buffer.concat([head, varint(content.length), Buffer.from(content)]);
  if (length === step.bytes.length - body) {
    await shorter([...step.bytes.subarray(body)], (rest) => replaced(whole(rest)));
  } else await shorter([...step.bytes], (rest) => replaced(Buffer.from(rest)));
}
