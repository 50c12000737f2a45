// What a program gets that imports the library by its names: no more than is meant, and no type without a name.
import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { Process, root } from "../support/process.ts";

/** What the API speaks of without a name for it: RxJS's types, which are in `rx`, and what an exported type is made of. */
const unnamed = [
  "Observable",
  "OperatorFunction",
  "MonoTypeOperatorFunction",
  "reasons",
  "overloadPolicies",
  "durabilities",
]
  .concat(["LevelCaptures", "Bytes", "StoreFile"]);

for (const [name, file] of Object.entries(config.exports)) {
  Deno.test(`${file}, exported as ${name}, can be imported, and every type that it speaks of, too`, async () => {
    assert(Object.keys(await import(new URL(file, root).href)).length > 0);
    const args = ["doc", "--lint", "mod.ts", ...file === "./mod.ts" ? [] : [file]];
    await using process = new Process(Deno.execPath(), { args, cwd: root, env: { NO_COLOR: "1" } });
    const { output, errors } = await process.outcome();
    const found = [...output, ...errors].flatMap((line) => /references private type '(\w+)'/.exec(line)?.[1] ?? []);
    assert(found.includes("Observable"), "The documentation is looked at");
    assertEquals([...new Set(found)].filter((type) => !unnamed.includes(type)), []);
  });
}
