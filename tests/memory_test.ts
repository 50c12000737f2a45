import { assertEquals } from "@std/assert";
import { Memory } from "../src/memory.ts";
import { Message } from "../src/message.ts";

function message(bytes: number, topic = "t"): Message {
  return new Message({ topic, payload: new Uint8Array(bytes), qos: 1, retain: false, client: undefined });
}

/** What one more holder takes, beside the message. */
const ENTRY = 100;

Deno.test("A message counts once with its topic and payload, and each of its holders with a little", () => {
  const memory = new Memory(Infinity), held = message(1000, "a/b"), used = [];
  for (let i = 0; i < 3; i++) used.push((memory.hold(held), memory.used));
  for (let i = 0; i < 3; i++) used.push((memory.release(held), memory.used));
  const [one, two, three] = [1, 2, 3].map((holders) => 1003 + holders * ENTRY);
  assertEquals(used, [one, two, three, two, one, 0]);
});

Deno.test("with() tells what would be held with a message held once more", () => {
  const memory = new Memory(Infinity), other = new Memory(Infinity), held = message(1000);
  for (const holder of [memory, memory, other, other, memory]) {
    const wanted = holder.with(held);
    holder.hold(held);
    assertEquals(holder.used, wanted);
  }
  for (let i = 0; i < 3; i++) memory.release(held);
  assertEquals(memory.with(held), 1001 + ENTRY);
});

Deno.test("Properties count too, and user properties more than their characters", () => {
  const plain = new Memory(Infinity), proper = new Memory(Infinity), empty = new Memory(Infinity);
  plain.hold(message(1));
  proper.hold(
    message(1).with({
      properties: { contentType: "12345", responseTopic: "123", correlationData: new Uint8Array(7) },
    }),
  );
  empty.hold(
    message(1).with({ properties: { userProperties: Array.from({ length: 1000 }, () => ["", ""] as const) } }),
  );
  assertEquals(proper.used - plain.used, 15);
  assertEquals(empty.used - plain.used >= 16_000, true);
});

Deno.test("Memory is scarce above 80 % of its limit, and full above all of it", () => {
  const memory = new Memory(1000), states: string[] = [];
  for (const bytes of [800, 1, 199, 1, -201, -1]) {
    memory.add(bytes);
    states.push(`${memory.used}${memory.scarce ? " scarce" : ""}${memory.full ? " full" : ""}`);
  }
  assertEquals(states, ["800", "801 scarce", "1000 scarce", "1001 scarce full", "800", "799"]);
});

Deno.test("Without a limit memory is never scarce", () => {
  const memory = new Memory(Infinity);
  memory.add(1e15);
  assertEquals([memory.scarce, memory.full], [false, false]);
});

Deno.test("A message that several brokers hold leaves nothing in the account of any, in whatever order they let go of it", () => {
  for (const order of [[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]]) {
    const memories = [new Memory(Infinity), new Memory(Infinity)], shared = message(1000);
    for (const i of [0, 1, 1, 0]) memories[i]!.hold(shared);
    for (const { used } of memories) assertEquals(used >= 1000 + 2 * ENTRY, true);
    for (const i of order) memories[i]!.release(shared);
    assertEquals(memories.map(({ used }) => used), [0, 0]);
    memories[1]!.hold(shared);
    memories[1]!.release(shared);
    assertEquals(memories[1]!.used, 0);
  }
});

Deno.test("A message whose payload was given away takes off the account what it had put there", () => {
  const memory = new Memory(Infinity), held = message(1000);
  memory.hold(held);
  (held.payload.buffer as ArrayBuffer).transfer();
  memory.release(held);
  assertEquals(memory.used, 0);
});
