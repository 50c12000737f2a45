// The measuring of costs that grow, tested for the shape of what it finds: the figures are the machine's.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { chart } from "./chart.ts";
import { growths, holdings, sizesUpTo } from "./costs.ts";
import { growthTable, holdingTable } from "./growth.ts";
import { ScriptedClient } from "./script.ts";

Deno.test("Growth: every cost has a point for each power of ten", async () => {
  const told: string[] = [], found = await growths({ most: 10, round: 1, tell: (text) => told.push(text) });
  assertEquals(sizesUpTo(1_000_000), [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]);
  assertEquals(told.length, 8);
  for (const { name, points } of found) {
    assertEquals(points.map(([size]) => size), [1, 10], name);
    for (const [, cost] of points) assert(cost > 0 && cost < 100_000, `${name}: ${cost} µs`);
  }
  assertMatch(growthTable(found), /^µs of CPU per message, among +1 +10\n(.+\n){3}subscribers that get it +\S+ +\S+$/);
});

Deno.test("Growth: what is held is there when its memory is measured", async () => {
  let collections = 0;
  const found = await holdings(10, () => collections++);
  assertEquals(found.map(({ bytes }) => Number.isFinite(bytes)), [true, true, true, true]);
  assert(collections >= 8, "Garbage is collected before and after");
  assertMatch(holdingTable([{ name: "session", bytes: 1234.5 }]), /\nsession +1,235$/);
});

Deno.test("A scripted client reaches the broker, and hears it", async () => {
  await using broker = createBroker();
  const client = await ScriptedClient.connect(broker, "c"), topic = new TextEncoder().encode("a/b");
  await client.tell((packets) => packets.subscribe(1, ["a/+"], 0));
  const before = client.heard;
  await client.tell((packets) => packets.publish(topic, new Uint8Array(16), 0));
  assertEquals(client.heard - before, 2 + 2 + 3 + 16);
  client.close();
  await client.ended;
  assertEquals(broker.counters.get("disconnected/connection-lost"), 1);
});

Deno.test("A chart has a line, its points and its name for each cost, and powers of ten on both axes", () => {
  const points = [[1, 0.5], [10, 4], [100, 40]] as const, labels = { title: "Cost <of> all", x: "size", y: "µs" };
  const svg = chart([{ name: "one & only", points }, { name: "another", points }], labels);
  assertEquals([...svg.matchAll(/<polyline /g)].length, 2);
  assertEquals([...svg.matchAll(/<circle /g)].length, 6);
  for (const text of ["1", "10", "100", "0.1", "one &amp; only", "another", "Cost &lt;of&gt; all", "size", "µs"]) {
    assertStringIncludes(svg, `>${text}</text>`);
  }
  assertMatch(svg, /points="62\.0,\S+ 361\.0,\S+ 660\.0,\S+"/); // equal factors are equal ways
  assertStringIncludes(svg, "prefers-color-scheme: dark");
});
