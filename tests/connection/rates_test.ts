import { assert, assertEquals } from "@std/assert";
import { Rates } from "../../src/connection/rates.ts";
import { Deadlines } from "../../src/deadlines.ts";
import { Memory } from "../../src/memory.ts";
import { VirtualClock } from "../support/clock.ts";

/** Rates, and what is around them. */
class Scene {
  readonly clock = new VirtualClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly memory = new Memory(Infinity);
  readonly #rates = new Rates();

  /** How many a client can publish that comes now, wants so many, and leaves. */
  visit(clientId: string, wanted: number, perSecond = 10): number {
    const now = this.clock.now(), bucket = this.#rates.take(clientId, perSecond, now, this);
    let done = 0;
    while (done < wanted && bucket.take(now)) done++;
    this.#rates.keep(clientId, bucket, now, this);
    return done;
  }
}

Deno.test("Who comes and goes all the time publishes no more than who stays", async () => {
  const scene = new Scene();
  let done = 0;
  for (let i = 0; i < 100; i++) {
    done += scene.visit("c", 5);
    await scene.clock.advance(50);
  }
  assertEquals(done, 10 + 10 * 5 - 1);
});

Deno.test("What is kept is on the account until the bucket is full again, for whatever identifiers", async () => {
  const scene = new Scene();
  for (const id of ["c", "65536", "x".repeat(60_000)]) scene.visit(id, 3);
  assert(scene.memory.used > 60_000);
  await scene.clock.advance(1500);
  assertEquals([scene.memory.used, scene.clock.pending], [0, 0]);
});

Deno.test("A client that has left its bucket full, or finds another limit, gets a new one", () => {
  const scene = new Scene();
  scene.visit("idle", 0);
  assertEquals(scene.memory.used, 0);
  assertEquals([scene.visit("c", 20), scene.visit("c", 20), scene.visit("c", 20, 7)], [10, 0, 7]);
});
