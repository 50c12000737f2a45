// Retained messages without a broker.
import type { Clock } from "../../src/clock.ts";
import { Deadlines } from "../../src/deadlines.ts";
import { Memory } from "../../src/memory.ts";
import { RetainedMessages, type RetainedOptions } from "../../src/topics/retained.ts";

const noLimits = { retainedMessages: Infinity, retainedBytes: Infinity };

/** None yet; without limits where none are given. */
export function retainedMessages(clock: Clock, options: Partial<RetainedOptions> = {}): RetainedMessages {
  return new RetainedMessages({
    deadlines: new Deadlines(clock),
    memory: new Memory(Infinity),
    limits: noLimits,
    ...options,
  });
}
