// A file that is not where it was opened any more: SQLite would go on writing to it, and nobody would ever find what was written.
import { assertEquals, assertThrows } from "@std/assert";
import { openStore } from "../../src/store/sqlite.ts";
import { type Store, StoreError } from "../../src/store/store.ts";
import { messageOf, temporaryFolder } from "../support/stores.ts";

/** What happens to a file while it is open. */
const fates: readonly (readonly [what: string, happen: (path: string) => void])[] = [
  ["deleted", (path) => Deno.removeSync(path)],
  ["moved", (path) => Deno.renameSync(path, `${path}.old`)],
  ["replaced", (path) => {
    Deno.copyFileSync(path, `${path}.copy`);
    Deno.renameSync(`${path}.copy`, path);
  }],
];

/** Commits until that fails, as it has to within a second; what fails goes on waiting. */
function commitInVain(store: Store): void {
  for (const end = performance.now() + 1000; performance.now() < end;) {
    store.retain(messageOf("t"), 1);
    store.commit();
  }
}

for (const [what, happen] of fates) {
  Deno.test(`A file that was ${what} while it was open soon takes no more, and says so`, () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`, store = openStore(path);
    happen(path);
    for (const act of [() => commitInVain(store), () => store.commit(), () => store.close()]) {
      const { kind } = assertThrows(act, StoreError, `Store "${path}" is not where it was`);
      assertEquals([kind, store.pending], ["unavailable", 1]);
    }
  });
}

Deno.test("A file that is back in its place takes everything again", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/brook.db`, store = openStore(path);
  Deno.renameSync(path, `${path}.old`);
  assertThrows(() => commitInVain(store), StoreError);
  Deno.renameSync(`${path}.old`, path);
  store.close();
  const again = openStore(path);
  assertEquals([...again.retained()].length, 1);
  again.close();
});

Deno.test("What is no file can't be opened as a store: nothing of it would be left", () => {
  for (const path of ["", ":memory:"]) {
    assertEquals(assertThrows(() => openStore(path), StoreError, "is no file").kind, "unavailable");
  }
});
