// Runs every example as its own opening comment says, and compares what it prints with what that comment promises: neither
// the command nor its output can go stale there.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TestClient } from "./support/client.ts";
import { denoRun, root } from "./support/process.ts";

interface Example {
  readonly name: string;
  /** What follows `deno run` in its command. */
  readonly args: readonly string[];
  /** The lines that it says it prints; undefined where it runs until it is stopped. */
  readonly output: readonly string[] | undefined;
}

const examples: readonly Example[] = [...Deno.readDirSync(new URL("examples/", root))]
  .map(({ name }) => read(name))
  .sort((a, b) => a.name < b.name ? -1 : 1);

function read(name: string): Example {
  const comment = Deno.readTextFileSync(new URL(`examples/${name}`, root)).split("\nimport ")[0]!;
  const [, command] = /^\/\/ {3}deno run (.+)$/m.exec(comment) ?? [];
  assert(command, `examples/${name} does not say how to run it`);
  const [, promised] = /^\/\/ It prints:\n\/\/\n([^]+)$/m.exec(comment) ?? [];
  return { name, args: command.split(" "), output: promised?.split("\n").map((line) => line.replace(/^\/\/ {3}/, "")) };
}

for (const { name, args, output } of examples) {
  for (const flag of args.slice(0, -1)) {
    Deno.test(`examples/${name} does not do without ${flag}`, async () => {
      await using process = denoRun(...args.filter((arg) => arg !== flag));
      const { code, errors } = await process.outcome();
      assertEquals(code, 1);
      assertStringIncludes(errors.join("\n"), "NotCapable");
    });
  }

  if (output) {
    Deno.test(`examples/${name} prints what it promises`, async () => {
      await using process = denoRun(...args);
      assertEquals(await process.outcome(), { code: 0, output, errors: [] });
    });
  }
}

Deno.test("examples/03_embed_in_a_service.ts serves the same lamps over HTTP and MQTT until it is interrupted", async () => {
  const { args } = examples.find(({ name }) => name.startsWith("03_"))!;
  await using process = denoRun(...args, "0", "0");
  const [, mqttPort] = /^MQTT: mqtt:\/\/127\.0\.0\.1:(\d+)$/.exec(await process.output.take()) ?? [];
  const [, url] = /^HTTP: (http:\/\/127\.0\.0\.1:\d+)\/lamps\/1$/.exec(await process.output.take()) ?? [];
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(url + path, init);
    return [response.status, await response.text()];
  };
  assertEquals(await ask("/lamps/1"), [404, "Not known yet\n"]);
  assertEquals(await ask("/lamps/+"), [404, "There are /lamps/1, /lamps/2 ...\n"]);

  assertEquals(await ask("/lamps/1", { method: "POST", body: "ON" }), [204, ""]);
  assertEquals(await ask("/lamps/1"), [200, "ON\n"]);
  await using lamp = await TestClient.tcp(Number(mqttPort));
  await lamp.connect({ clientId: "lamp" });
  await lamp.subscribe("/home/lamp1/status", 1);
  await lamp.expect({ cmd: "publish", topic: "/home/lamp1/status", payload: "ON", retain: true });

  await using button = await TestClient.tcp(Number(mqttPort));
  await button.connect({ clientId: "button" });
  await button.publish("/home/lamp1/status", "OFF", { qos: 1 });
  await button.disconnect();
  await lamp.expect({ cmd: "publish", topic: "/home/lamp1/status", payload: "OFF", retain: false });
  await lamp.disconnect();
  assertEquals(await ask("/lamps/1"), [200, "OFF\n"]);

  process.signal("SIGINT");
  assertEquals(await process.outcome(), {
    code: 0,
    output: ["lamp1 is ON, says the web service", "lamp1 is OFF, says button"],
    errors: [],
  });
});

Deno.test("every example is the one that its command runs, and all but the service end and say what they print", () => {
  for (const { name, args } of examples) assertEquals(args.at(-1), `examples/${name}`);
  const others = examples.filter(({ output }) => !output).map(({ name }) => name);
  assertEquals(others, ["03_embed_in_a_service.ts"]);
});
