// What can go wrong between a client and the broker, as one catalogue: MQTT 5.0 names and numbers the reasons (5.0
// section 2.4); MQTT 3.1.1 knows five of them in a CONNACK (3.1.1 section 3.2.2.3) and closes the connection for all
// others.

/** The packets in which a reason may stand: CONNACK, PUBACK and PUBREC, SUBACK, UNSUBACK, DISCONNECT. */
type Place = "connack" | "puback" | "suback" | "unsuback" | "disconnect";

interface Entry {
  /** Its number in MQTT 5.0. */
  readonly code: number;
  /** Where 5.0 permits it (5.0 section 2.4). */
  readonly places: readonly Place[];
  /** The CONNACK return code of 3.1.1 that says the same. */
  readonly connack3?: number;
}

const everywhere = ["connack", "puback", "suback", "unsuback", "disconnect"] as const;
const opening = ["connack"] as const, closing = ["disconnect"] as const, both = ["connack", "disconnect"] as const;

const reasons = {
  "unspecified-error": { code: 0x80, places: everywhere },
  "malformed-packet": { code: 0x81, places: both },
  "protocol-error": { code: 0x82, places: both },
  "implementation-specific-error": { code: 0x83, places: everywhere },
  "unsupported-protocol-version": { code: 0x84, places: opening, connack3: 1 },
  "client-identifier-not-valid": { code: 0x85, places: opening, connack3: 2 },
  "bad-user-name-or-password": { code: 0x86, places: opening, connack3: 4 },
  "not-authorized": { code: 0x87, places: everywhere, connack3: 5 },
  "server-unavailable": { code: 0x88, places: opening, connack3: 3 },
  "server-busy": { code: 0x89, places: both, connack3: 3 },
  "banned": { code: 0x8a, places: opening, connack3: 5 },
  "server-shutting-down": { code: 0x8b, places: closing, connack3: 3 },
  "bad-authentication-method": { code: 0x8c, places: opening, connack3: 5 }, // 5.0 section 3.14.2.1 does not know it
  "keep-alive-timeout": { code: 0x8d, places: closing },
  "session-taken-over": { code: 0x8e, places: closing },
  "topic-filter-invalid": { code: 0x8f, places: ["suback", "unsuback", "disconnect"] },
  "topic-name-invalid": { code: 0x90, places: ["connack", "puback", "disconnect"] },
  "packet-identifier-in-use": { code: 0x91, places: ["puback", "suback", "unsuback"] },
  "packet-identifier-not-found": { code: 0x92, places: [] },
  "receive-maximum-exceeded": { code: 0x93, places: closing },
  "topic-alias-invalid": { code: 0x94, places: closing },
  "packet-too-large": { code: 0x95, places: both },
  "message-rate-too-high": { code: 0x96, places: closing },
  "quota-exceeded": { code: 0x97, places: ["connack", "puback", "suback", "disconnect"], connack3: 3 },
  "administrative-action": { code: 0x98, places: closing },
  "payload-format-invalid": { code: 0x99, places: ["connack", "puback", "disconnect"] },
  "retain-not-supported": { code: 0x9a, places: both },
  "qos-not-supported": { code: 0x9b, places: both },
  "use-another-server": { code: 0x9c, places: both, connack3: 3 },
  "server-moved": { code: 0x9d, places: both, connack3: 3 },
  "shared-subscriptions-not-supported": { code: 0x9e, places: ["suback", "disconnect"] },
  "connection-rate-exceeded": { code: 0x9f, places: both, connack3: 3 },
  "maximum-connect-time": { code: 0xa0, places: closing },
  "subscription-identifiers-not-supported": { code: 0xa1, places: ["suback", "disconnect"] },
  "wildcard-subscriptions-not-supported": { code: 0xa2, places: ["suback", "disconnect"] },
} as const satisfies Record<string, Entry>;

/**
 * The name of a reason for which the broker, or a hook, refuses something: MQTT 5.0's term, in lower case with hyphens.
 *
 * `unspecified-error`, `malformed-packet`, `protocol-error`, `implementation-specific-error`,
 * `unsupported-protocol-version`, `client-identifier-not-valid`, `bad-user-name-or-password`, `not-authorized`,
 * `server-unavailable`, `server-busy`, `banned`, `server-shutting-down`, `bad-authentication-method`,
 * `keep-alive-timeout`, `session-taken-over`, `topic-filter-invalid`, `topic-name-invalid`, `packet-identifier-in-use`,
 * `packet-identifier-not-found`, `receive-maximum-exceeded`, `topic-alias-invalid`, `packet-too-large`,
 * `message-rate-too-high`, `quota-exceeded`, `administrative-action`, `payload-format-invalid`, `retain-not-supported`,
 * `qos-not-supported`, `use-another-server`, `server-moved`, `shared-subscriptions-not-supported`,
 * `connection-rate-exceeded`, `maximum-connect-time`, `subscription-identifiers-not-supported`,
 * `wildcard-subscriptions-not-supported`.
 */
export type Reason = keyof typeof reasons;

/** The number of a reason, as MQTT 5.0 sends it (5.0 section 2.4). */
export function reasonCode(reason: Reason): number {
  return reasons[reason].code;
}

/**
 * The number to send in a packet: a reason that is not for that packet becomes "not authorized", which is for all of
 * them.
 */
export function reasonCodeIn(place: Place, reason: Reason): number {
  const { code, places }: Entry = reasons[reason];
  return places.includes(place) ? code : reasons["not-authorized"].code;
}

/** The CONNACK return code that MQTT 3.1.1 has for a reason, if it has one (3.1.1 section 3.2.2.3, [MQTT-3.2.2-6]). */
export function connackReturnCode(reason: Reason): number | undefined {
  const { connack3 }: Entry = reasons[reason];
  return connack3;
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
  /** Where the client had better go (5.0 section 4.11). */
  readonly serverReference: string | undefined;

  /**
   * @param reason which fault it is, for a program
   * @param message what was found and what was wanted, for a person
   * @param serverReference where the client had better go, if anywhere
   */
  constructor(reason: Reason, message: string, serverReference?: string) {
    super(message);
    this.reason = reason;
    this.serverReference = serverReference;
  }
}
