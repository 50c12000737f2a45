import { assertEquals } from "@std/assert";
import { Load } from "../../src/observe/load.ts";

Deno.test("A steady rate is what the averages approach, the shorter ones sooner, whatever the intervals", () => {
  for (const step of [1, 10, 60]) {
    const load = new Load();
    let averages = load.update({ bytes: 1000 }, 0);
    assertEquals([...averages], [["bytes/1min", 0], ["bytes/5min", 0], ["bytes/15min", 0]]);
    for (let time = step; time <= 300; time += step) averages = load.update({ bytes: 1000 + time * 2 }, step);
    for (const [window, seconds] of [["1min", 60], ["5min", 300], ["15min", 900]] as const) {
      const wanted = 120 * (1 - Math.exp(-300 / seconds)), found = averages.get(`bytes/${window}`)!;
      assertEquals(found.toFixed(6), wanted.toFixed(6), `${window} in steps of ${step} s`);
    }
  }
});

Deno.test("Where no time has passed, nothing is divided by it", () => {
  const load = new Load();
  load.update({ n: 0 }, 0);
  assertEquals([...load.update({ n: 5 }, 0).values()], [0, 0, 0]);
});
