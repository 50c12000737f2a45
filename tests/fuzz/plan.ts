// An input before it is bytes: who sends which packets when. Plans are what the fuzzer makes, changes, and joins with each other.
import { Buffer } from "node:buffer";
import { treeOf } from "./encode.ts";
import { type Input, type Setting, settings, type Step } from "./input.ts";
import { mutated } from "./mutate.ts";
import { PacketMaker } from "./packets.ts";
import type { Random } from "./random.ts";
import { type Branch, bytesOf } from "./tree.ts";

/** Packets that leave together, cut into pieces at these parts of their length. */
interface Sending {
  readonly do: "send";
  readonly client: number;
  readonly packets: readonly Branch[];
  readonly cuts: readonly number[];
  readonly wait: boolean;
}

type PlannedStep = Sending | Exclude<Step, { readonly do: "send" }>;

/** A broker, and what is to happen to it. */
export interface Plan {
  readonly broker: readonly Setting[];
  readonly steps: readonly PlannedStep[];
}

/** At most; the packets are those of one step. */
const CLIENTS = 5, STEPS = 80, PACKETS = 60;

/** A new plan: clients that say what is right, each in its order, and all at once. */
export function newPlan(random: Random): Plan {
  const left = random.list(1 + random.below(CLIENTS), () => {
    const maker = new PacketMaker(random);
    return maker.conversation().map((packet) => treeOf(packet, maker.level));
  });
  if (random.oneIn(3)) left.push(left[0]!.filter(() => random.oneIn(2))); // may be the same client once more
  const steps: PlannedStep[] = [];
  while (left.some(({ length }) => length > 0)) {
    const client = random.below(left.length), packets = left[client]!.splice(0, random.pick([1, 1, 1, 2, 20]));
    if (packets.length > 0) steps.push(sending(random, client + 1, packets));
    if (random.oneIn(12)) steps.push(event(random, client + 1));
  }
  return { broker: someSettings(random), steps };
}

/** A clock that drifts is for few: some of what is right can't be told then. */
function someSettings(random: Random): Setting[] {
  return settings.filter((name) => random.oneIn(name === "drifting" ? 6 : 2));
}

function sending(random: Random, client: number, packets: readonly Branch[]): Sending {
  const cuts = random.oneIn(4) ? random.list(1 + random.below(4), () => random.below(1000) / 1000).sort() : [];
  return { do: "send", client, packets, cuts, wait: !random.oneIn(3) };
}

function event(random: Random, client: number): PlannedStep {
  const deed = random.weighted<"end" | "reset" | "stall" | "read" | "pass">(
    [[1, "end"], [1, "reset"], [3, "stall"], [2, "read"], [3, "pass"]],
  );
  const wait = random.oneIn(2);
  return deed === "pass" ? { do: deed, seconds: random.pick([1, 2, 10, 100, 4000]), wait } : { do: deed, client, wait };
}

/** A plan like this one, with something changed; parts may come from `donor`. */
export function changed(random: Random, { broker, steps }: Plan, donor: Plan): Plan {
  const own = [...steps], at = random.below(own.length), step = own[at], other = random.below(donor.steps.length);
  const foreign = donor.steps[other], cut = random.below(own.length + 1);
  const change = random.weighted<() => void>([
    [20, () => step?.do === "send" && own.splice(at, 1, changedSending(random, step, donor))],
    [2, () => own.splice(at, 1)],
    [2, () => step && own.splice(cut, 0, step)],
    [2, () => own.splice(cut, 0, event(random, step && "client" in step ? step.client : 1))],
    [2, () => foreign && own.splice(cut, 0, foreign)],
    [1, () => own.splice(cut, Infinity, ...donor.steps.slice(other))],
    [1, () => step && "client" in step && own.splice(at, 1, { ...step, client: 1 + random.below(CLIENTS) })],
  ]);
  change();
  const settled = random.oneIn(20) ? someSettings(random) : broker;
  return { broker: settled, steps: own.slice(0, STEPS) };
}

/** A burst of one packet makes queues overflow. */
function changedSending(random: Random, step: Sending, donor: Plan): Sending {
  const packets = [...step.packets], at = random.below(packets.length), to = random.below(packets.length + 1);
  const sendings = donor.steps.filter((step) => step.do === "send").filter(({ packets }) => packets.length > 0);
  if (packets.length === 0 || sendings.length === 0) return step;
  const packet = packets[at]!, foreign = random.pick(random.pick(sendings).packets);
  const change = random.weighted<() => unknown>([
    [10, () => packets[at] = mutated(random, packet, foreign)],
    [1, () => packets.splice(at, 1)],
    [2, () => packets.splice(to, 0, packet)],
    [2, () => packets.splice(to, 0, foreign)],
    [1, () => packets.splice(to, 0, ...Array<Branch>(random.pick([10, 30])).fill(packet))],
  ]);
  if (random.oneIn(10)) return sending(random, step.client, packets);
  change();
  return { ...step, packets: packets.slice(0, PACKETS) };
}

/** The input that a plan comes to. */
export function inputOf({ broker, steps }: Plan): Input {
  return { broker, steps: steps.flatMap((step) => step.do === "send" ? piecesOf(step) : [step]) };
}

function piecesOf({ client, packets, cuts, wait }: Sending): Step[] {
  const bytes = Buffer.concat(packets.map(bytesOf)), ends = cuts.map((cut) => Math.floor(cut * bytes.length));
  const pieces = [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
  return pieces.filter(({ length }) => length > 0).map((bytes) => ({ do: "send", client, bytes, wait }));
}
