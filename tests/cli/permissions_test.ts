// Each command of README.md whose permissions are said to be the narrowest: it works with them, and not with any of them left out.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { passwordEntry } from "../../mod.ts";
import { Process, root } from "../support/process.ts";
import { canIssue, identity } from "../transport/certificates.ts";

const readme = Deno.readTextFileSync(new URL("README.md", root));
const block = /^```sh narrow\n(.*?)^```/ms.exec(readme)?.[1] ?? "";
const commands = block.split("\n").filter((line) => line.startsWith("deno run "));

/** Ports that are free at present, by those of README.md. */
function freePorts(): ReadonlyMap<string, string> {
  return new Map(["1883", "8883", "9001", "9443"].map((port) => {
    using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    return [port, String(listener.addr.port)];
  }));
}

/** A folder with the files that the commands name. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync();

  async fill(port: string): Promise<this> {
    const { authority, server } = identity();
    const files = {
      "server.crt": server.certificate,
      "server.key": server.key,
      "ca.crt": authority.own.certificate,
      "acl.txt": "topic #\n",
      "passwords.txt": await passwordEntry("ada", "lovelace", 101),
      "brook.json": `{ "port": ${port} }`,
    };
    for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${this.path}/${name}`, text);
    // A socket that a killed program has left: closing removes it by its first name alone.
    const socket = Deno.listen({ transport: "unix", path: `${this.path}/made` });
    Deno.renameSync(`${this.path}/made`, `${this.path}/brook.sock`);
    socket.close();
    return this;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Runs a command in a folder of its own until it listens or ends; resolves to its first line, or its faults and its status. */
async function outcome(command: readonly string[]): Promise<string> {
  const ports = freePorts();
  using folder = await new Folder().fill(ports.get("1883")!);
  const args = command.map((word) => {
    const here = word.replaceAll("/run/", `${folder.path}/`).replaceAll(
      /\b(1883|8883|9001|9443)\b/g,
      (port) => ports.get(port)!,
    );
    return here === "mod.ts" ? new URL(here, root).pathname : here;
  });
  const isServer = !args.includes("passwd");
  const own = isServer ? ["--port", ports.get("1883")!] : [];
  const http = isServer && !args.includes("--no-http") && !args.includes("--config")
    ? ["--http", ports.get("9001")!]
    : [];
  const options = { args: ["run", "--no-prompt", ...args, ...own, ...http], cwd: folder.path, env: { NO_COLOR: "1" } };
  await using process = new Process(Deno.execPath(), { ...options, input: "secret\n" });
  process.endInput();
  const first = await process.output.take().catch(() => undefined);
  if (first?.startsWith("Brook ")) process.signal("SIGTERM");
  const { code, errors } = await process.outcome();
  return first !== undefined && code === 0 ? first : `${errors.join(" ")} (${code})`;
}

/** A command with one permission less, each one in its turn. */
function* weaker(words: readonly string[]): Generator<readonly [left: string, words: readonly string[]]> {
  for (const [i, word] of words.entries()) {
    const [, flag, list] = /^(--allow-\w+)=(.+)$/.exec(word) ?? [];
    if (!flag) continue;
    for (const left of list!.split(",")) {
      const rest = list!.split(",").filter((one) => one !== left);
      yield [`${flag}=${left}`, words.with(i, rest.length > 0 ? `${flag}=${rest.join(",")}` : "").filter(Boolean)];
    }
  }
}

Deno.test("README.md tells the narrowest permissions of every way in", () => {
  for (const flag of ["--tls-port", "--client-ca", "--https", "--unix", "--proxy-protocol", "--passwords", "--store"]) {
    assert(commands.some((command) => command.includes(flag)), flag);
  }
});

for (const command of commands) {
  const words = command.split(" ").slice(2);
  Deno.test({
    name: `It is enough: ${command}`,
    ignore: !canIssue,
    async fn() {
      assertMatch(await outcome(words), /^(Brook .* listens on |The settings .* are right|(Added|Changed) )/);
    },
  });
  for (const [left, fewer] of weaker(words)) {
    Deno.test({
      name: `Without ${left} it is not, and says so: ${command.replace(/.* mod\.ts ?/, "mod.ts ")}`,
      ignore: !canIssue,
      async fn() {
        const said = await outcome(fewer);
        assertMatch(said, /^brook( passwd)?: .*\bneeds the permissions? .*\(1\)$/);
        assertEquals(said.includes("Uncaught"), false);
      },
    });
  }
}
