// The stand-in for jsr:@std/cli/parse-args: what the command line of Brook needs of it.
import { assertEquals, assertThrows } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";

const options = {
  boolean: ["trace", "help"],
  string: ["host", "port", "limit"],
  collect: ["limit"],
  alias: { h: "help", p: "port" },
} as const;

const cases: readonly (readonly [line: string, found: Readonly<Record<string, unknown>>])[] = [
  ["", {}],
  ["--trace", { trace: true }],
  ["--trace=true", { trace: true }],
  ["--trace=false", { trace: false }],
  ["--port 1884", { port: "1884" }],
  ["--port=1884", { port: "1884" }],
  ["-p 1884 -h", { port: "1884", help: true }],
  ["--host ::1 --port 0", { host: "::1", port: "0" }],
  ["--port", { port: "" }],
  ["--port --trace", { port: "", trace: true }],
  ["-p --trace", { port: "", trace: true }],
  ["--host=a=b", { host: "a=b" }],
  ["--port 1 --port 2", { port: "2" }],
  ["--limit a=1", { limit: ["a=1"] }],
  ["--limit a=1 --trace --limit=b=2 --limit a=3", { limit: ["a=1", "b=2", "a=3"], trace: true }],
  ["--limit --trace --limit", { limit: ["", ""], trace: true }],
  ["--limit -- --limit b", { limit: [""], _: ["--limit", "b"] }],
  ["one --trace two", { trace: true, _: ["one", "two"] }],
  ["--trace -- --help", { trace: true, _: ["--help"] }],
];

for (const [line, found] of cases) {
  Deno.test(`parseArgs() reads "${line}"`, () => {
    const args = line === "" ? [] : line.split(" ");
    const { _, ...flags } = parseArgs(args, {
      ...options,
      boolean: [...options.boolean],
      string: [...options.string],
      collect: [...options.collect],
    });
    assertEquals({ _, ...flags }, { _: [], trace: false, help: false, limit: [], ...found });
  });
}

Deno.test("parseArgs() tells of what was not declared, and leaves it out where it is told to", () => {
  const seen: unknown[][] = [];
  const args = ["--trace", "--wrong", "--wrong=1", "-x", "stray", "--constructor", "--toString=1", "--", "behind"];
  const found = parseArgs(args, {
    boolean: ["trace"],
    unknown: (...what: unknown[]) => (seen.push(what.slice(0, 1)), false),
  });
  assertEquals(seen.flat(), ["--wrong", "--wrong=1", "-x", "stray", "--constructor", "--toString=1"]);
  assertEquals({ ...found }, { trace: true, _: ["behind"] });
});

Deno.test("parseArgs() passes on what the handler of unknown arguments throws", () => {
  const unknown = (arg: string): never => {
    throw new RangeError(arg);
  };
  assertThrows(() => parseArgs(["--wrong"], { unknown }), RangeError, "--wrong");
});
