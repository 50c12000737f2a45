import { assert, assertEquals } from "@std/assert";
import { keyOf, levelKeys, levelsOf, nameOf } from "../src/keys.ts";

const names = [
  "",
  "0",
  "7",
  "65536",
  "4294967295",
  "12345678901",
  "1a",
  "a1",
  "1/2",
  "1a/2",
  "temp",
  "$SYS",
  "__proto__",
  "é1",
];

Deno.test("A key stands for its name, and different names have different keys", () => {
  assertEquals(names.map((name) => nameOf(keyOf(name))), names);
  assertEquals(new Set(names.map(keyOf)).size, names.length);
});

Deno.test("No key is a number that V8 would take for its own hash", () => {
  for (const number of [0, 1, 9, 10, 65_536, 131_072, 2 ** 31, 2 ** 32 - 2]) {
    assert(!/^\d+$/.test(keyOf(String(number))), `"${number}"`);
  }
});

Deno.test("Levels are what stands between slashes, whether or not there is anything", () => {
  const topics = ["a", "a/b/c", "/", "//", "/a", "a/", "1/22/x", "+/#"];
  assertEquals(topics.map(levelsOf), topics.map((topic) => topic.split("/")));
  assertEquals(levelKeys("1/a/22").map(nameOf), ["1", "a", "22"]);
});

Deno.test("40,000 names that collide as numbers take no longer than others", () => {
  const took = (nameOf: (i: number) => string) => {
    const start = performance.now(), names = new Map<string, number>();
    for (let i = 0; i < 40_000; i++) names.set(keyOf(nameOf(i)), i);
    return performance.now() - start;
  };
  took(String);
  const others = took((i) => `a${i * 65_536}`), numbers = took((i) => String(i * 65_536));
  assert(numbers < 20 * others + 100, `${numbers.toFixed()} ms, others ${others.toFixed()} ms`); // 100 times as long without keys
});
