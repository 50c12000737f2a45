// Which test proves which statement of the standard. This program finds the ids at the ends of test names, checks that
// every statement has a test or a reason why it has none, and writes the tables in README.md beside it; with `--check` it
// only tells whether those are up to date. Another file than that can be named behind it.
import { type Standard, standards } from "./statements.ts";

/** A name of a test, or of a case of one, that ends in ids. */
export interface NamedTest {
  /** The file, seen from `tests/`. */
  readonly file: string;
  /** The name without the ids. */
  readonly name: string;
  readonly ids: readonly string[];
}

/** The tests in a file whose names end in ids, each in brackets: a string that ends so is a name of a test. */
export function testsIn(file: string, source: string): NamedTest[] {
  const found: NamedTest[] = [];
  for (const line of source.split("\n")) {
    for (const { index, groups } of line.matchAll(/(?<brackets>(?: ?\[MQTT[^\]]*\])+)(?<quote>["'`])/g)) {
      const { brackets = "", quote = "" } = groups!;
      const name = line.slice(line.lastIndexOf(quote, index) + 1, index).replace(/\$\{.*?\}|^ *\}/g, "…");
      found.push({ file, name, ids: brackets.match(/[^[\], ]+/g) ?? [] });
    }
  }
  return found;
}

/** What is wrong: statements without a test and without a reason, or with both, and ids that no standard has. */
export function faults(standards: readonly Standard[], tests: readonly NamedTest[]): string[] {
  const known = new Set(standards.flatMap(({ ids }) => ids)), tested = new Set(tests.flatMap(({ ids }) => ids));
  return [
    ...standards.flatMap(({ ids, exempt }) => [
      ...ids.filter((id) => !tested.has(id) && !exempt[id]).map((id) =>
        `No test names ${id}, and there is no reason why not`
      ),
      ...Object.keys(exempt).filter((id) => tested.has(id)).map((id) =>
        `A test names ${id}, which is said to have none`
      ),
      ...Object.keys(exempt).filter((id) => !known.has(id)).map((id) => `${id} has a reason, but is no statement`),
    ]),
    ...tests.flatMap(({ file, name, ids }) =>
      ids.filter((id) => !known.has(id)).map((id) => `tests/${file}: "${name}" names ${id}, which is no statement`)
    ),
  ];
}

/** The table of a standard, as `deno fmt` would write it. */
export function table({ name, ids, exempt }: Standard, tests: readonly NamedTest[]): string {
  const rows = ids.map((id) => [id, ...proof(tests.filter((test) => test.ids.includes(id)), exempt[id])]);
  const untested = Object.keys(exempt).length;
  const summary = `${name}: ${ids.length - untested} statements with a test, ${untested} without`;
  return ["<details>", `<summary>${summary}</summary>`, "", ...aligned(rows), "", "</details>"].join("\n");
}

/** Of several tests the one that is about the fewest statements is told. */
function proof(tests: readonly NamedTest[], reason = ""): [string, string] {
  const [first, ...others] = tests.toSorted((a, b) => rank(a) - rank(b));
  if (!first) return ["", `none: ${reason}`];
  const more = others.length > 0 ? ` (and ${others.length} more)` : "";
  return [first.file, first.name.replace(/[\\|<>*_`#[\]]/g, "\\$&") + more];
}

/** The tests by section of the standard are there to be looked up in; the others prove the same of single parts. */
function rank({ file, ids }: NamedTest): number {
  return ids.length + (/^conformance5?\//.test(file) ? 0 : 100);
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const head = ["Statement", "Test in tests/", "Name of the test, or why there is none"];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}

/** Puts the tables between the markers of `page`. */
export function fill(page: string, tables: readonly string[]): string {
  const begin = "<!-- conformance:begin -->\n", end = "<!-- conformance:end -->";
  const start = page.indexOf(begin), stop = page.indexOf(end, start);
  if (start < 0 || stop < 0) throw new Error(`"${begin.trim()}" and "${end}" are not there, each on a line of its own`);
  return `${page.slice(0, start + begin.length)}\n${tables.join("\n\n")}\n\n${page.slice(stop)}`;
}

/** All tests of this project whose names end in ids. */
export async function allTests(): Promise<NamedTest[]> {
  const found: NamedTest[] = [], root = new URL("../", import.meta.url);
  const visit = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      if (isDirectory) await visit(`${folder}${name}/`);
      else if (name.endsWith("_test.ts")) {
        found.push(...testsIn(`${folder}${name}`.slice(2), await Deno.readTextFile(new URL(folder + name, root))));
      }
    }
  };
  await visit("./");
  return found.toSorted((a, b) => a.file < b.file ? -1 : Number(a.file > b.file)); // stable: in a file, in its order
}

async function main(args: readonly string[]): Promise<number> {
  const [path = new URL("README.md", import.meta.url)] = args.filter((arg) => !arg.startsWith("--"));
  const tests = await allTests(), wrong = faults(standards, tests);
  if (wrong.length > 0) {
    console.error(wrong.join("\n"));
    return 1;
  }
  const page = await Deno.readTextFile(path), filled = fill(page, standards.map((standard) => table(standard, tests)));
  if (!args.includes("--check")) {
    await Deno.writeTextFile(path, filled);
  } else if (page !== filled) {
    console.error("tests/conformance/README.md is not up to date: run `deno task docs`");
    return 1;
  }
  return 0;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
