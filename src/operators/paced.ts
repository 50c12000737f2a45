// For an observer that takes its time. RxJS has no back-pressure: `concatMap` keeps everything that comes while a promise is pending.
// `paced` keeps what fits and does with the rest what a policy says, as the broker does with the messages of a slow client.
import { MqttError } from "../errors.ts";
import { isOverloadPolicy, overloadPolicies, type OverloadPolicy } from "../overload.ts";
import type { OperatorFunction, Subscriber } from "../rx.ts";
import { operate } from "./operate.ts";

/** How `paced` waits. */
export interface PacedOptions<T> {
  /** Values that wait at most; default 1000. */
  readonly limit?: number;
  /** What happens to values beyond the limit; default `drop-newest`. With `disconnect` the result errors. */
  readonly policy?: OverloadPolicy;
  /** What `latest-per-topic` tells apart; default: the topic. */
  readonly key?: (value: T) => string;
  /** Called with each value that is dropped for want of room; what waits when the result errors is dropped without. */
  readonly onDrop?: (value: T) => void;
}

/**
 * Hands each value to an asynchronous function, one at a time and in order, and emits what its promise resolves to.
 *
 * The result errors where the function does, or `key` or `onDrop`; with the policy `disconnect` also where more values wait than may,
 * with an {@linkcode MqttError} `quota-exceeded`.
 *
 * @throws {RangeError} where the limit is not a whole number from 1
 * @throws {TypeError} where there is no such policy
 *
 * @example
 * ```ts
 * import { createBroker, paced } from "@brook/mqtt";
 *
 * await using broker = createBroker();
 * const save = (_text: string) => Promise.resolve();
 * broker.topic("sensors/#").pipe(paced((m) => save(m.text()), { limit: 100, policy: "latest-per-topic" })).subscribe();
 * ```
 */
export function paced<T extends { readonly topic: string }, R>(
  work: (value: T) => Promise<R>,
  { limit = 1000, policy = "drop-newest", key = ({ topic }) => topic, onDrop }: PacedOptions<T> = {},
): OperatorFunction<T, R> {
  if (!(Number.isInteger(limit) && limit > 0)) throw new RangeError(`Limit is ${limit}: it is a whole number from 1`);
  if (!isOverloadPolicy(policy)) throw new TypeError(`Policy is none of ${overloadPolicies.join(", ")}`);
  return operate((source, subscriber) => {
    const waiting = new Waiting({ limit, policy, key, onDrop }, subscriber);
    let busy = false, completed = false;
    const next = () => {
      busy = true;
      const value = waiting.shift();
      Promise.try(() => work(value)).then((result) => {
        subscriber.next(result);
        busy = false;
        if (!subscriber.closed && !waiting.empty) next();
        else if (completed) subscriber.complete();
      }).catch((error) => subscriber.error(error));
    };
    return source.subscribe({
      next(value) {
        try {
          waiting.push(value);
        } catch (error) {
          return subscriber.error(error); // of the key, or of who is told
        }
        if (!busy && !waiting.empty) next();
      },
      error: (error) => subscriber.error(error),
      complete() {
        completed = true;
        if (!busy) subscriber.complete();
      },
    });
  });
}

type Rules<T> = Required<Omit<PacedOptions<T>, "onDrop">> & { onDrop: PacedOptions<T>["onDrop"] | undefined };

/** The values that wait. */
class Waiting<T> {
  readonly #options: Rules<T>;
  readonly #subscriber: Pick<Subscriber<unknown>, "error">;
  /** By their keys, or by numbers where none replaces another. */
  readonly #values = new Map<string | number, T>();
  #count = 0;

  constructor(options: Rules<T>, subscriber: Pick<Subscriber<unknown>, "error">) {
    this.#options = options;
    this.#subscriber = subscriber;
  }

  get empty(): boolean {
    return this.#values.size === 0;
  }

  /** The oldest; there must be one. */
  shift(): T {
    const [[name, value]] = this.#values as unknown as [[string | number, T]];
    this.#values.delete(name);
    return value;
  }

  push(value: T): void {
    const { policy, limit, key, onDrop } = this.#options, values = this.#values;
    const name = policy === "latest-per-topic" ? key(value) : this.#count++, former = values.get(name);
    if (former !== undefined) onDrop?.(former);
    else if (values.size >= limit) {
      if (policy === "disconnect") {
        onDrop?.(value);
        return this.#subscriber.error(new MqttError("quota-exceeded", `More than ${limit} values wait`));
      }
      if (policy === "drop-newest") return onDrop?.(value);
      onDrop?.(this.shift());
    }
    values.set(name, value);
  }
}
