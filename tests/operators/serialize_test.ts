import { assertEquals } from "@std/assert";
import { serialize } from "../../src/operators/serialize.ts";
import { share, Subject, take } from "../../src/rx.ts";
import { marbles } from "../support/marbles.ts";

for (const source of ["-a-(bc)-d-|", "-a-(bc|)", "|", "(abc|)", "-a-#", "#", "-a-b-c-"]) {
  Deno.test(`What comes one after the other passes as it is: ${source}`, () => {
    marbles(({ hot, expectObservable }) => expectObservable(hot(source).pipe(serialize())).toBe(source));
  });
}

Deno.test("The source is left when its observer leaves", () => {
  marbles(({ hot, expectObservable, expectSubscriptions }) => {
    const source = hot("-a-b-c-d-");
    expectObservable(source.pipe(serialize(), take(2))).toBe("-a-(b|)");
    expectSubscriptions(source.subscriptions).toBe("^--!");
  });
});

/** Observers of one serialized stream: the first does something at a value, the last notes what it sees. */
function noted(react: (value: string, source: Subject<string>) => void, ...values: readonly string[]): string[] {
  const source = new Subject<string>(), seen: string[] = [], shared = source.pipe(serialize(), share());
  shared.subscribe({ next: (value) => react(value, source), error() {} });
  shared.subscribe({
    next: (value) => seen.push(value),
    error: (e) => seen.push(`#${e}`),
    complete: () => seen.push("|"),
  });
  for (const value of values) source.next(value);
  return seen;
}

Deno.test("A value that comes from within waits until everybody has seen the one before", () => {
  assertEquals(noted((value, source) => value === "a" && source.next("b"), "a"), ["a", "b"]);
});

Deno.test("Values from within keep their order, also those that come from within of those", () => {
  const seen = noted(
    (value, source) => value.length < 3 && ["x", "y"].forEach((more) => source.next(value + more)),
    "a",
  );
  assertEquals(seen, ["a", "ax", "ay", "axx", "axy", "ayx", "ayy"]);
});

Deno.test("A value that comes later is not mistaken for one from within", () => {
  assertEquals(noted((value, source) => value === "a" && source.next("b"), "a", "c", "a"), ["a", "b", "c", "a", "b"]);
});

Deno.test("A completion from within comes behind the values that wait", () => {
  const react = (value: string, source: Subject<string>) => {
    if (value !== "a") return;
    source.next("b");
    source.complete();
  };
  assertEquals(noted(react, "a"), ["a", "b", "|"]);
});

Deno.test("An error from within ends the stream at once", () => {
  const react = (_: string, source: Subject<string>) => {
    source.next("b");
    source.error("e");
  };
  assertEquals(noted(react, "a"), ["#e"]);
});

Deno.test("An observer that leaves at a value gets none of those that wait", () => {
  const source = new Subject<number>(), seen: number[] = [];
  source.pipe(serialize(), take(2)).subscribe((value) => {
    seen.push(value);
    source.next(value + 1);
  });
  source.next(1);
  assertEquals(seen, [1, 2]);
});

Deno.test("A hundred thousand values from within need no deep stack", () => {
  const source = new Subject<number>();
  let last = 0;
  source.pipe(serialize()).subscribe((value) => {
    last = value;
    if (value < 100_000) source.next(value + 1);
  });
  source.next(1);
  assertEquals(last, 100_000);
});
