// A start with much to take up: what waits in queues stays in the file until its client is there.
import { assert, assertLess } from "@std/assert";
import { openStore } from "../../src/store/sqlite.ts";
import { TestClient } from "../support/client.ts";
import { Process, root } from "../support/process.ts";
import { atLeastOnce, messageOf, plain, temporaryFolder } from "../support/stores.ts";
import { portOf } from "./command.ts";

const SESSIONS = 100, QUEUED = 10_000, RETAINED = 100_000, PAYLOAD = 200;

/** Bounds in milliseconds and MiB: about five times what it takes here, and well below the 200 MB of payloads that are queued. */
const LONGEST = 15_000, MOST = 450;

/** Makes a file with a million messages that wait, and many that are retained. */
function fill(path: string): void {
  const store = openStore(path, { durability: "normal" });
  for (let session = 0; session < SESSIONS; session++) {
    store.saveSession({ clientId: `client-${session}`, expiry: Infinity, disconnectedAt: Date.now() });
    store.saveSubscription(`client-${session}`, `t/${session}`, plain);
  }
  for (let sequence = 1; sequence <= QUEUED; sequence++) {
    const payload = new Uint8Array(PAYLOAD).fill(sequence);
    for (let session = 0; session < SESSIONS; session++) {
      store.addDelivery(`client-${session}`, sequence, messageOf(`t/${session}`, payload), Date.now(), atLeastOnce);
    }
    if (sequence % 100 === 0) store.commit();
  }
  for (let i = 0; i < RETAINED; i++) store.retain(messageOf(`r/${i % 300}/${i}`, new Uint8Array(PAYLOAD)), Date.now());
  store.close();
}

/** Starts the command; its first line of output is its process identifier. */
function start(path: string): Process {
  const permissions = ["--allow-net", "--allow-read", "--allow-write"];
  const command = [
    Deno.execPath(),
    "run",
    "--no-prompt",
    ...permissions,
    "mod.ts",
    "--port",
    "0",
    "--no-http",
    "--store",
    path,
  ];
  const env = { NO_COLOR: "1" };
  return new Process("sh", { args: ["-c", 'echo $$; exec "$@"', "sh", ...command], cwd: root, env });
}

/** The most memory that a process has had in MiB. */
function peakOf(pid: string): number {
  const [, kib] = /VmHWM:\s*(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  return Number(kib) / 1024;
}

Deno.test({
  name: "A million queued and a hundred thousand retained messages take seconds at the start, and little memory",
  ignore: !Deno.env.get("CI") || Deno.build.os !== "linux", // making them takes a while
  timeout: 300_000,
  async fn() {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    fill(path);
    const began = performance.now();
    await using command = start(path);
    const pid = await command.output.take();
    const port = await portOf(command);
    const took = performance.now() - began, peak = peakOf(pid);
    console.log(`started in ${Math.round(took)} ms, with ${Math.round(peak)} MiB`);
    assertLess(took, LONGEST);
    assertLess(peak, MOST);

    await using client = await TestClient.tcp(port);
    const { sessionPresent } = await client.connect({ clientId: "client-7", clean: false });
    assert(sessionPresent);
    for (let i = 1; i <= 1000; i++) {
      const { payload, messageId } = await client.expect({ cmd: "publish", topic: "t/7", dup: false });
      assert(payload[0] === i % 256);
      await client.send({ cmd: "puback", messageId });
    }
    await using other = await TestClient.tcp(port);
    await other.connect({ clientId: "other" });
    await other.subscribe("r/7/+", 0);
    for (let i = 0; i < Math.floor(RETAINED / 300); i++) await other.expect({ cmd: "publish", retain: true });
    assertLess(peakOf(pid), MOST);
    command.signal("SIGTERM");
    assert(await command.ended() === 0);
  },
});
