// Rules that change while clients are subscribed.
import { assertEquals } from "@std/assert";
import { type Access, aclRules, type Authorize, type BrokerEvent, createBroker, MemoryStore } from "../../mod.ts";
import { connected } from "../support/client.ts";

/** What has happened to subscriptions, as text. */
function log(broker: ReturnType<typeof createBroker>): string[] {
  const lines: string[] = [];
  broker.events.subscribe((event: BrokerEvent) => {
    if (event.type === "denied") lines.push(`denied ${event.client} ${event.topic} ${event.reason}`);
    if (event.type === "unsubscribed") lines.push(`unsubscribed ${event.client} ${event.filter}`);
  });
  return lines;
}

const removed = (client: string, topic: string, reason = "not-authorized") => [
  `denied ${client} ${topic} ${reason}`,
  `unsubscribed ${client} ${topic}`,
];

Deno.test("reauthorize() ends the deliveries of a subscription that is not permitted any more, and of no other", async () => {
  const authorize = aclRules("user ada\ntopic read a\ntopic read b\n");
  await using broker = createBroker({ authorize });
  const lines = log(broker);
  await using client = await connected(broker, "c", { username: "ada" });
  for (const topic of ["a", "b", "$share/group/a"]) await client.subscribe(topic, 1);
  authorize.replace("user ada\ntopic read b\n");
  await broker.reauthorize();
  assertEquals(lines, [...removed("c", "a"), ...removed("c", "$share/group/a")]);
  await broker.publish("a", "no more");
  await broker.publish("b", "still");
  await client.expect({ cmd: "publish", topic: "b" });
  await client.expectNothing();
  await client.subscribe("b", 1, 2);
});

Deno.test("reauthorize() looks at sessions without a connection, too, as the client that they had", async () => {
  const authorize = aclRules("user ada\ntopic read a\n");
  await using broker = createBroker({ authorize });
  const lines = log(broker);
  const client = await connected(broker, "c", { username: "ada", clean: false });
  await client.subscribe("a", 1);
  await client.disconnect();
  await broker.reauthorize();
  assertEquals(lines, []);
  authorize.replace("user bob\ntopic read a\n");
  await broker.reauthorize();
  assertEquals(lines, removed("c", "a"));
  await broker.publish("a", "not queued", { qos: 1 });
  await using again = await connected(broker, "c", { username: "ada", clean: false });
  await again.expectNothing();
});

const hooks: readonly (readonly [what: string, hook: Authorize, reason: string])[] = [
  ["answers later", () => Promise.resolve(false), "not-authorized"],
  ["throws", () => {
    throw new Error("no rules");
  }, "unspecified-error"],
  ["rejects", () => Promise.reject(new Error("no rules")), "unspecified-error"],
];

for (const [what, hook, reason] of hooks) {
  Deno.test(`reauthorize() resolves when the subscription is gone, where the hook ${what}`, async () => {
    let ask: Authorize = () => true;
    await using broker = createBroker({ authorize: (access: Access) => ask(access) });
    const lines = log(broker);
    await using client = await connected(broker, "c");
    await client.subscribe("a");
    ask = hook;
    await broker.reauthorize();
    assertEquals(lines, removed("c", "a", reason));
  });
}

Deno.test("A subscription that is made again while the hook decides stays", async () => {
  const answer = Promise.withResolvers<boolean>();
  let ask: Authorize = () => true;
  await using broker = createBroker({ authorize: (access: Access) => ask(access) });
  const lines = log(broker);
  await using client = await connected(broker, "c");
  await client.subscribe("a");
  ask = () => answer.promise;
  const done = broker.reauthorize();
  ask = () => true;
  await client.subscribe("a", 1, 2);
  answer.resolve(false);
  await done;
  assertEquals(lines, []);
});

Deno.test("A session that comes back under another user name is asked about before it gets anything", async () => {
  await using broker = createBroker({ authorize: aclRules("user ada\ntopic read a\n") });
  const lines = log(broker);
  const client = await connected(broker, "c", { username: "ada", clean: false });
  await client.subscribe("a", 1);
  await client.disconnect();
  for (const [username, expected] of [["ada", []], ["bob", removed("c", "a")]] as const) {
    await using again = await connected(broker, "c", { username, clean: false });
    await again.expectNothing();
    assertEquals(lines, expected);
  }
});

Deno.test("A session that a store has kept is asked about when its client comes back", async () => {
  const store = new MemoryStore();
  {
    await using broker = createBroker({ store });
    const client = await connected(broker, "c", { username: "ada", clean: false });
    await client.subscribe("a", 1);
    await client.disconnect();
  }
  await using broker = createBroker({ store, authorize: aclRules("user bob\ntopic read a\n") });
  const lines = log(broker);
  await broker.reauthorize();
  assertEquals(lines, []);
  await using _client = await connected(broker, "c", { username: "ada", clean: false });
  assertEquals(lines, removed("c", "a"));
});
