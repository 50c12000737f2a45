import { assertEquals } from "@std/assert";
import { createBroker, Message, type PacketTrace, rx } from "../../mod.ts";
import { connected } from "../support/client.ts";

Deno.test("published shows each message before routed does, whoever was subscribed first", async () => {
  await using broker = createBroker({
    routing: [rx.map((message) => message.with({ topic: `new/${message.topic}` }))],
  });
  const seen: string[] = [];
  broker.routed.subscribe(({ topic }) => {
    seen.push(`routed ${topic}`);
    if (topic === "new/a") broker.publish("b", "");
  });
  broker.published.subscribe(({ topic }) => seen.push(`published ${topic}`));
  await broker.publish("a", "");
  assertEquals(seen, ["published a", "routed new/a", "published b", "routed new/b"]);
});

Deno.test("packets shows the packets of every client in both directions, a PUBLISH at QoS 0 with packet identifier 0", async () => {
  await using broker = createBroker();
  const client = await connected(broker, "c"), seen: PacketTrace[] = [];
  broker.packets.subscribe((trace) => seen.push(trace));
  await client.subscribe("t");
  await client.publish("t", "hello");
  await client.expect({ cmd: "publish", topic: "t" });
  await client.disconnect();
  assertEquals(seen.map(({ direction, client, packet }) => [direction, client, packet.cmd]), [
    ["in", "c", "subscribe"],
    ["out", "c", "suback"],
    ["in", "c", "publish"],
    ["out", "c", "publish"],
    ["in", "c", "disconnect"],
  ]);
  const ids = seen.flatMap(({ packet }) => packet.cmd === "publish" ? [packet.messageId] : []);
  assertEquals(ids, [0, 0]);
});

Deno.test("an observer of published, routed or packets that throws is reported, and is not in the way of any other", async () => {
  await using broker = createBroker();
  const seen: string[] = [];
  for (const name of ["published", "routed", "packets"] as const) {
    const observed: rx.Observable<unknown> = broker[name];
    observed.subscribe(() => {
      throw new Error(name);
    });
    observed.subscribe(() => seen.push(name));
  }
  await broker.publish("a", "");
  await using client = await connected(broker, "c");
  await client.expectNothing();
  assertEquals(seen, ["published", "routed", ...Array(4).fill("packets")]);
  assertEquals(broker.counters.get("observer-error"), 6);
});

Deno.test("an operator may make a message of the parts of another one, at once or later", async () => {
  await using broker = createBroker({
    routing: [rx.mergeMap(async (message) => await new Message({ ...message, topic: `new/${message.topic}` }))],
  });
  await using client = await connected(broker, "c");
  const seen = rx.firstValueFrom(broker.routed);
  await client.publish("a", "hello", { qos: 1 });
  const { topic, payload } = await seen;
  await client.publish("b", "other bytes in the same buffer", { qos: 1 });
  assertEquals([topic, new TextDecoder().decode(payload)], ["new/a", "hello"]);
});

Deno.test("what an observer of a topic gets shares its memory with nobody, also behind routing operators", async () => {
  await using broker = createBroker({ routing: [rx.tap()] });
  await using client = await connected(broker, "c");
  const seen: Message[] = [];
  broker.topic("+").subscribe((message) => seen.push(message));
  for (const topic of ["a", "b"]) await client.publish(topic, `from ${topic}`, { qos: 1 });
  (seen[0]!.payload.buffer as ArrayBuffer).transfer();
  assertEquals(seen.map((message) => [message.text(), message.payload.buffer.byteLength]), [["", 0], ["from b", 6]]);
});
