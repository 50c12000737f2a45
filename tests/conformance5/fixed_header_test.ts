// The fixed header and packet identifiers (5.0 sections 2.1 and 2.2.1), in both directions.
import { assert, assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import type { PacketLike } from "../support/client.ts";
import { expectAll, upTo } from "../conformance/script.ts";
import { field, frame } from "../conformance/support.ts";
import { bytesOf, wrongFlags } from "../conformance/violations.ts";
import { connected5, faults, resumed5, subscribe5 } from "./clients.ts";
import { packet, publishFrame, RecordingClient } from "./packets.ts";

/** The packets of a client whose flags are reserved. */
const packets: readonly PacketLike[] = [
  { cmd: "puback", messageId: 1 },
  { cmd: "pubrec", messageId: 1, reasonCode: 0x80, properties: { reasonString: "x" } },
  { cmd: "pubrel", messageId: 1 },
  { cmd: "pubcomp", messageId: 1 },
  { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] },
  { cmd: "unsubscribe", messageId: 1, unsubscriptions: ["a"] },
  { cmd: "pingreq" },
  { cmd: "disconnect", reasonCode: 0x04 },
  { cmd: "auth", reasonCode: 0x19, properties: { authenticationMethod: "toy" } },
];

for (const packet of packets) {
  Deno.test(
    `${packet.cmd.toUpperCase()} with other flags than its own ends the connection with 0x81 [MQTT5-2.1.3-1]`,
    faults(wrongFlags(packet, 5), "malformed-packet"),
  );
}

Deno.test("the broker's own packets have the flags of the table, and PUBLISH of QoS 0 no identifier [MQTT5-2.1.3-1] [MQTT5-2.2.1-2]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "t", { qos: 2 });
  client.taken();
  const exchange: readonly (readonly [PacketLike, ...(readonly number[])[]])[] = [
    [{ cmd: "publish", topic: "t", payload: "0", qos: 0 }, publishFrame({ payload: "0" })],
    [
      { cmd: "publish", topic: "t", payload: "1", qos: 1, messageId: 11 },
      publishFrame({ qos: 1, payload: "1" }),
      frame(0x40, 0, 11),
    ],
    [
      { cmd: "publish", topic: "t", payload: "2", qos: 2, messageId: 12, retain: true },
      publishFrame({ qos: 2, id: 2, payload: "2" }),
      frame(0x50, 0, 12),
    ],
    [{ cmd: "pubrel", messageId: 12 }, frame(0x70, 0, 12)],
    [{ cmd: "pubrec", messageId: 2 }, frame(0x62, 0, 2)],
    [
      { cmd: "subscribe", messageId: 13, subscriptions: [{ topic: "t", qos: 0 }] },
      frame(0x90, 0, 13, 0, 0),
      publishFrame({ retain: true, payload: "2" }),
    ],
    [{ cmd: "unsubscribe", messageId: 14, unsubscriptions: ["t"] }, frame(0xb0, 0, 14, 0, 0)],
    [{ cmd: "pingreq" }, frame(0xd0)],
  ];
  for (const [question, ...answers] of exchange) {
    await client.send(question);
    for (const _ of answers) await client.receive();
    assertEquals(client.taken(), answers.flat(), question.cmd);
  }
});

Deno.test(
  "a packet identifier of 0, or none where there must be one, ends the connection with 0x81 [MQTT5-2.2.1-3]",
  faults({
    "PUBLISH of QoS 1 with 0": publishFrame({ qos: 1, id: 0 }),
    "PUBLISH of QoS 2 with 0": publishFrame({ qos: 2, id: 0 }),
    "PUBLISH of QoS 1 with half of one": frame(0x32, ...field("t"), 0),
    "SUBSCRIBE with 0": frame(0x82, 0, 0, 0, ...field("a"), 0),
    "UNSUBSCRIBE with 0": frame(0xa2, 0, 0, 0, ...field("a")),
    "PUBACK with 0": frame(0x40, 0, 0),
    "PUBREC with 0 and a reason code": frame(0x50, 0, 0, 0x10),
    "PUBREL with 0": frame(0x62, 0, 0),
    "PUBCOMP without": frame(0x70),
  }, "malformed-packet"),
);

Deno.test("a client may use each identifier again as soon as it is free, and in each direction [MQTT5-2.2.1-3]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  for (const messageId of [1, 1, 65_535, 1]) {
    await client.send({ cmd: "publish", topic: "t", payload: "x", qos: 1, messageId });
    await client.expect({ cmd: "publish" });
    await client.expect({ cmd: "puback", messageId });
  }
});

Deno.test("the broker's identifiers are not 0 and not in use, also where 65,535 are used up [MQTT5-2.2.1-4]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await broker.publish("t", "kept", { qos: 1 });
  const { messageId: kept } = await client.expect({ cmd: "publish", payload: "kept" });
  const used = new Set<number>();
  for (let sent = 0; sent < 70_000; sent += 50) {
    for (const _ of upTo(50)) broker.publish("t", "x", { qos: 1 });
    const acks: number[] = [];
    for (const _ of upTo(50)) {
      const { messageId } = await client.receive();
      used.add(messageId);
      acks.push(...frame(0x40, messageId >> 8, messageId & 0xff));
    }
    await client.sendBytes(acks);
  }
  assertEquals([used.has(0), used.has(kept)], [false, false]);
  assert(used.size < 65_535 && used.size > 50_000, `${used.size} identifiers went round`);
});

Deno.test("acknowledgements carry the identifier of what they answer, refusals too [MQTT5-2.2.1-5] [MQTT5-2.2.1-6]", async () => {
  await using broker = createBroker({ authorize: ({ topic }) => !topic.startsWith("secret") });
  await using client = await connected5(broker, "client");
  for (const messageId of [1, 255, 256, 65_535]) {
    const codes = (topic: string, code: number): [PacketLike, PacketLike][] => [
      [{ cmd: "publish", topic, payload: "", qos: 1, messageId }, { cmd: "puback", messageId, reasonCode: code }],
      [{ cmd: "publish", topic, payload: "", qos: 2, messageId }, { cmd: "pubrec", messageId, reasonCode: code }],
      [
        { cmd: "subscribe", messageId, subscriptions: [{ topic: `${topic}/+`, qos: 0 }] },
        { cmd: "suback", messageId, granted: [code] },
      ],
    ];
    const others: [PacketLike, PacketLike][] = [
      [{ cmd: "pubrel", messageId }, { cmd: "pubcomp", messageId, reasonCode: 0 }],
      [{ cmd: "pubrel", messageId }, { cmd: "pubcomp", messageId, reasonCode: 0x92 }],
      [{ cmd: "unsubscribe", messageId, unsubscriptions: ["x"] }, { cmd: "unsuback", messageId, granted: [0x11] }],
    ];
    for (const [packet, answer] of [...codes("secret", 0x87), ...codes("open", 0), ...others]) {
      await client.send(packet);
      await client.expect(answer);
    }
  }
});

Deno.test("what is sent again has the identifier that it had, and so has its PUBREL [MQTT5-2.2.1-5]", async () => {
  await using broker = createBroker();
  {
    await using client = await resumed5(broker, "client");
    await subscribe5(client, "t", { qos: 2 });
    for (const payload of ["a", "b", "c"]) await broker.publish("t", payload, { qos: 2 });
    await expectAll(client, ["publish 1 qos2 a", "publish 2 qos2 b", "publish 3 qos2 c"]);
    await client.sendBytes(frame(0x50, 0, 2));
    await expectAll(client, ["pubrel 2"]);
  }
  await using client = await resumed5(broker, "client");
  await expectAll(client, ["pubrel 2", "publish 1 qos2 a dup", "publish 3 qos2 c dup"]);
});

Deno.test(
  "a packet that is not for a client to send ends the connection with 0x82 [MQTT5-4.13.1-1]",
  faults({
    "CONNACK": bytesOf({ cmd: "connack", reasonCode: 0, sessionPresent: false }, 5),
    "SUBACK": bytesOf({ cmd: "suback", messageId: 1, granted: [0] }, 5),
    "UNSUBACK": bytesOf({ cmd: "unsuback", messageId: 1, granted: [0] }, 5),
    "PINGRESP": bytesOf({ cmd: "pingresp" }),
  }, "protocol-error"),
);

Deno.test(
  "a packet of the reserved type 0, too short, or too long ends the connection with 0x81 [MQTT5-4.13.1-1]",
  faults({
    "type 0": frame(0x00),
    "type 0 with flags and a body": frame(0x02, 0, 1),
    "PINGREQ with a body": frame(0xc0, 0),
    "PUBACK that goes on": frame(0x40, 0, 1, 0, 0, 0),
    "PUBACK with properties that are cut off": frame(0x40, 0, 1, 0, 1),
    "SUBSCRIBE that ends within a filter": frame(0x82, 0, 1, 0, 0, 5, 0x61),
    "SUBSCRIBE without options": frame(0x82, 0, 1, 0, ...field("a")),
    "UNSUBSCRIBE that goes on": frame(0xa2, 0, 1, 0, ...field("a"), 0),
    "DISCONNECT that goes on": frame(0xe0, 0, 0, 0),
    "AUTH that goes on": packet(0xf0, 0, 0, 0),
  }, "malformed-packet"),
);
