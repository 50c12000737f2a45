// The command's log: the broker's events as lines, from a level on.
import { systemClock } from "../clock.ts";
import type { BrokerEvent } from "../events.ts";
import { eventText } from "./text.ts";

/** The levels of the log, most important first. */
export const logLevels = ["error", "warn", "info", "debug"] as const;

/** How important a line is. */
export type LogLevel = typeof logLevels[number];

/** The level of an event. */
export function levelOf(event: BrokerEvent): LogLevel {
  switch (event.type) {
    case "routing-error":
    case "observer-error":
    case "hook-error":
      return "error";
    case "refused":
    case "denied":
      return "warn";
    case "dropped":
      return event.reason === "client-offline" ? "debug" : "warn";
    case "disconnected":
      return ["disconnect", "connection-lost", "server-shutting-down"].includes(event.reason) ? "info" : "warn";
    case "listening":
    case "connected":
    case "closed":
      return "info";
    case "subscribed":
    case "unsubscribed":
      return "debug";
  }
}

/** How long a client's losses of one kind are gathered in one line, in milliseconds. */
const GATHER = 1000;

/** How many kinds of losses are remembered. */
const REMEMBERED = 10_000;

/**
 * An observer of events that writes those of `level` and above. Losses can come by the thousand in a second, and writing waits for
 * whoever reads the log: of each client and reason there is one line a second, with the number of those since the last one.
 */
export function logTo(
  write: (line: string) => void,
  level: LogLevel,
  now: () => number = systemClock.now,
): (event: BrokerEvent) => void {
  const shown = logLevels.slice(0, logLevels.indexOf(level) + 1), gather = gathering(now);
  return (event) => {
    const own = levelOf(event);
    if (!shown.includes(own)) return;
    const told = event.type === "dropped" ? gather(event) : event;
    if (told) write(`${new Date().toISOString()} ${own.padEnd(5)} ${eventText(told)}`);
  };
}

type Loss = Extract<BrokerEvent, { type: "dropped" }>;

/** Turns a loss into the sum of those that were held back, or holds it back itself. */
function gathering(now: () => number): (loss: Loss) => Loss | undefined {
  const losses = new Map<string, { told: number; held: number }>();
  return (loss) => {
    const key = `${loss.reason} ${loss.client}`, time = now(), former = losses.get(key);
    if (former && time - former.told < GATHER) {
      former.held += loss.count;
      return undefined;
    }
    if (losses.size >= REMEMBERED) losses.clear();
    losses.set(key, { told: time, held: 0 });
    return former && former.held > 0 ? { ...loss, topic: undefined, count: loss.count + former.held } : loss;
  };
}
