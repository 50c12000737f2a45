// Every property of MQTT 5.0 (5.0 section 2.2.2.2) in every place: where it may stand, where not, and what it may not
// be.
import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { type PropertyPlace, readProperties } from "../../src/codec/properties.ts";
import { Reader } from "../../src/codec/reader.ts";
import { MqttError, type Reason } from "../../src/errors.ts";
import { counted, fields, type Part } from "../support/packets.ts";

const places: readonly PropertyPlace[] = [
  "connect",
  "will",
  "publish",
  "ack",
  "subscribe",
  "unsubscribe",
  "disconnect",
  "auth",
];

/** Reads properties behind their length, which must be all that there is. */
function read(place: PropertyPlace, ...parts: readonly Part[]) {
  const reader = new Reader("PACKET", counted(...parts)), properties = readProperties(reader, place);
  reader.done();
  return properties;
}

/** Asserts how properties are refused. */
function assertRefused(place: PropertyPlace, parts: readonly Part[], reason: Reason, fault: string): void {
  const error = assertThrows(() => read(place, ...parts), MqttError);
  assertEquals([error.reason, error.message], [reason, `PACKET ${fault}`]);
}

interface Definition {
  readonly id: number;
  readonly name: string;
  /** Where a client may put it. */
  readonly in: readonly PropertyPlace[];
  /** The bytes of a value, and that value. */
  readonly value: readonly [bytes: readonly number[], value: unknown];
  /** What may stand there once, and not be 0. */
  readonly positive?: true;
}

const uint16 = [[0x12, 0x34], 0x1234] as const, uint32 = [[0xff, 0, 0, 1], 0xff000001] as const;
const text = [[0, 2, 0x68, 0x69], "hi"] as const, data = [[0, 2, 0, 0xff], Buffer.from([0, 0xff])] as const;
const flag = [[1], true] as const;

/** The properties that a client may send; user properties apart. */
const definitions: readonly Definition[] = [
  { id: 1, name: "payloadFormatIndicator", in: ["publish", "will"], value: flag },
  { id: 2, name: "messageExpiryInterval", in: ["publish", "will"], value: uint32 },
  { id: 3, name: "contentType", in: ["publish", "will"], value: text },
  { id: 8, name: "responseTopic", in: ["publish", "will"], value: text },
  { id: 9, name: "correlationData", in: ["publish", "will"], value: data },
  { id: 11, name: "subscriptionIdentifier", in: ["subscribe"], value: [[0x80, 1], 128], positive: true },
  { id: 17, name: "sessionExpiryInterval", in: ["connect", "disconnect"], value: uint32 },
  { id: 21, name: "authenticationMethod", in: ["connect", "auth"], value: text },
  { id: 22, name: "authenticationData", in: ["connect", "auth"], value: data },
  { id: 23, name: "requestProblemInformation", in: ["connect"], value: flag },
  { id: 24, name: "willDelayInterval", in: ["will"], value: uint32 },
  { id: 25, name: "requestResponseInformation", in: ["connect"], value: flag },
  { id: 31, name: "reasonString", in: ["ack", "disconnect", "auth"], value: text },
  { id: 33, name: "receiveMaximum", in: ["connect"], value: uint16, positive: true },
  { id: 34, name: "topicAliasMaximum", in: ["connect"], value: uint16 },
  { id: 35, name: "topicAlias", in: ["publish"], value: uint16, positive: true },
  { id: 39, name: "maximumPacketSize", in: ["connect"], value: uint32, positive: true },
];

for (const { id, name, in: allowed, value: [bytes, value], positive = false } of definitions) {
  Deno.test(`The property ${name} is read where it belongs: ${allowed.join(", ")}`, () => {
    for (const place of allowed) assertEquals(read(place, id, bytes), { [name]: value });
  });

  Deno.test(`The property ${name} may stand there once`, () => {
    for (const place of allowed) {
      for (const again of [bytes, bytes.map(() => 0)]) {
        assertRefused(place, [id, bytes, id, again], "protocol-error", `has the property ${name} twice`);
      }
    }
  });

  Deno.test(`The property ${name} belongs nowhere else`, () => {
    const fault = `has a property ${id}, which does not belong there`;
    for (const place of places.filter((place) => !allowed.includes(place))) {
      if (name === "subscriptionIdentifier" && place === "publish") continue; // a rule of its own, see below
      assertRefused(place, [id, bytes], "malformed-packet", fault);
    }
  });

  Deno.test(`The property ${name} ${positive ? "may not" : "may"} be 0, or empty`, () => {
    const nothing = typeof value === "object" || typeof value === "string"
      ? [0, 0]
      : name === "subscriptionIdentifier"
      ? [0]
      : bytes.map(() => 0);
    for (const place of allowed) {
      if (positive) assertRefused(place, [id, nothing], "protocol-error", `has 0 for the property ${name}`);
      else assertEquals(Object.keys(read(place, id, nothing)!), [name]);
    }
  });

  Deno.test(`The property ${name} has its bytes, all of them`, () => {
    for (const place of allowed) {
      for (let count = 0; count < bytes.length; count++) {
        assertRefused(place, [id, bytes.slice(0, count)], "malformed-packet", "ends too early");
      }
    }
  });

  if (typeof value !== "boolean") continue;
  Deno.test(`The property ${name} is 0 or 1`, () => {
    assertEquals(allowed.map((place) => read(place, id, 0)), allowed.map(() => ({ [name]: false })));
    for (const other of [2, 255]) {
      for (const place of allowed) {
        assertRefused(place, [id, other], "protocol-error", `has ${other} for the property ${name}, not 0 or 1`);
      }
    }
  });
}

Deno.test("A PUBLISH of a client may not have a subscription identifier [MQTT5-3.3.4-6]", () => {
  assertRefused("publish", [11, 1], "protocol-error", "of a client has a subscription identifier");
});

/** The properties of packets that only a server sends, and numbers that are none. */
const others = [0, 4, 18, 19, 26, 28, 32, 36, 37, 40, 41, 42, 43, 127, 128, 255];

for (const id of others) {
  Deno.test(`A client may send no property ${id}`, () => {
    const fault = `has a property ${id}, which does not belong there`;
    for (const place of places) assertRefused(place, [id, [0, 1, 0x61]], "malformed-packet", fault);
  });
}

Deno.test("User properties may stand everywhere, as often as one likes, and keep their order [MQTT5-3.3.2-18]", () => {
  const parts = [38, "b", "1", 38, "a", "", 38, "", "ü", 38, "b", "1", 38, "__proto__", "x"];
  const userProperties = [["b", "1"], ["a", ""], ["", "ü"], ["b", "1"], ["__proto__", "x"]] as const;
  for (const place of places) assertEquals(read(place, ...parts), { userProperties });
});

Deno.test("User properties are read between others", () => {
  assertEquals(read("publish", 38, "a", "1", 3, "t", 38, "a", "2"), {
    contentType: "t",
    userProperties: [["a", "1"], ["a", "2"]],
  });
});

const strings = definitions.filter(({ value: [, value] }) => typeof value === "string");

Deno.test("Strings of properties are well-formed [MQTT5-1.5.4-1] [MQTT5-1.5.4-2] [MQTT5-1.5.7-1]", () => {
  const cases = [
    [[0, 1, 0xff], "has a string that is not well-formed UTF-8"],
    [[0, 1, 0x00], "has a string with U+0000"],
  ] as const;
  for (const [bad, fault] of cases) {
    for (const { id, in: [place] } of strings) assertRefused(place!, [id, bad], "malformed-packet", fault);
    for (const pair of [["a", bad], [bad, "a"]]) assertRefused("connect", [38, ...pair], "malformed-packet", fault);
  }
});

Deno.test("No properties are a length of 0, and nothing is found [MQTT5-2.2.2-1]", () => {
  for (const place of places) assertEquals(read(place), undefined);
});

Deno.test("The length of the properties ends where a property ends, within the packet", () => {
  const cases: readonly (readonly [bytes: readonly number[], fault: string])[] = [
    [[], "ends too early"],
    [[5, 2, 0, 0, 0], "ends too early"],
    [[4, 2, 0, 0, 0, 1], "ends too early"], // what the property needs is there, but outside of the properties
    [[1, 1, 1], "ends too early"],
    [[0x82, 0, 1, 1], "has a variable byte integer with more bytes than it needs"],
    [[0x80, 0x80, 0x80, 0x80, 0], "has a variable byte integer of more than 4 bytes"],
  ];
  for (const [bytes, fault] of cases) {
    const reader = new Reader("PACKET", Buffer.from(bytes));
    assertEquals(assertThrows(() => readProperties(reader, "publish"), MqttError).message, `PACKET ${fault}`);
  }
});

Deno.test("What is behind the properties is left for others to read", () => {
  const reader = new Reader("PACKET", fields(counted(1, 1), 7));
  assertEquals([readProperties(reader, "publish"), reader.byte()], [{ payloadFormatIndicator: true }, 7]);
});

Deno.test("The properties of more than 127 bytes have a length of two bytes", () => {
  const contentType = "x".repeat(200), reader = new Reader("PACKET", fields([0xcb, 1, 3], contentType));
  assertEquals(readProperties(reader, "publish"), { contentType });
});
