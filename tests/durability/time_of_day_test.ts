// What counts from a crash goes on counting over the next one, and a time of day that was set back makes nothing last longer than
// it was to last.
import { assertEquals } from "@std/assert";
import type { PacketLike } from "../support/client.ts";
import { Machine } from "./restarts.ts";

/** How late a deadline may be, in seconds. */
const LATE = 0.5, YEAR = 365 * 24 * 3600;

/** A session of ten seconds with a will that is due after eight. */
const lasting: Partial<PacketLike> = {
  protocolVersion: 5,
  properties: { sessionExpiryInterval: 10 },
  will: { topic: "will", payload: "bye", qos: 1, retain: true, properties: { willDelayInterval: 8 } },
};

/** The sessions and the retained messages that are stored. */
function stored({ store }: Machine): string[] {
  return [...store.sessions()].map(({ clientId }) => clientId).concat([...store.retained()].map(({ topic }) => topic));
}

Deno.test("The delay of a will and the expiry of a session count from the first crash, however many follow", async () => {
  await using machine = new Machine();
  await machine.client("c", lasting);
  await machine.restart();
  for (const expected of [["c"], ["c", "will"], ["will"]]) {
    await machine.restart();
    await machine.pass(4 + LATE / 2);
    assertEquals(stored(machine), [...expected]);
  }
});

Deno.test("A time of day that was set back lengthens neither a session nor the delay of a will", async () => {
  await using machine = new Machine();
  const client = await machine.client("c", lasting);
  await client.drop();
  await machine.pass(2);
  await machine.restart(-YEAR);
  for (const [seconds, expected] of [[7, ["c"]], [1 + LATE, ["c", "will"]], [2, ["will"]]] as const) {
    await machine.pass(seconds);
    assertEquals(stored(machine), [...expected]);
  }
});

Deno.test("A time of day that was set back lengthens the life of no message", async () => {
  const properties = { messageExpiryInterval: 5 };
  await using machine = new Machine();
  const client = await machine.client("c");
  await client.subscribe("t", 1);
  await client.drop();
  for (const topic of ["t", "r"]) {
    await machine.broker.publish(topic, "x", { qos: 1, properties, retain: topic === "r" });
  }
  await machine.restart(-YEAR);
  await machine.pass(5 + LATE);
  await (await machine.client("c")).expectNothing();
  assertEquals([stored(machine), machine.drops()], [["c"], ["c t expired*1"]]);
});
