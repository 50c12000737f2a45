// A limit of messages per second and topic: a topic may burst up to its limit, and regains it over a second.
import { systemClock } from "../clock.ts";
import { filter, type MonoTypeOperatorFunction } from "../rx.ts";
import { TokenBucket } from "../token_bucket.ts";

/** How `rateLimit` measures. */
export interface RateLimitOptions<T> {
  /** What is limited separately; default: each topic. */
  readonly key?: (message: T) => string;
  /** The current time in milliseconds; default: the machine's clock. */
  readonly now?: () => number;
  /** Called with each message that is dropped. */
  readonly onDrop?: (message: T) => void;
}

/** Topics that are remembered at a time; those not heard of for a second are forgotten first. */
const BUCKETS = 10_000;

/**
 * Lets at most `perSecond` messages of each topic pass, and drops the others.
 *
 * @param perSecond messages per second and topic; also how many may come at once
 * @throws {RangeError} where that is not a positive, finite number
 *
 * @example
 * ```ts
 * import { createBroker, rateLimit } from "@brook/mqtt";
 *
 * await using broker = createBroker({ routing: [rateLimit(10)] });
 * ```
 */
export function rateLimit<T extends { readonly topic: string }>(
  perSecond: number,
  { key = (message) => message.topic, now = systemClock.now, onDrop }: RateLimitOptions<T> = {},
): MonoTypeOperatorFunction<T> {
  if (!(perSecond > 0 && perSecond < Infinity)) {
    throw new RangeError(`Rate limit is ${perSecond}: it is a number of messages per second above 0`);
  }
  const buckets = new Map<string, TokenBucket>();
  const bucketOf = (name: string, time: number): TokenBucket => {
    let bucket = buckets.get(name);
    if (!bucket) {
      if (buckets.size >= BUCKETS) forgetFull(buckets, time);
      buckets.set(name, bucket = new TokenBucket(perSecond, time));
    }
    return bucket;
  };
  return filter((message) => {
    const time = now();
    if (bucketOf(key(message), time).take(time)) return true;
    onDrop?.(message);
    return false;
  });
}

/** Forgets the buckets that are full again; where there are none, all: a limit must not cost unbounded memory. */
function forgetFull(buckets: Map<string, TokenBucket>, time: number): void {
  for (const [name, bucket] of buckets) if (bucket.isFull(time)) buckets.delete(name);
  if (buckets.size >= BUCKETS) buckets.clear();
}
