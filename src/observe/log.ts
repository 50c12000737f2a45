// The command's log: the broker's events as lines, from a level on.
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

/** An observer of events that writes those of `level` and above. */
export function logTo(write: (line: string) => void, level: LogLevel): (event: BrokerEvent) => void {
  const shown = logLevels.slice(0, logLevels.indexOf(level) + 1);
  return (event) => {
    const own = levelOf(event);
    if (shown.includes(own)) write(`${new Date().toISOString()} ${own.padEnd(5)} ${eventText(event)}`);
  };
}
