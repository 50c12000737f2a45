// UTF-8 encoded strings (3.1.1 section 1.5.3), wherever a client can send one.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { refuseTheConnection } from "./openings.ts";
import { connectFrame, field, flag, frame } from "./support.ts";
import { endTheConnection } from "./violations.ts";

type Bytes = readonly number[];

/** The strings that a client sends: each entry makes a packet with the given bytes as that string. */
const places = {
  "a client identifier": (bytes: Bytes) => connectFrame({ fields: [bytes] }),
  "a will topic": (bytes: Bytes) => connectFrame({ flags: flag.clean | flag.will, fields: ["c", bytes, "gone"] }),
  "a user name": (bytes: Bytes) => connectFrame({ flags: flag.clean | flag.user, fields: ["c", bytes] }),
  "a topic name": (bytes: Bytes) => frame(0x30, ...field(bytes)),
  "a topic filter to subscribe to": (bytes: Bytes) => frame(0x82, 0, 1, ...field(bytes), 0),
  "a topic filter to unsubscribe from": (bytes: Bytes) => frame(0xa2, 0, 1, ...field(bytes)),
};

const illFormed = {
  "a continuation of nothing": [0x80],
  "a sequence that does not go on": [0xc3, 0x28],
  "a sequence that is cut off": [0x61, 0xe2, 0x82],
  "more bytes than needed": [0xc0, 0xaf],
  "U+0000 in two bytes": [0xc0, 0x80],
  "U+D800": [0xed, 0xa0, 0x80],
  "U+DFFF": [0xed, 0xbf, 0xbf],
  "a character as a pair of surrogates": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  "a code point beyond U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
  "FF": [0xff],
};
const withNull = { "alone": [0], "first": [0, 0x61], "amid": [0x61, 0, 0x62], "last": [0x61, 0] };

for (const [place, packet] of Object.entries(places)) {
  const ends = (strings: Record<string, Bytes>) => {
    const packets = Object.fromEntries(Object.entries(strings).map(([name, bytes]) => [name, packet(bytes)]));
    return packet([])[0] === 0x10 ? refuseTheConnection(packets) : endTheConnection(packets);
  };
  Deno.test(`ill-formed UTF-8 in ${place} ends the connection [MQTT-1.5.3-1]`, ends(illFormed));
  Deno.test(`U+0000 in ${place} ends the connection [MQTT-1.5.3-2]`, ends(withNull));
}

Deno.test("every kind of well-formed character goes through, U+FFFD too [MQTT-1.5.3-1]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c\u{fffd}");
  for (const topic of ["ä/ß", "\u07ff\u0800", "\ud7ff\ue000", "\u{fffd}", "\u{1f600}/\u{10fffd}", "a b/ "]) {
    await client.subscribe(topic);
    await client.publish(topic, "x");
    await client.expect({ cmd: "publish", topic });
  }
});

Deno.test("EF BB BF in topics is U+FEFF, not skipped [MQTT-1.5.3-3]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  await client.subscribe("\ufefft", 0, 1);
  await client.publish("t", "without");
  await client.publish("\ufefft", "with");
  const { topic } = await client.expect({ cmd: "publish", payload: "with" });
  assertEquals([...new TextEncoder().encode(topic)], [0xef, 0xbb, 0xbf, 0x74]);
  await client.subscribe("t", 0, 2);
  await client.publish("\ufefft", "with");
  await client.expect({ cmd: "publish", payload: "with" });
  await client.expectNothing();
});

Deno.test("EF BB BF in client identifiers, user names and wills is U+FEFF, not skipped [MQTT-1.5.3-3]", async () => {
  const names: (string | undefined)[] = [];
  await using broker = createBroker({ authenticate: ({ clientId, username }) => names.push(clientId, username) > 0 });
  await using plain = await connected(broker, "c");
  await plain.subscribe("\ufeffw");
  await using marked = TestClient.memory(broker);
  await marked.sendBytes(connectFrame({
    flags: flag.clean | flag.will | flag.user,
    fields: ["\ufeffc", "\ufeffw", "gone", "\ufeffu"],
  }));
  await marked.expect({ cmd: "connack", returnCode: 0 });
  assertEquals(names, ["c", undefined, "\ufeffc", "\ufeffu"]);
  await plain.expectNothing(); // another client identifier: it has not been taken over
  await marked.drop();
  await plain.expect({ cmd: "publish", topic: "\ufeffw", payload: "gone" });
});
