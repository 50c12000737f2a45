// UNSUBSCRIBE and UNSUBACK (5.0 sections 3.10 and 3.11).
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { field } from "../conformance/support.ts";
import { bytesOf, wrongFlags } from "../conformance/violations.ts";
import { connected5, expectAll5, faults, resumed5, subscribe5, unsubscribe5 } from "./clients.ts";
import { packet, properties, property, publishFrame } from "./packets.ts";

const SUCCESS = 0, NOT_FOUND = 0x11;

/** An UNSUBSCRIBE with this body behind its packet identifier and its empty properties. */
function unsubscribeFrame(...body: readonly number[]): number[] {
  return packet(0xa2, 0, 7, 0, ...body);
}

Deno.test(
  "an UNSUBSCRIBE with other flags than 0010 is malformed [MQTT5-3.10.1-1]",
  faults(wrongFlags({ cmd: "unsubscribe", messageId: 7, unsubscriptions: ["a"] }, 5), "malformed-packet"),
);

Deno.test(
  "an UNSUBSCRIBE whose filter is not a UTF-8 string, or not whole, is malformed [MQTT5-3.10.3-1]",
  faults({
    "a byte that UTF-8 does not know": unsubscribeFrame(0, 2, 0x61, 0xff),
    "an overlong form": unsubscribeFrame(0, 2, 0xc0, 0xaf),
    "half of a surrogate pair": unsubscribeFrame(0, 3, 0xed, 0xa0, 0x80),
    "in the second filter": unsubscribeFrame(...field("a"), 0, 1, 0xff),
    "longer than the packet": unsubscribeFrame(0, 9, 0x61),
    "half a length": unsubscribeFrame(0),
    "no property length": packet(0xa2, 0, 7),
    "nothing at all": packet(0xa2),
    "a property that does not belong there": packet(0xa2, 0, 7, ...properties(property.identifier(1)), ...field("a")),
  }, "malformed-packet"),
);

Deno.test(
  "an UNSUBSCRIBE without a filter is a protocol error [MQTT5-3.10.3-2]",
  faults({
    "no filter": unsubscribeFrame(),
    "user properties alone": packet(0xa2, 0, 7, ...properties(property.user("a", "b"))),
  }, "protocol-error"),
);

Deno.test("an UNSUBSCRIBE is answered with an UNSUBACK of its identifier, also where nothing is deleted [MQTT5-3.10.4-4] [MQTT5-3.10.4-5] [MQTT5-3.11.3-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  for (const [messageId, code] of [[1, SUCCESS], [256, NOT_FOUND], [65_535, NOT_FOUND], [1, NOT_FOUND]] as const) {
    await client.send({ cmd: "unsubscribe", messageId, unsubscriptions: ["t"] });
    await client.expect({ cmd: "unsuback", messageId, granted: [code] });
  }
  await client.expectNothing();
});

Deno.test("several filters are handled in order, and answered once, with a code for each in that order [MQTT5-3.10.4-6] [MQTT5-3.11.3-1] [MQTT5-3.11.3-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  for (const filter of ["a", "a/+", "b/#", "c", "$share/g/d"]) await subscribe5(client, filter);
  await unsubscribe5(
    client,
    ["a", "unknown", "a", "b/#", "d", "$share/g/d", "$share/h/d", "a/+"],
    [SUCCESS, NOT_FOUND, NOT_FOUND, SUCCESS, NOT_FOUND, SUCCESS, NOT_FOUND, SUCCESS],
  );
  for (const topic of ["a", "a/b", "b/c", "c", "d"]) await broker.publish(topic, topic);
  await expectAll5(client, ["publish qos0 c"]);
  assertEquals(broker.counters.get("unsubscribed"), 4);
});

Deno.test("only the subscription with exactly the same filter is deleted, character by character [MQTT5-3.10.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  const filter = "caf\u00e9/+";
  await subscribe5(client, filter);
  const others = ["/a", "/#"].map((rest) => `caf\u00e9${rest}`);
  for (
    const other of [
      ...others,
      "#",
      "+/+",
      "Caf\u00e9/+",
      "cafe\u0301/+",
      `${filter}/`,
      `/${filter}`,
      `$share/g/${filter}`,
    ]
  ) {
    await unsubscribe5(client, [other], [NOT_FOUND]);
    await broker.publish("caf\u00e9/a", other);
    await expectAll5(client, [`publish qos0 ${other}`]);
  }
  await unsubscribe5(client, [filter], [SUCCESS]);
  await broker.publish("caf\u00e9/a", "x");
  await client.expectNothing();
});

Deno.test("nothing new comes once a subscription is deleted, connected or not [MQTT5-3.10.4-2]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await subscribe5(client, "u", { qos: 1 });
  await unsubscribe5(client, ["t"], [SUCCESS]);
  await broker.publish("t", "x", { qos: 1, retain: true });
  await client.expectNothing();
  await client.disconnect();
  for (const topic of ["t", "u"]) await broker.publish(topic, topic, { qos: 1 });
  await using again = await resumed5(broker, "client");
  await expectAll5(again, ["publish 1 qos1 u"]);
});

Deno.test("a message behind the UNSUBSCRIBE in the same bytes does not come, one before it does [MQTT5-3.10.4-2]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 1 });
  await client.sendBytes([
    ...publishFrame({ payload: "before" }),
    ...bytesOf({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["t"] }, 5),
    ...publishFrame({ payload: "behind" }),
  ]);
  await expectAll5(client, ["publish qos0 before", "unsuback 2"]);
});

Deno.test("the delivery of QoS 1 and 2 messages that has started is completed [MQTT5-3.10.4-3]", async () => {
  await using broker = createBroker();
  await using client = await resumed5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  for (const [payload, qos] of [["a", 1], ["b", 2], ["c", 2], ["d", 1]] as const) {
    await broker.publish("t", payload, { qos });
  }
  await expectAll5(client, ["publish 1 qos1 a", "publish 2 qos2 b", "publish 3 qos2 c", "publish 4 qos1 d"]);
  await client.send({ cmd: "pubrec", messageId: 2 });
  await expectAll5(client, ["pubrel 2"]);
  await unsubscribe5(client, ["t"], [SUCCESS]);
  await client.send({ cmd: "puback", messageId: 4 });
  await client.send({ cmd: "pubrec", messageId: 3 });
  await expectAll5(client, ["pubrel 3"]);
  await client.drop();
  await using again = await resumed5(broker, "client");
  await expectAll5(again, ["pubrel 2", "pubrel 3", "publish 1 qos1 a dup"]);
  for (const messageId of [2, 3]) await again.send({ cmd: "pubcomp", messageId });
  await again.send({ cmd: "puback", messageId: 1 });
  await again.drop();
  await using last = await resumed5(broker, "client");
  await last.expectNothing();
});
