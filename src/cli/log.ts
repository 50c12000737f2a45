// What the command prints while it runs: the events as a log, and the packets where they are wanted.
import type { Broker } from "../broker.ts";
import { isLoss } from "../ledger.ts";
import { Lines } from "../observe/lines.ts";
import { type LogLevel, logTo } from "../observe/log.ts";
import { eventText, traceLine } from "../observe/text.ts";
import type { Settings } from "./settings.ts";

/** The log and the trace of a broker. */
export class CommandLog {
  readonly #broker: Broker;
  readonly #log = new Lines(console.error);
  #shown: { unsubscribe(): void } | undefined;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Begins. */
  start({ logLevel, trace }: Settings): void {
    this.show(logLevel);
    if (!trace) return;
    const packets = new Lines(console.log);
    this.#broker.packets.subscribe((trace) => packets.add(traceLine(trace)));
    this.#broker.events.subscribe((event) => isLoss(event) && packets.add(`!! ${eventText(event)}`));
  }

  /** Shows events from this level on. */
  show(level: LogLevel): void {
    this.#shown?.unsubscribe();
    this.#shown = this.#broker.events.subscribe(logTo(this.#log.add, level));
  }

  /** Says something that is no event, whatever the level. */
  note(line: string): void {
    this.#log.add(`${new Date().toISOString()} info  ${line}`);
  }
}
