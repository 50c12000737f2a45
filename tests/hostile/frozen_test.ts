// One subscriber that reads nothing, among 200 that do: the classic way to stop a broker.
import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import { bytes, subscribe } from "./bytes.ts";
import { Peer } from "./peer.ts";
import { Readers } from "./readers.ts";
import { WeighedBroker } from "./weighed.ts";

/** How many read, and how many messages each gets before and while somebody reads nothing. */
const READERS = 200, BEFORE = 50, WHILE = 250;

/** What goes beside each of them to the one that does not read: 25 MB in all, more than there is room for. */
const heavy = bytes({ cmd: "publish", topic: "heavy", payload: "x".repeat(100_000), qos: 0 });

/** The longest that one of the others may go without a message, in milliseconds; and how often that is tried on a busy machine. */
const LONGEST_GAP = 250, TRIALS = 3;

/** What the broker may keep for the one that does not read: its outbox twice, its queue, and some room, in MiB. */
const KEPT = 2 + 16 + 20;

Deno.test("A subscriber that reads nothing while 200 others do costs its own messages, and nobody's time", async () => {
  await using broker = await WeighedBroker.start();
  const { port } = broker, light = bytes({ cmd: "publish", topic: "light", payload: "x".repeat(100), qos: 0 });
  const hello = (clientId: string, ...filters: string[]) => {
    return Buffer.concat([bytes({ cmd: "connect", clientId }), subscribe(filters)]);
  };
  using readers = await Readers.connect(port, READERS, (i) => hello(`reader ${i}`, "light"), 4 + 5);
  using publisher = await Peer.to(port);
  await publisher.send(bytes({ cmd: "connect", clientId: "publisher" }));
  const longestGap = async (messages: number) => {
    readers.takeLongestGap();
    for (let i = 0; i < messages; i++) {
      await publisher.send(light, heavy);
      await readers.expect(light.length);
    }
    return readers.takeLongestGap();
  };
  const usual = await longestGap(BEFORE), before = (await broker.weight()).all, gaps: number[] = [];
  while (gaps.length < TRIALS && !gaps.some((gap) => gap < LONGEST_GAP)) {
    using frozen = await Peer.to(port);
    await frozen.send(hello("frozen", "light", "heavy"));
    await frozen.receive(4 + 6);
    frozen.freeze();
    gaps.push(await longestGap(WHILE));
    const after = (await broker.weight()).all, weights = `${before.toFixed()} MiB before, ${after.toFixed()} MiB after`;
    console.log(`longest gap ${gaps.at(-1)!.toFixed(1)} ms, ${usual.toFixed(1)} ms without; ${weights}`);
    assert(after - before < KEPT, weights);
  }
  assert(Math.min(...gaps) < LONGEST_GAP, `Somebody waited ${gaps.map(Math.round).join(", ")} ms for a message`);
});
