// The table of conformance itself: complete, and read from the names of tests as they are written.
import { assertEquals, assertThrows } from "@std/assert";
import { type Standard, standards } from "./statements.ts";
import { allTests, faults, fill, type NamedTest, table, testsIn } from "./table.ts";

Deno.test("every statement of every standard has a test or a reason why none applies", async () => {
  assertEquals(faults(standards, await allTests()), []);
});

Deno.test("no id is listed twice", () => {
  const ids = standards.flatMap((standard) => standard.ids);
  assertEquals(ids.length, new Set(ids).size);
});

/** A bracket as test names hold it, but not where this file would be taken for a test of it. */
const ids = (...list: string[]) => list.map((id) => `[${id}]`).join(" ");

Deno.test("ids are read where they end a name, however that is written", () => {
  const source = `
    Deno.test("plain ${ids("MQTT-1.0.0-1")}", () => {});
    Deno.test('single ${ids("MQTT-1.0.0-1", "MQTT5-1.0.0-1")}', () => {});
    Deno.test(\`of a table: \${name}, "\${value}" ${ids("MQTT-1.0.0-1, MQTT-1.0.0-2")}\`, () => {});
    const cases = [["first", 1], ["second ${ids("MQTT-1.0.0-1")}", 2]];
    Deno.test("${ids("MQTT-1.0.0-1")} comes first", () => {}); // a comment ${ids("MQTT-1.0.0-1")}`;
  assertEquals(testsIn("a_test.ts", source).map(({ name, ids }) => [name, ...ids]), [
    ["plain", "MQTT-1.0.0-1"],
    ["single", "MQTT-1.0.0-1", "MQTT5-1.0.0-1"],
    ['of a table: …, "…"', "MQTT-1.0.0-1", "MQTT-1.0.0-2"],
    ["second", "MQTT-1.0.0-1"],
  ]);
});

const small: Standard = {
  name: "MQTT 0",
  ids: ["MQTT-1.0.0-1", "MQTT-1.0.0-2"],
  exempt: { "MQTT-1.0.0-2": "binds only the client" },
};
const proof: NamedTest = { file: "conformance/a_test.ts", name: "holds a|b", ids: ["MQTT-1.0.0-1"] };

Deno.test("a statement without a test, an unknown id and a reason for what is tested are faults", () => {
  assertEquals(faults([small], [proof]), []);
  assertEquals(faults([small], []).length, 1);
  for (const id of ["MQTT-1.0.0-2", "MQTT-1.0.0-3", "MQTT5-1.0.0-1", "MQTT-1-0.0-1"]) {
    assertEquals(faults([small], [proof, { ...proof, ids: [id] }]).length, 1);
  }
});

Deno.test("the table stands between its markers, in columns, and writing it again changes nothing", () => {
  const page = "before\n\n<!-- conformance:begin -->\nold\n<!-- conformance:end -->\n\nafter\n";
  const written = fill(page, [table(small, [{ ...proof, file: "b_test.ts" }, proof])]);
  assertEquals(
    written,
    `before

<!-- conformance:begin -->

<details>
<summary>MQTT 0: 1 statements with a test, 1 without</summary>

| Statement    | Test in tests/        | Name of the test, or why there is none |
| ------------ | --------------------- | -------------------------------------- |
| MQTT-1.0.0-1 | conformance/a_test.ts | holds a\\|b (and 1 more)                |
| MQTT-1.0.0-2 |                       | none: binds only the client            |

</details>

<!-- conformance:end -->

after
`,
  );
  assertEquals(fill(written, [table(small, [{ ...proof, file: "b_test.ts" }, proof])]), written);
  assertThrows(() => fill("no markers", []), Error, "conformance:begin");
});
