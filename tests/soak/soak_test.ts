// The soak test, as short as it can be; and as long as it has to be where CI or SOAK is set.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { growthOf } from "./growth.ts";
import { durationOf, requireFlat, soak, summary } from "./soak.ts";

const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;

Deno.test("The growth of something is what it gains each time, whatever else makes it go up and down", () => {
  const line = (gain: number, other: (at: number) => number = () => 0) =>
    growthOf(Array.from({ length: 20 }, (_, i) => [i * 1000, 5e6 + i * 1000 * gain + other(i)] as const));
  assertEquals([line(3), line(0), line(-1), growthOf([]), growthOf([[1, 1]])], [3, 0, -1, 0, 0]);
  assertEquals(line(3, (i) => i === 7 ? 1e9 : 0), 3);
  const sawtooth = line(3, (i) => (i * 7 % 20) * 100);
  assert(Math.abs(sawtooth - 3) < 0.2, `${sawtooth}`);
});

Deno.test("A soak test has as many rounds as fit", () => {
  assertEquals(durationOf(60), { rounds: 60, seconds: 57.5 });
  assertEquals(durationOf(2), { rounds: 16, seconds: 5 });
  assertEquals(durationOf(0), { rounds: 4, seconds: 1 });
});

Deno.test("A leak is told from a heap that is level", () => {
  requireFlat({ rounds: [], growth: { heap: 0.4, external: -3 }, permitted: 0.5 });
  for (const growth of [{ heap: 0.6, external: 0 }, { heap: 0, external: 0.6 }]) {
    assertThrows(() => requireFlat({ rounds: [], growth, permitted: 0.5 }), Error, "grows by 0.60 bytes an operation");
  }
});

Deno.test(`A broker that clients of all kinds have been to ends well (seed ${seed})`, async () => {
  const { rounds: [round] } = await soak({ rounds: 1, seconds: 1 }, seed, () => {});
  for (const event of ["connected", "subscribed", "unsubscribed", "dropped/session-ended"]) {
    assert(round!.usage.counters[event]! > 0, `${event} did not happen`);
  }
});

Deno.test({
  name: `The heap of a broker is level while clients of all kinds come and go for two minutes (seed ${seed})`,
  ignore: !(Deno.env.get("CI") || Deno.env.get("SOAK")),
  async fn() {
    const outcome = await soak(durationOf(2), seed, console.log);
    console.log(summary(outcome));
    requireFlat(outcome);
  },
});
