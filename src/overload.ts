// What happens to a message that finds the queue of its session full: a policy, by name. Which one holds is decided for each
// subscription, because it is the subscriber who knows what its messages are worth.
import type { ClientInfo } from "./access/access.ts";
import type { Report } from "./events.ts";
import type { QoS } from "./message.ts";

/** The policies. */
export const overloadPolicies = ["drop-newest", "drop-oldest", "latest-per-topic", "disconnect"] as const;

/**
 * What happens to messages beyond the limits of a queue:
 *
 * - `drop-newest`: the message that comes is dropped (the default)
 * - `drop-oldest`: those that have waited longest are dropped until it has room
 * - `latest-per-topic`: of each topic only the newest message waits, also while there is room; beyond the limits the oldest ones are
 *   dropped
 * - `disconnect`: it is dropped, and the client is told that its quota is exceeded (5.0 reason code 0x97) and disconnected
 */
export type OverloadPolicy = typeof overloadPolicies[number];

/** A subscription that a policy is chosen for. */
export interface OverloadContext {
  /** Who subscribes. Of a session that a store has kept, no more is known than its client identifier until the client is back. */
  readonly client: ClientInfo;
  /** The topic filter, also of a shared subscription without its group. */
  readonly filter: string;
  /** The granted quality of service. */
  readonly qos: QoS;
}

/** Chooses the policy of a subscription. */
export type ChooseOverload = (subscription: OverloadContext) => OverloadPolicy;

/** The policy of a subscription; the default one, and a report, where the function fails or names none. */
export function policyOf(
  choose: ChooseOverload | undefined,
  subscription: OverloadContext,
  report: Report,
): OverloadPolicy {
  try {
    const policy = choose ? choose(subscription) : "drop-newest";
    if (isOverloadPolicy(policy)) return policy;
    throw new TypeError(`Overload policy is ${Deno.inspect(policy)}, not one of ${overloadPolicies.join(", ")}`);
  } catch (error) {
    report({ type: "hook-error", hook: "overload", error });
    return "drop-newest";
  }
}

/** Whether a value names a policy. */
export function isOverloadPolicy(value: unknown): value is OverloadPolicy {
  return overloadPolicies.some((policy) => policy === value);
}
