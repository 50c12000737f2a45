// A broker that has nothing to do leaves its disk alone, also while it tells of itself.
import { assert, assertEquals } from "@std/assert";
import { sysTopics } from "../../src/observe/sys_topics.ts";
import { Machine } from "./restarts.ts";

Deno.test("What the broker tells of itself below $SYS never touches the disk; what the process publishes there at QoS 1 does", async () => {
  await using machine = new Machine();
  const client = await machine.client("c", { clean: true }), { commits } = machine.disk;
  using _topics = sysTopics(machine.broker);
  for (let i = 0; i < 5; i++) {
    await machine.pass(10);
    await client.expectNothing();
  }
  assertEquals(machine.disk.commits, commits);
  await machine.broker.publish("$SYS/a", "x", { qos: 1, retain: true });
  const topics = [...machine.store.retained()].map(({ topic }) => topic);
  assertEquals(topics, ["$SYS/a"]);
  await client.subscribe("$SYS/#");
  assert((await client.receive()).topic.startsWith("$SYS/"));
});
