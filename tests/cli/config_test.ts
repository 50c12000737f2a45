// --config: what a file may say, how its faults are told, and that flags, keys and schema are the same settings.
import { assertEquals, assertThrows } from "@std/assert";
import schema from "../../src/config.schema.json" with { type: "json" };
import { configOf } from "../../src/cli/config_file.ts";
import { UsageError } from "../../src/cli/fault.ts";
import { parseFlags } from "../../src/cli/flags.ts";
import { configSchema } from "../../src/cli/schema.ts";
import { type Setting, settingsOf, table } from "../../src/cli/settings.ts";
import { TestClient } from "../support/client.ts";
import { BrokerProcess, denoRun, root } from "../support/process.ts";

const settings = Object.entries(table) as [string, Setting][];

Deno.test("src/config.schema.json is what the table of settings says, and has every key", () => {
  assertEquals(schema as object, configSchema());
  assertEquals(Object.keys(schema.properties), ["$schema", ...Object.keys(table)]);
});

/** How each kind of setting is written, on the command line and in a file. */
const samples = new Map<string, readonly [args: readonly string[], value: unknown]>([
  ["limits", [["packet=64KiB", "connections=none"], { packet: "64KiB", connections: Infinity }]],
  ["origins", [["https://a.example", "*"], ["https://a.example", "*"]]],
  ["cert", [["a.crt", "b.crt"], ["a.crt", "b.crt"]]],
  ["key", [["a.key"], ["a.key"]]],
  ["overload", [["drop-oldest"], "drop-oldest"]],
  ["durability", [["normal"], "normal"]],
  ["log", [["json"], "json"]],
  ["logLevel", [["debug"], "debug"]],
]);

for (const [key, { flag, value }] of settings) {
  Deno.test(`"${key}" in a file says what --${flag} says`, () => {
    const isPort = value === "PORT", simple = isPort ? 7 : "x";
    const [args, wanted] = samples.get(key) ?? (value ? [[String(simple)], simple] : [[""], true]);
    const words = args.flatMap((arg) => arg ? [`--${flag}`, arg] : [`--${flag}`]);
    const inFile = JSON.stringify({ [key]: wanted }, (_, value) => value === Infinity ? "none" : value);
    assertEquals(parseFlags(words).given, { [key]: wanted });
    assertEquals(configOf(inFile, "f"), { [key]: wanted });
  });
}

Deno.test("A file may have comments, a comma behind the last item, and name its schema", () => {
  const text = '// ours\n{ "$schema": "x", "port": 1 /* one */, "http": false, }\n';
  assertEquals(configOf(text, "f"), { port: 1, http: false });
});

Deno.test("The file in README.md is right, and its schema is there", () => {
  const [, text] = /^```jsonc\n(.*?)^```/ms.exec(Deno.readTextFileSync(new URL("README.md", root))) ?? [];
  const settings = settingsOf(configOf(text!, "README.md"), {});
  assertEquals([settings.tlsPort, settings.cert, settings.http], [8883, ["server.crt", "other.crt"], false]);
  const [, path] = /"\$schema": "(.*?)"/.exec(text!) ?? [];
  assertEquals(JSON.parse(Deno.readTextFileSync(new URL(path!, root))), schema);
});

Deno.test("A file may name one certificate by itself", () => {
  const { cert, key } = settingsOf(configOf('{ "tlsPort": 1, "cert": "a.crt", "key": ["a.key"] }', "f"), {});
  assertEquals([cert, key], [["a.crt"], ["a.key"]]);
});

Deno.test("Flags are stronger than the file, limit by limit", () => {
  const file = configOf('{ "port": 1, "http": 2, "limits": { "packet": 100, "inflight": 3 } }', "f");
  const { given } = parseFlags(["--port", "4", "--no-http", "--limit", "inflight=5"]);
  const { port, http, limits, host } = settingsOf(file, given);
  assertEquals([port, http, limits, host], [4, false, { packet: 100, inflight: 5 }, "127.0.0.1"]);
});

const faults: readonly (readonly [text: string, fault: string])[] = [
  ["", "1:1: This is no JSON: value expected"],
  ["[]", '1:1: It needs an object, such as { "port": 1883 }'],
  ['{\n  "port": 1\n  "http": 2\n}', "3:3: This is no JSON: comma expected"],
  ['{ "port": 1, "port": 2 }', '1:14: "port" is there twice'],
  ['{\n  "port": "1883"\n}', '2:11: "port" is "1883": it needs a number from 0 to 65535'],
  ['{ "port": 65536 }', '1:11: "port" is 65536: it needs a number from 0 to 65535'],
  ['{ "host": "" }', '1:11: "host" has no value: it needs an address, such as 127.0.0.1'],
  ['{ "trace": "yes" }', '1:12: "trace" is "yes": it needs true or false'],
  ['{ "logLevel": "loud" }', '1:15: "logLevel" is "loud": there are error, warn, info, debug'],
  ['{ "origins": "*" }', '1:14: "origins" is "*": it needs origins, such as "https://example.org", or "*"'],
  ['{ "cert": [] }', '1:11: "cert" is []: it needs the path of a file, such as server.crt'],
  ['{ "limits": 1 }', '1:13: "limits" is 1: it needs names and values, such as { "packet": "64KiB" }'],
  ['{ "limits": {\n "packet": 1 } }', '2:12: Limit "packet" is 1: it ranges from 64 to 268435460'],
  ['{ "limits": {\n "packet": "1kB" } }', '2:12: Limit "packet" is "1kB", not a number or a size such as "64KiB"'],
];

for (const [text, fault] of faults) {
  Deno.test(`${JSON.stringify(text)} is refused: ${fault}`, () => {
    assertEquals(assertThrows(() => configOf(text, "f.json"), UsageError).message, `f.json:${fault}`);
  });
}

for (
  const [text, start] of [['{ "prot": 1 }', '1:3: Unknown key "prot": there are host, port, '], [
    '{ "limits": { "pocket": 1 } }',
    '1:15: Unknown limit "pocket": there are ',
  ]] as const
) {
  Deno.test(`${text} is refused, and what there is is told`, () => {
    assertThrows(() => configOf(text, "f.json"), UsageError, `f.json:${start}`);
  });
}

/** A file for one test. */
class ConfigFile implements Disposable {
  readonly path = Deno.makeTempFileSync({ suffix: ".json" });

  constructor(config: object) {
    this.write(config);
  }

  write(config: object): void {
    Deno.writeTextFileSync(this.path, JSON.stringify(config));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

Deno.test("--check-config says whether all is right, and listens nowhere", async () => {
  for (const [config, code] of [[{ port: 1 }, 0], [{ port: -1 }, 2], [{ acl: "none" }, 1]] as const) {
    using file = new ConfigFile(config);
    await using process = denoRun(`--allow-read=${file.path}`, "mod.ts", "--config", file.path, "--check-config");
    const outcome = await process.outcome();
    assertEquals([outcome.code, outcome.output.length, outcome.errors.length], [
      code,
      code === 0 ? 1 : 0,
      code === 0 ? 0 : 1,
    ]);
  }
});

Deno.test("On SIGHUP the log level and limits of the file hold, what needs a new start is told, and a fault changes nothing", async () => {
  const config = { port: 0, http: false, logLevel: "info", limits: { packet: 1000, memory: "1GiB" } };
  using file = new ConfigFile(config);
  await using broker = await BrokerProcess.permitted([`--allow-read=${file.path}`], "--config", file.path);
  const send = async (clientId: string, size: number) => {
    const client = await TestClient.tcp(broker.port);
    await client.connect({ clientId });
    await client.send({ cmd: "publish", topic: "t", payload: "x".repeat(size), qos: 1, messageId: 1 });
    return client;
  };
  await using former = await send("former", 2000);
  await former.expectClosed();
  file.write({ ...config, port: 1, logLevel: "debug", limits: { packet: 3000, memory: "2GiB" } });
  broker.signal("SIGHUP");
  for (const text of ['"port" changes at the next start', '"limits.memory" changes', "Reloaded"]) {
    await broker.logged(text);
  }
  await using next = await send("next", 2000);
  await next.expect({ cmd: "puback" });
  await next.subscribe("a", 0, 2);
  await broker.logged('Client "next" subscribed');
  file.write({ nonsense: 1 });
  broker.signal("SIGHUP");
  await broker.logged("Not reloaded: ");
  await next.subscribe("b", 0, 3);
  await broker.logged('Client "next" subscribed to "b"');
});
