import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import { TokenBucket } from "../src/token_bucket.ts";

/** How many of so many can be taken at a time. */
function taken(bucket: TokenBucket, wanted: number, now: number): number {
  return Array.from({ length: wanted }, () => bucket.take(now)).filter(Boolean).length;
}

const cases:
  readonly (readonly [what: string, perSecond: number, takes: readonly (readonly [at: number, taken: number])[]])[] = [
    ["as many at once as in a second", 5, [[0, 5], [0, 0]]],
    ["each part of a second brings its part", 10, [[0, 10], [100, 1], [150, 0], [200, 1], [700, 5]]],
    ["no pause brings more than a second does", 3, [[0, 3], [60_000, 3], [60_000, 0]]],
    ["what is left is not lost", 4, [[0, 4], [400, 1], [500, 1], [749, 0], [750, 1]]],
    ["one in several seconds, where there is less than one a second", 0.5, [[0, 1], [1999, 0], [2000, 1], [9000, 1]]],
    ["parts of one do not count", 1.5, [[0, 1], [333, 0], [334, 1]]],
  ];

for (const [what, perSecond, takes] of cases) {
  Deno.test(`Of ${perSecond} a second: ${what}`, () => {
    const start = 1_000_000, bucket = new TokenBucket(perSecond, start);
    for (const [at, expected] of takes) assertEquals(taken(bucket, 20, start + at), expected, `After ${at} ms`);
  });
}

Deno.test("A bucket tells when it is full again: at first, and a second after it was emptied", () => {
  const bucket = new TokenBucket(3, 0);
  assert(bucket.isFull(0));
  taken(bucket, 3, 0);
  assertEquals([0, 500, 999, 1000].map((now) => bucket.isFull(now)), [false, false, false, true]);
});

Deno.test("Law: however it is asked, a bucket gives no more than one second's worth and the time that has passed", () => {
  const step = fc.record({ after: fc.integer({ min: 0, max: 3000 }), wanted: fc.integer({ min: 0, max: 50 }) });
  fc.assert(fc.property(fc.double({ min: 0.1, max: 100, noNaN: true }), fc.array(step), (perSecond, steps) => {
    const bucket = new TokenBucket(perSecond, 0);
    let now = 0, all = 0;
    for (const { after, wanted } of steps) all += taken(bucket, wanted, now += after);
    assert(all <= Math.max(1, perSecond) + perSecond * now / 1000 + 1e-6, `${all} in ${now} ms`);
  }));
});
