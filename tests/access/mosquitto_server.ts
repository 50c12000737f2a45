// The real broker of Mosquitto, which says what its files mean.
import { assertMatch } from "@std/assert";
import { TestClient } from "../support/client.ts";
import { has, Process } from "../support/process.ts";

/** Where Debian keeps servers is not in everybody's path. */
const path = "PATH=$PATH:/usr/sbin";

/** Registers a test that needs Mosquitto: ignored where it is missing, but in CI it runs all the same, and fails. */
export function testWithMosquitto(name: string, test: () => Promise<void>): void {
  const programs = ["mosquitto", "mosquitto_passwd"];
  const missing = programs.filter((program) => !has("sh", "-c", `${path}; command -v ${program}`));
  Deno.test({
    name: missing.length > 0 ? `${name} (not installed: ${missing.join(", ")})` : name,
    ignore: missing.length > 0 && !Deno.env.get("CI"),
    timeout: 120_000,
    fn: test,
  });
}

/** A server with files of its own, on a free port. */
export class MosquittoServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #process: Process;

  private constructor(port: number, folder: string, process: Process) {
    this.port = port;
    this.#folder = folder;
    this.#process = process;
  }

  /** Starts it with files for some of its options, such as `{ acl_file: "topic a" }`, and does not wait for it. */
  static #launch(files: Readonly<Record<string, string>>): MosquittoServer {
    const free = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = free.addr, folder = Deno.makeTempDirSync();
    free.close();
    const options = Object.keys(files).map((name) => `${name} ${folder}/${name}`);
    const anonymous = `allow_anonymous ${!("password_file" in files)}`, log = ["log_dest stderr", "log_type all"];
    const lines = [
      "user root",
      "max_inflight_messages 0",
      "set_tcp_nodelay true",
      `listener ${port} 127.0.0.1`,
      anonymous,
      ...log,
      ...options,
    ];
    Deno.writeTextFileSync(`${folder}/conf`, lines.join("\n"));
    for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${folder}/${name}`, text);
    const process = new Process("sh", { args: ["-c", `${path} exec mosquitto -c ${folder}/conf`] });
    return new MosquittoServer(port, folder, process);
  }

  /** Resolves to a server and what it says of its start; where somebody else has taken the port meanwhile, to another one. */
  static async #started(files: Readonly<Record<string, string>>): Promise<[server: MosquittoServer, line: string]> {
    for (;;) {
      const server = MosquittoServer.#launch(files);
      const line = await server.#process.errors.take((line) => / running$|Error/.test(line));
      if (!line.includes("Address already in use")) return [server, line];
      await server[Symbol.asyncDispose]();
    }
  }

  /** Resolves when it listens. */
  static async start(files: Readonly<Record<string, string>>): Promise<MosquittoServer> {
    const [server, line] = await MosquittoServer.#started(files);
    assertMatch(line, / running$/);
    return server;
  }

  /** Whether it starts with these files at all. */
  static async takes(files: Readonly<Record<string, string>>): Promise<boolean> {
    const [server, line] = await MosquittoServer.#started(files);
    await server[Symbol.asyncDispose]();
    return !line.includes("Error");
  }

  /** Has it read the new content of a file. */
  async replace(name: string, text: string): Promise<void> {
    Deno.writeTextFileSync(`${this.#folder}/${name}`, text);
    this.#process.errors.rest();
    this.#process.signal("SIGHUP");
    await this.#process.errors.take((line) => line.includes("Reloading config"));
  }

  /** A client of it that is connected, with MQTT 5.0 where nothing else is said. */
  async client(clientId: string, credentials: { username?: string; password?: string } = {}): Promise<TestClient> {
    const client = await TestClient.tcp(this.port);
    await client.connect({ clientId, protocolVersion: 5, ...credentials });
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
