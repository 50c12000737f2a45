// Every command of README.md is tried as it stands there; its TypeScript is run by `deno test --doc`.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { BrokerProcess, has, Process, root } from "./support/process.ts";

const readme = Deno.readTextFileSync(new URL("README.md", root));

/** The commands in its `sh` blocks, without the way in which Deno is got. */
const commands = [...readme.matchAll(/^```sh\n(.*?)^```/gms)]
  .flatMap(([, block]) => block!.trim().split("\n"))
  .map((command) => command.replace(/^npx --yes deno@[\d.]+ /, "deno "));

const ours = new Set(commands.filter((command) => command.startsWith("deno ")));
const theirs = commands.filter((command) => !command.startsWith("deno "));

Deno.test("README.md gets the version of Deno that it is tested with", () => {
  const versions = new Set([...readme.matchAll(/deno@([\d.]+)/g)].map(([, version]) => version));
  assertEquals(versions, new Set([Deno.version.deno]));
});

for (const command of ours) {
  const [, verb, ...args] = command.split(" ");
  Deno.test(`README.md: ${command}`, async () => {
    if (verb === "task") {
      assert(Object.hasOwn(config.tasks, args[0]!), "deno.json has no such task");
      return;
    }
    assertEquals([verb, args[0], args.includes("mod.ts")], ["run", "--allow-net", true]);
    await using files = new AsyncDisposableStack();
    const folder = Deno.makeTempDirSync();
    files.defer(() => Deno.removeSync(folder, { recursive: true }));
    const options = args.slice(1).filter((arg) => arg !== "mod.ts");
    await using broker = await BrokerProcess.start(
      ...options.map((option) => option === "brook.db" ? `${folder}/${option}` : option),
    );
    assertEquals(await broker.stop(), 0);
  });
}

Deno.test({
  name: `README.md: ${theirs.join(" and ")}`,
  ignore: !(has("sh", "-c", "command -v mosquitto_pub") || Deno.env.get("CI")),
  async fn() {
    await using broker = await BrokerProcess.start("--log-level", "debug");
    const [subscribe, publish] = theirs.map((command) => command.split(" ").map((word) => word.replaceAll("'", "")));
    const start = ([program, ...args]: string[]) =>
      new Process(program!, { args: [...args, "-p", String(broker.port)] });
    assertEquals([subscribe![0], publish![0]], ["mosquitto_sub", "mosquitto_pub"]);
    await using subscriber = start(subscribe!);
    await broker.logged("subscribed to");
    await using publisher = start(publish!);
    assertStringIncludes(await subscriber.output.take(), "ON");
    assertEquals(await publisher.ended(), 0);
  },
});
