// On which terms a session gets a message: the outcome of its subscriptions, worked out once per topic and shared by all messages
// on it, so that a delivery makes no object of its own.
import type { QoS } from "../message.ts";
import type { OverloadPolicy } from "../overload.ts";
import type { SharedGroup } from "../topics/shared.ts";

/** What is added to a message for one session. */
export interface Terms {
  readonly qos: QoS;
  readonly retain: boolean;
  /** Subscription identifiers of all matching subscriptions (5.0 section 3.3.2.3.8). */
  readonly identifiers?: readonly number[] | undefined;
  /** What happens to it where the session's queue is full. */
  readonly overload: OverloadPolicy;
  /** The group that chose this session; another member gets the message if the session ends before it was delivered. */
  readonly group?: { readonly name: string } | undefined;
}

/** What the terms of a session's messages come from. */
export interface TermsOrigin {
  /** The highest quality of service granted. */
  readonly qos: QoS;
  /** Whether RETAIN stays as published. */
  readonly keepRetain: boolean;
  readonly identifiers?: readonly number[];
  readonly overload?: OverloadPolicy;
  readonly group?: SharedGroup | undefined;
}

/** The terms for each quality of service and RETAIN flag that a message may be published with. */
export class TermsTable {
  readonly #terms: readonly Terms[];

  constructor({ qos, keepRetain, identifiers = [], overload = "drop-newest", group }: TermsOrigin) {
    const terms: Terms[] = [];
    for (const retain of [false, true]) {
      for (const published of [0, 1, 2] as const) {
        terms.push({
          qos: published < qos ? published : qos, // [MQTT-3.8.4-6]
          retain: retain && keepRetain, // [MQTT-3.3.1-9], [MQTT5-3.3.1-13]
          identifiers: identifiers.length > 0 ? identifiers : undefined,
          overload,
          group,
        });
      }
    }
    this.#terms = terms;
  }

  /** The terms for a message that was published so. */
  of(qos: QoS, retain: boolean): Terms {
    return this.#terms[Number(retain) * 3 + qos]!;
  }
}

/** Most subscriptions have neither an identifier nor a group: they share their tables. */
const plain = new Map<string, TermsTable>();

/** The table for subscriptions without identifiers or group. */
export function plainTerms(qos: QoS, keepRetain: boolean, overload: OverloadPolicy = "drop-newest"): TermsTable {
  const key = `${qos}${keepRetain}${overload}`;
  let table = plain.get(key);
  if (!table) plain.set(key, table = new TermsTable({ qos, keepRetain, overload }));
  return table;
}
