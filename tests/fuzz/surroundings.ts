// What a fuzzed broker lives in: a clock that jumps, and hooks and limits by the settings of an input. Whether a hook answers at
// once, later or with no is up to the name that it is asked about.
import { setImmediate } from "node:timers";
import type { BrokerOptions, Clock } from "../../mod.ts";
import type { Setting } from "./input.ts";

/** The largest packet that a broker takes, in bytes. */
export const LARGEST = { tight: 2000, roomy: 100_000 } as const;

/** Milliseconds that go by each time a drifting clock is read: more than a turn may take. */
const DRIFT = 25;

/** Lets everything happen that needs no timer. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** A clock that stands still, or runs while it is read, and that runs its timers when it is told to. */
export class JumpingClock implements Clock {
  #now = 1_000_000;
  readonly #drift: number;
  readonly #timers = new Set<Timer>();

  constructor(drifting: boolean) {
    this.#drift = drifting ? DRIFT : 0;
  }

  /** How many timers are running. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now += this.#drift;
  }

  schedule(callback: () => void, delay: number): () => void {
    const timer = { due: this.#now + delay, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets milliseconds go by, and every timer run in its turn. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.callback();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** The timer that is due first, up to `end`. */
  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.due <= end && !(first && first.due <= timer.due)) first = timer;
    return first;
  }
}

const limits = {
  tight: {
    inflight: 2,
    queuedMessages: 5,
    queuedBytes: 2000,
    outbox: 1024,
    receiveMaximum: 2,
    topicAliases: 2,
    sessionExpiry: 100,
    topicLevels: 4,
    connections: 5,
  },
  roomy: { sessionExpiry: 5000 },
} as const;

/** The options of a broker with these settings. */
export function optionsOf(broker: readonly Setting[], clock: Clock): BrokerOptions {
  const size = broker.includes("tight") ? "tight" : "roomy", packet = LARGEST[size];
  return {
    clock,
    limits: { ...limits[size], packet, connectPacket: packet },
    validatePayloadFormat: size === "tight",
    ...broker.includes("hooks") && hooks,
  };
}

/** What a hook says to a name. */
function answer(name: string | undefined): boolean | Promise<boolean> {
  if (name === "later") return Promise.resolve(true);
  if (name?.includes("slow")) return quiet().then(() => true);
  return !name?.includes("no");
}

const hooks: BrokerOptions = {
  authenticate: ({ username }) => answer(username),
  authorize: ({ topic }) => answer(topic),
  responseInformation: ({ id }) => `answers/${id}`,
  authenticationMethods: {
    echo: async ({ data, challenge }) => {
      const said = await challenge(data);
      return said.length === data.length || "not-authorized";
    },
    slow: () => quiet().then(() => ({ username: "slow", data: new Uint8Array(3) })),
    liar: ({ data }) => Promise.resolve(data.length > 3 ? "banned" as const : false),
  },
};
