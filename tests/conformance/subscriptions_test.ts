// What a subscription delivers (3.1.1 sections 3.3.5 and 3.8.4): quality of service, overlapping and replaced filters.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected } from "../support/client.ts";
import { expectAll, receiveAll, resumed } from "./script.ts";

const levels = [0, 1, 2] as const;

Deno.test("a message is delivered at the lower of the published and the granted QoS [MQTT-3.8.4-6]", async () => {
  await using broker = createBroker();
  for (const granted of levels) {
    await using client = await connected(broker, "client");
    await client.subscribe("t", granted);
    for (const published of levels) {
      await broker.publish("t", "x", { qos: published });
      await client.expect({ cmd: "publish", topic: "t", qos: Math.min(granted, published) });
    }
    await client.disconnect();
  }
});

Deno.test("a retained message is delivered at the lower of the published and the granted QoS [MQTT-3.8.4-6] [MQTT-3.3.1-8]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  for (const published of levels) await broker.publish(`t/${published}`, "x", { qos: published, retain: true });
  for (const granted of levels) {
    for (const published of levels) {
      await client.subscribe(`t/${published}`, granted);
      await client.expect({ cmd: "publish", topic: `t/${published}`, qos: Math.min(granted, published), retain: true });
    }
  }
});

Deno.test("overlapping subscriptions bring a message once, at the highest QoS among those that match [MQTT-3.3.5-1]", async () => {
  const filters = ["a/b", "a/+", "#"];
  await using broker = createBroker();
  for (const high of filters) {
    for (const [low, middle, greatest] of [[0, 0, 1], [0, 1, 2], [1, 1, 2]] as const) {
      await using client = await connected(broker, "client");
      for (const [i, filter] of filters.entries()) {
        await client.subscribe(filter, filter === high ? greatest : filter === "#" ? low : middle, i + 1);
      }
      await client.subscribe("a/c", 2, 4); // does not match
      for (const qos of levels) {
        await broker.publish("a/b", "x", { qos });
        await client.expect({ cmd: "publish", topic: "a/b", qos: Math.min(qos, greatest) });
        await client.expectNothing();
      }
      await client.disconnect();
    }
  }
});

Deno.test("without the highest of overlapping subscriptions the next one counts [MQTT-3.3.5-1] [MQTT-3.10.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  for (const [i, filter] of ["#", "a/+", "a/b"].entries()) await client.subscribe(filter, i, i + 1);
  for (const [filter, qos] of [["a/b", 2], ["a/+", 1], ["#", 0]] as const) {
    await broker.publish("a/b", "x", { qos: 2 });
    await client.expect({ cmd: "publish", topic: "a/b", qos });
    await client.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: [filter] });
    await client.expect({ cmd: "unsuback", messageId: 9 });
  }
  await broker.publish("a/b", "x", { qos: 2 });
  await client.expectNothing();
});

Deno.test("an identical filter replaces the subscription, and brings the retained messages again [MQTT-3.8.4-3] [MQTT-3.3.1-6] [MQTT-3.3.1-8]", async () => {
  await using broker = createBroker();
  await broker.publish("a/b", "kept", { qos: 1, retain: true });
  await using client = await connected(broker, "client");
  for (const filter of ["a/b", "a/+"]) {
    for (const qos of [1, 0, 1, 1]) {
      await client.subscribe(filter, qos);
      await client.expect({ cmd: "publish", topic: "a/b", payload: "kept", qos, retain: true });
      await broker.publish("a/b", "new", { qos: 2 });
      await client.expect({ cmd: "publish", topic: "a/b", payload: "new", qos, retain: false });
      await client.expectNothing(); // one subscription, not two
    }
    await client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: [filter] });
    await client.expect({ cmd: "unsuback", messageId: 2 });
    await broker.publish("a/b", "nobody", { qos: 1 });
    await client.expectNothing();
  }
});

Deno.test("filters that differ in a single character are different subscriptions [MQTT-3.8.4-3]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  for (const [i, filter] of ["a/b", "A/b", "a/b/", "/a/b", "a/#"].entries()) {
    await client.subscribe(filter, i % 3, i + 1);
  }
  await broker.publish("A/b", "x", { qos: 2 });
  await broker.publish("/a/b", "y", { qos: 2 });
  await expectAll(client, ["publish 1 qos1 x", "publish qos0 y"]);
});

Deno.test("publications go on while their subscription is replaced: none is lost or doubled [MQTT-3.8.4-3]", async () => {
  await using broker = createBroker({ authorize: () => Promise.resolve(true) });
  await using client = await connected(broker, "client");
  await client.subscribe("t", 1);
  const published: Promise<void>[] = [];
  for (let i = 0; i < 50; i++) {
    published.push(broker.publish("t", `${i}`, { qos: 1 }));
    if (i % 5 === 0) {
      await client.send({ cmd: "subscribe", messageId: 2, subscriptions: [{ topic: "t", qos: 1 + i % 2 }] });
    }
  }
  await Promise.all(published);
  const texts = (await receiveAll(client)).filter(({ cmd }) => cmd === "publish").map(({ payload }) => `${payload}`);
  assertEquals(texts, Array.from({ length: 50 }, (_, i) => `${i}`));
});

Deno.test("a subscription is replaced also in a later connection of its session [MQTT-3.8.4-3] [MQTT-4.1.0-1]", async () => {
  await using broker = createBroker();
  await using client = await resumed(broker, "client", false);
  await client.subscribe("t/#", 2);
  await client.disconnect();
  await broker.publish("t/1", "a", { qos: 2 });
  await using again = await resumed(broker, "client");
  await again.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t/#", qos: 1 }] });
  await expectAll(again, ["publish 1 qos2 a", "suback 1"]);
  await broker.publish("t/1", "b", { qos: 2 });
  await expectAll(again, ["publish 2 qos1 b"]);
});
