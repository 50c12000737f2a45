import { assertEquals } from "@std/assert";
import { Lines } from "../../src/observe/lines.ts";
import { denoRun } from "../support/process.ts";

/** Waits for something: lines alone keep no program alive. */
async function patiently(wanted: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>(),
    timer = setTimeout(() => late.reject(new Error("Nothing is written")), 5000);
  await Promise.race([wanted, late.promise]).finally(() => clearTimeout(timer));
}

Deno.test("Lines that come soon after another are written at once, in order, and then nothing is written", async () => {
  const written: string[] = [], first = Promise.withResolvers<void>();
  const lines = new Lines((text) => (written.push(text), first.resolve()));
  for (const line of ["a", "b", "c"]) lines.add(line);
  assertEquals(written, []);
  await patiently(first.promise);
  lines.flush();
  assertEquals(written, ["a\nb\nc"]);
});

Deno.test("What comes after a write is written by the next one", async () => {
  const written: string[] = [], changes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const lines = new Lines((text) => changes[written.push(text) - 1]!.resolve());
  lines.add("a");
  await patiently(changes[0]!.promise);
  lines.add("b");
  await patiently(changes[1]!.promise);
  assertEquals(written, ["a", "b"]);
});

Deno.test("Lines can be written at once, and are not written again when their time has come", async () => {
  const written: string[] = [], lines = new Lines((text) => written.push(text));
  lines.add("a");
  lines.flush();
  assertEquals(written, ["a"]);
  const other = Promise.withResolvers<void>();
  new Lines(() => other.resolve()).add("later"); // its time comes after that of the other one
  await patiently(other.promise);
  lines.flush();
  assertEquals(written, ["a"]);
});

Deno.test("A line that is added while lines are written goes into the next write", () => {
  const written: string[] = [];
  const lines: Lines = new Lines((text) => {
    if (written.push(text) === 1) lines.add("about the first");
  });
  lines.add("first");
  lines.flush();
  assertEquals(written, ["first"]);
  lines.flush();
  assertEquals(written, ["first", "about the first"]);
});

for (const [how, end] of [["at its end", ""], ["where it exits", "Deno.exit(3);"]] as const) {
  Deno.test(`A program writes what waits ${how}, and is not kept alive by it`, async () => {
    const file = new URL("../../src/observe/lines.ts", import.meta.url);
    const code =
      `import { Lines } from "${file}"; const lines = new Lines(console.log); lines.add("last words"); ${end}`;
    await using process = denoRun(`data:text/javascript,${encodeURIComponent(code)}`);
    const { code: status, output, errors } = await process.outcome();
    assertEquals([status, output, errors], [end ? 3 : 0, ["last words"], []]);
  });
}
