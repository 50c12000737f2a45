// PUBLISH (3.1.1 section 3.3): its flags, its topic name, and who gets the message.
import { assertEquals } from "@std/assert";
import { type Authorize, createBroker, memoryPair } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { field, frame } from "./support.ts";
import { bytesOf, endTheConnection, violationsOf } from "./violations.ts";

const PUBLISH = 0x30;

Deno.test("a PUBLISH is answered as its QoS says: nothing, PUBACK or PUBREC [MQTT-3.3.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  const publish = { cmd: "publish", topic: "a", payload: "", messageId: 7 } as const;
  await client.send({ ...publish, qos: 0 });
  await client.expectNothing();
  await client.send({ ...publish, qos: 1 });
  await client.expect({ cmd: "puback", messageId: 7 });
  await client.send({ ...publish, qos: 2 });
  await client.expect({ cmd: "pubrec", messageId: 7 });
  await client.expectNothing();
});

Deno.test(
  "a PUBLISH with both QoS bits set ends the connection [MQTT-3.3.1-4]",
  endTheConnection(violationsOf([0x06, 0x07, 0x0e, 0x0f], (flags) => frame(PUBLISH | flags, ...field("a"), 0, 1))),
);

Deno.test(
  "a PUBLISH with DUP at QoS 0 ends the connection [MQTT-3.3.1-2]",
  endTheConnection({
    "DUP": frame(PUBLISH | 0x08, ...field("a"), 0x78),
    "DUP and RETAIN": frame(PUBLISH | 0x09, ...field("a"), 0x78),
  }),
);

Deno.test("QoS 0 goes out with QoS 0, DUP 0 and the topic name first, to the byte [MQTT-3.3.1-2] [MQTT-3.3.2-1] [MQTT-4.3.1-1]", async () => {
  await using broker = createBroker();
  const [ours, theirs] = memoryPair(), seen: number[] = [];
  broker.accept(theirs);
  await using client = new TestClient({
    ...ours,
    async read(buffer) {
      const count = await ours.read(buffer);
      seen.push(...buffer.subarray(0, count ?? 0));
      return count;
    },
  });
  await client.connect();
  await client.subscribe("grüße/#", 2);
  seen.length = 0;
  await broker.publish("grüße/€", "x");
  await client.expect({ cmd: "publish", topic: "grüße/€" });
  assertEquals(seen, frame(PUBLISH, ...field("grüße/€"), 0x78));
});

Deno.test(
  "a PUBLISH whose topic name is not a UTF-8 string, or not there, ends the connection [MQTT-3.3.2-1]",
  endTheConnection({
    "a byte that UTF-8 does not know": frame(PUBLISH, 0, 2, 0x61, 0xff),
    "an overlong form": frame(PUBLISH, 0, 2, 0xc0, 0x80),
    "half of a surrogate pair": frame(PUBLISH, 0, 3, 0xed, 0xa0, 0x80),
    "beyond U+10FFFF": frame(PUBLISH, 0, 4, 0xf4, 0x90, 0x80, 0x80),
    "cut off within a character": frame(PUBLISH, 0, 2, 0xe2, 0x82, 0x41),
    "longer than the packet": frame(PUBLISH, 0, 9, 0x61, 0x62),
    "half a length": frame(PUBLISH, 0),
    "nothing at all": frame(PUBLISH),
  }),
);

Deno.test(
  "a PUBLISH with a wildcard in its topic name ends the connection [MQTT-3.3.2-2] [MQTT-4.7.1-1]",
  endTheConnection(
    violationsOf(
      ["#", "+", "a/#", "+/a", "a/+/b", "a+", "a#b", "#/a"],
      (topic) => frame(PUBLISH, ...field(topic), 0x78),
    ),
  ),
);

Deno.test("the topic name that a subscriber is sent is the published one, and matches its filter [MQTT-3.3.2-3]", async () => {
  await using broker = createBroker();
  await using subscriber = await connected(broker, "subscriber");
  await subscriber.subscribe("sport/+/player/#");
  await using publisher = await connected(broker, "publisher");
  const matching = ["sport/tennis/player", "sport/golf/player/1", "sport//player/a/b"];
  for (const topic of [...matching, "sport/tennis", "sport/player", "Sport/golf/player"]) {
    await publisher.publish(topic, "");
  }
  await publisher.expectNothing();
  for (const topic of matching) await subscriber.expect({ cmd: "publish", topic });
  await subscriber.expectNothing();
});

Deno.test("a message is added to every session with a matching subscription, connected or not [MQTT-4.5.0-1]", async () => {
  await using broker = createBroker();
  await using here = await connected(broker, "here");
  await here.subscribe("a/+", 1);
  await using away = await connected(broker, "away", { clean: false });
  await away.subscribe("#", 2);
  await away.disconnect();
  await using elsewhere = await connected(broker, "elsewhere");
  await elsewhere.subscribe("b", 1);
  await using publisher = await connected(broker, "publisher");
  await publisher.subscribe("a/b", 1);

  await publisher.send({ cmd: "publish", topic: "a/b", payload: "x", qos: 1, messageId: 1 });
  await publisher.expect({ cmd: "publish", topic: "a/b", payload: "x", qos: 1 });
  await publisher.expect({ cmd: "puback", messageId: 1 });
  await here.expect({ cmd: "publish", topic: "a/b", payload: "x", qos: 1 });
  await elsewhere.expectNothing();
  await using back = await connected(broker, "away", { clean: false });
  await back.expect({ cmd: "publish", topic: "a/b", payload: "x", qos: 1 });
  for (const client of [publisher, here, back]) await client.expectNothing();
});

const refusing: Readonly<Record<string, Authorize>> = {
  "at once": ({ topic }) => topic !== "secret",
  "with a reason": ({ topic }) => topic !== "secret" || "not-authorized",
  "by a promise": async ({ topic }) => await Promise.resolve(topic !== "secret"),
};

Deno.test("a PUBLISH that is not authorised is acknowledged as usual, and goes nowhere [MQTT-3.3.5-2]", async (t) => {
  for (const [how, authorize] of Object.entries(refusing)) {
    await t.step(how, async () => {
      await using broker = createBroker({ authorize });
      await using subscriber = await connected(broker, "subscriber");
      await subscriber.subscribe("#", 2);
      await using publisher = await connected(broker, "publisher");
      for (const qos of [0, 1, 2]) await publisher.publish("secret", "x", { qos, retain: true });
      await publisher.publish("open", "y");
      await subscriber.expect({ cmd: "publish", topic: "open", payload: "y" });
      await subscriber.subscribe("+", 0, 2); // nothing has been retained
      await subscriber.expectNothing();
      assertEquals(broker.counters.get("denied/not-authorized"), 3);
    });
  }
});

Deno.test("a refused PUBLISH of QoS 2 that is sent again is answered again, and decided on once [MQTT-3.3.5-2] [MQTT-4.3.3-2]", async () => {
  const asked: string[] = [];
  await using broker = createBroker({ authorize: ({ topic }) => asked.push(topic) > 1 });
  await using client = await connected(broker, "client");
  for (const dup of [false, true]) {
    await client.sendBytes(bytesOf({ cmd: "publish", topic: "a", payload: "", qos: 2, messageId: 3, dup }));
    await client.expect({ cmd: "pubrec", messageId: 3 });
  }
  assertEquals(asked, ["a"]);
});
