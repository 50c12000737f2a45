// Topic aliases (5.0 section 3.3.2.3.4): numbers that stand for topic names, on one connection and in one direction. Those of the
// client are taken as it gives them; ours go to topics that come again, and from the least recently used to the next.
import { MqttError } from "../errors.ts";
import type { Memory } from "../memory.ts";

/** How many topics that came once are remembered, how many have an alias, and how long they may be. */
const CANDIDATES = 1000, GIVEN = 1000, LONGEST = 256;

/** The aliases that a client gives. */
export class IncomingAliases {
  readonly #maximum: number;
  readonly #topics = new Map<number, string>();
  readonly #memory: Memory;

  /** @param memory where the topics are counted */
  constructor(maximum: number, memory: Memory) {
    this.#maximum = maximum;
    this.#memory = memory;
  }

  /**
   * The topic of a PUBLISH with an alias, which sets it or stands for it.
   *
   * @throws {MqttError} where the alias is over the maximum, or stands for nothing, or there is no memory for its topic
   */
  resolve(topic: string, alias: number): string {
    if (alias > this.#maximum) {
      throw new MqttError("topic-alias-invalid", `Topic alias is ${alias}: ${this.#maximum} are permitted`);
    }
    if (topic !== "") this.#set(alias, topic);
    const known = this.#topics.get(alias);
    if (known === undefined) throw new MqttError("protocol-error", `Topic alias ${alias} stands for no topic yet`);
    return known;
  }

  #set(alias: number, topic: string): void {
    if (topic.length > LONGEST && this.#memory.full) { // short ones go on
      throw new MqttError("quota-exceeded", "The broker has no memory for so long a topic with an alias now");
    }
    this.#memory.add(topic.length - (this.#topics.get(alias)?.length ?? 0));
    this.#topics.set(alias, topic);
  }

  /** Lets go of all topics. */
  clear(): void {
    for (const { length } of this.#topics.values()) this.#memory.add(-length);
    this.#topics.clear();
  }
}

/** An alias to send; `known` where the client has it already, so that the name can be left out. */
export interface Alias {
  readonly id: number;
  readonly known: boolean;
}

/** The aliases that the broker gives. */
export class OutgoingAliases {
  readonly #maximum: number;
  readonly #ids = new Map<string, number>();
  readonly #candidates = new Set<string>();

  constructor(maximum: number) {
    this.#maximum = Math.min(maximum, GIVEN);
  }

  /** The alias of a topic that is sent now; nothing for one that is sent for the first time. */
  use(topic: string): Alias | undefined {
    if (topic.length > LONGEST) return undefined;
    const id = this.#ids.get(topic);
    if (id !== undefined) {
      this.#ids.delete(topic);
      this.#ids.set(topic, id); // the most recently used one is the last
      return { id, known: true };
    }
    if (this.#candidates.delete(topic)) return { id: this.#assign(topic), known: false };
    if (this.#candidates.size >= CANDIDATES) this.#candidates.clear();
    this.#candidates.add(topic);
  }

  #assign(topic: string): number {
    let id = this.#ids.size + 1;
    if (id > this.#maximum) {
      const [oldest] = this.#ids;
      id = oldest![1];
      this.#ids.delete(oldest![0]);
    }
    this.#ids.set(topic, id);
    return id;
  }
}
