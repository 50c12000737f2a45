// What lies outside of a store's own process: another one that wants the file, permissions, a disk that is full.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openStore } from "../../src/store/sqlite.ts";
import { type Store, StoreError } from "../../src/store/store.ts";
import { canBeHumble, denoRun, has, humbleRun } from "../support/process.ts";
import { add, deliveriesOf, messageOf, saveSessions, temporaryFolder } from "../support/stores.ts";

const program = "tests/store/open_program.ts", permissions = ["--allow-read", "--allow-write"] as const;

Deno.test("Only one process can have a file, and the next one when that has ended", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`, inUse = `Store "${path}" is in use: only one process can have it`;
  await using first = denoRun(...permissions, program, path);
  assertEquals(await first.output.take(), "opened");
  assertEquals(assertThrows(() => openStore(path), StoreError, inUse).kind, "in-use");
  await first.kill();
  const store = openStore(path);
  assertThrows(() => openStore(path), StoreError, inUse);
  await using second = denoRun(...permissions, program, path);
  assertEquals(await second.output.take(), `in-use: ${inUse}`);
  saveSessions(store, "a");
  store.close();
  await using third = denoRun(...permissions, program, path);
  assertEquals(await third.output.take(), "opened");
});

Deno.test("A store needs the permission to write its file, and says so as Deno does", async () => {
  using folder = temporaryFolder();
  await using refused = denoRun("--allow-read", program, `${folder.path}/brook.db`);
  assert((await refused.output.take()).startsWith("NotCapable: Requires write access to"));
});

Deno.test({
  name: "A file that can't be written to is not opened",
  ignore: !canBeHumble,
  async fn() {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    openStore(path).close();
    Deno.chmodSync(path, 0o444);
    await using refused = humbleRun(...permissions, program, path);
    assertEquals(await refused.output.take(), `read-only: Store "${path}" is read-only: it has to be written to`);
  },
});

/** Has a folder be a disk of a megabyte, which only root can do. */
function mount(folder: string): boolean {
  return has("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder);
}

/** Adds and commits until that fails; resolves to how many commits there were, and the error. */
function fill(store: Store): { committed: number; error: unknown } {
  for (let committed = 0;; committed++) {
    add(store, committed + 1);
    store.retain(messageOf(`t/${committed}`, new Uint8Array(5000)), 1);
    try {
      store.commit();
    } catch (error) {
      return { committed, error };
    }
  }
}

const canMount = (() => {
  using folder = temporaryFolder();
  return mount(folder.path) && has("umount", folder.path);
})();

Deno.test({
  name: "A store on a full disk loses nothing, and goes on when there is room again",
  ignore: !canMount,
  fn() {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`, ballast = `${folder.path}/ballast`, full = "has no room left on its disk";
    assert(mount(folder.path));
    using _mounted = { [Symbol.dispose]: () => void has("umount", folder.path) };
    Deno.writeFileSync(ballast, new Uint8Array(300_000));
    const store = openStore(path);
    saveSessions(store, "a");
    store.commit();
    const { committed, error } = fill(store);
    assert(committed > 10 && error instanceof StoreError);
    assertEquals([error.kind, error.message], ["full", `Store "${path}" ${full}`]);
    assertThrows(() => store.commit(), StoreError, full);
    assertEquals(assertThrows(() => openStore(`${path}.other`), StoreError, full).kind, "full");
    Deno.removeSync(ballast);
    assertEquals([...store.retained()].length, committed);
    store.commit();
    store.close();
    const again = openStore(path);
    assertEquals([deliveriesOf(again).length, [...again.retained()].length], [committed + 1, committed + 1]);
    again.close();
  },
});
