import { assertEquals, assertThrows } from "@std/assert";
import { rateLimit, type RateLimitOptions } from "../../src/operators/rate_limit.ts";
import { map, Subject, take } from "../../src/rx.ts";
import { marbles } from "../support/marbles.ts";

type Sample = { readonly topic: string };

/** What passes of a stream of topics, of which each is one letter. */
function assertPasses(perSecond: number, source: string, passed: string, options: RateLimitOptions<Sample> = {}): void {
  marbles(({ hot, expectObservable, now }) => {
    const messages = hot(source).pipe(map((topic) => ({ topic })));
    expectObservable(messages.pipe(rateLimit(perSecond, { now, ...options }), map(({ topic }) => topic))).toBe(passed);
  });
}

const cases: readonly (readonly [rule: string, perSecond: number, source: string, passed: string])[] = [
  ["as many pass at once as the limit says", 3, "(aaaaa)", "(aaa)"],
  ["each topic has a limit of its own", 1, "(aabbc)", "(abc)"],
  ["one more passes when its part of a second is over", 2, "(aaa) 494ms aa 498ms aa", "(aa) 496ms a 499ms a"],
  ["no pause gives more than one burst", 2, "a 10s (aaaa)", "a 10s (aa)"],
  ["a limit below one lets one pass in so many seconds", 0.5, "a 1999ms a 1998ms aa", "a 1999ms a 1999ms a"],
  ["errors pass", 1, "aa-#", "a--#"],
  ["the end passes", 1, "aa-|", "a--|"],
];

for (const [rule, perSecond, source, passed] of cases) {
  Deno.test(`rateLimit(${perSecond}): ${rule}`, () => assertPasses(perSecond, source, passed));
}

Deno.test("rateLimit() counts by another key, and tells what it drops", () => {
  const dropped: string[] = [];
  assertPasses(2, "abcd", "ab--", { key: () => "all", onDrop: ({ topic }) => dropped.push(topic) });
  assertEquals(dropped, ["c", "d"]);
});

Deno.test("rateLimit() keeps its count where a stage is subscribed to again", () => {
  const operator = rateLimit<Sample>(1, { now: () => 0 }), source = new Subject<Sample>(), seen: string[] = [];
  source.pipe(operator, take(1)).subscribe(({ topic }) => seen.push(topic));
  source.next({ topic: "a" });
  source.pipe(operator).subscribe(({ topic }) => seen.push(topic));
  for (const topic of ["a", "b"]) source.next({ topic });
  assertEquals(seen, ["a", "b"]);
});

Deno.test("Of more topics than it remembers, rateLimit() forgets those first that have their whole limit back", () => {
  let time = 0;
  const source = new Subject<Sample>(), seen: string[] = [];
  source.pipe(rateLimit(1, { now: () => time })).subscribe(({ topic }) => seen.push(topic));
  for (let i = 0; i < 9_999; i++) source.next({ topic: `old/${i}` });
  time = 999;
  source.next({ topic: "recent" });
  time = 1000;
  seen.length = 0;
  for (const topic of ["new", "recent", "old/1", "new"]) source.next({ topic });
  assertEquals(seen, ["new", "old/1"]);
});

for (const limit of [0, -1, NaN, Infinity]) {
  Deno.test(`rateLimit(${limit}) is refused`, () => {
    const { message } = assertThrows(() => rateLimit(limit), RangeError);
    assertEquals(message, `Rate limit is ${limit}: it is a number of messages per second above 0`);
  });
}
