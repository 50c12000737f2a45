// Clients of MQTT 5.0 for tests, what they are sent as short texts, and the proof that a fault is answered with its reason code and
// ends the connection that it came on alone.
import { assertEquals } from "@std/assert";
import type { Broker, BrokerOptions } from "../../mod.ts";
import { assertEndsAlone } from "../conformance/support.ts";
import { brief, receiveAll } from "../conformance/script.ts";
import { endTheConnection, type Violations } from "../conformance/violations.ts";
import type { PacketLike, TestClient } from "../support/client.ts";
import { connected5 } from "./connects.ts";

export { connected5 };

/**
 * A connected client with a session that outlives its connection for ever (so that nothing has to watch the time); what it is sent
 * again is not taken yet.
 */
export function resumed5(
  broker: Broker,
  clientId: string,
  properties: Readonly<Record<string, unknown>> = {},
): Promise<TestClient> {
  return connected5(broker, clientId, {
    clean: false,
    properties: { sessionExpiryInterval: 0xffff_ffff, ...properties },
  });
}

/** A subscription as a test asks for it: options of a filter, and properties of the whole packet. */
export interface Wish {
  readonly qos?: number;
  /** No local. */
  readonly nl?: boolean;
  /** Retain as published. */
  readonly rap?: boolean;
  /** Retain handling. */
  readonly rh?: number;
  readonly subscriptionIdentifier?: number;
}

/** Subscribes; the SUBACK must grant what was asked for. */
export async function subscribe5(client: TestClient, topic: string, wish: Wish = {}): Promise<void> {
  const { subscriptionIdentifier, qos = 0, ...options } = wish;
  const properties = subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier };
  await client.send({ cmd: "subscribe", messageId: 100, properties, subscriptions: [{ topic, qos, ...options }] });
  await client.expect({ cmd: "suback", messageId: 100, granted: [qos] });
}

/** Unsubscribes; the UNSUBACK must have these codes. */
export async function unsubscribe5(
  client: TestClient,
  filters: readonly string[],
  codes: readonly number[],
): Promise<void> {
  await client.send({ cmd: "unsubscribe", messageId: 101, unsubscriptions: filters });
  await client.expect({ cmd: "unsuback", messageId: 101, granted: codes });
}

/** A packet as `brief` tells it, and its reason code where that is not 0: "pubrel 7 0x92". */
export function brief5(packet: PacketLike): string {
  const { reasonCode = 0 } = packet;
  return reasonCode === 0 ? brief(packet) : `${brief(packet)} 0x${reasonCode.toString(16)}`;
}

/** Asserts what the broker has for a client so far, as texts with reason codes. */
export async function expectAll5(client: TestClient, expected: readonly string[]): Promise<void> {
  assertEquals((await receiveAll(client)).map(brief5), expected);
}

/** The faults that a client may be told of, by their numbers in the standard (5.0 section 2.4). */
const codes = {
  "malformed-packet": 0x81,
  "protocol-error": 0x82,
  "receive-maximum-exceeded": 0x93,
  "topic-alias-invalid": 0x94,
  "packet-too-large": 0x95,
} as const;

export type Fault = keyof typeof codes;

/** Asserts that `bytes` of `client` are answered with a DISCONNECT, and end its connection alone. */
export function assertFault(broker: Broker, client: TestClient, bytes: readonly number[], fault: Fault): Promise<void> {
  const answer = { cmd: "disconnect", reasonCode: codes[fault] } as const;
  return assertEndsAlone(broker, client, bytes, `disconnected/${fault}`, answer);
}

/** A test that each violation is answered with its reason code, and ends its connection alone. */
export function faults(
  violations: Violations,
  fault: Fault,
  options?: BrokerOptions,
): (t: Deno.TestContext) => Promise<void> {
  return endTheConnection(violations, fault, options, codes[fault]);
}
