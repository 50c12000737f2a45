// What a broker says of the messages that it has dropped, in the three ways in which it does.
import { assertEquals } from "@std/assert";
import type { Broker } from "../../src/broker.ts";

/** The drops that are told from here on, as `client topic reason*count`. */
export function dropsOf(broker: Broker): string[] {
  const drops: string[] = [];
  broker.events.subscribe((event) => {
    if (event.type === "dropped") drops.push(`${event.client} ${event.topic} ${event.reason}*${event.count}`);
  });
  return drops;
}

/** Asserts how many have been dropped for which reasons, by the counters and by what is known afterwards. */
export function assertDropped(broker: Broker, expected: Readonly<Record<string, number>>): void {
  const counted: Record<string, number> = {}, known: Record<string, number> = {};
  for (const [name, count] of broker.counters) if (name.startsWith("dropped/")) counted[name.slice(8)] = count;
  for (const { type, reason, count } of broker.why()) {
    if (type === "dropped") known[reason] = (known[reason] ?? 0) + count;
  }
  assertEquals([counted, known], [expected, expected]);
}
