// The stand-in for jsr:@std/assert: that its assertions fail when they should, which no other test would notice.
import * as std from "@std/assert";
import assertions from "node:assert/strict";

const { AssertionError } = assertions, fault = new RangeError("Port is 70000, not a port");
const thrown = () => {
  throw fault;
};

interface Case {
  readonly name: keyof typeof std;
  /** Arguments with which it holds. */
  readonly holds: readonly (readonly unknown[])[];
  /** Arguments with which it fails. */
  readonly fails: readonly (readonly unknown[])[];
}

const cases: readonly Case[] = [
  { name: "assert", holds: [[1], ["a"], [{}]], fails: [[0], [""], [null], [undefined]] },
  {
    name: "assertEquals",
    holds: [[1, 1], [NaN, NaN], [{ a: [1] }, { a: [1] }], [new Uint8Array([1]), new Uint8Array([1])], [
      new Set([1]),
      new Set([1]),
    ]],
    fails: [[1, 2], [1, "1"], [[1], [1, 2]], [{ a: 1 }, { a: 1, b: 1 }], [new Uint8Array([1]), new Uint8Array([2])], [
      null,
      undefined,
    ]],
  },
  { name: "assertNotEquals", holds: [[1, 2], [{ a: 1 }, { a: 2 }]], fails: [[1, 1], [{ a: 1 }, { a: 1 }]] },
  { name: "assertStrictEquals", holds: [[1, 1], [NaN, NaN], [fault, fault]], fails: [[{}, {}], [0, -0]] },
  { name: "assertStringIncludes", holds: [["abc", "b"]], fails: [["abc", "d"]] },
  { name: "assertMatch", holds: [["abc", /^a/]], fails: [["abc", /^b/]] },
  { name: "assertGreater", holds: [[2, 1]], fails: [[1, 1], [1, 2]] },
  { name: "assertLess", holds: [[1, 2]], fails: [[1, 1], [2, 1]] },
  {
    name: "assertIsError",
    holds: [[fault], [fault, Error], [fault, RangeError, "70000"], [fault, undefined, /^Port/]],
    fails: [["text"], [fault, TypeError], [fault, RangeError, "80000"], [fault, Error, /^port/]],
  },
  {
    name: "assertThrows",
    holds: [[thrown], [thrown, RangeError], [thrown, Error, "Port is"]],
    fails: [[() => 1], [thrown, TypeError], [thrown, RangeError, "other"]],
  },
  {
    name: "assertRejects",
    holds: [[() => Promise.reject(fault)], [() => Promise.reject(fault), RangeError, "Port is"]],
    fails: [[() => Promise.resolve(1)], [() => Promise.reject(fault), TypeError], [
      () => Promise.reject(fault),
      Error,
      "other",
    ]],
  },
];

/** What an assertion throws, or rejects with, or nothing. */
async function failureOf(name: keyof typeof std, args: readonly unknown[]): Promise<unknown> {
  try {
    await (std[name] as (...args: readonly unknown[]) => unknown)(...args);
  } catch (error) {
    return error;
  }
}

for (const { name, holds, fails } of cases) {
  Deno.test(`${name}() holds, and fails, as it should`, async () => {
    for (const args of holds) assertions.equal(await failureOf(name, args), undefined, Deno.inspect(args));
    for (const args of fails) assertions.ok(await failureOf(name, args) instanceof AssertionError, Deno.inspect(args));
  });
}

Deno.test("Every assertion that there is has a case here", () => {
  const there = Object.keys(std).filter((name) => name !== "AssertionError");
  assertions.deepEqual(there.sort(), cases.map(({ name }) => name).sort());
});

Deno.test("assertThrows() and assertRejects() give back what was thrown", async () => {
  assertions.equal(std.assertThrows(thrown, RangeError), fault);
  assertions.equal(await std.assertRejects(() => Promise.reject(fault), RangeError), fault);
});

Deno.test("The message of an assertion is in its failure", () => {
  assertions.match(String(std.assertThrows(() => std.assertStringIncludes("a", "b", "the answer"))), /the answer/);
  assertions.match(String(std.assertThrows(() => std.assertEquals(1, 2, "the answer"))), /the answer/);
});
