// PUBLISH (5.0 sections 3.3.1 and 3.3.2.1): its flags, its topic name, and how it is answered.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { field } from "../conformance/support.ts";
import { receiveAll } from "../conformance/script.ts";
import { violationsOf } from "../conformance/violations.ts";
import { connected5, expectAll5, faults, resumed5, subscribe5 } from "./clients.ts";
import { packet, property, publishFrame, RecordingClient } from "./packets.ts";

const PUBLISH = 0x30;

Deno.test("a PUBLISH is answered as its QoS says: nothing, PUBACK or PUBREC [MQTT5-3.3.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  for (const [qos, answers] of [[0, []], [1, ["puback 7"]], [2, ["pubrec 7"]]] as const) {
    await client.sendBytes(publishFrame({ qos, id: 7 }));
    await expectAll5(client, answers);
  }
});

Deno.test(
  "a PUBLISH with both QoS bits set is malformed [MQTT5-3.3.1-4]",
  faults(
    violationsOf([0x06, 0x07, 0x0e, 0x0f], (flags) => packet(PUBLISH | flags, ...field("a"), 0, 1, 0)),
    "malformed-packet",
  ),
);

Deno.test(
  "a PUBLISH with DUP at QoS 0 is malformed [MQTT5-3.3.1-2]",
  faults(
    { "DUP": publishFrame({ dup: true }), "DUP and RETAIN": publishFrame({ dup: true, retain: true }) },
    "malformed-packet",
  ),
);

Deno.test("QoS 0 goes out with DUP 0 and the topic name first, to the byte [MQTT5-3.3.1-2] [MQTT5-3.3.2-1] [MQTT5-4.3.1-1]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "grüße/#", { qos: 2 });
  client.taken();
  await broker.publish("grüße/€", "x");
  assertEquals(await client.publishBytes(), publishFrame({ topic: "grüße/€", payload: "x" }));
});

Deno.test(
  "a PUBLISH whose topic name is not a UTF-8 string, or not there, is malformed [MQTT5-3.3.2-1]",
  faults({
    "a byte that UTF-8 does not know": publishFrame({ topic: [0x61, 0xff] }),
    "an overlong form": publishFrame({ topic: [0xc0, 0x80] }),
    "half of a surrogate pair": publishFrame({ topic: [0xed, 0xa0, 0x80] }),
    "beyond U+10FFFF": publishFrame({ topic: [0xf4, 0x90, 0x80, 0x80] }),
    "cut off within a character": publishFrame({ topic: [0xe2, 0x82] }),
    "longer than the packet": packet(PUBLISH, 0, 9, 0x61, 0x62),
    "half a length": packet(PUBLISH, 0),
    "nothing at all": packet(PUBLISH),
    "no property length behind it": packet(PUBLISH, ...field("a")),
    "ill-formed, beside an alias": publishFrame({ topic: [0xff], properties: [property.alias(1)] }),
  }, "malformed-packet"),
);

Deno.test(
  "a PUBLISH with a wildcard in its topic name is malformed [MQTT5-3.3.2-2] [MQTT5-4.7.0-1]",
  faults(
    violationsOf(["#", "+", "a/#", "+/a", "a/+/b", "a+", "a#b", "#/a"], (topic) => publishFrame({ topic })),
    "malformed-packet",
  ),
);

Deno.test("the topic name that a subscriber is sent is the published one, and matches its filter [MQTT5-3.3.2-3]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "sport/+/player/#");
  await using publisher = await connected5(broker, "publisher");
  const matching = ["sport/tennis/player", "sport/golf/player/1", "sport//player/a/b"];
  for (const topic of [...matching, "sport/tennis", "sport/player", "Sport/golf/player"]) {
    await publisher.publish(topic, "");
  }
  await publisher.expectNothing();
  assertEquals((await receiveAll(subscriber)).map(({ topic }) => topic), matching);
});

Deno.test("DUP tells of this transmission alone, not of the publisher's [MQTT5-3.3.1-1] [MQTT5-3.3.1-3]", async () => {
  await using broker = createBroker();
  await using subscriber = await resumed5(broker, "subscriber");
  await subscribe5(subscriber, "#", { qos: 2 });
  await using publisher = await connected5(broker, "publisher");
  for (const qos of [1, 2]) {
    await publisher.sendBytes(publishFrame({ qos, id: qos, dup: true, payload: "x" }));
    await publisher.expect({ cmd: qos === 1 ? "puback" : "pubrec", messageId: qos });
  }
  await expectAll5(subscriber, ["publish 1 qos1 x", "publish 2 qos2 x"]);
  await subscriber.drop();
  await publisher.publish("t", "y", { qos: 1, messageId: 3 });
  await using again = await resumed5(broker, "subscriber");
  await expectAll5(again, ["publish 1 qos1 x dup", "publish 2 qos2 x dup", "publish 3 qos1 y"]);
});
