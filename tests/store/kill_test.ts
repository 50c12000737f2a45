// kill -9 in the middle of commits: what was committed is there, and no part of anything else.
import { assertEquals } from "@std/assert";
import { isDeepStrictEqual } from "node:util";
import { MemoryStore } from "../../src/store/memory.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { denoRun } from "../support/process.ts";
import { applyBatch } from "../support/store_batches.ts";
import { contentOf, temporaryFolder } from "../support/stores.ts";

/** What a store holds after so many batches. */
function contentAfter(batches: number): unknown {
  const store = new MemoryStore();
  for (let batch = 0; batch < batches; batch++) {
    applyBatch(store, batch);
    store.commit();
  }
  return contentOf(store);
}

/** What a file holds. */
function contentIn(path: string): unknown {
  const store = openStore(path);
  const content = contentOf(store);
  store.close();
  return content;
}

/** How many batches are committed at least from one kill to the next: a disk may take long at each. */
const lives = { full: [3, 0, 7, 1, 12, 2, 5, 0, 9, 4], normal: [3, 0, 97, 11, 40, 1, 60, 25, 150, 8] } as const;

for (const [durability, lengths] of Object.entries(lives)) {
  Deno.test(`What was committed before a kill -9 is there after it, and nothing by halves, at durability ${durability}`, async () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/brook.db`;
    let batches = 0;
    for (const length of lengths) {
      const printed = await commitUntilKilled(path, durability, batches, length), content = contentIn(path);
      // Killed between a commit and its line, it has committed one more.
      batches = isDeepStrictEqual(content, contentAfter(printed)) ? printed : printed + 1;
      assertEquals(content, contentAfter(batches));
    }
  });
}

/** Resolves to how many batches there are at least, of which the program has printed the number. */
async function commitUntilKilled(path: string, durability: string, batches: number, length: number): Promise<number> {
  await using program = denoRun(
    ...["--allow-read", "--allow-write", "tests/store/commit_program.ts"],
    ...[path, durability, `${batches}`],
  );
  await program.output.take((line) => Number(line) === batches + length);
  program.signal("SIGKILL");
  const { output } = await program.outcome();
  return Math.max(batches + length, ...output.map(Number)) + 1;
}
