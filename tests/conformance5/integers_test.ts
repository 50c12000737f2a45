// Variable byte integers, and lengths of no properties (5.0 sections 1.5.5 and 2.2.2.1).
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { field, frame } from "../conformance/support.ts";
import { connected5, faults, subscribe5 } from "./clients.ts";
import { connectFrame, refuseAsMalformed } from "./connects.ts";
import { packet, property, publishFrame, RecordingClient } from "./packets.ts";

const connect = connectFrame().slice(2), [nameAndFlags, payload] = [connect.slice(0, 10), connect.slice(11)];

Deno.test(
  "a CONNECT with a length in more bytes than it needs is refused with 0x81 [MQTT5-1.5.5-1]",
  refuseAsMalformed({
    "remaining length in two bytes": [0x10, connect.length | 0x80, 0, ...connect],
    "remaining length in four bytes": [0x10, connect.length | 0x80, 0x80, 0x80, 0, ...connect],
    "property length in two bytes": frame(0x10, ...nameAndFlags, 0x80, 0, ...payload),
    "property length in four bytes": frame(0x10, ...nameAndFlags, 0x80, 0x80, 0x80, 0, ...payload),
    "property length in five bytes": frame(0x10, ...nameAndFlags, 0x80, 0x80, 0x80, 0x80, 0, ...payload),
  }),
);

Deno.test(
  "a variable byte integer with more bytes than it needs ends the connection with 0x81 [MQTT5-1.5.5-1]",
  faults({
    "remaining length of PINGREQ": [0xc0, 0x80, 0],
    "remaining length of PUBLISH": [0x30, 0x84, 0, ...field("t"), 0],
    "remaining length of PUBACK": [0x40, 0x82, 0, 0, 1],
    "remaining length of DISCONNECT": [0xe0, 0x80, 0x80, 0x80, 0],
    "property length of PUBLISH": frame(0x30, ...field("t"), 0x80, 0),
    "property length of PUBACK": frame(0x40, 0, 1, 0x80, 0x80, 0),
    "property length of SUBSCRIBE": frame(0x82, 0, 1, 0x80, 0, ...field("t"), 0),
    "property length of UNSUBSCRIBE": frame(0xa2, 0, 1, 0x80, 0, ...field("t")),
    "property length of DISCONNECT": frame(0xe0, 0, 0x80, 0),
    "subscription identifier": frame(0x82, 0, 1, 3, 11, 0x81, 0, ...field("t"), 0),
  }, "malformed-packet"),
);

Deno.test(
  "a variable byte integer of more than four bytes ends the connection with 0x81 [MQTT5-1.5.5-1]",
  faults({
    "remaining length": [0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
    "property length": frame(0x30, ...field("t"), 0xff, 0xff, 0xff, 0xff, 0x01),
    "subscription identifier": frame(0x82, 0, 1, 6, 11, 0xff, 0xff, 0xff, 0xff, 0x01, ...field("t"), 0),
  }, "malformed-packet"),
);

Deno.test("lengths of one to three bytes are read and written [MQTT5-1.5.5-1]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "t");
  client.taken();
  for (const size of [0, 119, 120, 126, 127, 128, 16_370, 16_383, 16_384, 65_535]) {
    const frame = publishFrame({ properties: [property.user("", "x".repeat(size))] });
    await client.sendBytes(frame);
    assertEquals(await client.publishBytes(), frame);
  }
});

Deno.test(
  "a packet without its property length ends the connection with 0x81 [MQTT5-2.2.2-1]",
  faults({
    "PUBLISH": frame(0x30, ...field("t")),
    "PUBLISH of QoS 1": frame(0x32, ...field("t"), 0, 1),
    "SUBSCRIBE": frame(0x82, 0, 1, ...field("t"), 0),
    "SUBSCRIBE and nothing else": frame(0x82, 0, 1),
    "UNSUBSCRIBE": frame(0xa2, 0, 1, ...field("t")),
  }, "malformed-packet"),
);

Deno.test(
  "a CONNECT without a property length is refused with 0x81 [MQTT5-2.2.2-1]",
  refuseAsMalformed({
    "its own": frame(0x10, ...nameAndFlags, ...payload),
    "its will's": connectFrame({ flags: 6, fields: ["c", "will", "gone"] }),
  }),
);

Deno.test("the broker's packets have a property length of 0, or leave it out where they may [MQTT5-2.2.2-1]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await client.subscribe("t", 2, 10);
  await client.publish("t", "0");
  await client.expect({ cmd: "publish" });
  await client.publish("u", "1", { qos: 1, messageId: 11 });
  await client.publish("u", "2", { qos: 2, messageId: 12 });
  await client.send({ cmd: "unsubscribe", messageId: 13, unsubscriptions: ["t"] });
  await client.expect({ cmd: "unsuback" });
  const expected = [
    frame(0x90, 0, 10, 0, 2), // SUBACK
    frame(0x30, ...field("t"), 0, 0x30), // PUBLISH
    frame(0x40, 0, 11), // PUBACK
    frame(0x50, 0, 12), // PUBREC
    frame(0x70, 0, 12), // PUBCOMP
    frame(0xb0, 0, 13, 0, 0), // UNSUBACK
  ];
  assertEquals(client.taken(), expected.flat());
});

Deno.test("where a client may leave out property length and reason code, it may also send them [MQTT5-2.2.2-1]", async () => {
  for (const end of [frame(0xe0), frame(0xe0, 0), frame(0xe0, 0, 0)]) {
    await using broker = createBroker();
    await using client = await connected5(broker, "c");
    await client.subscribe("t", 1);
    for (const reason of [[], [0], [0, 0]]) {
      await broker.publish("t", "x", { qos: 1 });
      const { messageId } = await client.expect({ cmd: "publish" });
      await client.sendBytes(frame(0x40, 0, messageId, ...reason));
      await client.expectNothing();
    }
    await client.sendBytes(end);
    await client.expectClosed();
    assertEquals(broker.counters.get("disconnected/disconnect"), 1);
  }
});

Deno.test("a CONNECT of two bytes of length is one [MQTT5-1.5.5-1]", async () => {
  await using broker = createBroker();
  await using client = TestClient.memory(broker, 5);
  const long = connectFrame({ fields: ["x".repeat(200)] });
  assertEquals(long, packet(0x10, ...long.slice(3)));
  await client.sendBytes(long);
  await client.expect({ cmd: "connack", reasonCode: 0 });
});
