// UTF-8 encoded strings, alone and in pairs (5.0 sections 1.5.4 and 1.5.7), wherever a client can send one.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { field, flag, frame } from "../conformance/support.ts";
import type { Violations } from "../conformance/violations.ts";
import { connected5, faults, subscribe5 } from "./clients.ts";
import { connectFrame, refuseAsMalformed, say, willFrame } from "./connects.ts";
import { properties, property, publishFrame, RecordingClient } from "./packets.ts";

type Bytes = readonly number[];

const withReason = (head: number, ...rest: Bytes) => (bytes: Bytes) =>
  frame(head, ...rest, ...properties([31, ...field(bytes)]));
const user = (bytes: Bytes) => property.user(bytes, "value"), value = (bytes: Bytes) => property.user("name", bytes);

/** A test that a packet with each of these strings ends its connection. */
type Ends = (strings: Readonly<Record<string, Bytes>>) => (t: Deno.TestContext) => Promise<void>;

const inConnect = (packet: (bytes: Bytes) => number[]): Ends => (strings) => refuseAsMalformed(each(strings, packet));
const later = (packet: (bytes: Bytes) => number[]): Ends => (strings) =>
  faults(each(strings, packet), "malformed-packet");

function each(strings: Readonly<Record<string, Bytes>>, packet: (bytes: Bytes) => number[]): Violations {
  return Object.fromEntries(Object.entries(strings).map(([name, bytes]) => [name, packet(bytes)]));
}

const will = (topic: Bytes) =>
  connectFrame({ flags: flag.clean | flag.will, fields: ["c", topic, "gone"], willProperties: [] });

/** Where a client can send a string. */
const places: Readonly<Record<string, Ends>> = {
  "a client identifier": inConnect((bytes) => connectFrame({ fields: [bytes] })),
  "a will topic": inConnect(will),
  "a user name": inConnect((bytes) => connectFrame({ flags: flag.clean | flag.user, fields: ["c", bytes] })),
  "an authentication method": inConnect((bytes) => connectFrame({ properties: [say.method(bytes)] })),
  "the content type of a will": inConnect((bytes) => willFrame(property.contentType(bytes))),
  "the response topic of a will": inConnect((bytes) => willFrame(property.responseTopic(bytes))),
  "a topic name": later((bytes) => publishFrame({ topic: bytes })),
  "a content type": later((bytes) => publishFrame({ properties: [property.contentType(bytes)] })),
  "a response topic": later((bytes) => publishFrame({ properties: [property.responseTopic(bytes)] })),
  "a topic filter to subscribe to": later((bytes) => frame(0x82, 0, 1, 0, ...field(bytes), 0)),
  "a topic filter to unsubscribe from": later((bytes) => frame(0xa2, 0, 1, 0, ...field(bytes))),
  "the reason string of a PUBACK": later(withReason(0x40, 0, 1, 0x80)),
  "the reason string of a DISCONNECT": later(withReason(0xe0, 0x00)),
  "the reason string of an AUTH": later(withReason(0xf0, 0x18)),
};

/** Where a client can send a pair of strings: the packets that have user properties. */
const pairs: Readonly<Record<string, (property: number[]) => number[]>> = {
  "CONNECT": (property) => connectFrame({ properties: [property] }),
  "a will": willFrame,
  "PUBLISH": (property) => publishFrame({ properties: [property] }),
  "PUBREC": (property) => frame(0x50, 0, 1, 0x80, ...properties(property)),
  "SUBSCRIBE": (property) => frame(0x82, 0, 1, ...properties(property), ...field("a"), 0),
  "UNSUBSCRIBE": (property) => frame(0xa2, 0, 1, ...properties(property), ...field("a")),
  "DISCONNECT": (property) => frame(0xe0, 0, ...properties(property)),
  "AUTH": (property) => frame(0xf0, 0x18, ...properties(property)),
};

const illFormed = {
  "a continuation of nothing": [0x80],
  "a sequence that does not go on": [0xc3, 0x28],
  "a sequence that is cut off": [0x61, 0xe2, 0x82],
  "more bytes than needed": [0xc0, 0xaf],
  "U+D800": [0xed, 0xa0, 0x80],
  "U+DFFF": [0xed, 0xbf, 0xbf],
  "a character as a pair of surrogates": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  "a code point beyond U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
};
const withNull = { "alone": [0], "first": [0, 0x61], "last": [0x61, 0], "in two bytes": [0xc0, 0x80] };

for (const [place, ends] of Object.entries(places)) {
  Deno.test(`ill-formed UTF-8 in ${place} ends the connection with 0x81 [MQTT5-1.5.4-1]`, ends(illFormed));
  Deno.test(`U+0000 in ${place} ends the connection with 0x81 [MQTT5-1.5.4-2]`, ends(withNull));
}

for (const [place, packet] of Object.entries(pairs)) {
  const of = packet([])[0] === 0x10 ? inConnect : later, faulty = { ...illFormed, ...withNull };
  for (const [half, property] of [["name", user], ["value", value]] as const) {
    Deno.test(
      `a faulty ${half} of a user property in ${place} ends the connection with 0x81 [MQTT5-1.5.7-1]`,
      of((bytes) => packet(property(bytes)))(faulty),
    );
  }
}

Deno.test("every kind of well-formed character goes through, in topics and in properties [MQTT5-1.5.4-1] [MQTT5-1.5.7-1]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  for (const text of ["ä/ß", "\u07ff\u0800", "\ud7ff\ue000", "\u{fffd}", "\u{1f600}/\u{10fffd}", "a b/ "]) {
    await subscribe5(client, text);
    client.taken();
    const frame = publishFrame({ topic: text, properties: [property.contentType(text), property.user(text, text)] });
    await client.sendBytes(frame);
    assertEquals(await client.publishBytes(), frame);
  }
});

Deno.test("EF BB BF is U+FEFF wherever it stands, not skipped [MQTT5-1.5.4-3]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await subscribe5(client, "\ufefft");
  client.taken();
  await client.sendBytes(publishFrame({ topic: "t", payload: "without" }));
  const marked = "\ufeffa\ufeff";
  const frame = publishFrame({
    topic: "\ufefft",
    properties: [property.contentType(marked), property.responseTopic(marked), property.user(marked, marked)],
  });
  await client.sendBytes(frame);
  assertEquals(await client.publishBytes(), frame);
});

Deno.test("EF BB BF in a CONNECT is U+FEFF, not skipped [MQTT5-1.5.4-3]", async () => {
  const names: (string | undefined)[] = [];
  await using broker = createBroker({ authenticate: ({ clientId, username }) => names.push(clientId, username) > 0 });
  await using plain = await connected5(broker, "c");
  await plain.subscribe("\ufeffw");
  await using marked = TestClient.memory(broker, 5);
  await marked.sendBytes(connectFrame({
    flags: flag.clean | flag.will | flag.user,
    fields: ["\ufeffc", "\ufeffw", "gone", "\ufeffu"],
    willProperties: [property.contentType("\ufeffx")],
  }));
  await marked.expect({ cmd: "connack", reasonCode: 0 });
  assertEquals(names, ["c", undefined, "\ufeffc", "\ufeffu"]);
  await plain.expectNothing(); // another client identifier: it has not been taken over
  await marked.drop();
  const { properties } = await plain.expect({ cmd: "publish", topic: "\ufeffw", payload: "gone" });
  assertEquals(properties.contentType, "\ufeffx");
});
