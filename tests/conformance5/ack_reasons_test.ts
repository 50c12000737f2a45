// Reason codes and reason strings (5.0 sections 2.4, 3.4 to 3.7, 3.9 and 3.11): what the broker says in each acknowledgement, how
// much room that may take, and what it makes of a client's.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker, type Decision, type Reason } from "../../mod.ts";
import { upTo } from "../conformance/script.ts";
import { field } from "../conformance/support.ts";
import { violationsOf, wrongFlags } from "../conformance/violations.ts";
import { connected5, expectAll5, faults, subscribe5, unsubscribe5 } from "./clients.ts";
import { packet, properties, property, publishFrame, RecordingClient } from "./packets.ts";

/** A broker that decides so on whatever is on the topic "no". */
function refusing(decision: Decision): Broker {
  return createBroker({ authorize: ({ topic }) => topic === "no" ? decision : true });
}

const NOT_AUTHORIZED = 0x87;

/** The codes that PUBACK and PUBREC know, and reasons that these have no code for. */
const publishReasons: readonly (readonly [Reason | false, number])[] = [
  ["unspecified-error", 0x80],
  ["implementation-specific-error", 0x83],
  ["not-authorized", 0x87],
  ["topic-name-invalid", 0x90],
  ["packet-identifier-in-use", 0x91],
  ["quota-exceeded", 0x97],
  ["payload-format-invalid", 0x99],
  [false, NOT_AUTHORIZED],
  ["banned", NOT_AUTHORIZED],
  ["malformed-packet", NOT_AUTHORIZED],
  ["topic-filter-invalid", NOT_AUTHORIZED],
  ["packet-identifier-not-found", NOT_AUTHORIZED],
  ["retain-not-supported", NOT_AUTHORIZED],
];

Deno.test("a PUBLISH that authorize refuses is answered with the reason, or 0x87 where the packet has no code for that [MQTT5-3.4.2-1] [MQTT5-3.5.2-1]", async () => {
  for (const [decision, reasonCode] of publishReasons) {
    await using broker = refusing(decision);
    await using client = await connected5(broker, "client");
    for (const [qos, cmd] of [[1, "puback"], [2, "pubrec"]] as const) {
      await client.sendBytes([
        ...publishFrame({ topic: "no", qos, id: 7 }),
        ...publishFrame({ topic: "yes", qos, id: 8 }),
      ]);
      await client.expect({ cmd, messageId: 7, reasonCode });
      await client.expect({ cmd, messageId: 8, reasonCode: 0 });
    }
    await client.sendBytes(publishFrame({ topic: "no" })); // QoS 0 has no answer
    await client.expectNothing();
    assertEquals(broker.counters.get(`denied/${decision || "not-authorized"}`), 3);
  }
});

Deno.test("PUBREL and PUBCOMP of what is not known say 0x92, the others 0 [MQTT5-3.6.2-1] [MQTT5-3.7.2-1]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  await subscribe5(client, "t", { qos: 2 });
  await broker.publish("t", "x", { qos: 2 });
  await client.send({ cmd: "pubrec", messageId: 1 });
  await client.sendBytes(publishFrame({ topic: "u", qos: 2, id: 1 }));
  await client.send({ cmd: "pubrel", messageId: 1 });
  await expectAll5(client, ["publish 1 qos2 x", "pubrel 1", "pubrec 1", "pubcomp 1"]);
  await client.send({ cmd: "pubrel", messageId: 1 });
  await client.send({ cmd: "pubcomp", messageId: 1 });
  for (const messageId of [1, 65_535]) await client.send({ cmd: "pubrec", messageId });
  await expectAll5(client, ["pubcomp 1 0x92", "pubrel 1 0x92", "pubrel 65535 0x92"]);
});

const heads = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

/** The reason codes of each acknowledgement that a client may send. */
const known: Readonly<Record<keyof typeof heads, readonly number[]>> = {
  puback: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrec: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrel: [0, 0x92],
  pubcomp: [0, 0x92],
};

const all = Object.keys(heads) as (keyof typeof heads)[];

Deno.test("an acknowledgement of a client is taken with every reason code, in each of its forms [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1]", async () => {
  const reason = [31, ...field("because")];
  await using broker = createBroker();
  await using client = await connected5(broker, "client");
  for (const cmd of all) {
    for (const code of known[cmd]) {
      const forms = [[code], [code, 0], [
        code,
        ...properties(property.user("a", "b"), reason, property.user("a", "c")),
      ]];
      for (const form of code === 0 ? [[], ...forms] : forms) {
        await client.sendBytes(packet(heads[cmd], 0, 9, ...form));
        const answer = { puback: [], pubrec: ["pubrel 9 0x92"], pubrel: ["pubcomp 9 0x92"], pubcomp: [] }[cmd];
        await expectAll5(client, cmd === "pubrec" && code >= 0x80 ? [] : answer);
      }
    }
  }
});

Deno.test("a reason code that the packet does not have is malformed [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1]", async (t) => {
  for (const cmd of all) {
    await t.step(cmd, async (t) => {
      const wrong = [1, 0x11, 0x81, 0x8f, 0x92, 0xff].filter((code) => !known[cmd].includes(code));
      await faults(violationsOf(wrong, (code) => packet(heads[cmd], 0, 9, code)), "malformed-packet")(t);
    });
  }
});

Deno.test("a property that acknowledgements do not have is malformed, a reason string twice is a protocol error", async (t) => {
  const frames = (...list: number[][]) =>
    violationsOf(all, (cmd) => packet(heads[cmd], 0, 9, 0, ...properties(...list)));
  await faults(frames(property.contentType("c")), "malformed-packet")(t);
  await faults(frames([31, 0, 1, 0xff]), "malformed-packet")(t);
  await faults(frames([31, 0, 0], [31, 0, 0]), "protocol-error")(t);
});

Deno.test("a PUBREL with other flags than 0010 is malformed [MQTT5-3.6.1-1]", async (t) => {
  await faults(wrongFlags({ cmd: "pubrel", messageId: 1 }, 5), "malformed-packet")(t);
});

const message = "The topic is not for you: größe";

/** What a refused PUBLISH is answered with, to the byte, by a broker that says why in words. */
async function answerTo(qos: number, properties: Readonly<Record<string, unknown>>): Promise<number[]> {
  await using broker = refusing({ reason: "not-authorized", message });
  await using client = await RecordingClient.connected(broker, { properties });
  await client.sendBytes(publishFrame({ topic: "no", qos, id: 7 }));
  await client.receive();
  const bytes = client.taken();
  await client.expectNothing(); // it goes on
  return bytes;
}

Deno.test("the reason string of a PUBACK is there if it is welcome and there is room for it [MQTT5-3.4.2-2] [MQTT5-3.4.2-3]", () =>
  assertRoom(1));

Deno.test("the reason string of a PUBREC is there if it is welcome and there is room for it [MQTT5-3.5.2-2] [MQTT5-3.5.2-3]", () =>
  assertRoom(2));

async function assertRoom(qos: number): Promise<void> {
  const head = qos === 1 ? heads.puback : heads.pubrec;
  const full = packet(head, 0, 7, NOT_AUTHORIZED, ...properties([31, ...field(message)]));
  const short = [[head, 3, 0, 7, NOT_AUTHORIZED], [head, 4, 0, 7, NOT_AUTHORIZED, 0]].map(String);
  for (const maximumPacketSize of [undefined, 1000, full.length]) {
    const room = maximumPacketSize === undefined ? {} : { maximumPacketSize };
    assertEquals(await answerTo(qos, room), full);
    assertEquals(await answerTo(qos, { ...room, requestProblemInformation: true }), full);
    assertEquals(short.includes(`${await answerTo(qos, { ...room, requestProblemInformation: false })}`), true);
  }
  for (const less of upTo(8)) {
    assertEquals(
      short.includes(`${await answerTo(qos, { maximumPacketSize: full.length - less })}`),
      true,
      `${less} less`,
    );
  }
}

/** Asserts what a client is sent for `bytes`, to the byte, both without a limit and where its limit is that size. */
async function assertPlain(bytes: readonly number[], answers: readonly (readonly number[])[]): Promise<void> {
  for (const maximumPacketSize of [1_000_000, 30]) {
    await using broker = refusing({ reason: "not-authorized", message });
    await using client = await RecordingClient.connected(broker, { properties: { maximumPacketSize } });
    await client.sendBytes(bytes);
    await client.receive();
    const taken = `${client.taken()}`;
    assertEquals(answers.map(String).includes(taken), true, taken);
  }
}

Deno.test("PUBREL and PUBCOMP have no properties that could be too much [MQTT5-3.6.2-2] [MQTT5-3.6.2-3] [MQTT5-3.7.2-2] [MQTT5-3.7.2-3]", async () => {
  for (const [asked, answered] of [["pubrec", heads.pubrel], ["pubrel", heads.pubcomp]] as const) {
    await assertPlain(packet(heads[asked], 0, 9), [[answered, 3, 0, 9, 0x92], [answered, 4, 0, 9, 0x92, 0]]);
  }
});

Deno.test("SUBACK and UNSUBACK have no properties that could be too much [MQTT5-3.9.2-1] [MQTT5-3.9.2-2] [MQTT5-3.11.2-1] [MQTT5-3.11.2-2]", async () => {
  for (const count of [1, 25]) { // 25 make a packet of 30 bytes
    const filters = upTo(count).map(() => "no");
    const subscribe = packet(0x82, 0, 9, 0, ...filters.flatMap((filter) => [...field(filter), 0]));
    await assertPlain(subscribe, [packet(0x90, 0, 9, 0, ...filters.map(() => NOT_AUTHORIZED))]);
    const unsubscribe = packet(0xa2, 0, 9, 0, ...filters.flatMap(field));
    await assertPlain(unsubscribe, [packet(0xb0, 0, 9, 0, ...filters.map(() => 0x11))]);
  }
});

/** The codes that SUBACK knows, and reasons that it has no code for. */
const subscribeReasons: readonly (readonly [Decision, number])[] = [
  ["unspecified-error", 0x80],
  ["implementation-specific-error", 0x83],
  ["not-authorized", 0x87],
  ["topic-filter-invalid", 0x8f],
  ["packet-identifier-in-use", 0x91],
  ["quota-exceeded", 0x97],
  ["shared-subscriptions-not-supported", 0x9e],
  ["subscription-identifiers-not-supported", 0xa1],
  ["wildcard-subscriptions-not-supported", 0xa2],
  [{ reason: "quota-exceeded", message }, 0x97],
  [false, NOT_AUTHORIZED],
  ["topic-name-invalid", NOT_AUTHORIZED],
  ["server-busy", NOT_AUTHORIZED],
];

Deno.test("a filter that authorize refuses is answered with the reason, or 0x87 where SUBACK has no code for that [MQTT5-3.8.4-7] [MQTT5-3.9.3-1] [MQTT5-3.9.3-2]", async () => {
  for (const [decision, code] of subscribeReasons) {
    await using broker = refusing(decision);
    await broker.publish("no", "kept", { retain: true });
    await using client = await connected5(broker, "client");
    const subscriptions = [["yes", 1], ["no", 2], ["yes", 2]].map(([topic, qos]) => ({ topic, qos }));
    await client.send({ cmd: "subscribe", messageId: 3, subscriptions });
    await client.expect({ cmd: "suback", messageId: 3, granted: [1, code, 2] });
    await broker.publish("no", "new", { qos: 2 });
    await client.expectNothing();
    await unsubscribe5(client, ["no", "yes"], [0x11, 0]);
  }
});
