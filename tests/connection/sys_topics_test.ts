// The topics below which the broker tells of itself: what a client says there is refused, so that nobody takes it for the broker's word.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { endings } from "../conformance/support.ts";
import { connected, TestClient } from "../support/client.ts";

const versions = [["3.1.1", 4], ["5.0", 5]] as const;

/** What the broker has to tell, and no client. */
const topic = "$SYS/broker/clients/connected";

for (const [name, protocolVersion] of versions) {
  for (const qos of [0, 1, 2]) {
    Deno.test(`What a client (${name}) publishes below $SYS at QoS ${qos} is denied: neither routed nor retained`, async () => {
      await using broker = createBroker({ authorize: () => true });
      const seen: string[] = [];
      broker.topic("$SYS/#").subscribe((message) => seen.push(message.text()));
      await using client = await connected(broker, "c", { protocolVersion });
      await client.send({ cmd: "publish", topic, payload: "1000", qos, messageId: 1, retain: true, dup: false });
      if (qos > 0) {
        const answer = await client.expect({ cmd: qos === 1 ? "puback" : "pubrec", messageId: 1 });
        assertEquals(
          [answer.reasonCode, answer.properties?.reasonString],
          protocolVersion === 5 ? [0x87, "Only the broker publishes below $SYS"] : [undefined, undefined],
        );
      }
      await client.subscribe("$SYS/#");
      await client.expectNothing();
      assertEquals([seen, broker.counters.get("denied/not-authorized")], [[], 1]);
      assertEquals(broker.why({ client: "c" }).map(({ topic, reason }) => [topic, reason]), [[
        topic,
        "not-authorized",
      ]]);
    });
  }

  Deno.test(`A client (${name}) is refused that would have a will below $SYS`, async () => {
    await using broker = createBroker();
    await using client = TestClient.memory(broker);
    const will = { topic: "$SYS/broker/uptime", payload: "0 seconds", qos: 0, retain: true };
    await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion, will });
    await client.expect({
      cmd: "connack",
      [protocolVersion === 5 ? "reasonCode" : "returnCode"]: [5, 0x87][protocolVersion - 4],
    });
    await client.expectClosed();
    assertEquals(endings(broker), { "refused/not-authorized": 1 });
  });
}

Deno.test("The broker's own process publishes below $SYS, and clients on other topics that begin with $", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  for (const filter of ["$SYS/#", "$other/#", "$SYSTEM"]) await client.subscribe(filter);
  await broker.publish(topic, "1");
  await client.expect({ cmd: "publish", topic, payload: "1" });
  for (const other of ["$other/a", "$SYSTEM"]) {
    await client.publish(other, "2");
    await client.expect({ cmd: "publish", topic: other, payload: "2" });
  }
});
