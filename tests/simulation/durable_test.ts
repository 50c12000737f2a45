// The same runs with a store, in which the broker dies between any two changes and commits as well as at any time: what was
// acknowledged outlives it. And the proof that it would be noticed if something did not.
import { noticeOf, requireRepetition, requireReplay, requireSuccess } from "./scrutiny.ts";
import { storeFaults } from "./store_faults.ts";

Deno.test("what was acknowledged outlives the broker, wherever it dies", () =>
  requireSuccess(true, [
    ...["crash", "closing", "will", "hosted", "written publish again", "written pubrel", "read publish again"],
  ]));

for (const fault of storeFaults) {
  Deno.test(`a broker that ${fault.name} is noticed`, async () => void await noticeOf(fault));
}

Deno.test("a run that fails is told how to replay, and fails again in the same way", () =>
  requireReplay(storeFaults[1]!));

Deno.test("a run over crashes is a function of its seed, step by step", () => requireRepetition(true));
