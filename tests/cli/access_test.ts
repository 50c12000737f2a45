// --passwords and --acl: who gets in, who may do what, and what changes on SIGHUP.
import { assertEquals, assertMatch } from "@std/assert";
import { passwordEntry, VERSION } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { BrokerProcess, denoRun } from "../support/process.ts";

const [ada, bob] = await Promise.all([passwordEntry("ada", "lovelace", 101), passwordEntry("bob", "builder", 101)]);

/** Files for one test, and a broker with the right to read them. */
class Scene implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync();

  file(name: string): string {
    return `${this.#folder}/${name}`;
  }

  write(name: string, text: string): string {
    Deno.writeTextFileSync(this.file(name), text);
    return this.file(name);
  }

  start(...options: readonly string[]): Promise<BrokerProcess> {
    const given = ["--port", "0", "--http", "0", "--log-level", "debug", ...options];
    return BrokerProcess.permitted([`--allow-read=${this.#folder}`], ...given);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.#folder, { recursive: true });
  }
}

/** What a client gets for its CONNECT: a return code of 3.1.1. */
async function codeFor(port: number, credentials: object): Promise<unknown> {
  await using client = await TestClient.tcp(port);
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, ...credentials });
  return (await client.receive()).returnCode;
}

const visitors = [
  { username: "ada", password: "lovelace" },
  { username: "ada", password: "wrong" },
  { username: "eve", password: "lovelace" },
  { username: "ada" },
  {},
];

for (const [options, codes] of [["", [0, 4, 4, 4, 4]], ["--allow-anonymous", [0, 4, 4, 4, 0]]] as const) {
  Deno.test(`--passwords ${options} lets in who has a password${options && ", and who has no name"}`, async () => {
    await using scene = new Scene();
    const passwords = scene.write("p.txt", ada);
    await using broker = await scene.start("--passwords", passwords, ...options.split(" ").filter(Boolean));
    const found = [];
    for (const credentials of visitors) found.push(await codeFor(broker.port, credentials));
    assertEquals(found, [...codes]);
  });
}

Deno.test("With --passwords, another host needs no --allow-anonymous, and the first line says who may connect", async () => {
  await using scene = new Scene();
  const passwords = scene.write("p.txt", ada), options = ["--host", "0.0.0.0", "-p", "0", "--no-http"];
  await using process = denoRun(
    "--allow-net",
    `--allow-read=${passwords}`,
    "mod.ts",
    ...options,
    "--passwords",
    passwords,
  );
  assertMatch(await process.output.take(), /: whoever has a password may connect\.$/);
  await using local = await denoRun(
    "--allow-net",
    `--allow-read=${passwords}`,
    "mod.ts",
    ...options.slice(2),
    "--passwords",
    passwords,
  );
  const line = await local.output.take();
  assertEquals(
    line.replace(/:\d+:/, ":PORT:"),
    `Brook ${VERSION} listens on mqtt://127.0.0.1:PORT: whoever has a password may connect, from this machine only.`,
  );
});

Deno.test("On SIGHUP passwords are read again; a faulty file is told, and changes nothing", async () => {
  await using scene = new Scene();
  await using broker = await scene.start("--passwords", scene.write("p.txt", ada));
  const code = () => codeFor(broker.port, { username: "bob", password: "builder" });
  assertEquals(await code(), 4);
  scene.write("p.txt", `${ada}\n${bob}\n`);
  broker.signal("SIGHUP");
  await broker.logged("Reloaded");
  assertEquals(await code(), 0);
  scene.write("p.txt", "bob");
  broker.signal("SIGHUP");
  const line = await broker.logged('"passwords" stays as it was');
  assertMatch(line, /File ".*p\.txt": Line 1 of the password file has no ":"/);
  assertEquals(await code(), 0);
});

Deno.test("A user that a password file has no more, or with another password, is disconnected on SIGHUP, and nobody else", async () => {
  await using scene = new Scene();
  const eve = await passwordEntry("eve", "dropping", 101);
  await using broker = await scene.start("--passwords", scene.write("p.txt", [ada, bob, eve].join("\n")));
  const enter = async (username: string, password: string) => {
    const client = await TestClient.tcp(broker.port);
    await client.connect({ clientId: username, username, password });
    await client.subscribe("news");
    return client;
  };
  await using first = await enter("ada", "lovelace"),
    second = await enter("bob", "builder"),
    third = await enter("eve", "dropping");
  scene.write("p.txt", [ada, await passwordEntry("bob", "another", 101)].join("\n"));
  broker.signal("SIGHUP");
  for (const gone of [second, third]) await gone.expectClosed();
  await first.publish("news", "still here");
  await first.expect({ cmd: "publish", topic: "news" });
  assertEquals(await codeFor(broker.port, { username: "bob", password: "another" }), 0);
});

Deno.test("--acl decides; on SIGHUP its rules are read again, and subscriptions that they do not permit are gone", async () => {
  await using scene = new Scene();
  const acl = scene.write("acl.txt", "topic a\ntopic b\n");
  await using broker = await scene.start("--acl", acl);
  await using client = await TestClient.tcp(broker.port);
  await client.connect({ clientId: "c" });
  for (const topic of ["a", "b"]) await client.subscribe(topic);
  await client.send({ cmd: "subscribe", messageId: 2, subscriptions: [{ topic: "c", qos: 0 }] });
  await client.expect({ cmd: "suback", granted: [0x80] });
  scene.write("acl.txt", "topic write a\ntopic b\n");
  broker.signal("SIGHUP");
  await broker.logged('Client "c" unsubscribed from "a"');
  await broker.logged("Reloaded");
  await client.publish("a", "no more");
  await client.publish("b", "still");
  await client.expect({ cmd: "publish", topic: "b", payload: "still" });
  await client.expectNothing();
});

for (
  const [flag, text, fault] of [
    ["passwords", "ada", 'Line 1 of the password file has no ":" behind a user name'],
    ["acl", "topics a", 'Line 1 of the ACL begins with "topics", not with "topic", "pattern", "user" or "#"'],
  ] as const
) {
  Deno.test(`A faulty file of --${flag}: exit status 1, and one line that names file and line`, async () => {
    await using scene = new Scene();
    const file = scene.write("x.txt", text);
    await using process = denoRun("--allow-net", `--allow-read=${file}`, "mod.ts", `--${flag}`, file);
    assertEquals(await process.outcome(), {
      code: 1,
      output: [],
      errors: [`brook: --${flag}: File "${file}": ${fault}`],
    });
  });
}
