// What the command prints while it runs: the events as a log, and the packets where they are wanted.
import type { Broker } from "../broker.ts";
import { isLoss } from "../ledger.ts";
import { Lines } from "../observe/lines.ts";
import { type LogFormat, logFormats, type LogLevel, logTo } from "../observe/log.ts";
import { eventText, traceLine } from "../observe/text.ts";
import type { Settings } from "./settings.ts";

/** The log and the trace of a broker. */
export class CommandLog {
  readonly #broker: Broker;
  readonly #log = new Lines(console.error);
  #line: LogFormat = logFormats.text;
  #level: LogLevel = "info";

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Begins. */
  start({ log, logLevel, trace }: Settings): void {
    this.#line = logFormats[log];
    this.show(logLevel);
    this.#broker.events.subscribe(logTo(this.#log.add, () => this.#level, undefined, this.#line));
    if (!trace) return;
    const packets = new Lines(console.log);
    this.#broker.packets.subscribe((trace) => packets.add(traceLine(trace)));
    this.#broker.events.subscribe((event) => isLoss(event) && packets.add(`!! ${eventText(event)}`));
  }

  /** Shows events from this level on. */
  show(level: LogLevel): void {
    this.#level = level;
  }

  /** Says something that is no event, whatever the level. */
  note(text: string, level: LogLevel = "info"): void {
    this.#log.add(this.#line({ time: new Date(), level, event: text, held: 0 }));
  }
}
