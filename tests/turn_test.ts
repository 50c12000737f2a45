import { assertEquals, assertThrows } from "@std/assert";
import { systemClock } from "../src/clock.ts";
import { type Flushable, Turn } from "../src/turn.ts";

/** Notes when it is flushed. */
function flushable(name: string, log: string[]): Flushable {
  return { mark: () => 0, flush: () => void log.push(`flush ${name}`) };
}

Deno.test("What a turn touches is flushed at its end, before those who wait for the end go on", async () => {
  const turn = new Turn(systemClock), log: string[] = [];
  let ended: Promise<unknown> | undefined;
  turn.run(() => {
    ended = turn.ended().then(() => log.push("ended"));
    turn.touch(flushable("a", log));
    turn.touch(flushable("b", log));
    log.push("work");
  });
  log.push("behind");
  await ended;
  assertEquals(log, ["work", "flush a", "flush b", "behind", "ended"]);
});

Deno.test("A turn within a turn is a part of it: nothing is flushed in between", () => {
  const turn = new Turn(systemClock), log: string[] = [];
  turn.run(() => {
    turn.run(() => turn.touch(flushable("a", log)));
    log.push("outer");
  });
  assertEquals(log, ["outer", "flush a"]);
});

Deno.test("What is touched outside of a turn is flushed with the microtasks, together", async () => {
  const turn = new Turn(systemClock), log: string[] = [];
  turn.touch(flushable("a", log));
  const ended = turn.ended();
  turn.touch(flushable("b", log));
  assertEquals(log, []);
  await ended;
  assertEquals(log, ["flush a", "flush b"]);
});

Deno.test("What a flush touches is flushed too", async () => {
  const turn = new Turn(systemClock), log: string[] = [];
  turn.run(() => turn.touch({ mark: () => 0, flush: () => turn.touch(flushable("later", log)) }));
  await turn.ended();
  assertEquals(log, ["flush later"]);
});

Deno.test("Work that throws ends its turn all the same", () => {
  const turn = new Turn(systemClock), log: string[] = [];
  const work = () => {
    turn.touch(flushable("a", log));
    throw new TypeError("work failed");
  };
  assertThrows(() => turn.run(work), TypeError, "work failed");
  assertEquals(log, ["flush a"]);
  turn.run(() => turn.touch(flushable("b", log)));
  assertEquals(log, ["flush a", "flush b"]);
});
