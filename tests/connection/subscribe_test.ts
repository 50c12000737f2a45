// A packet with very many topic filters: it is one packet to its client, and not one turn to all others.
import { assert, assertEquals } from "@std/assert";
import { type Broker, type BrokerEvent, createBroker } from "../../mod.ts";
import { upTo } from "../conformance/script.ts";
import { connected } from "../support/client.ts";
import { settle } from "../support/clock.ts";

const MANY = 5000, topics = upTo(MANY).map((i) => `${i}`);

const packets = [
  { cmd: "subscribe", messageId: 7, subscriptions: topics.map((topic) => ({ topic, qos: 1 })) },
  { cmd: "unsubscribe", messageId: 7, unsubscriptions: topics },
] as const;

/** How many events of a kind there have been, and when there are so many. */
function doneBy(broker: Broker, type: BrokerEvent["type"], wanted: number) {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  let done = 0;
  broker.events.subscribe((event) => void (event.type === type && ++done === wanted && resolve()));
  return { reached, done: () => done };
}

for (const packet of packets) {
  Deno.test(`While a ${packet.cmd.toUpperCase()} with ${MANY} filters is worked through, others are served`, async () => {
    await using broker = createBroker();
    await using client = await connected(broker, "c");
    await using other = await connected(broker, "other");
    if (packet.cmd === "unsubscribe") {
      await client.send(packets[0]);
      await client.expect({ cmd: "suback" });
    }
    const first = doneBy(broker, `${packet.cmd}d`, 1);
    let meanwhile = MANY;
    broker.topic("t").subscribe(() => meanwhile = first.done());
    await client.send(packet);
    await first.reached;
    await other.publish("t", "", { qos: 1 });
    await client.expect({ cmd: packet.cmd === "subscribe" ? "suback" : "unsuback", messageId: 7 });
    assert(meanwhile < MANY, `${meanwhile} were done by then`);
    assertEquals(first.done(), MANY);
  });
}

for (const how of ["at once", "later"]) {
  Deno.test(`A SUBSCRIBE with ${MANY} filters that are decided about ${how} is answered in order, before the packets behind it`, async () => {
    const decide = (yes: boolean) => how === "at once" ? yes : Promise.resolve(yes);
    await using broker = createBroker({
      authorize: ({ action, topic }) => action === "publish" || decide(!topic.endsWith("7")),
    });
    await using client = await connected(broker, "c", { protocolVersion: 5 });
    await broker.publish("1", "retained", { retain: true });
    const sent = [client.send(packets[0]), client.send({ cmd: "pingreq" })];
    await Promise.all(sent);
    const granted = topics.map((topic) => topic.endsWith("7") ? 0x87 : 1);
    await client.expect({ cmd: "suback", messageId: 7, granted });
    await client.expect({ cmd: "publish", topic: "1", payload: "retained" });
    await client.expect({ cmd: "pingresp" });
    await client.expectNothing();
  });
}

Deno.test("A client that is gone while its filters are worked through gets no more of them", async () => {
  await using broker = createBroker();
  const client = await connected(broker, "c", { clean: false });
  const first = doneBy(broker, "subscribed", 1);
  await client.send(packets[0]);
  await first.reached;
  await using again = await connected(broker, "c", { clean: false }); // takes over
  await client.expectClosed();
  await settle();
  const before = broker.status.gauges.subscriptions;
  assert(before < MANY, `${before} were made`);
  for (const _ of upTo(20)) await settle();
  assertEquals(broker.status.gauges.subscriptions, before);
  await again.subscribe("t");
});
