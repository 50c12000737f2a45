// The fixed header (3.1.1 section 2.2): its flags, in both directions.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { refuseTheConnection } from "./openings.ts";
import { field, frame } from "./support.ts";
import { endTheConnection, wrongFlags } from "./violations.ts";

/** The packets of a client whose flags are reserved. */
const packets: readonly PacketLike[] = [
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 1 },
  { cmd: "pubrel", messageId: 1 },
  { cmd: "pubcomp", messageId: 1 },
  { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] },
  { cmd: "unsubscribe", messageId: 1, unsubscriptions: ["a"] },
  { cmd: "pingreq" },
  { cmd: "disconnect" },
];

for (const packet of packets) {
  Deno.test(
    `${packet.cmd.toUpperCase()} with other flags than its own ends the connection [MQTT-2.2.2-1] [MQTT-2.2.2-2]`,
    endTheConnection(wrongFlags(packet)),
  );
}

Deno.test(
  "CONNECT with flags in its fixed header ends the connection [MQTT-2.2.2-1] [MQTT-2.2.2-2]",
  refuseTheConnection(wrongFlags({ cmd: "connect", clientId: "client", clean: true, keepalive: 0 })),
);

Deno.test("wrong flags over TCP end the connection, too [MQTT-2.2.2-2]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using other = await connected(broker, "other");
  await using client = await TestClient.tcp(listener.port);
  await client.connect();
  await client.sendBytes(frame(0x80, 0, 1, ...field("a"), 0)); // SUBSCRIBE with flags 0000
  await client.expectClosed();
  assertEquals(broker.counters.get("disconnected/malformed-packet"), 1);
  await other.expectNothing();
});

/** A connection of which every byte that the broker sends is noted in `seen`. */
function observed(broker: ReturnType<typeof createBroker>, seen: number[]): TestClient {
  const [ours, theirs] = memoryPair();
  broker.accept(theirs);
  const stream: ByteStream = {
    ...ours,
    async read(buffer) {
      const count = await ours.read(buffer);
      seen.push(...buffer.subarray(0, count ?? 0));
      return count;
    },
  };
  return new TestClient(stream);
}

Deno.test("the broker's own packets have the flags of the table, to the bit [MQTT-2.2.2-1]", async () => {
  await using broker = createBroker();
  const seen: number[] = [];
  await using client = observed(broker, seen);
  await client.connect();
  await client.subscribe("t", 2, 10);
  const exchange: readonly (readonly [PacketLike, ...PacketLike["cmd"][]])[] = [
    [{ cmd: "publish", topic: "t", payload: "0", qos: 0 }, "publish"],
    [{ cmd: "publish", topic: "t", payload: "1", qos: 1, messageId: 11 }, "publish", "puback"],
    [{ cmd: "publish", topic: "t", payload: "2", qos: 2, messageId: 12, retain: true }, "publish", "pubrec"],
    [{ cmd: "pubrel", messageId: 12 }, "pubcomp"],
    [{ cmd: "pubrec", messageId: 2 }, "pubrel"],
    [{ cmd: "subscribe", messageId: 13, subscriptions: [{ topic: "t", qos: 0 }] }, "suback", "publish"],
    [{ cmd: "unsubscribe", messageId: 14, unsubscriptions: ["t"] }, "unsuback"],
    [{ cmd: "pingreq" }, "pingresp"],
  ];
  for (const [packet, ...answers] of exchange) {
    await client.send(packet);
    for (const cmd of answers) await client.expect({ cmd });
  }
  const expected = [
    frame(0x20, 0, 0), // CONNACK
    frame(0x90, 0, 10, 2), // SUBACK
    frame(0x30, ...field("t"), 0x30), // PUBLISH at QoS 0
    frame(0x32, ...field("t"), 0, 1, 0x31), // at QoS 1
    frame(0x40, 0, 11), // PUBACK
    frame(0x34, ...field("t"), 0, 2, 0x32), // at QoS 2
    frame(0x50, 0, 12), // PUBREC
    frame(0x70, 0, 12), // PUBCOMP
    frame(0x62, 0, 2), // PUBREL
    frame(0x90, 0, 13, 0), // SUBACK
    frame(0x31, ...field("t"), 0x32), // a retained PUBLISH
    frame(0xb0, 0, 14), // UNSUBACK
    frame(0xd0), // PINGRESP
  ];
  assertEquals(seen, expected.flat());
});

Deno.test("packets that are sent again differ in their DUP flag alone [MQTT-2.2.2-1] [MQTT-2.3.1-3]", async () => {
  await using broker = createBroker();
  const first: number[] = [], second: number[] = [];
  {
    await using client = observed(broker, first);
    await client.connect({ clean: false });
    await client.subscribe("t", 2);
    for (const payload of ["1", "2"]) {
      await broker.publish("t", payload, { qos: 2 });
      await client.expect({ cmd: "publish", payload });
    }
    await client.send({ cmd: "pubrec", messageId: 1 });
    await client.expect({ cmd: "pubrel", messageId: 1 });
  }
  await using client = observed(broker, second);
  await client.connect({ clean: false });
  for (const cmd of ["pubrel", "publish"] as const) await client.expect({ cmd });
  const released = frame(0x62, 0, 1), body = [...field("t"), 0, 2, 0x32];
  assertEquals([...first.slice(-frame(0x34, ...body).length - released.length)], [
    ...frame(0x34, ...body),
    ...released,
  ]);
  assertEquals(second, [...frame(0x20, 1, 0), ...released, ...frame(0x3c, ...body)]);
});
