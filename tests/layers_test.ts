// The direction of the imports: what may know of what. Read from the source, so that a wrong import fails here and not
// in review.
import { assert, assertEquals, assertMatch } from "@std/assert";

const root = new URL("../", import.meta.url);

interface Import {
  /** The file that imports, from the root of the repository, such as `src/broker.ts`. */
  readonly from: string;
  /** The file that it imports, in the same way, or a specifier of a package. */
  readonly to: string;
  /** As it is written. */
  readonly specifier: string;
}

/** Every TypeScript file of a folder. */
function* filesOf(folder: string): Generator<string, void, undefined> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    if (isDirectory) yield* filesOf(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield folder + name;
  }
}

/** The imports of a file: static, dynamic, for a side effect or for types, and what it exports again. */
function importsOf(from: string): Import[] {
  const code = Deno.readTextFileSync(new URL(from, root)).replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
  const found = code.matchAll(/(?:\b(?:import|from)\s*|\bimport\()"([^"]+)"/g);
  return [...found].map(([, specifier]) => {
    const to = specifier!.startsWith(".")
      ? new URL(specifier!, new URL(from, root)).href.slice(root.href.length)
      : specifier!;
    return { from, to, specifier: specifier! };
  });
}

const imports = ["mod.ts", ...filesOf("src/")].flatMap(importsOf);

/** Every file that `mod.ts` needs. */
function reachable(from = "mod.ts", found = new Set<string>()): Set<string> {
  if (found.has(from)) return found;
  found.add(from);
  for (const next of imports) if (next.from === from && next.to.endsWith(".ts")) reachable(next.to, found);
  return found;
}

/** The imports that lead from files whose path begins in one way to such that begin in one of others. */
function forbidden(from: string, ...to: readonly string[]): Import[] {
  return imports.filter((one) => one.from.startsWith(from) && to.some((start) => one.to.startsWith(start)));
}

Deno.test("The imports of this project are found: the tests of this file look at something", () => {
  assert(imports.length > 100);
  const cli = imports.filter(({ from }) => from === "mod.ts").map(({ to }) => to);
  assert(cli.includes("src/cli.ts") && cli.includes("src/rx.ts"));
  assertEquals(importsOf("src/codec/mqtt_packet.ts").map(({ to }) => to).slice(0, 3), [
    "src/codec/env_guard.ts",
    "npm:mqtt-packet@^9.0.2",
    "src/codec/env_restore.ts",
  ]);
});

const rules: readonly (readonly [rule: string, from: string, ...to: readonly string[]])[] = [
  [
    "Transports know only bytes",
    "src/transport/",
    "src/codec/",
    "src/session/",
    "src/connection/",
    "src/routing/",
    "src/broker.ts",
    "src/system.ts",
  ],
  [
    "The codec knows only packets",
    "src/codec/",
    "src/session/",
    "src/connection/",
    "src/routing/",
    "src/broker.ts",
    "src/system.ts",
    "src/transport/",
  ],
  ["Topics know nothing of clients", "src/topics/", "src/connection/", "src/session/", "src/codec/", "src/transport/"],
  ["Sessions know nothing of sockets and bytes", "src/session/", "src/connection/", "src/codec/", "src/transport/"],
  [
    "Routing knows nothing of clients",
    "src/routing/",
    "src/connection/",
    "src/session/",
    "src/codec/",
    "src/transport/",
  ],
  [
    "Authentication knows nothing of packets",
    "src/access/",
    "src/connection/",
    "src/session/",
    "src/routing/",
    "src/codec/",
    "src/transport/",
  ],
  ["Operators stand by themselves", "src/operators/", "src/connection/", "src/session/", "src/routing/", "src/codec/"],
];

for (const [rule, from, ...to] of rules) {
  Deno.test(`${rule}: ${from} imports nothing of ${to.join(", ")}`, () => {
    assert(imports.some((one) => one.from.startsWith(from)));
    assertEquals(forbidden(from, ...to), []);
  });
}

Deno.test("Nobody imports broker.ts but mod.ts and the command", () => {
  const importers = imports.filter(({ to }) => to === "src/broker.ts").map(({ from }) => from);
  assertEquals(importers.filter((file) => file !== "mod.ts" && !/^src\/cli[./]/.test(file)), []);
  assert(importers.includes("mod.ts"));
});

Deno.test("Nobody imports system.ts but broker.ts", () => {
  assertEquals(imports.filter(({ to }) => to === "src/system.ts").map(({ from }) => from), ["src/broker.ts"]);
});

Deno.test("Nobody but the codec and dialect.ts asks which version of MQTT a client speaks", () => {
  const asks = /(level|version)\s*([!=]==|[<>]=?)\s*[345]\b/i;
  const asking = [...filesOf("src/")].filter((file) => asks.test(Deno.readTextFileSync(new URL(file, root))));
  assert(asking.includes("src/codec/inspect.ts"));
  const others = asking.filter((file) => !file.startsWith("src/codec/") && file !== "src/connection/dialect.ts");
  assertEquals(others, []);
});

const packages = {
  "npm:rxjs": "src/rx.ts",
  "npm:mqtt-packet": "src/codec/mqtt_packet.ts",
  "npm:jose": "src/access/jose.ts",
  "npm:jsonc-parser": "src/cli/jsonc.ts",
  "jsr:@std/cli": "src/cli/flags.ts",
};

for (const [name, file] of Object.entries(packages)) {
  Deno.test(`Only ${file} names ${name}`, () => {
    const importers = imports.filter(({ to }) => to.startsWith(name)).map(({ from }) => from);
    assertEquals([...new Set(importers)], [file]);
  });
}

Deno.test("Whatever mod.ts needs names other files and packages in full: no import map holds for remote modules", () => {
  const files = reachable();
  assert(files.has("src/connection/connection.ts") && files.has("src/cli.ts"));
  for (const { from, specifier } of imports) {
    if (files.has(from)) {
      assertMatch(specifier, /^(\.\.?\/.*\.(ts|html)|npm:.+@.+|jsr:.+@.+|node:.+)$/, `${from}: ${specifier}`);
    }
  }
});

/** What is imported by whoever wants it. */
const optional = ["src/access/jwt.ts", "src/cli/schema.ts", "src/observe/monitor.ts", "src/observe/sys_topics.ts"];

Deno.test("Every file of src is needed by mod.ts or an optional part, but the stand-ins", () => {
  const files = optional.reduce((found, file) => reachable(file, found), reachable());
  assertEquals([...filesOf("src/")].filter((file) => !files.has(file) && !file.startsWith("src/std/")), []);
});
