// What filters have in common, by examples and, over a small alphabet, by the definition: all topic names are looked at.
import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import { covers, overlaps } from "../../src/topics/covers.ts";
import { matches } from "../../src/topics/filter.ts";

const covered: readonly (readonly [wide: string, filter: string, covers: boolean])[] = [
  ["a/b", "a/b", true],
  ["a/b", "a/c", false],
  ["a/b", "a/+", false],
  ["a/+", "a/b", true],
  ["a/+", "a/+", true],
  ["a/+", "a/", true],
  ["a/+", "a", false],
  ["a/+", "a/#", false],
  ["a/#", "a/+", true],
  ["a/#", "a/b/c/#", true],
  ["a/#", "a", true],
  ["a/+/#", "a/#", false],
  ["a/+/#", "a/+", true],
  ["#", "a/+/c", true],
  ["#", "+", true],
  ["+", "#", false],
  ["+/#", "#", true],
  ["+/+/#", "#", false],
  ["/+/#", "/#", true],
  ["#", "$SYS/#", false],
  ["+/#", "$SYS/a", false],
  ["$SYS/#", "$SYS/a", true],
  ["$SYS/#", "#", false],
  ["a/#", "$a/b", false],
  ["a/#", "+/b", false],
];

for (const [wide, filter, wanted] of covered) {
  Deno.test(`"${wide}" ${wanted ? "covers" : "does not cover"} "${filter}"`, () => {
    assertEquals(covers(wide, filter), wanted);
    assertEquals(covers(wide.split("/"), filter.split("/")), wanted);
  });
}

const common: readonly (readonly [one: string, other: string, overlap: boolean])[] = [
  ["a/b", "a/b", true],
  ["a/b", "a/c", false],
  ["a/+", "+/b", true],
  ["a/+", "a/+/c", false],
  ["a/#", "a", true],
  ["a/#", "b/#", false],
  ["a/+/c", "a/b/#", true],
  ["#", "$SYS/a", false],
  ["+/a", "$SYS/a", false],
  ["$SYS/+", "$SYS/a", true],
  ["+", "/#", false],
];

for (const [one, other, wanted] of common) {
  Deno.test(`"${one}" and "${other}" have ${wanted ? "topics" : "nothing"} in common`, () => {
    assertEquals([overlaps(one, other), overlaps(other, one)], [wanted, wanted]);
    assertEquals(overlaps(one.split("/"), other.split("/")), wanted);
  });
}

const DEPTH = 3;

/** Every topic of up to one level more than the filters have; no filter holds "z", which a wildcard can stand for. */
const topics: string[] = [];
for (let longer = [""], depth = 0; depth <= DEPTH; depth++) {
  longer = longer.flatMap((start) => ["a", "b", "z", "", "$a"].map((level) => depth ? `${start}/${level}` : level));
  topics.push(...longer.filter(Boolean));
}

const filters = fc.tuple(
  fc.array(fc.constantFrom("+", "+", "a", "a", "b", "", "$a"), { maxLength: DEPTH - 1 }),
  fc.constantFrom("#", "+", "a", "b", ""),
).map(([levels, last]) => [...levels, last].join("/")).filter(Boolean);

Deno.test("Law: a filter covers another one where it matches all that the other one matches, and nowhere else", () => {
  let yes = 0;
  fc.assert(
    fc.property(filters, filters, (wide, filter) => {
      const outer = matches(wide), inner = matches(filter);
      const wanted = topics.every((topic) => !inner({ topic }) || outer({ topic }));
      if (wanted) yes++;
      assertEquals(covers(wide, filter), wanted);
    }),
    { numRuns: 3000 },
  );
  assert(yes > 100, `Only ${yes} of the filters covered the other one`);
});

Deno.test("Law: filters overlap where some topic matches both, and nowhere else", () => {
  let yes = 0;
  fc.assert(
    fc.property(filters, filters, (one, other) => {
      const first = matches(one), second = matches(other);
      const wanted = topics.some((topic) => first({ topic }) && second({ topic }));
      if (wanted) yes++;
      assertEquals(overlaps(one, other), wanted);
    }),
    { numRuns: 3000 },
  );
  assert(yes > 100, `Only ${yes} of the filters overlapped`);
});

Deno.test("Law: a topic name is covered, and overlapped, where it is matched", () => {
  fc.assert(fc.property(filters, fc.constantFrom(...topics), (filter, topic) => {
    const wanted = matches(filter)({ topic });
    assertEquals([covers(filter, topic), overlaps(filter, topic)], [wanted, wanted]);
  }));
});
