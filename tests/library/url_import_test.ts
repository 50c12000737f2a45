// The library imported from a URL: a script in an empty folder, with a fresh cache but for npm's packages, and only the permissions
// that README.md names.
import { assertEquals } from "@std/assert";
import { TestClient } from "../support/client.ts";
import { Process, root } from "../support/process.ts";

const script = (url: string) => `
import { createBroker, type Message, rx } from "${url}";

await using broker = createBroker({ routing: [rx.map((message: Message) => message.with({ topic: "mapped/" + message.topic }))] });
const first = rx.firstValueFrom(broker.topic("mapped/home/+/temp"));
console.log(broker.listen({ port: 0 }).port);
const message = await first;
const [room]: [string] = message.captures;
console.log(room + " " + message.text());
await broker.publish("farewell", room, { qos: 1 });
`;

/** Serves the files of the repository, as any web server would. */
function serveRepository(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
    const source = await Deno.readFile(new URL(`.${new URL(url).pathname}`, root));
    return new Response(source, { headers: { "content-type": "application/typescript" } });
  });
}

/** Where Deno keeps npm's packages. */
async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).npmCache;
}

Deno.test("a script that imports mod.ts from a URL has a whole broker, with --allow-net and its types", async () => {
  await using server = serveRepository();
  const host = `127.0.0.1:${server.addr.port}`, folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/cache`);
    await Deno.symlink(await npmCache(), `${folder}/cache/npm`);
    await Deno.mkdir(`${folder}/empty`);
    await Deno.writeTextFile(`${folder}/empty/service.ts`, script(`http://${host}/mod.ts`));
    await using service = new Process(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--check",
        "--no-lock",
        "--allow-net",
        `--allow-import=${host}`,
        "service.ts",
      ],
      cwd: `${folder}/empty`,
      env: { DENO_DIR: `${folder}/cache` },
    });
    const port = Number(await service.output.take());
    await using client = await TestClient.tcp(port);
    await client.connect({ clientId: "sensor" });
    await client.subscribe("#", 1);
    await client.publish("home/kitchen/temp", "21");
    await client.expect({ cmd: "publish", topic: "mapped/home/kitchen/temp", payload: "21" });
    await client.expect({ cmd: "publish", topic: "mapped/farewell", payload: "kitchen", qos: 1 });
    await client.expectClosed();
    assertEquals(await service.output.take(), "kitchen 21");
    assertEquals(await service.ended(), 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
