import { assert, assertEquals } from "@std/assert";
import { systemClock, timeOfDay, within } from "../src/clock.ts";
import { VirtualClock } from "./support/clock.ts";

Deno.test("The system clock does not follow those who set the machine's time", () => {
  const wallClock = Date.now, before = systemClock.now();
  try {
    Date.now = () => 0;
    assert(systemClock.now() >= before);
  } finally {
    Date.now = wallClock;
  }
});

Deno.test("The system clock calls back once, unless that is cancelled", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  systemClock.schedule(() => resolve("cancelled"), 0)();
  systemClock.schedule(() => resolve("called"), 1);
  assertEquals(await promise, "called");
});

Deno.test("The time of day follows a clock that knows when it began, and otherwise the machine", () => {
  const clock = new VirtualClock(), began = Date.parse("2026-01-01T12:00:00Z");
  const known = { now: () => 1500, schedule: () => () => {}, origin: began };
  assertEquals(timeOfDay(known).toISOString(), "2026-01-01T12:00:01.500Z");
  assert(Math.abs(timeOfDay(clock).getTime() - Date.now()) < 60_000);
  assert(Math.abs(timeOfDay(systemClock).getTime() - Date.now()) < 60_000);
});

for (const settle of ["resolve", "reject"] as const) {
  Deno.test(`within() resolves as soon as the promise settles (${settle}), and leaves no timer`, async () => {
    const clock = new VirtualClock(), sooner = Promise.withResolvers<void>();
    const done = within(clock, 1000, sooner.promise);
    assertEquals(clock.pending, 1);
    sooner[settle]();
    assertEquals([await done, clock.pending], [undefined, 0]);
  });
}

Deno.test("within() resolves after the delay at the latest", async () => {
  const clock = new VirtualClock();
  let done = false;
  within(clock, 1000, new Promise(() => {})).then(() => done = true);
  await clock.advance(999);
  assertEquals(done, false);
  await clock.advance(1);
  assertEquals(done, true);
});
