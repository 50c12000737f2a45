import { assertEquals, assertRejects } from "@std/assert";
import { listenUnix } from "../../src/transport/unix.ts";
import { connStream } from "../../src/transport/tcp.ts";
import { settle } from "../support/clock.ts";
import { denoRun, root } from "../support/process.ts";
import { Accepting } from "./ends.ts";
import { readText, send } from "./streams.ts";

const connect = async (path: string) => connStream(await Deno.connect({ transport: "unix", path }), path);

/** Registers a test with a path in a folder of its own. */
function test(name: string, run: (path: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows",
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await run(`${folder}/broker.sock`);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** Leaves a socket behind as a program does that is killed. */
async function killedListener(path: string): Promise<void> {
  const source = JSON.stringify(new URL("src/transport/unix.ts", root).href);
  const script = `import { listenUnix } from ${source};
    console.log((await listenUnix({ path: Deno.args[0] })).address);
    setInterval(() => {}, 1000);`;
  const file = `${path}.ts`;
  await Deno.writeTextFile(file, script);
  await using process = denoRun("-A", file, path);
  assertEquals(await process.output.take(), `mqtt+unix://${path}`);
  await process.kill();
}

test("Clients connect by the path, which the address and the remote side tell", async (path) => {
  using listening = new Accepting(await listenUnix({ path }));
  const [near, far] = await Promise.all([connect(path), listening.next()]);
  await send(near, "up");
  assertEquals([await readText(far), far.remote], ["up", `unix:${path}`]);
  assertEquals([listening.acceptor.address, listening.acceptor.port], [`mqtt+unix://${path}`, 0]);
  for (const end of [near, far]) end.close();
});

test("The rights of the socket are those that are asked for", async (path) => {
  for (const mode of [0o600, 0o660, 0o666]) {
    const acceptor = await listenUnix({ path, mode });
    assertEquals((await Deno.stat(path)).mode! & 0o777, mode);
    acceptor.close();
  }
});

test("A closed acceptor ends its iteration, removes the socket, and may be closed again; connections go on", async (path) => {
  using listening = new Accepting(await listenUnix({ path }));
  const [near, far] = await Promise.all([connect(path), listening.next()]), ended = listening.ended();
  listening.acceptor.close();
  listening.acceptor.close();
  await ended;
  await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  await send(far, "still here");
  assertEquals(await readText(near), "still here");
  for (const end of [near, far]) end.close();
});

test("A path may be used again as soon as its acceptor is closed, and stays with the new one", async (path) => {
  const left = await listenUnix({ path }), ended = left[Symbol.asyncIterator]().next();
  left.close();
  using listening = new Accepting(await listenUnix({ path }));
  left.close();
  assertEquals((await ended).done, true);
  await settle();
  const [near, far] = await Promise.all([connect(path), listening.next()]);
  for (const end of [near, far]) end.close();
});

test("Nothing is left in the folder but the socket, whether listening works or not", async (path) => {
  const folder = path.replace(/\/[^/]*$/, ""), names = () => [...Deno.readDirSync(folder)].map(({ name }) => name);
  using listening = new Accepting(await listenUnix({ path, mode: 0o600 }));
  await assertRejects(() => listenUnix({ path }));
  assertEquals(names(), ["broker.sock"]);
  listening.acceptor.close();
  assertEquals(names(), []);
});

test("A socket that a killed program has left is replaced", async (path) => {
  await killedListener(path);
  assertEquals((await Deno.lstat(path)).isSocket, true);
  using listening = new Accepting(await listenUnix({ path }));
  const [near, far] = await Promise.all([connect(path), listening.next()]);
  for (const end of [near, far]) end.close();
});

test("A socket that a program has left which was killed before it could move it is replaced, too", async (path) => {
  await killedListener(path);
  await Deno.rename(path, `${path}.new`);
  using _listening = new Accepting(await listenUnix({ path }));
  await assertRejects(() => Deno.lstat(`${path}.new`), Deno.errors.NotFound);
});

test("Of several that find a socket left by a killed program, one gets its place and the others are refused", async (path) => {
  await killedListener(path);
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => listenUnix({ path })));
  const listening = results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  assertEquals(listening.length, 1);
  using accepting = new Accepting(listening[0]!);
  const [near, far] = await Promise.all([connect(path), accepting.next()]);
  for (const end of [near, far]) end.close();
});

test("A socket where somebody listens stays, and is refused", async (path) => {
  using listening = new Accepting(await listenUnix({ path }));
  await assertRejects(
    () => listenUnix({ path }),
    Deno.errors.AddrInUse,
    `Socket "${path}" is in use: somebody listens there`,
  );
  (await listening.next()).close(); // the one that asked whether somebody listens
  const [near, far] = await Promise.all([connect(path), listening.next()]);
  for (const end of [near, far]) end.close();
});

test("A file that is no socket stays, and is refused", async (path) => {
  await Deno.writeTextFile(path, "precious");
  const fault = `"${path}" is in the way: it is a file, not a socket`;
  await assertRejects(() => listenUnix({ path }), Deno.errors.AddrInUse, fault);
  assertEquals(await Deno.readTextFile(path), "precious");
  await Deno.symlink(path, `${path}.link`);
  await assertRejects(() => listenUnix({ path: `${path}.link` }), Deno.errors.AddrInUse, "is in the way");
});

test("A folder that is missing is told", async (path) => {
  await assertRejects(() => listenUnix({ path: `${path}/none` }), Deno.errors.NotFound);
});
