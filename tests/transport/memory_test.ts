import { assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { memoryPair } from "../../src/transport/memory.ts";
import { settle } from "../support/clock.ts";
import { readText, send, State } from "./streams.ts";

Deno.test("What one end writes the other reads, in both directions", async () => {
  const [one, two] = memoryPair();
  await Promise.all([send(one, "up"), send(two, "down")]);
  assertEquals([await readText(two), await readText(one)], ["up", "down"]);
  assertEquals([one.remote, two.remote], ["memory", "memory"]);
});

Deno.test("A read takes as much of one write as its buffer holds, and the next one the rest", async () => {
  const [one, two] = memoryPair();
  await send(one, "abcde");
  await send(one, "f");
  assertEquals([await readText(two, 2), await readText(two, 2), await readText(two, 2)], ["ab", "cd", "e"]);
  assertEquals(await readText(two), "f");
});

Deno.test("A read waits until something is written", async () => {
  const [one, two] = memoryPair(), read = new State(readText(two));
  await settle();
  assertEquals(read.settled, false);
  await send(one, "a");
  assertEquals(await read.promise, "a");
});

Deno.test("A write copies: its buffer may be used again, one of node:buffer too, whose slices are views", async () => {
  for (const buffer of [new TextEncoder().encode("ab"), Buffer.from("ab")]) {
    const [one, two] = memoryPair();
    await one.write(buffer);
    buffer.fill(0);
    assertEquals(await readText(two), "ab");
  }
});

Deno.test("A write takes what there is room for, and waits where there is none until the other side reads", async () => {
  const [one, two] = memoryPair(4);
  assertEquals([await one.write(new Uint8Array(3)), await one.write(new Uint8Array(3))], [3, 1]);
  const write = new State(one.write(new Uint8Array(3)));
  await settle();
  assertEquals(write.settled, false);
  await two.read(new Uint8Array(2));
  assertEquals(await write.promise, 2);
});

Deno.test("After closeWrite() the other side reads what is there, then the end; the way back stays open", async () => {
  const [one, two] = memoryPair();
  await send(one, "last");
  await one.closeWrite();
  await assertRejects(() => one.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  assertEquals([await readText(two), await readText(two), await readText(two)], ["last", null, null]);
  await send(two, "answer");
  assertEquals(await readText(one), "answer");
});

Deno.test("close() ends both directions at once: the end for the other side's reads, an error for its writes", async () => {
  const [one, two] = memoryPair(4);
  await send(one, "abc");
  one.close();
  assertEquals([await readText(two), await readText(two)], ["abc", null]);
  await assertRejects(() => two.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  await assertRejects(() => one.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  await assertRejects(() => one.read(new Uint8Array(1)), Deno.errors.Interrupted);
});

Deno.test("A read or write that is under way rejects when its own end is closed", async () => {
  const [one] = memoryPair(1);
  await one.write(new Uint8Array(1));
  const read = new State(one.read(new Uint8Array(1))), write = new State(one.write(new Uint8Array(1)));
  await settle();
  assertEquals([read.settled, write.settled], [false, false]);
  one.close();
  await assertRejects(() => read.promise, Deno.errors.Interrupted);
  await assertRejects(() => write.promise, Deno.errors.BrokenPipe);
});

Deno.test("A write that waits rejects when the other end is closed", async () => {
  const [one, two] = memoryPair(1);
  await one.write(new Uint8Array(1));
  const write = new State(one.write(new Uint8Array(1)));
  two.close();
  await assertRejects(() => write.promise, Deno.errors.BrokenPipe);
});

Deno.test("close() and closeWrite() may be called again, in any order", async () => {
  const [one, two] = memoryPair();
  await one.closeWrite();
  for (const end of [one, two, one]) end.close();
  await one.closeWrite();
  await assertRejects(() => two.read(new Uint8Array(1)), Deno.errors.Interrupted);
});
