// A broker in the process of the test, for what the command has no options for: its hooks are the test's, and so is its time.
import { type Broker, type BrokerOptions, createBroker } from "../../mod.ts";
import { eventText } from "../../src/observe/text.ts";
import { VirtualClock } from "../support/clock.ts";
import { Mailbox } from "../support/mailbox.ts";
import type { TestedBroker } from "./program.ts";

/** A broker that serves real clients over TCP, while its time stands still until the test advances it. */
export class LocalBroker implements TestedBroker, AsyncDisposable {
  readonly clock: VirtualClock = new VirtualClock();
  readonly broker: Broker;
  readonly port: number;
  readonly #log = new Mailbox<string>("Log of the broker");

  constructor(options: BrokerOptions = {}) {
    this.broker = createBroker({ ...options, clock: this.clock });
    this.broker.events.subscribe((event) => this.#log.put(eventText(event)));
    this.port = this.broker.listen({ port: 0 }).port;
  }

  logged(text: string): Promise<string> {
    return this.#log.take((line) => line.includes(text));
  }

  forget(text: string): void {
    this.#log.discard((line) => line.includes(text));
  }

  /** Lets seconds pass. */
  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.broker.close();
  }
}
