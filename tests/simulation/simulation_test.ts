// Thousands of short runs of the whole broker, each with another seed; and the proof that a broken promise would be noticed.
import { faults } from "./faults.ts";
import { noticeOf, requireRepetition, requireReplay, requireSuccess } from "./scrutiny.ts";

Deno.test("the broker keeps its promises, whatever clients and networks do", () =>
  requireSuccess(false, [
    ...["read publish again", "written publish again", "written pubrel", "read garbage", "written disconnect"],
    ...["connection-lost", "session-taken-over", "keep-alive-timeout", "server-shutting-down", "session-ended"],
    ...["queue-full", "packet-too-large", "expired", "client-offline", "refused-by-client"],
    ...["will", "hosted", "accepted", "crash", "closing", "the network fails", "everybody falls asleep"],
  ]));

for (const fault of faults) {
  Deno.test(`a broker that ${fault.name} is noticed`, async () => void await noticeOf(fault));
}

Deno.test("a run that fails tells its seed, its last steps and how to replay it, and fails again in the same way", () =>
  requireReplay(faults[0]!));

Deno.test("a run is a function of its seed, step by step", () => requireRepetition(false));
