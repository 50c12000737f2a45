// Marble diagrams: streams drawn as text, in virtual time, where a character is a millisecond.
import { assertEquals } from "@std/assert";
import { type RunHelpers, TestScheduler } from "npm:rxjs@^7.8.2/testing";

/** Runs a test with the helpers of RxJS's TestScheduler, and the current virtual time in milliseconds. */
export function marbles(test: (helpers: RunHelpers & { now: () => number }) => void): void {
  const scheduler = new TestScheduler(assertEquals);
  scheduler.run((helpers) => test({ ...helpers, now: () => scheduler.now() }));
}
