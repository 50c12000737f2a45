import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Packet } from "../../src/codec/packet.ts";
import { eventText, packetText, traceLine } from "../../src/observe/text.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

const connect = {
  cmd: "connect",
  protocolId: "MQTT",
  clientId: "c",
  clean: true,
  keepalive: 60,
  protocolVersion: 4,
} as const;
const publish = {
  cmd: "publish",
  topic: "a/b",
  payload: bytes("on"),
  qos: 0,
  retain: false,
  dup: false,
  messageId: 0,
} as const;
const will = { topic: "gone", payload: bytes("bye"), qos: 1, retain: true } as const;

const packets: readonly (readonly [packet: Packet, text: string])[] = [
  [connect, 'CONNECT client="c" level=4 keepAlive=60s clean'],
  [
    { ...connect, clean: false, username: "", will },
    'CONNECT client="c" level=4 keepAlive=60s user="" ' +
    'will=(topic="gone" qos=1 retain payload="bye")',
  ],
  [
    { ...connect, username: "u", password: bytes("secret") },
    'CONNECT client="c" level=4 keepAlive=60s clean user="u" password',
  ],
  [{ cmd: "connack", returnCode: 0, sessionPresent: true }, "CONNACK code=0 sessionPresent"],
  [{ cmd: "connack", returnCode: 5, sessionPresent: false }, "CONNACK code=5"],
  [publish, 'PUBLISH topic="a/b" qos=0 payload="on"'],
  [
    { ...publish, qos: 2, messageId: 7, retain: true, dup: true },
    'PUBLISH topic="a/b" qos=2 id=7 retain dup payload="on"',
  ],
  [{ cmd: "puback", messageId: 1 }, "PUBACK id=1"],
  [{ cmd: "pubrec", messageId: 2 }, "PUBREC id=2"],
  [{ cmd: "pubrel", messageId: 3 }, "PUBREL id=3"],
  [{ cmd: "pubcomp", messageId: 4 }, "PUBCOMP id=4"],
  [
    { cmd: "subscribe", messageId: 5, subscriptions: [{ topic: "a", qos: 0 }, { topic: "b/#", qos: 2 }] },
    'SUBSCRIBE id=5 "a":0 "b/#":2',
  ],
  [{ cmd: "suback", messageId: 5, granted: [0, 0x80] }, "SUBACK id=5 granted=0,0x80"],
  [{ cmd: "unsubscribe", messageId: 6, unsubscriptions: ["a", "b"] }, 'UNSUBSCRIBE id=6 "a" "b"'],
  [{ cmd: "unsuback", messageId: 6 }, "UNSUBACK id=6"],
  [{ cmd: "pingreq" }, "PINGREQ"],
  [{ cmd: "pingresp" }, "PINGRESP"],
  [{ cmd: "disconnect" }, "DISCONNECT"],
  [
    {
      ...connect,
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 60, authenticationMethod: "m", authenticationData: bytes("secret") },
      will: { ...will, properties: { willDelayInterval: 5 } },
    },
    'CONNECT client="c" level=5 keepAlive=60s clean sessionExpiryInterval=60 authenticationMethod="m" ' +
    'authenticationData=... will=(topic="gone" qos=1 retain payload="bye" willDelayInterval=5)',
  ],
  [
    { cmd: "connack", reasonCode: 0x87, sessionPresent: false, properties: { reasonString: "no" } },
    'CONNACK code=0x87 reasonString="no"',
  ],
  [
    {
      ...publish,
      properties: {
        payloadFormatIndicator: true,
        correlationData: Uint8Array.of(0xff),
        userProperties: [["a", "1"], ["a", "2"]],
        topicAlias: 1,
      },
    },
    'PUBLISH topic="a/b" qos=0 payload="on" payloadFormatIndicator=true correlationData=0xff ' +
    'userProperties=[["a","1"],["a","2"]] topicAlias=1',
  ],
  [
    { cmd: "pubrec", messageId: 2, reasonCode: 0x99, properties: { reasonString: "no text" } },
    'PUBREC id=2 code=0x99 reasonString="no text"',
  ],
  [
    {
      cmd: "subscribe",
      messageId: 5,
      subscriptions: [{ topic: "a", qos: 0, nl: true, rap: true, rh: 2 }, {
        topic: "b",
        qos: 1,
        nl: false,
        rap: false,
        rh: 0,
      }],
      properties: { subscriptionIdentifier: 7 },
    },
    'SUBSCRIBE id=5 "a":0(noLocal retainAsPublished retainHandling=2) "b":1 subscriptionIdentifier=7',
  ],
  [{ cmd: "unsuback", messageId: 6, granted: [0, 17, 0x8f] }, "UNSUBACK id=6 granted=0,17,0x8f"],
  [{ cmd: "puback", messageId: 1, reasonCode: 0x10 }, "PUBACK id=1 code=16"],
  [
    { cmd: "disconnect", reasonCode: 0x8e, properties: { reasonString: "again" } },
    'DISCONNECT code=0x8e reasonString="again"',
  ],
  [
    { cmd: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m", authenticationData: bytes("secret") } },
    'AUTH code=24 authenticationMethod="m" authenticationData=...',
  ],
];

for (const [packet, text] of packets) {
  Deno.test(`A packet is shown as: ${text}`, () => assertEquals(packetText(packet), text));
}

Deno.test("A line of the trace says the direction and the client", () => {
  const packet = { cmd: "pingreq" } as const;
  assertEquals(traceLine({ direction: "in", client: "c", packet }), '-> "c" PINGREQ');
  assertEquals(traceLine({ direction: "out", client: "c", packet }), '<- "c" PINGREQ');
});

const payloads: readonly (readonly [what: string, payload: Uint8Array, text: string])[] = [
  ["of nothing", bytes(""), '""'],
  ["of 60 bytes", bytes("x".repeat(60)), `"${"x".repeat(60)}"`],
  ["of more", bytes("x".repeat(61)), `"${"x".repeat(60)}"... (61 bytes)`],
  ["that is cut within a character", bytes("x".repeat(59) + "€uro"), `"${"x".repeat(59)}"... (65 bytes)`],
  ["that is no text", new Uint8Array([0x61, 0xff]), "0x61ff"],
  ["that is no text, of more", new Uint8Array(100).fill(0xff), `0x${"ff".repeat(60)}... (100 bytes)`],
  ["that ends within a character", bytes("€").subarray(0, 2), "0xe282"],
  ["with a byte order mark", bytes("\ufeffa"), '"\\ufeffa"'],
];

for (const [what, payload, text] of payloads) {
  Deno.test(`A payload ${what} is shown as ${text.length > 30 ? "much as fits" : text}`, () => {
    const shown = () => packetText({ ...publish, payload }).replace(/.*payload=/, "");
    assertEquals([shown(), shown()], [text, text]); // the second is not affected by the first
  });
}

const hostile = 'a"\\\n\r\t\0\x1b[2J\x07\x7f\x9b\u2028\u2029\u202e\u2066\u200b\u{e0041}\ud800z';
const escaped = String.raw`\n\r\t\u0000\u001b[2J\u0007\u007f\u009b\u2028\u2029\u202e\u2066\u200b\u{e0041}`;

/** A terminal would obey it, or it would hide something from who reads. */
const dangerous = /[\p{C}\p{Zl}\p{Zp}]/u;

const client = hostile, filter = hostile, topic = hostile, error = new Error(hostile), remote = "1.2.3.4:5";
const shown: readonly (readonly [where: string, text: string])[] = [
  ["the client of a trace", traceLine({ direction: "in", client, packet: { cmd: "pingreq" } })],
  ["a client identifier", packetText({ ...connect, clientId: client })],
  ["a user name", packetText({ ...connect, username: hostile })],
  ["a content type", packetText({ ...publish, properties: { contentType: hostile } })],
  ["a user property", packetText({ ...publish, properties: { userProperties: [["a", hostile]] } })],
  ["correlation data", packetText({ ...publish, properties: { correlationData: bytes(hostile) } })],
  ["a reason", packetText({ cmd: "disconnect", reasonCode: 0x80, properties: { reasonString: hostile } })],
  ["a will", packetText({ ...connect, will: { ...will, topic, payload: bytes(hostile) } })],
  ["a topic", packetText({ ...publish, topic })],
  ["a payload", packetText({ ...publish, payload: bytes(hostile) })],
  ["a filter", packetText({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] })],
  ["a filter that is unsubscribed", packetText({ cmd: "unsubscribe", messageId: 1, unsubscriptions: [filter] })],
  ["a refused client", eventText({ type: "refused", client, remote, reason: "not-authorized", detail: "" })],
  ["a detail", eventText({ type: "refused", client: "c", remote, reason: "malformed-packet", detail: hostile })],
  ["a disconnected client", eventText({ type: "disconnected", client, remote, reason: "disconnect", detail: hostile })],
  ["a subscription", eventText({ type: "subscribed", client, filter, qos: 0 })],
  ["a deleted subscription", eventText({ type: "unsubscribed", client, filter })],
  ["a denied topic", eventText({ type: "denied", action: "publish", client, topic, reason: "not-authorized" })],
  ["a dropped message", eventText({ type: "dropped", client, topic, reason: "queue-full", count: 1 })],
  ["an operator's error", eventText({ type: "routing-error", topic, error })],
  ["an observer's error", eventText({ type: "observer-error", error })],
  ["an observer's fault that is no error", eventText({ type: "observer-error", error: hostile })],
  ["a hook's error", eventText({ type: "hook-error", hook: "authorize", error })],
];

for (const [where, text] of shown) {
  Deno.test(`What a client has sent can't write to the terminal: ${where}`, () => {
    assert(!dangerous.test(text), text);
    assertStringIncludes(text, escaped);
  });
}

Deno.test("Characters of all languages are shown as they are", () => {
  assertStringIncludes(packetText({ ...publish, topic: "Größe/温度/😀" }), '"Größe/温度/😀"');
});
