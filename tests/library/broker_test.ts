import { assertEquals, assertThrows } from "@std/assert";
import { createBroker, MqttError, rx } from "../../mod.ts";
import { connected } from "../support/client.ts";

Deno.test("publish() reaches observers of matching topics, with captures", async () => {
  await using broker = createBroker();
  const seen: string[] = [];
  broker.topic("home/+/#").subscribe(({ captures: [room, rest], ...message }) =>
    seen.push(`${room} ${rest} ${message.qos}`)
  );
  await broker.publish("home/kitchen/lamp/1", "on", { qos: 1 });
  await broker.publish("garden/kitchen", "on");
  assertEquals(seen, ["kitchen lamp/1 1"]);
});

Deno.test("publish() reaches clients, and clients reach observers", async () => {
  await using broker = createBroker();
  const seen = rx.firstValueFrom(broker.topic("up"));
  const client = await connected(broker, "c");
  await client.subscribe("down", 1);
  await broker.publish("down", { celsius: 21 }, { qos: 1 });
  await client.expect({ cmd: "publish", topic: "down", payload: '{"celsius":21}', qos: 1, retain: false });
  await client.publish("up", "hello");
  const message = await seen;
  assertEquals([message.text(), message.client], ["hello", "c"]);
  await client.disconnect();
});

Deno.test("publish() throws at once for a bad topic name, a bad QoS and a closed broker", async () => {
  const broker = createBroker();
  assertThrows(() => broker.publish("a/#", ""), TypeError, 'Topic name "a/#" holds a wildcard');
  assertThrows(() => broker.publish("a", "", { qos: 3 as 2 }), RangeError, "QoS is 3");
  await broker.close();
  assertThrows(() => broker.publish("a", ""), MqttError, "Broker is closed");
});
