// The command's log: the broker's events as lines, from a level on.
import { type Clock, systemClock } from "../clock.ts";
import type { BrokerEvent } from "../events.ts";
import { errorText, eventText } from "./text.ts";

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
    case "store-failed":
      return "error";
    case "store-recovered":
      return "warn";
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

/** What a line of the log tells. */
export interface LogEntry {
  readonly time: Date;
  readonly level: LogLevel;
  /** What happened, or a sentence of the command itself. */
  readonly event: BrokerEvent | string;
  /** How many of the same kind have been held back since the last line. */
  readonly held: number;
}

/** How a line is written. */
export type LogFormat = (entry: LogEntry) => string;

/** A line for people. */
export function textLine({ time, level, event, held }: LogEntry): string {
  const more = held > 0 ? ` (and ${held} more since the last line)` : "";
  return `${time.toISOString()} ${level.padEnd(5)} ${messageOf(event)}${more}`;
}

/**
 * A line for programs: an object of JSON with `time`, `level`, the fields of the event, `message`, which is the event as a sentence,
 * and, where there were some, `held`; its `type` is `note` where the command itself says something. Like all lines it holds nothing
 * that a terminal would obey.
 */
export function jsonLine({ time, level, event, held }: LogEntry): string {
  const fields = typeof event === "string" ? { type: "note" } : event;
  const error = "error" in fields ? { error: errorText(fields.error) } : {};
  const line = { time, level, ...fields, ...error, message: messageOf(event), ...held > 0 ? { held } : {} };
  return JSON.stringify(line).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** How lines can be written, by name. */
export const logFormats = { text: textLine, json: jsonLine } as const satisfies Readonly<Record<string, LogFormat>>;

function messageOf(event: BrokerEvent | string): string {
  return typeof event === "string" ? event : eventText(event);
}

/** A character as JSON escapes it: one or two units of UTF-16. */
function escaped(char: string): string {
  return char.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

/** How long losses and refusals of one kind are gathered in one line, in milliseconds; some wait up to twice as long. */
const GATHER = 1000;

/** How many kinds of them are remembered. */
const REMEMBERED = 10_000;

/** How much of what a client has chosen is written, and remembered, in characters: identifiers and topics may have 65,535 bytes. */
const LONGEST = 256;

/**
 * An observer of events that writes those of `level` and above, which may change. Losses and refusals can come by the thousand in a
 * second, and writing waits for whoever reads the log: of each client and reason, and of connections of each reason, there is one line
 * a second, with the number of those since the last one.
 */
export function logTo(
  write: (line: string) => void,
  level: LogLevel | (() => LogLevel),
  clock: Clock = systemClock,
  lineOf: LogFormat = textLine,
): (event: BrokerEvent) => void {
  const isShown = (own: LogLevel) =>
    logLevels.indexOf(own) <= logLevels.indexOf(typeof level === "function" ? level() : level);
  const tell = (event: BrokerEvent, held = 0) =>
    write(lineOf({ time: new Date(), level: levelOf(event), event, held }));
  const losses = new Losses(clock, tell);
  return (whole) => {
    if (whole.type === "closed") losses.flush();
    if (!isShown(levelOf(whole))) return;
    const event = shortened(whole);
    if (isGathered(event)) losses.add(event);
    else tell(event);
  };
}

/** The same event without the rest of texts that are too long. */
function shortened(event: BrokerEvent): BrokerEvent {
  let shorter: Record<string, unknown> | undefined;
  for (const key of Object.keys(event)) { // each event comes by here: most have nothing too long, and entries would be made for it
    const value: unknown = event[key as keyof BrokerEvent];
    if (typeof value === "string" && value.length > LONGEST) (shorter ??= { ...event })[key] = short(value);
  }
  return shorter as BrokerEvent | undefined ?? event;
}

/** Put together anew: a part of a string keeps the whole of it alive. */
function short(text: string): string {
  return `${[...text.slice(0, LONGEST)].join("")}...`;
}

type Loss = Extract<BrokerEvent, { type: "dropped" | "denied" | "refused" | "disconnected" }>;

/** Connections that end as they should are told one by one, as they begin. */
function isGathered(event: BrokerEvent): event is Loss {
  switch (event.type) {
    case "dropped":
    case "denied":
    case "refused":
      return true;
    case "disconnected":
      return levelOf(event) === "warn";
    default:
      return false;
  }
}

/** Losses of one client and reason, or of connections of one reason. */
interface Kind {
  /** When a line has told of them. */
  told: number;
  /** Those since then: the last one, and how many. */
  last?: Loss;
  held: number;
}

/** Losses and refusals, gathered: the first of a kind is told at once, and those that follow it when a second is over. */
class Losses {
  readonly #clock: Clock;
  readonly #tell: (loss: Loss, held: number) => void;
  readonly #kinds = new Map<string, Kind>();
  #stop: (() => void) | undefined;

  constructor(clock: Clock, tell: (loss: Loss, held: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(loss: Loss): void {
    const key = kindOf(loss), kind = this.#kinds.get(key);
    if (kind) {
      kind.last = loss;
      kind.held += countOf(loss);
    } else {
      if (this.#kinds.size >= REMEMBERED) this.flush();
      this.#kinds.set(key, { told: this.#clock.now(), held: 0 });
      this.#tell(loss, 0);
    }
    this.#stop ??= this.#clock.schedule(() => this.#pass(), GATHER);
  }

  /** A second is over for some kinds: what was held of them is told, and those of which nothing was are forgotten. */
  #pass(): void {
    this.#stop = undefined;
    const now = this.#clock.now();
    for (const [key, kind] of this.#kinds) {
      if (now - kind.told < GATHER) continue;
      if (kind.held > 0) this.#kinds.set(key, { told: now, held: 0 });
      else this.#kinds.delete(key);
      this.#tellHeld(kind);
    }
    if (this.#kinds.size > 0) this.#stop = this.#clock.schedule(() => this.#pass(), GATHER);
  }

  /** Tells everything, and forgets it. */
  flush(): void {
    this.#stop?.();
    this.#stop = undefined;
    for (const kind of this.#kinds.values()) this.#tellHeld(kind);
    this.#kinds.clear();
  }

  #tellHeld({ last, held }: Kind): void {
    if (last) this.#tell(last, held - countOf(last));
  }
}

function kindOf(loss: Loss): string {
  return `${loss.type} ${loss.reason} ${loss.type === "dropped" || loss.type === "denied" ? loss.client : ""}`;
}

function countOf(loss: Loss): number {
  return loss.type === "dropped" ? loss.count : 1;
}
