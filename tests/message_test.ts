import { assertEquals, assertIsError, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { Message, type Payload, payloadBytes, payloadFault } from "../src/message.ts";

const message = new Message({ topic: "a/b", payload: payloadBytes("x"), qos: 1, retain: true, client: "c" });

const payloads: readonly (readonly [what: string, payload: Payload, text: string])[] = [
  ["text", "grün", "grün"],
  ["empty text", "", ""],
  ["bytes", new Uint8Array([0x61, 0x62]), "ab"],
  ["a Buffer", Buffer.from("ab"), "ab"],
  ["an ArrayBuffer", new Uint8Array([0x61, 0x62]).buffer, "ab"],
  ["a number", 21.5, "21.5"],
  ["a boolean", false, "false"],
  ["null", null, "null"],
  ["a list", [1, "two"], '[1,"two"]'],
  ["an object", { celsius: 21 }, '{"celsius":21}'],
];

for (const [what, payload, text] of payloads) {
  Deno.test(`A payload of ${what} becomes bytes`, () => {
    assertEquals(message.with({ payload: payloadBytes(payload) }).text(), text);
  });
}

for (const bytes of [new Uint8Array([1, 2]), Buffer.from([1, 2])]) {
  Deno.test(`payloadBytes() copies a ${bytes.constructor.name}: its owner may write to it afterwards`, () => {
    const copy = payloadBytes(bytes);
    bytes[0] = 9;
    assertEquals([...copy], [1, 2]);
    bytes[0] = 1;
  });
}

Deno.test("payloadBytes() copies an ArrayBuffer: its owner may write to it afterwards", () => {
  const bytes = new Uint8Array([1, 2]), copy = payloadBytes(bytes.buffer);
  bytes[0] = 9;
  assertEquals([...copy], [1, 2]);
});

for (const payload of [undefined, () => 1, Symbol("a"), 1n, { toJSON: () => undefined }]) {
  Deno.test(`payloadBytes() refuses what can't be JSON: ${Deno.inspect(payload)}`, () => {
    const expected = `Payload is ${typeof payload}, not text, bytes or a value that becomes JSON`;
    assertEquals(assertThrows(() => payloadBytes(payload as Payload), TypeError).message, expected);
  });
}

Deno.test("with() changes some parts and leaves the others, and the message itself", () => {
  const { topic, payload, qos, retain, client } = message.with({ topic: "c", qos: 2, client: undefined });
  assertEquals([topic, qos, retain, client], ["c", 2, true, undefined]);
  assertStrictEquals(payload, message.payload);
  assertEquals([message.topic, message.qos, message.client], ["a/b", 1, "c"]);
});

Deno.test("with() takes a payload as publish() does, and bytes as they are", () => {
  const bytes = new Uint8Array([0x78]);
  assertEquals([message.with({ payload: "ü" }).text(), message.with({ payload: { a: 1 } }).text()], ["ü", '{"a":1}']);
  assertStrictEquals(message.with({ payload: bytes }).payload, bytes);
});

Deno.test("json() reads the payload, and names the topic where it is not JSON", () => {
  assertEquals(message.with({ payload: { a: [1] } }).json(), { a: [1] });
  const error = assertThrows(() => message.json(), SyntaxError, 'Payload of "a/b" is not JSON: ');
  assertIsError(error.cause, SyntaxError);
});

Deno.test("text() replaces what is not UTF-8", () => {
  assertEquals(message.with({ payload: new Uint8Array([0x61, 0xff]) }).text(), "a\ufffd");
});

Deno.test("captures are those of the filter that the message was observed through", () => {
  assertEquals([message.captures, new Message(message, "+/b").captures], [[], ["a"]]);
});

Deno.test("expiresAt counts from where the broker has accepted the message, and is nothing where either is missing", () => {
  const properties = { messageExpiryInterval: 5 }, acceptedAt = 1000;
  const expiries = [{ properties, acceptedAt }, { properties }, { acceptedAt }, { properties: {}, acceptedAt }, {
    properties: { messageExpiryInterval: 0 },
    acceptedAt,
  }].map((changes) => message.with(changes).expiresAt);
  assertEquals(expiries, [6000, undefined, undefined, undefined, 1000]);
});

Deno.test("with() keeps properties and the time, unless it is given others", () => {
  const full = message.with({ properties: { contentType: "t", messageExpiryInterval: 5 }, acceptedAt: 1000 });
  const changed = full.with({ topic: "c" }), bare = full.with({ properties: undefined });
  assertStrictEquals(changed.properties, full.properties);
  assertEquals([changed.expiresAt, bare.properties, bare.acceptedAt], [6000, undefined, 1000]);
});

Deno.test("A payload that no PUBLISH can carry is found by its length", () => {
  const faults = [0, 268_000_000, 268_000_001].map((length) => payloadFault("t", { length } as Uint8Array));
  assertEquals(faults, [undefined, undefined, 'Payload of "t" has 268000001 bytes: 268000000 are possible']);
});
