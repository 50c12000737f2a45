// The command with --store: what is wrong with a file is one line, and what is wrong with a disk is not the end.
import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { openStore } from "../../src/store/sqlite.ts";
import { TestClient } from "../support/client.ts";
import { canBeHumble, denoRun, humbleRun, type Process } from "../support/process.ts";
import { deliveriesOf, sessionOf, temporaryFolder } from "../support/stores.ts";
import { canLimit, canMount, limitedDisk, mountedDisk, portOf, type SmallDisk, startCommand } from "./command.ts";

/** Makes a file by SQL. */
function makeDatabase(path: string, sql: string): void {
  using database = new DatabaseSync(path);
  database.exec(sql);
}

interface Fault {
  readonly what: string;
  readonly file?: string;
  prepare?(path: string): void;
  readonly said: string;
}

const faults: readonly Fault[] = [
  {
    what: "a folder that is not there",
    file: "none/brook.db",
    said: "can't be used: unable to open database file: PATH",
  },
  { what: "a folder", file: ".", said: "can't be used: unable to open database file: PATH" },
  { what: "a file of text", prepare: (path) => Deno.writeTextFileSync(path, "garbage\n"), said: "is not a database" },
  {
    what: "a file of random bytes",
    prepare: (path) => Deno.writeFileSync(path, crypto.getRandomValues(new Uint8Array(20_000))),
    said: "is not a database",
  },
  {
    what: "a database of another program",
    prepare: (path) => makeDatabase(path, "CREATE TABLE x (y)"),
    said: "is a database of another program",
  },
  {
    what: "a file of a later release",
    prepare(path) {
      openStore(path).close();
      makeDatabase(path, "PRAGMA user_version = 99");
    },
    said: "has version 99: this release knows up to 1",
  },
  {
    what: "a file that was cut off",
    prepare(path) {
      openStore(path).close();
      Deno.truncateSync(path, 10_000);
    },
    said: "is damaged",
  },
];

for (const { what, file = "brook.db", prepare, said } of faults) {
  Deno.test(`--store with ${what}: exit status 1, and one line`, async () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/${file}`;
    prepare?.(path);
    await using command = startCommand(path);
    // SQLite names the file in full.
    const errors = [`brook: Store "${path}" ${said.replace("PATH", path.replace(/\/\.$/, ""))}`];
    assertEquals(await command.outcome(), { code: 1, output: [], errors });
  });
}

Deno.test("--store with a file that another process has: exit status 1, and one line; the first one goes on", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`;
  await using first = startCommand(path);
  const port = await portOf(first);
  await using second = startCommand(path);
  const errors = [`brook: Store "${path}" is in use: only one process can have it`];
  assertEquals(await second.outcome(), { code: 1, output: [], errors });
  await using client = await TestClient.tcp(port);
  await client.connect({ clean: false });
  await client.publish("t", "x", { qos: 1, retain: true });
});

Deno.test({
  name: "--store with a file that may not be written to: exit status 1, and one line",
  ignore: !canBeHumble,
  async fn() {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    openStore(path).close();
    Deno.chmodSync(path, 0o444);
    const permissions = ["--allow-net", "--allow-read", "--allow-write"];
    await using command = humbleRun(...permissions, "mod.ts", "--store", path);
    const errors = [`brook: Store "${path}" is read-only: it has to be written to`];
    assertEquals(await command.outcome(), { code: 1, output: [], errors });
  },
});

Deno.test("--store without the permissions: exit status 1, and one line that names them", async () => {
  const how = "deno run --allow-net --allow-read --allow-write mod.ts --store brook.db";
  const errors = [`brook: Store "brook.db" needs the permission to read and to write: ${how}`];
  for (const permissions of [[], ["--allow-read"]]) {
    await using command = denoRun("--allow-net", ...permissions, "mod.ts", "--store", "brook.db");
    assertEquals(await command.outcome(), { code: 1, output: [], errors });
  }
});

Deno.test("A port in use does not spoil the store", async () => {
  using folder = temporaryFolder();
  using other = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const path = `${folder.path}/brook.db`;
  await using command = startCommand(path, "--port", `${other.addr.port}`);
  const { code, errors } = await command.outcome();
  assertEquals([code, errors.length], [1, 1]);
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["brook.db"]);
  openStore(path).close();
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`What was acknowledged before a ${signal} is there when the command is started again`, async () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    await using first = startCommand(path, "--log-level", "error");
    {
      const port = await portOf(first);
      await using subscriber = await TestClient.tcp(port);
      await subscriber.connect({ clientId: "s", clean: false });
      await subscriber.subscribe("t", 2);
      await subscriber.drop();
      await using publisher = await TestClient.tcp(port);
      await publisher.connect({ clientId: "p", clean: true });
      for (const [i, qos] of [1, 2].entries()) {
        await publisher.publish("t", `${qos}`, { qos, messageId: i + 1, retain: true });
      }
    }
    first.signal(signal);
    const { code, errors } = await first.outcome();
    assertEquals([code, errors], [signal === "SIGTERM" ? 0 : undefined, []]);
    await using second = startCommand(path);
    await using again = await TestClient.tcp(await portOf(second));
    const { sessionPresent } = await again.connect({ clientId: "s", clean: false });
    assertEquals(sessionPresent, true);
    for (const qos of [1, 2]) await again.expect({ cmd: "publish", payload: `${qos}`, qos, dup: false, retain: false });
    await again.subscribe("t", 0, 9);
    await again.expect({ cmd: "publish", payload: "2", qos: 0, retain: true });
  });
}

/** Publishes at QoS 1 until the log says that the store has failed; resolves to how many messages were acknowledged. */
async function publishUntilFull(command: Process, publisher: TestClient): Promise<number> {
  const failed = command.errors.take((line) => line.includes("Store failed")).then(() => "failed" as const);
  for (let messageId = 1;; messageId++) {
    await publisher.send({
      cmd: "publish",
      topic: "t",
      payload: "x".repeat(5000),
      qos: 1,
      messageId,
      dup: false,
      retain: false,
    });
    const answer = publisher.expect({ cmd: "puback", messageId }).catch(() => "none" as const);
    if (await Promise.race([answer, failed]) === "failed") return messageId - 1;
  }
}

const disks: readonly (readonly [what: string, possible: boolean, make: () => SmallDisk])[] = [
  ["a disk that is full", canMount, mountedDisk],
  ["a file that may not grow", canLimit, limitedDisk],
];

for (const [what, possible, make] of disks) {
  Deno.test({
    name: `With ${what} the command goes on: no lie, no stop, and everything is there when there is room again`,
    ignore: !possible,
    async fn() {
      using disk = make();
      await using command = await disk.start("--durability", "normal", "--log-level", "warn");
      const port = await portOf(command);
      const [subscriber, publisher, other, quick] = await Promise.all([1, 2, 3, 4].map(() => TestClient.tcp(port)));
      await using clients = new AsyncDisposableStack();
      for (const client of [subscriber!, publisher!, other!, quick!]) clients.use(client);
      await subscriber!.connect({ clientId: "s", clean: false });
      await subscriber!.subscribe("t", 1);
      await subscriber!.disconnect();
      await quick!.connect({ clientId: "quick", clean: true });
      await quick!.subscribe("quick", 0);
      await publisher!.connect({ clientId: "p", clean: true });
      await other!.connect({ clientId: "o", clean: true, protocolVersion: 5 });

      const acknowledged = await publishUntilFull(command, publisher!);
      assert(acknowledged > 10);
      await other!.send({ cmd: "publish", topic: "t", payload: "no", qos: 1, messageId: 1, dup: false, retain: false });
      await other!.expect({ cmd: "puback", messageId: 1, reasonCode: 0x97 });
      await other!.publish("quick", "yes");
      await quick!.expect({ cmd: "publish", payload: "yes" });
      await quick!.expectNothing();

      disk.makeRoom();
      await command.errors.take((line) => line.includes("Store works again"));
      await publisher!.publish("t", "last", { qos: 1, messageId: 60_000 });
      command.signal("SIGTERM");
      const { code, errors } = await command.outcome();
      assertEquals([code, errors.filter((line) => line.includes("Store"))], [0, []]);
      const store = openStore(disk.path);
      // And the one that found the disk full.
      assertEquals([deliveriesOf(store, "s").length, sessionOf(store, "s").deliveries.count], [
        acknowledged + 2,
        acknowledged + 2,
      ]);
      store.close();
    },
  });
}
