import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { TopicIndex } from "../../src/topics/topic_index.ts";
import { matchingSuite } from "../suites/matching.ts";

function newIndex(): TopicIndex<string, readonly string[]> {
  return new TopicIndex((subscribers) => subscribers);
}

matchingSuite("TopicIndex", (filters, topic) => {
  const index = newIndex();
  for (const filter of filters) index.add(filter, filter);
  return index.match(topic);
});

matchingSuite("broker.topic()", async (filters, topic) => {
  await using broker = createBroker();
  const found: string[] = [];
  for (const filter of filters) broker.topic(filter).subscribe(() => found.push(filter));
  await broker.publish(topic, "");
  return found;
});

/** The order in which subscribers are found is not promised. */
function sorted(route: readonly string[]): string[] {
  return [...route].sort();
}

Deno.test("Every subscriber of a filter is found, and each once", () => {
  const index = newIndex();
  for (const subscriber of ["one", "two", "one"]) index.add("a/+", subscriber);
  index.add("a/#", "one");
  assertEquals(sorted(index.match("a/b")), ["one", "one", "two"]); // one of "a/+", one of "a/#"
});

const interleavings: readonly (readonly [what: string, filter: string])[] = [
  ["an exact filter", "a/b"],
  ["+", "a/+"],
  ["#", "#"],
  ["# for the parent", "a/b/#"],
];

for (const [what, filter] of interleavings) {
  Deno.test(`An answer that was asked for before is renewed when ${what} is added or deleted`, () => {
    const index = newIndex();
    index.add("a/b", "first");
    assertEquals(sorted(index.match("a/b")), ["first"]);
    index.add(filter, "second");
    assertEquals(sorted(index.match("a/b")), ["first", "second"]);
    index.delete(filter, "second");
    assertEquals(sorted(index.match("a/b")), ["first"]);
    index.delete("a/b", "first");
    assertEquals(index.match("a/b"), []);
  });
}

Deno.test("Deleting takes only the subscriber that is named, and only from its filter", () => {
  const index = newIndex();
  index.add("a/b", "one");
  index.add("a/b", "two");
  index.add("a/b/c", "deeper");
  for (
    const [filter, subscriber] of [["a/b", "two"], ["a/b", "nobody"], ["a/+", "one"], ["a", "one"], ["x/y", "one"]]
  ) {
    index.delete(filter!, subscriber!);
  }
  assertEquals([index.match("a/b"), index.match("a/b/c")], [["one"], ["deeper"]]);
});

Deno.test("A topic is compiled once until a subscription changes that may concern it", () => {
  let compiled = 0;
  const index = new TopicIndex((subscribers: string[]) => ({ subscribers, serial: ++compiled }));
  index.add("a", "one");
  const route = index.match("a");
  assertStrictEquals(index.match("a"), route);
  index.add("b", "another");
  assertStrictEquals(index.match("a"), route);
  index.add("a", "two");
  assert(index.match("a") !== route);
  assertEquals(compiled, 2);
});

Deno.test("The answers that are remembered are bounded; the others are found anew", () => {
  let compiled = 0;
  const index = new TopicIndex((subscribers: string[]) => (compiled++, subscribers));
  index.add("t/+", "all");
  index.add("t/7", "seven");
  for (let i = 0; i < 50_001; i++) assertEquals(index.match(`t/${i}`).length, i === 7 ? 2 : 1);
  assertEquals(sorted(index.match("t/7")), ["all", "seven"]);
  assertEquals(compiled, 50_002);
});

Deno.test("A filter may have 100,000 subscribers", () => {
  const index = new TopicIndex<number, number>((subscribers) => subscribers.length);
  for (let i = 0; i < 100_000; i++) index.add("a/#", i);
  assertEquals(index.match("a"), 100_000);
});
