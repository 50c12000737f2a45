// How fast clients publish, as far as that is limited. The bucket of a client that leaves is kept until it is full again: who comes
// back sooner has no more than was left. It is the client identifier that is remembered, as it is the client that is limited.
import type { Deadline, Deadlines } from "../deadlines.ts";
import { keyOf } from "../keys.ts";
import type { Memory } from "../memory.ts";
import { TokenBucket } from "../token_bucket.ts";

/** After so long any bucket is full again, in milliseconds. */
const FULL_AGAIN = 1000;

/** What one that is kept takes beside the client identifier, in bytes. */
const WEIGHT = 400;

/** What the rates of a broker share with others. */
interface Surroundings {
  readonly deadlines: Deadlines;
  readonly memory: Memory;
}

interface Kept {
  readonly bucket: TokenBucket;
  readonly end: Deadline;
}

/** The buckets of clients that have left. */
export class Rates {
  readonly #kept = new Map<string, Kept>();

  /** The bucket of a client that has one from here on: as it has left it, or a full one. */
  take(clientId: string, perSecond: number, now: number, around: Surroundings): TokenBucket {
    const kept = this.#forget(clientId, around);
    return kept?.bucket.perSecond === perSecond ? kept.bucket : new TokenBucket(perSecond, now);
  }

  /** The client leaves. */
  keep(clientId: string, bucket: TokenBucket, now: number, around: Surroundings): void {
    if (bucket.isFull(now)) return;
    const end = around.deadlines.start(FULL_AGAIN, { expired: () => this.#forget(clientId, around) });
    around.memory.add(WEIGHT + clientId.length);
    this.#kept.set(keyOf(clientId), { bucket, end });
  }

  #forget(clientId: string, { memory }: Surroundings): Kept | undefined {
    const key = keyOf(clientId), kept = this.#kept.get(key);
    if (!kept) return undefined;
    this.#kept.delete(key);
    kept.end.cancel();
    memory.add(-(WEIGHT + clientId.length));
    return kept;
  }
}
