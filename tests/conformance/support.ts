// What the tests by section of the standard share: packets byte by byte, which may break any rule, and the proof that a
// fault ends the connection that it came on and no other one.
import { assertEquals } from "@std/assert";
import type { Broker } from "../../mod.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";

/** Both versions that are served, as fields of a CONNECT. */
export const versions = [
  { name: "MQTT 3.1", fields: { protocolId: "MQIsdp", protocolVersion: 3 } },
  { name: "MQTT 3.1.1", fields: { protocolId: "MQTT", protocolVersion: 4 } },
] as const;

/** A text or bytes behind their length, as strings and binary data travel (3.1.1 section 1.5.3). */
export function field(value: string | readonly number[]): number[] {
  const bytes = typeof value === "string" ? [...new TextEncoder().encode(value)] : value;
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

/** A packet of fewer than 128 bytes behind its fixed header. */
export function frame(head: number, ...body: readonly number[]): number[] {
  return [head, body.length, ...body];
}

/** The bits of the CONNECT flags (3.1.1 section 3.1.2.3). */
export const flag = {
  reserved: 0x01,
  clean: 0x02,
  will: 0x04,
  willQos1: 0x08,
  willQos2: 0x10,
  willRetain: 0x20,
  password: 0x40,
  user: 0x80,
} as const;

/** The parts of a CONNECT; the client identifier is the first of the fields. */
export interface ConnectParts {
  readonly name?: string;
  readonly level?: number;
  /** Default: a clean session. */
  readonly flags?: number;
  /** Seconds; default 0. */
  readonly keepAlive?: number;
  /** The payload: texts, or bytes of which no text could be made. */
  readonly fields?: readonly (string | readonly number[])[];
}

/** A CONNECT, right or wrong. */
export function connectFrame(parts: ConnectParts = {}): number[] {
  const { name = "MQTT", level = 4, flags = flag.clean, keepAlive = 0, fields = ["client"] } = parts;
  return frame(0x10, ...field(name), level, flags, keepAlive >> 8, keepAlive & 0xff, ...fields.flatMap(field));
}

/** How often connections have ended, by counter. */
export function endings({ counters }: Broker): Record<string, number> {
  return Object.fromEntries([...counters].filter(([name]) => /^(refused|disconnected)\//.test(name)));
}

/**
 * Asserts that `bytes` end the connection of `client`, with `answer` as the only packet before that, if there is one;
 * that this is counted once, under `counter`; and that another client of the broker goes on.
 */
export async function assertEndsAlone(
  broker: Broker,
  client: TestClient,
  bytes: readonly number[],
  counter: string,
  answer?: PacketLike,
): Promise<void> {
  const before = endings(broker);
  await using witness = await connected(broker, "witness");
  await witness.subscribe("sign/of/life");
  await client.sendBytes(bytes);
  if (answer) await client.expect(answer);
  await client.expectClosed();
  assertEquals(endings(broker), { ...before, [counter]: (before[counter] ?? 0) + 1 });
  await witness.publish("sign/of/life", "beep");
  await witness.expect({ cmd: "publish", topic: "sign/of/life" });
  await witness.disconnect(); // so that its end is counted before anything else is asserted
}

/** Asserts that `bytes` on a new connection are refused, with `answer` if there is one, by {@linkcode assertEndsAlone}. */
export async function assertRefused(
  broker: Broker,
  bytes: readonly number[],
  reason: string,
  answer?: PacketLike,
): Promise<void> {
  await using client = TestClient.memory(broker, answer && "reasonCode" in answer ? 5 : 4);
  await assertEndsAlone(broker, client, bytes, `refused/${reason}`, answer);
}

/**
 * Asserts that `bytes` of an accepted client end its connection, by {@linkcode assertEndsAlone}; with `code` it is a client of 5.0,
 * which is told that in a DISCONNECT.
 */
export async function assertDisconnected(
  broker: Broker,
  bytes: readonly number[],
  reason: string,
  code?: number,
): Promise<void> {
  await using client = await connected(broker, "offender", code === undefined ? {} : { protocolVersion: 5 });
  const answer = code === undefined ? undefined : { cmd: "disconnect", reasonCode: code } as const;
  await assertEndsAlone(broker, client, bytes, `disconnected/${reason}`, answer);
}
