// Clients of 5.0, CONNECT byte by byte, and the proof that one is refused with its reason code.
import type { Broker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { type Refusal, refuseTheConnection } from "../conformance/openings.ts";
import { field, flag } from "../conformance/support.ts";
import type { Violations } from "../conformance/violations.ts";
import { packet, properties } from "./packets.ts";

/** Text, or bytes of which no text could be made. */
export type Field = string | readonly number[];

const uint16 = (value: number): number[] => [value >> 8, value & 0xff];
const uint32 = (value: number): number[] => [...uint16(value >>> 16), ...uint16(value & 0xffff)];

/** The properties of a CONNECT as bytes, and those that only a will has (5.0 sections 3.1.2.11 and 3.1.3.2). */
export const say = {
  sessionExpiry: (seconds: number): number[] => [17, ...uint32(seconds)],
  method: (name: Field): number[] => [21, ...field(name)],
  data: (data: Field): number[] => [22, ...field(data)],
  problemInformation: (value: number): number[] => [23, value],
  willDelay: (seconds: number): number[] => [24, ...uint32(seconds)],
  responseInformation: (value: number): number[] => [25, value],
  receiveMaximum: (value: number): number[] => [33, ...uint16(value)],
  topicAliasMaximum: (value: number): number[] => [34, ...uint16(value)],
  maximumPacketSize: (value: number): number[] => [39, ...uint32(value)],
} as const;

/** The parts of a CONNECT. */
export interface ConnectParts {
  readonly name?: string;
  readonly level?: number;
  /** Default: a clean start. */
  readonly flags?: number;
  readonly properties?: readonly (readonly number[])[];
  /** The payload; the client identifier is the first of the fields. */
  readonly fields?: readonly Field[];
  /** Behind the first field. */
  readonly willProperties?: readonly (readonly number[])[];
}

/** A CONNECT of 5.0, right or wrong. */
export function connectFrame(parts: ConnectParts = {}): number[] {
  const { name = "MQTT", level = 5, flags = flag.clean, fields = ["client"], willProperties } = parts;
  const [id = [], ...others] = fields.map(field), ofWill = willProperties ? properties(...willProperties) : [];
  const own = properties(...parts.properties ?? []);
  return packet(0x10, ...field(name), level, flags, 0, 0, ...own, ...id, ...ofWill, ...others.flat());
}

/** A CONNECT with a will on the topic "will". */
export function willFrame(...willProperties: readonly (readonly number[])[]): number[] {
  return connectFrame({ flags: flag.clean | flag.will, fields: ["client", "will", "gone"], willProperties });
}

/** A connected client of 5.0 over the in-memory transport. */
export function connected5(broker: Broker, clientId: string, options: Partial<PacketLike> = {}): Promise<TestClient> {
  return connected(broker, clientId, { ...options, protocolVersion: 5 });
}

/** Connects as "client", and resolves to the CONNACK. */
export async function connackOf(broker: Broker, options: Partial<PacketLike> = {}): Promise<PacketLike> {
  await using client = TestClient.memory(broker);
  return await client.connect({ protocolVersion: 5, ...options });
}

/** A test that each opening is refused as malformed: CONNACK 0x81. */
export function refuseAsMalformed(openings: Violations, refusal: Refusal = {}): (t: Deno.TestContext) => Promise<void> {
  return refuseTheConnection(openings, { reasonCode: 0x81, ...refusal });
}

/** A test that each opening is refused as a protocol error: CONNACK 0x82. */
export function refuseAsProtocolError(openings: Violations): (t: Deno.TestContext) => Promise<void> {
  return refuseTheConnection(openings, { reason: "protocol-error", reasonCode: 0x82 });
}
