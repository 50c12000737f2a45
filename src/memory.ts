// How many bytes a broker holds for its clients: messages that wait, that are under way or retained, what is on its way to and
// from sockets, sessions and their subscriptions. Counted, not measured, so that a limit means the same on every machine. A message
// that waits in a thousand sessions is one message.
import type { Message } from "./message.ts";

/** What an entry of a queue takes beside its message, in bytes. */
const ENTRY = 100;

/** The part of the limit up to which new connections are taken. */
const SPARE = 0.8;

/** The account of one broker. */
export class Memory {
  readonly #limit: number;
  #used = 0;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are held. */
  get used(): number {
    return this.#used;
  }

  /** True while nothing more had better be kept. */
  get full(): boolean {
    return this.#used > this.#limit;
  }

  /** True while nobody new had better come: that begins before memory is full. */
  get scarce(): boolean {
    return this.#used > this.#limit * SPARE;
  }

  /** Holds so many bytes; negative where they are given back. */
  add(bytes: number): void {
    this.#used += bytes;
  }

  /** How many bytes would be held with a message held once more. */
  with(message: Message): number {
    return this.#used + ENTRY + (message.account !== this || message.holders === 0 ? message.weight : 0);
  }

  /** Holds a message once more. One that another broker has held first counts each time: it is not known here how often that does. */
  hold(message: Message): void {
    if ((message.account ??= this) !== this || message.holders++ === 0) this.#used += message.weight;
    this.#used += ENTRY;
  }

  /** Lets go of it. */
  release(message: Message): void {
    if (message.account !== this || --message.holders === 0) this.#used -= message.weight;
    this.#used -= ENTRY;
  }
}
