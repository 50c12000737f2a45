// What happens to the messages of a client that does not take them, seen from the client: it stops to read, messages pile up beyond
// the limits, and it reads again.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker, type OverloadPolicy } from "../mod.ts";
import { connected } from "./support/client.ts";
import { VirtualClock } from "./support/clock.ts";
import { assertDropped, dropsOf } from "./support/losses.ts";
import { ON_THE_WAY, outbox, publishLarge, SlowClient } from "./support/slow_client.ts";

/** Three messages may wait. */
const limits = { outbox, queuedMessages: 3 } as const;

const versions = [["3.1.1", 4], ["5.0", 5]] as const;

/** A CONNECT for a session that goes on. */
function persistent(protocolVersion: number) {
  return { protocolVersion, clean: false, ...protocolVersion === 5 && { properties: { sessionExpiryInterval: 1000 } } };
}

/** A broker with a clock that stands still: a client that is disconnected may take its time to read the rest. */
function brokerWith(overload: OverloadPolicy): Broker {
  return createBroker({ limits, overload, clock: new VirtualClock() });
}

const eight = ["t=1", "t=2", "t=3", "t=4", "t=5", "t=6", "t=7", "t=8"];

const outcomes: readonly (readonly [
  policy: OverloadPolicy,
  published: readonly string[],
  arrived: readonly string[],
  reason: string,
  dropped: readonly string[],
])[] = [
  ["drop-newest", eight, ["1", "2", "3", "4", "5"], "queue-full", ["t", "t", "t"]],
  ["drop-oldest", eight, ["1", "2", "6", "7", "8"], "queue-full", ["t", "t", "t"]],
  ["latest-per-topic", eight, ["1", "2", "8"], "superseded", Array(5).fill("t")],
  [
    "latest-per-topic",
    ["a=a1", "a=a2", "a=a3", "b=b1", "c=c1", "c=c2", "a=a4", "b=b2", "c=c3"],
    ["a1", "a2", "a4", "b2", "c3"],
    "superseded",
    ["c", "a", "b", "c"],
  ],
  [
    "latest-per-topic",
    ["a=a1", "a=a2", "a=a3", "b=b1", "c=c1", "d=d1", "a=a4"],
    ["a1", "a2", "c1", "d1", "a4"],
    "queue-full",
    ["a", "b"],
  ],
];

for (const [name, protocolVersion] of versions) {
  for (const qos of [0, 1, 2] as const) {
    for (const [policy, published, arrived, reason, dropped] of outcomes) {
      Deno.test(`${policy} (${name}, QoS ${qos}): of ${published} arrive ${arrived}`, async () => {
        await using broker = brokerWith(policy);
        const drops = dropsOf(broker);
        await using client = await SlowClient.connected(broker, "slow", { protocolVersion });
        await using other = await connected(broker, "other", { protocolVersion });
        for (const subscriber of [client, other]) await subscriber.subscribe("#", qos);
        await client.stall();
        for (const one of published) {
          await publishLarge(broker, qos, one);
          await other.expect({ cmd: "publish", topic: one.split("=")[0]!, qos }); // at once, whoever else does not read
        }
        assertEquals(drops, dropped.map((topic) => `slow ${topic} ${reason}*1`));
        await client.expectTexts(arrived);
        assertDropped(broker, { [reason]: dropped.length });
        await publishLarge(broker, qos, "t=later");
        await client.expectTexts(["later"]); // as if nothing had been
      });
    }

    Deno.test(`disconnect (${name}, QoS ${qos}): the client is told why, as far as that can be said, and gone`, async () => {
      await using broker = brokerWith("disconnect");
      const drops = dropsOf(broker), lost = ON_THE_WAY * Math.min(qos, 1) + limits.queuedMessages;
      await using client = await SlowClient.connected(broker, "slow", { protocolVersion });
      await client.subscribe("#", qos);
      await client.stall();
      await publishLarge(broker, qos, ...eight);
      client.resume();
      for (const text of ["1", "2"]) await client.expect({ cmd: "publish", payload: text.padEnd(1000) });
      if (protocolVersion === 5) {
        const { properties } = await client.expect({ cmd: "disconnect", reasonCode: 0x97 });
        assertEquals(properties.reasonString, "The client takes its messages more slowly than they come");
      }
      await client.expectClosed();
      assertEquals(drops, ["slow t queue-full*1", `slow undefined session-ended*${lost}`]);
      assertDropped(broker, { "queue-full": 1, "session-ended": lost });
      assertEquals(broker.counters.get("disconnected/quota-exceeded"), 1);
    });

    Deno.test(`disconnect (${name}, QoS ${qos}): a session that goes on keeps what it has`, async () => {
      await using broker = brokerWith("disconnect");
      await using client = await SlowClient.connected(broker, "slow", persistent(protocolVersion));
      await client.subscribe("#", qos);
      await client.stall();
      await publishLarge(broker, qos, ...eight);
      await client.drop();
      await using again = await SlowClient.connected(broker, "slow", persistent(protocolVersion));
      await again.expectTexts(qos === 0 ? ["3", "4", "5"] : ["1", "2", "3", "4", "5"]);
      assertEquals(broker.counters.get("disconnected/quota-exceeded"), 1);
      assertEquals(broker.counters.get("dropped/queue-full"), qos === 0 ? 1 : 3);
      assertEquals(broker.counters.get("dropped/client-offline"), qos === 0 ? 2 : undefined);
      assertEquals(broker.counters.get("dropped/connection-lost"), qos === 0 ? ON_THE_WAY : undefined);
    });
  }
}

const away: readonly (readonly [policy: OverloadPolicy, arrived: readonly string[], counts: Record<string, number>])[] =
  [
    ["drop-newest", ["a1", "b1", "a2"], { "queue-full": 3 }],
    ["drop-oldest", ["b2", "a3", "b3"], { "queue-full": 3 }],
    ["latest-per-topic", ["a3", "b3"], { "superseded": 4 }],
    ["disconnect", ["a1", "b1", "a2"], { "queue-full": 3 }], // there is nobody to disconnect
  ];

for (const [policy, arrived, counts] of away) {
  for (const [name, protocolVersion] of versions) {
    Deno.test(`${policy} (${name}) for a client that is away: it gets ${arrived} when it comes back`, async () => {
      await using broker = brokerWith(policy);
      const first = await connected(broker, "c", persistent(protocolVersion));
      await first.subscribe("#", 1);
      await first.disconnect();
      await publishLarge(broker, 1, "a=a1", "b=b1", "a=a2", "b=b2", "a=a3", "b=b3");
      await using again = await SlowClient.connected(broker, "c", persistent(protocolVersion));
      await again.expectTexts(arrived);
      assertDropped(broker, counts);
    });
  }
}
