// What the tests of handshakes share: packets as short texts, so that a conversation reads as a list, and sessions that go on.
import { assertEquals } from "@std/assert";
import type { Broker } from "../../mod.ts";
import { type PacketLike, TestClient } from "../support/client.ts";

/** A packet as a text: "publish 7 qos1 hello dup", "publish qos0 hello retain", "pubrel 7". */
export function brief({ cmd, messageId, qos, payload, dup, retain }: PacketLike): string {
  const parts = cmd === "publish" ? [`qos${qos}`, `${payload}`, dup && "dup", retain && "retain"] : [];
  return [cmd, messageId, ...parts].filter(Boolean).join(" ");
}

/** Everything that the broker has for a client so far. */
export async function receiveAll(client: TestClient): Promise<PacketLike[]> {
  await client.send({ cmd: "pingreq" });
  const packets: PacketLike[] = [];
  for (let packet = await client.receive(); packet.cmd !== "pingresp"; packet = await client.receive()) {
    packets.push(packet);
  }
  return packets;
}

/** Asserts what the broker has for a client so far, as texts. */
export async function expectAll(client: TestClient, expected: readonly string[]): Promise<void> {
  assertEquals((await receiveAll(client)).map(brief), expected);
}

/** Connects with CleanSession 0; a session must be there (or must not), and what it re-sends is not taken yet. */
export async function resumed(broker: Broker, clientId: string, sessionPresent = true): Promise<TestClient> {
  const client = TestClient.memory(broker);
  assertEquals((await client.connect({ clientId, clean: false })).sessionPresent, sessionPresent);
  return client;
}

/** The numbers from 1 to `count`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** An `authorize` that permits everything, the sooner the smaller the number is that the topic ends in. */
export async function hesitate({ topic }: { readonly topic: string }): Promise<boolean> {
  for (let turns = Number(topic.match(/\d*$/)); turns > 0; turns--) await Promise.resolve();
  return true;
}
