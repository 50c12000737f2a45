// Which policy holds for a subscription, and what overload means beside other things that wait: shared subscriptions, retained messages.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  type BrokerEvent,
  type ChooseOverload,
  createBroker,
  type OverloadContext,
  type OverloadPolicy,
  rx,
} from "../../mod.ts";
import { logTo } from "../../src/observe/log.ts";
import { upTo } from "../conformance/script.ts";
import { connected } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { assertDropped, dropsOf } from "../support/losses.ts";
import { ON_THE_WAY, outbox, publishLarge, SlowClient } from "../support/slow_client.ts";

const limits = { outbox, queuedMessages: 2 } as const;

function brokerWith(overload: OverloadPolicy | ChooseOverload) {
  return createBroker({ limits, overload, clock: new VirtualClock() });
}

Deno.test("A function chooses the policy of each subscription, by its client, filter and QoS", async () => {
  const asked: OverloadContext[] = [];
  await using broker = brokerWith((subscription) => {
    asked.push(subscription);
    return subscription.client.id === "b" && subscription.filter === "t" ? "drop-oldest" : "drop-newest";
  });
  await using a = await SlowClient.connected(broker, "a", { username: "ada", password: "x", protocolVersion: 5 });
  await using b = await SlowClient.connected(broker, "b");
  for (const client of [a, b]) {
    await client.subscribe("t", 1);
    await client.subscribe("$share/g/u/+", 2);
    await client.stall();
  }
  await publishLarge(broker, 1, "t=1", "t=2", "t=3", "t=4", "t=5");
  await a.expectTexts(["1", "2", "3", "4"]);
  await b.expectTexts(["1", "2", "4", "5"]);
  assertEquals(asked.map(({ client: { id, username, remote }, filter, qos }) => [id, username, remote, filter, qos]), [
    ["a", "ada", "memory", "t", 1],
    ["a", "ada", "memory", "u/+", 2],
    ["b", undefined, "memory", "t", 1],
    ["b", undefined, "memory", "u/+", 2],
  ]);
});

Deno.test("A subscription that is made again is asked about again, and what waits stays", async () => {
  const policies: OverloadPolicy[] = ["drop-newest", "drop-oldest"];
  await using broker = brokerWith(() => policies.shift()!);
  await using client = await SlowClient.connected(broker, "c");
  await client.subscribe("t", 1);
  await client.stall();
  await publishLarge(broker, 1, "t=1", "t=2", "t=3", "t=4", "t=5");
  await client.send({ cmd: "subscribe", messageId: 9, subscriptions: [{ topic: "t", qos: 1 }] });
  await publishLarge(broker, 1, "t=6");
  const drops = broker.why({ client: "c" });
  assertEquals(drops.map(({ count }) => count), [2]); // the fifth, then the third
  client.resume();
  for (const payload of ["1", "2"]) await client.expect({ cmd: "publish", payload: payload.padEnd(1000) });
  await client.expect({ cmd: "suback" });
  await client.expectTexts(["4", "6"]);
});

/** What a function may do that should choose, and what is told of it. */
const faults: readonly (readonly [what: string, choose: () => unknown, error: string])[] = [
  ["throws", () => {
    throw new RangeError("no idea");
  }, "RangeError: no idea"],
  [
    "returns nothing",
    () => undefined,
    "TypeError: Overload policy is undefined, not one of drop-newest, drop-oldest, latest-per-topic, disconnect",
  ],
  [
    "returns another name",
    () => "toString",
    'TypeError: Overload policy is "toString", not one of drop-newest, drop-oldest, latest-per-topic, disconnect',
  ],
  [
    "returns a promise",
    () => Promise.resolve("drop-oldest"),
    'TypeError: Overload policy is Promise { "drop-oldest" }, not one of drop-newest, drop-oldest, latest-per-topic, disconnect',
  ],
];

for (const [what, choose, error] of faults) {
  Deno.test(`A function that ${what} is a fault of a hook: the client is subscribed, and the newest messages are dropped`, async () => {
    await using broker = brokerWith(choose as () => OverloadPolicy);
    const errors: string[] = [];
    broker.events.subscribe((event) => event.type === "hook-error" && errors.push(`${event.hook}: ${event.error}`));
    await using client = await SlowClient.connected(broker, "c");
    await client.subscribe("t", 1);
    await client.stall();
    await publishLarge(broker, 1, "t=1", "t=2", "t=3", "t=4", "t=5");
    await client.expectTexts(["1", "2", "3", "4"]);
    assertEquals(errors, [`overload: ${error}`]);
    assertDropped(broker, { "queue-full": 1 });
  });
}

Deno.test("Of overlapping subscriptions the one with the highest QoS says what happens", async () => {
  await using broker = brokerWith(({ filter }) => filter === "t/#" ? "latest-per-topic" : "drop-newest");
  await using client = await SlowClient.connected(broker, "c");
  await client.subscribe("t/#", 2);
  await client.subscribe("t/news", 1);
  await client.subscribe("+/other", 2);
  await client.stall();
  await publishLarge(broker, 2, "u/other=1", "u/other=2", "t/news=3", "u/other=4", "t/news=5", "u/other=6", "t/news=7");
  assertDropped(broker, { "superseded": 2, "queue-full": 1 });
  await client.expectTexts(["1", "2", "7", "4"]);
});

Deno.test("A shared subscription goes on with those that take its messages; what waits for others is theirs", async () => {
  await using broker = brokerWith("drop-oldest");
  const drops = dropsOf(broker);
  await using slow = await SlowClient.connected(broker, "slow");
  await using quick = await connected(broker, "quick");
  for (const client of [slow, quick]) await client.subscribe("$share/g/t", 1);
  await slow.stall();
  const got: string[] = [];
  for (let i = 1; i <= 20; i++) {
    await publishLarge(broker, 1, `t=${i}`);
    if (i > 2 * ON_THE_WAY || i % 2 === 0) got.push(`${(await quick.expect({ cmd: "publish" })).payload}`.trim());
  }
  await slow.expectTexts(["1", "3"]);
  assertEquals([got.length, drops], [18, []]);
});

Deno.test("Where no member of a shared subscription takes its messages, each drops its own", async () => {
  await using broker = brokerWith("drop-oldest");
  const drops = dropsOf(broker);
  await using a = await SlowClient.connected(broker, "a");
  await using b = await SlowClient.connected(broker, "b");
  for (const client of [a, b]) {
    await client.subscribe("$share/g/t", 1);
    await client.stall();
  }
  for (let i = 1; i <= 12; i++) await publishLarge(broker, 1, `t=${i}`);
  assertEquals(drops.toSorted(), [...Array(2).fill("a t queue-full*1"), ...Array(2).fill("b t queue-full*1")]);
  await a.expectTexts(["1", "3", "9", "11"]);
  await b.expectTexts(["2", "4", "10", "12"]);
});

Deno.test("A member of a shared subscription that is disconnected leaves what it has to another one", async () => {
  await using broker = brokerWith("disconnect");
  await using slow = await SlowClient.connected(broker, "slow");
  for (const filter of ["$share/g/t", "slow"]) await slow.subscribe(filter, 1);
  await slow.stall();
  await publishLarge(broker, 1, "t=1", "t=2", "t=3", "t=4");
  await using other = await SlowClient.connected(broker, "other");
  await other.subscribe("$share/g/t", 1);
  await publishLarge(broker, 1, "slow=5");
  await other.expectTexts(["1", "2", "3", "4"]);
  assertDropped(broker, { "queue-full": 1 });
});

Deno.test("Of a thousand members of a shared subscription that are full, one is disconnected for each message more, and loses what it has", async () => {
  await using broker = brokerWith("disconnect");
  const errors: BrokerEvent[] = [];
  broker.events.subscribe((event) => event.type === "observer-error" && errors.push(event));
  await using stack = new AsyncDisposableStack();
  const clients = await Promise.all(upTo(1000).map((i) => SlowClient.connected(broker, `c${i}`)));
  for (const client of clients) {
    stack.use(client);
    await client.subscribe("$share/g/t", 1);
    await client.stall();
  }
  const full = clients.length * (ON_THE_WAY + limits.queuedMessages);
  for (let i = 0; i < full; i++) await broker.publish("t", "x".repeat(1000), { qos: 1 });
  assertDropped(broker, {});
  for (const gone of [1, 2, clients.length]) {
    while ((broker.counters.get("dropped/queue-full") ?? 0) < gone) await broker.publish("t", "one more", { qos: 1 });
    await settle();
    assertEquals([errors, broker.counters.get("disconnected/quota-exceeded")], [[], gone]);
    assertDropped(broker, { "queue-full": gone, "session-ended": gone * (ON_THE_WAY + limits.queuedMessages) });
  }
  for (const client of clients) {
    for (let i = 0; i < ON_THE_WAY; i++) (client.resume(), await client.expect({ cmd: "publish" }));
    await client.expectClosed();
  }
});

const replayed:
  readonly (readonly [policy: OverloadPolicy, later: readonly string[], counts: Record<string, number>])[] = [
    ["drop-newest", ["1"], { "queue-full": 3 }],
    ["drop-oldest", ["4"], { "queue-full": 3 }],
    ["latest-per-topic", ["4"], { "superseded": 3 }],
  ];

for (const [policy, later, counts] of replayed) {
  Deno.test(`${policy}: all retained messages of a new subscription come, then of four later ones ${later}`, async () => {
    await using broker = brokerWith(policy);
    const retained = ["r1", "r2", "r3", "r4", "r5", "r6"];
    for (const topic of retained) await broker.publish(topic, topic.padEnd(1000), { qos: 1, retain: true });
    await using client = await SlowClient.connected(broker, "c");
    await client.stall();
    const subscribed = rx.firstValueFrom(broker.events.pipe(rx.filter(({ type }) => type === "subscribed")));
    await client.send({ cmd: "subscribe", messageId: 9, subscriptions: [{ topic: "#", qos: 1 }] });
    await subscribed;
    await publishLarge(broker, 1, "t=1", "t=2", "t=3", "t=4");
    assertDropped(broker, counts);
    client.resume();
    await client.expect({ cmd: "suback" });
    await client.expectTexts([...retained, ...later]);
  });
}

Deno.test("A flood of 100,000 drops is a handful of events a turn, and one line of the log a second; each drop is counted", async () => {
  await using broker = brokerWith("drop-newest");
  const events: BrokerEvent[] = [], lines: string[] = [];
  broker.events.subscribe((event) => event.type === "dropped" && events.push(event));
  broker.events.subscribe(logTo((line) => lines.push(line), "warn", new VirtualClock()));
  await using slow = await SlowClient.connected(broker, "slow");
  await slow.subscribe("#", 1);
  await slow.stall();
  await publishLarge(broker, 1, "t=1", "t=2", "t=3", "t=4");
  await Promise.all(upTo(50_000).map((i) => broker.publish(`topic/${i}`, "", { qos: 1 })));
  assertEquals(events.length, 11);
  await using publisher = await connected(broker, "publisher");
  const packets = Buffer.from("\x30\x04\x00\x01tx".repeat(5000), "latin1");
  for (let i = 0; i < 10; i++) await publisher.sendBytes(packets);
  await publisher.expectNothing();
  assertDropped(broker, { "queue-full": 100_000 });
  assert(events.length < 100, `There were ${events.length} events`);
  assertEquals(lines.length, 1);
});
