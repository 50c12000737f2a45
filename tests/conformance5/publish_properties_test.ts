// The properties of a message (5.0 section 3.3.2.3): each reaches every subscriber as it was published, and a wrong one ends the
// publisher's connection.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { VirtualClock } from "../support/clock.ts";
import type { TestClient } from "../support/client.ts";
import { violationsOf } from "../conformance/violations.ts";
import { connected5, faults, resumed5, subscribe5 } from "./clients.ts";
import { propertiesIn, property, publishFrame, RecordingClient } from "./packets.ts";

const { payloadFormat, expiry, contentType, responseTopic, correlation, user, identifier } = property;

/** Sends a PUBLISH of QoS 1 and takes its acknowledgement. */
async function publish(client: TestClient, properties: readonly number[][], payload = "x"): Promise<void> {
  await client.sendBytes(publishFrame({ qos: 1, id: 9, retain: true, properties, payload }));
  await client.expect({ cmd: "puback", messageId: 9 });
}

/** Asserts that a subscriber, a second one and a future one are sent exactly these properties. */
async function assertUnaltered(...properties: number[][]): Promise<void> {
  await using broker = createBroker({ clock: new VirtualClock() });
  await using first = await RecordingClient.connected(broker, { clientId: "first" });
  await subscribe5(first, "#", { qos: 0 });
  await using second = await RecordingClient.connected(broker, { clientId: "second" });
  await subscribe5(second, "t", { qos: 2, rap: true });
  for (const subscriber of [first, second]) subscriber.taken();
  await using publisher = await connected5(broker, "publisher");
  await publish(publisher, properties);
  for (const subscriber of [first, second]) assertEquals(propertiesIn(await subscriber.publishBytes()), properties);
  await using future = await RecordingClient.connected(broker, { clientId: "future" });
  await future.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "+", qos: 1 }] });
  await future.expect({ cmd: "suback" });
  await future.expect({ cmd: "publish" });
  const bytes = future.taken(), subackLength = 2 + 4;
  assertEquals(propertiesIn(bytes.slice(subackLength)), properties);
}

Deno.test("the payload format indicator is sent unaltered, 0 too, whatever the payload is [MQTT5-3.3.2-4]", async () => {
  await assertUnaltered(payloadFormat(0));
  await assertUnaltered(payloadFormat(1));
  await assertUnaltered();
});

Deno.test("the content type is sent unaltered [MQTT5-3.3.2-20]", async () => {
  for (const text of ["text/plain; charset=utf-8", "", "größe/€/😀/\ufeff", " ", "c".repeat(65_535)]) {
    await assertUnaltered(contentType(text));
  }
});

Deno.test("the response topic is sent unaltered [MQTT5-3.3.2-15]", async () => {
  for (const topic of ["answers/17", "/", "ünïcode/ /😀", "$SYS/x", "r".repeat(300)]) {
    await assertUnaltered(responseTopic(topic));
  }
});

Deno.test("correlation data is sent unaltered, whatever bytes it holds [MQTT5-3.3.2-16]", async () => {
  for (const data of [[], [0], [0xff, 0xfe, 0, 0xc0, 0x80], Array.from({ length: 400 }, (_, i) => i & 0xff)]) {
    await assertUnaltered(correlation(data));
  }
});

Deno.test("user properties are sent unaltered and in their order, of equal names too [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]", async () => {
  await assertUnaltered(user("b", "1"), user("a", "2"), user("b", "3"), user("a", "2"), user("10", ""), user("9", "x"));
  await assertUnaltered(user("", ""), user("__proto__", "p"), user("constructor", "c"), user("ü€😀", "\ufeff"));
  await assertUnaltered(...Array.from({ length: 3000 }, (_, i) => user(`n${i * 7919 % 13}`, `v${i}`)));
});

Deno.test("all properties of a message go together, between user properties in order [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18] [MQTT5-3.3.2-20]", async () => {
  const sorted = [
    payloadFormat(1),
    expiry(60),
    contentType("a/b"),
    responseTopic("r"),
    correlation([1, 2]),
    user("z", "1"),
    user("y", "2"),
  ];
  await assertUnaltered(...sorted);
  await using broker = createBroker({ clock: new VirtualClock() });
  await using subscriber = await RecordingClient.connected(broker);
  await subscribe5(subscriber, "t");
  subscriber.taken();
  await using publisher = await connected5(broker, "publisher");
  const [format, interval, type, answer, data, first, second] = sorted as Required<typeof sorted>;
  await publish(publisher, [first!, data!, format!, second!, answer!, interval!, type!]);
  assertEquals(propertiesIn(await subscriber.publishBytes()), sorted);
});

Deno.test("QoS 1 and 2 carry the properties again when they are sent again [MQTT5-3.3.2-17] [MQTT5-4.4.0-1]", async () => {
  await using broker = createBroker();
  const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
  const list = [contentType("c"), user("b", "1"), user("a", "2")];
  await using before = await RecordingClient.connected(broker, session);
  await subscribe5(before, "t", { qos: 1, subscriptionIdentifier: 5 });
  before.taken();
  await using publisher = await connected5(broker, "publisher");
  await publish(publisher, list);
  const first = await before.publishBytes();
  assertEquals(propertiesIn(first), [list[0], identifier(5), ...list.slice(1)]);
  await before.drop();
  await using after = await RecordingClient.connected(broker, session);
  assertEquals(await after.publishBytes(), [first[0]! | 0x08, ...first.slice(1)]);
});

const illFormed = { "a stray byte": [0x61, 0xff], "half of a surrogate pair": [0xed, 0xa0, 0x80], "U+0000": [0x61, 0] };

/** A PUBLISH with each ill-formed string in a property. */
function withIllFormed(place: (text: readonly number[]) => number[]): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(illFormed).map(([name, text]) => [name, publishFrame({ properties: [place(text)] })]),
  );
}

Deno.test("a response topic that is not a UTF-8 string is malformed [MQTT5-3.3.2-13]", async (t) => {
  await faults(withIllFormed(responseTopic), "malformed-packet")(t);
});

Deno.test(
  "a response topic with a wildcard, or an empty one, is a protocol error [MQTT5-3.3.2-14]",
  faults(
    violationsOf(["#", "+", "a/#", "a/+/b", "a+", ""], (topic) => publishFrame({ properties: [responseTopic(topic)] })),
    "protocol-error",
  ),
);

Deno.test("a content type that is not a UTF-8 string is malformed [MQTT5-3.3.2-19]", async (t) => {
  await faults(withIllFormed(contentType), "malformed-packet")(t);
});

Deno.test("a user property that is not of UTF-8 strings is malformed", async (t) => {
  await faults(withIllFormed((text) => user(text, "v")), "malformed-packet")(t);
  await faults(withIllFormed((text) => user("n", text)), "malformed-packet")(t);
});

Deno.test(
  "a property that may stand once, stands twice: that is a protocol error",
  faults(
    Object.fromEntries(
      Object.entries({
        payloadFormat: payloadFormat(1),
        expiry: expiry(1),
        contentType: contentType("c"),
        responseTopic: responseTopic("r"),
        correlation: correlation([1]),
        alias: property.alias(1),
      }).map(([name, bytes]) => [name, publishFrame({ properties: [bytes, user("a", "b"), bytes] })]),
    ),
    "protocol-error",
  ),
);

Deno.test("a payload format indicator that is neither 0 nor 1 is a protocol error", async (t) => {
  await faults(
    violationsOf([2, 255], (value) => publishFrame({ properties: [payloadFormat(value)] })),
    "protocol-error",
  )(
    t,
  );
});

Deno.test("a message that says it is UTF-8 text and is not is refused with 0x99, where that is checked [MQTT5-3.4.2-1] [MQTT5-3.5.2-1]", async () => {
  await using broker = createBroker({ validatePayloadFormat: true });
  await using subscriber = await connected5(broker, "subscriber");
  await subscribe5(subscriber, "t", { qos: 2 });
  await using publisher = await connected5(broker, "publisher");
  for (const [qos, cmd] of [[1, "puback"], [2, "pubrec"]] as const) {
    for (
      const [format, payload, reasonCode] of [[1, [0xff], 0x99], [0, [0xff], 0], [1, [0xe2, 0x82, 0xac], 0]] as const
    ) {
      const frame = [...publishFrame({ qos, id: format + 1, properties: [payloadFormat(format)] }), ...payload];
      frame[1]! += payload.length;
      await publisher.sendBytes(frame);
      await publisher.expect({ cmd, messageId: format + 1, reasonCode });
      if (reasonCode === 0) await subscriber.expect({ cmd: "publish", qos });
      if (qos === 2 && reasonCode === 0) {
        await publisher.send({ cmd: "pubrel", messageId: format + 1 });
        await publisher.expect({ cmd: "pubcomp", reasonCode: 0 });
      }
    }
  }
  await subscriber.expectNothing();
  assertEquals(broker.counters.get("denied/payload-format-invalid"), 2);
});

Deno.test("properties count among the bytes that wait for a client, also empty ones", async () => {
  for (const list of [[contentType("c".repeat(900))], [user("n", "v".repeat(900))], Array(20).fill(user("", ""))]) {
    await using broker = createBroker({ limits: { queuedBytes: 1000 } });
    await using client = await resumed5(broker, "client");
    await subscribe5(client, "t", { qos: 1 });
    await client.disconnect();
    await using publisher = await connected5(broker, "publisher");
    await publish(publisher, []);
    for (let i = 0; i < 2; i++) await publish(publisher, list);
    assertEquals(broker.counters.get("dropped/queue-full"), list.length > 1 ? 2 : 1);
  }
});
