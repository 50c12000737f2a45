// What can go wrong between a client and the broker, as one catalogue: MQTT 5.0 names and numbers the reasons (5.0 section 2.4);
// MQTT 3.1.1 knows five of them in a CONNACK (3.1.1 section 3.2.2.3) and closes the connection for all others.

const reasons = {
  "unspecified-error": { code: 0x80 },
  "malformed-packet": { code: 0x81 },
  "protocol-error": { code: 0x82 },
  "implementation-specific-error": { code: 0x83 },
  "unsupported-protocol-version": { code: 0x84, connack3: 1 },
  "client-identifier-not-valid": { code: 0x85, connack3: 2 },
  "bad-user-name-or-password": { code: 0x86, connack3: 4 },
  "not-authorized": { code: 0x87, connack3: 5 },
  "server-unavailable": { code: 0x88, connack3: 3 },
  "server-busy": { code: 0x89, connack3: 3 },
  "banned": { code: 0x8a, connack3: 5 },
  "server-shutting-down": { code: 0x8b, connack3: 3 },
  "bad-authentication-method": { code: 0x8c, connack3: 5 },
  "keep-alive-timeout": { code: 0x8d },
  "session-taken-over": { code: 0x8e },
  "topic-filter-invalid": { code: 0x8f },
  "topic-name-invalid": { code: 0x90 },
  "packet-identifier-in-use": { code: 0x91 },
  "packet-identifier-not-found": { code: 0x92 },
  "receive-maximum-exceeded": { code: 0x93 },
  "topic-alias-invalid": { code: 0x94 },
  "packet-too-large": { code: 0x95 },
  "message-rate-too-high": { code: 0x96 },
  "quota-exceeded": { code: 0x97, connack3: 3 },
  "administrative-action": { code: 0x98 },
  "payload-format-invalid": { code: 0x99 },
  "retain-not-supported": { code: 0x9a },
  "qos-not-supported": { code: 0x9b },
  "use-another-server": { code: 0x9c, connack3: 3 },
  "server-moved": { code: 0x9d, connack3: 3 },
  "shared-subscriptions-not-supported": { code: 0x9e },
  "connection-rate-exceeded": { code: 0x9f, connack3: 3 },
  "maximum-connect-time": { code: 0xa0 },
  "subscription-identifiers-not-supported": { code: 0xa1 },
  "wildcard-subscriptions-not-supported": { code: 0xa2 },
} as const;

/** The name of a reason for which the broker, or a hook, refuses something: MQTT 5.0's term, in lower case with hyphens. */
export type Reason = keyof typeof reasons;

/** The number of a reason, as MQTT 5.0 sends it (5.0 section 2.4). */
export function reasonCode(reason: Reason): number {
  return reasons[reason].code;
}

/** The CONNACK return code that MQTT 3.1.1 has for a reason, if it has one (3.1.1 section 3.2.2.3, [MQTT-3.2.2-6]). */
export function connackReturnCode(reason: Reason): number | undefined {
  const entry: { code: number; connack3?: number } = reasons[reason];
  return entry.connack3;
}

/** True for the names of the catalogue: what a hook returns may come from JavaScript. */
export function isReason(value: unknown): value is Reason {
  return typeof value === "string" && Object.hasOwn(reasons, value);
}

/**
 * A fault with a reason of the catalogue, such as a malformed packet or a closed broker.
 *
 * @example
 * ```ts
 * import { MqttError } from "@brook/mqtt";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new MqttError("packet-too-large", "Packet of 300 bytes exceeds the limit of 256");
 * assertEquals(error.reason, "packet-too-large");
 * ```
 */
export class MqttError extends Error {
  override readonly name = "MqttError";
  /** Which fault it is, for a program. */
  readonly reason: Reason;

  /** @param reason which fault it is, for a program @param message what was found and what was wanted, for a person */
  constructor(reason: Reason, message: string) {
    super(message);
    this.reason = reason;
  }
}
