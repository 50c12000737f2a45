// A turn of the process itself ends with the microtasks of its round. A commit of others may come before that, and take its changes
// along: they are durable when that commit is over, and not before.
import { assertEquals } from "@std/assert";
import { settle } from "../support/clock.ts";
import { Disk } from "./disk.ts";
import { Machine } from "./restarts.ts";

/** How many microtasks after another client's end this process publishes: with one, the turn is open while that is committed. */
const DELAYS = [0, 1, 2, 3];

/** Where a client is gone, and this process publishes a moment later: what has been let go, before and after the disk can write. */
async function published(change: (disk: Disk) => void, recover: (disk: Disk, machine: Machine) => Promise<unknown>) {
  const seen: unknown[] = [];
  for (const delay of DELAYS) {
    await using machine = new Machine();
    const { disk, broker } = machine, subscriber = await machine.client("subscriber");
    await subscriber.subscribe("t", 1);
    const gone = await machine.client("gone"), { written } = subscriber;
    let resolved = false;
    broker.events.subscribe(async ({ type }) => {
      if (type !== "disconnected") return;
      for (let i = 0; i < delay; i++) await undefined;
      await broker.publish("t", "x", { qos: 1 });
      resolved = true;
    });
    change(disk);
    await gone.drop();
    await settle();
    const before = [resolved, subscriber.written - written];
    await recover(disk, machine);
    await subscriber.expect({ cmd: "publish", topic: "t", payload: "x" });
    seen.push([...before, resolved]);
  }
  return seen;
}

const nothingBefore = DELAYS.map(() => [false, 0, true]);

Deno.test("What this process publishes while others are committed leaves when it is durable, and not before", async () => {
  const seen = await published((disk) => disk.slow = true, (disk) => disk.finishAll());
  assertEquals(seen, nothingBefore);
});

Deno.test("What this process publishes while the commit of others fails waits for room", async () => {
  const seen = await published((disk) => disk.full = true, (disk, machine) => {
    disk.full = false;
    return machine.pass(1);
  });
  assertEquals(seen, nothingBefore);
});

Deno.test("What this process publishes while the commit of others fails late waits for room", async () => {
  const seen = await published((disk) => disk.slow = true, async (disk, machine) => {
    await disk.fail();
    disk.slow = false;
    await machine.pass(1);
  });
  assertEquals(seen, nothingBefore);
});
