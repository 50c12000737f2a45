import { assert, assertEquals } from "@std/assert";
import { Deadlines } from "../src/deadlines.ts";
import { VirtualClock } from "./support/clock.ts";

/** How late a deadline may be: a tick until its own, and one until the timer. */
const LATE = 500;

/** A clock whose timers come late, as those of a busy machine do. */
class LateClock extends VirtualClock {
  override schedule(callback: () => void, delay: number): () => void {
    return super.schedule(callback, delay + 17);
  }
}

/** Starts a deadline and notes how long it took until it expired. */
function measured(deadlines: Deadlines, clock: VirtualClock, delay: number) {
  const began = clock.now(), found: { after?: number } = {};
  return { found, deadline: deadlines.start(delay, { expired: () => found.after = clock.now() - began }) };
}

/** How late deadlines of many lengths are that start at many times. */
async function lateness(clock: VirtualClock): Promise<number[]> {
  const deadlines = new Deadlines(clock), all: (() => number)[] = [];
  await clock.advance(111);
  deadlines.start(3_600_000, { expired: () => {} }); // the timer keeps the pace at which it began
  for (let i = 0; i < 42; i++) {
    const delay = [1, 249, 250, 251, 1000, 2000][i % 6]!, { found } = measured(deadlines, clock, delay);
    all.push(() => found.after! - delay);
    await clock.advance(53);
  }
  await clock.advance(3000);
  return all.map((late) => late());
}

Deno.test("A deadline is never early, and less than two ticks late, whenever it starts", async () => {
  const late = await lateness(new VirtualClock());
  assert(Math.min(...late) >= 0 && Math.max(...late) < LATE, String(late));
});

Deno.test("A deadline is not early where timers come late", async () => {
  const late = await lateness(new LateClock());
  assert(Math.min(...late) >= 0, String(late));
});

Deno.test("putOff() starts a deadline anew, as often as it is called", async () => {
  const clock = new VirtualClock(), { found, deadline } = measured(new Deadlines(clock), clock, 1000);
  for (let i = 0; i < 4; i++) {
    await clock.advance(990);
    deadline.putOff(clock.now());
  }
  assertEquals(found.after, undefined);
  await clock.advance(999);
  assertEquals(found.after, undefined);
  await clock.advance(1 + LATE);
  assert(found.after! >= 3960 + 1000, `${found.after}`);
});

Deno.test("A deadline expires once; putting it off afterwards does nothing", async () => {
  const clock = new VirtualClock(), deadlines = new Deadlines(clock);
  let expired = 0;
  const deadline = deadlines.start(100, { expired: () => expired++ });
  await clock.advance(1000);
  deadline.putOff(clock.now());
  deadline.cancel();
  await clock.advance(1000);
  assertEquals([expired, clock.pending], [1, 0]);
});

Deno.test("A deadline that was cancelled does not expire, whenever that was", async () => {
  const clock = new VirtualClock(), deadlines = new Deadlines(clock), expired: string[] = [];
  const first = deadlines.start(1000, { expired: () => (expired.push("first"), second.cancel()) });
  const second = deadlines.start(1000, { expired: () => (expired.push("second"), first.cancel()) });
  const third = deadlines.start(1000, { expired: () => expired.push("third") });
  third.putOff(clock.now());
  third.cancel();
  third.cancel();
  await clock.advance(3000);
  assertEquals([expired, clock.pending], [["first"], 0]);
});

Deno.test("Thousands of deadlines have one timer, and none when there are none", async () => {
  const clock = new VirtualClock(), deadlines = new Deadlines(clock);
  let expired = 0;
  const all = Array.from({ length: 5000 }, (_, i) => deadlines.start(1000 + i, { expired: () => expired++ }));
  assertEquals(clock.pending, 1);
  await clock.advance(3000);
  assertEquals(clock.pending, 1);
  for (const deadline of all) deadline.cancel();
  assertEquals(clock.pending, 0);
  assertEquals(expired, 2001);
  deadlines.start(1000, { expired: () => expired = -1 });
  await clock.advance(1000 + LATE);
  assertEquals([expired, clock.pending], [-1, 0]);
});

Deno.test("A deadline that starts when another expires is as good as any other", async () => {
  const clock = new VirtualClock(), deadlines = new Deadlines(clock), times: number[] = [], began = clock.now();
  const again = () => {
    times.push(clock.now() - began);
    if (times.length < 3) deadlines.start(1000, { expired: again });
  };
  again();
  await clock.advance(5000);
  assertEquals([times.length, clock.pending], [3, 0]);
  assert(times[1]! >= 1000 && times[2]! >= times[1]! + 1000, String(times));
});

Deno.test("After a time in which nothing could run, what is overdue expires with the second tick: others are heard first", () => {
  const clock = {
    time: 0,
    run: () => {},
    now: () => clock.time,
    schedule: (run: () => void) => (clock.run = run, () => {}),
  };
  const deadlines = new Deadlines(clock), expired: string[] = [];
  deadlines.start(1000, { expired: () => expired.push("due") });
  const putOff = deadlines.start(1000, { expired: () => expired.push("put off") });
  clock.time = 60_000;
  putOff.putOff(clock.now());
  deadlines.start(1000, { expired: () => expired.push("new") });
  clock.run();
  assertEquals(expired, []);
  clock.run();
  assertEquals(expired, ["due"]);
});
