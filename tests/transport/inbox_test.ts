import { assertEquals, assertRejects } from "@std/assert";
import { Inbox } from "../../src/transport/inbox.ts";
import { settle } from "../support/clock.ts";
import { State } from "./streams.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Reads once, as text. */
async function read(inbox: Inbox, size = 100): Promise<string | null> {
  const buffer = new Uint8Array(size), count = await inbox.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

Deno.test("Pieces come out as they went in, cut where a buffer is full", async () => {
  const inbox = new Inbox();
  for (const text of ["abc", "", "d"]) inbox.put(bytes(text));
  assertEquals([await read(inbox, 2), await read(inbox, 2), await read(inbox, 2)], ["ab", "c", "d"]);
  assertEquals(inbox.held, 0);
});

Deno.test("A read waits for a piece, and is wanted meanwhile", async () => {
  const inbox = new Inbox(), waiting = new State(read(inbox));
  await settle();
  inbox.put(bytes(""));
  assertEquals([waiting.settled, inbox.wanted], [false, true]);
  inbox.put(bytes("a"));
  assertEquals([await waiting.promise, inbox.wanted], ["a", false]);
});

for (const [what, fault] of [["the end", undefined], ["an error", new Error("broken")]] as const) {
  Deno.test(`Behind ${what}, what came before is read first, and nothing comes any more`, async () => {
    const inbox = new Inbox();
    inbox.put(bytes("a"));
    inbox.end(fault);
    inbox.end(new Error("another one"));
    inbox.put(bytes("b"));
    assertEquals(await read(inbox), "a");
    for (let i = 0; i < 2; i++) {
      if (fault) await assertRejects(() => read(inbox), Error, "broken");
      else assertEquals(await read(inbox), null);
    }
  });
}

Deno.test("break() rejects the read that waits and all others, whatever is there, also behind an end", async () => {
  const inbox = new Inbox(), waiting = new State(read(inbox));
  inbox.break(new Error("closed"));
  await assertRejects(() => waiting.promise, Error, "closed");
  const ended = new Inbox();
  ended.put(bytes("a"));
  ended.end();
  ended.break(new Error("closed"));
  await assertRejects(() => read(ended), Error, "closed");
  assertEquals(ended.held, 0);
});

Deno.test("A piece counts for more than its bytes until all of it is read", async () => {
  const inbox = new Inbox();
  inbox.put(bytes("abcd"));
  const full = inbox.held;
  await read(inbox, 3);
  assertEquals(full - inbox.held, 3);
  assertEquals(inbox.held > 1, true);
});
