// The rules that packets other than PUBLISH have to keep, each broken in bytes; properties_test.ts has those of
// properties.
import { assertEquals, assertThrows } from "@std/assert";
import type { Buffer } from "node:buffer";
import { Decoder } from "../../src/codec/decode.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import { MqttError, type Reason } from "../../src/errors.ts";
import { decoded } from "../support/frames.ts";
import { counted, frame, type Part } from "../support/packets.ts";

const read = (frame: Buffer, level: ProtocolLevel) => decoded(new Decoder(), frame, level);

type Fault = readonly [rule: string, frame: Buffer, message: string, reason?: Reason];

/** Tests that each fault is found, and that it is malformed unless it says otherwise. */
function refuse(levels: readonly ProtocolLevel[], faults: readonly Fault[]): void {
  for (const level of levels) {
    for (const [rule, frame, message, reason = "malformed-packet"] of faults) {
      Deno.test(`At level ${level}, what is refused is ${rule}`, () => {
        const error = assertThrows(() => read(frame, level), MqttError, message);
        assertEquals(error.reason, reason);
      });
    }
  }
}

const name = "MQTT", keepAlive = [0, 60], none = counted(), illFormed = [0, 1, 0xff];
const connect = 0x10, subscribe = 0x82, unsubscribe = 0xa2, auth = 0xf0;

/** A CONNECT of 3.1.1 with these flags and what follows the keep alive; one of 5.0 without properties. */
const connect4 = (flags: number, ...parts: readonly Part[]) => frame(connect, name, 4, flags, keepAlive, ...parts);
const connect5 = (flags: number, ...parts: readonly Part[]) =>
  frame(connect, name, 5, flags, keepAlive, none, ...parts);

refuse([4, 5], [
  ["a packet of the reserved type 0", frame(0x00), "Packet of the reserved type 0 is not known to this version"],
  ["a CONNECT of another protocol [MQTT-3.1.2-1]", frame(connect, "HTTP", 4, 2, keepAlive, "c"), 'name "HTTP", not'],
  [
    "a CONNECT of a long name, of which little is repeated",
    frame(connect, "x".repeat(100), 4),
    `name "${"x".repeat(20)}", not "MQTT" or "MQIsdp"`,
  ],
  ["a CONNECT of one byte", frame(connect, 0), "CONNECT ends too early"],
  ["a CONNECT without its flags", frame(connect, name, 4), "CONNECT ends too early"],
  ["a CONNECT without its keep alive", frame(connect, name, 4, 2, 0), "CONNECT ends too early"],
  ["a CONNECT with header flags [MQTT-2.2.2-2]", frame(0x11, name, 4, 2, keepAlive, "c"), "CONNECT has the flags 1"],
  [
    "a CONNECT of another level [MQTT-3.1.2-2]",
    frame(connect, name, 6),
    'Protocol level of "MQTT" is 6, not 4 or 5',
    "unsupported-protocol-version",
  ],
  [
    "a CONNECT of 3.1 by the name of 3.1.1 [MQTT-3.1.2-2]",
    frame(connect, name, 3),
    'Protocol level of "MQTT" is 3, not 4 or 5',
    "unsupported-protocol-version",
  ],
  [
    "a CONNECT of 5.0 by the name of 3.1 [MQTT-3.1.2-2]",
    frame(connect, "MQIsdp", 5),
    'Protocol level of "MQIsdp" is 5, not 3',
    "unsupported-protocol-version",
  ],
  ["a CONNECT of 3.1.1 with a password alone [MQTT-3.1.2-22]", connect4(0x42, "c", "p"), "password and no user name"],
  ["a PUBACK with packet identifier 0", frame(0x40, 0, 0), "PUBACK has 0 as its packet identifier"],
  ["a PUBACK of one byte", frame(0x40, 1), "PUBACK ends too early"],
  ["a PUBCOMP of nothing", frame(0x70), "PUBCOMP ends too early"],
  ["a PUBREL with header flags 0 [MQTT-3.6.1-1]", frame(0x60, 0, 1), "PUBREL has the flags 0"],
  ["a SUBSCRIBE with header flags 0 [MQTT-3.8.1-1]", frame(0x80, 0, 1), "SUBSCRIBE has the flags 0"],
  ["a SUBSCRIBE with packet identifier 0", frame(subscribe, 0, 0), "SUBSCRIBE has 0 as its packet identifier"],
  ["an UNSUBSCRIBE with packet identifier 0", frame(unsubscribe, 0, 0), "UNSUBSCRIBE has 0 as its packet identifier"],
  ["a PINGREQ with a body", frame(0xc0, 0), "PINGREQ goes on for 1 bytes after its end"],
  ["a DISCONNECT with header flags [MQTT-3.14.1-1]", frame(0xe1), "DISCONNECT has the flags 1"],
  ["a CONNACK", frame(0x20, 0, 0), "CONNACK is not for a client to send", "protocol-error"],
  ["a SUBACK", frame(0x90, 0, 1, 0), "SUBACK is not for a client to send", "protocol-error"],
  ["an UNSUBACK", frame(0xb0, 0, 1), "UNSUBACK is not for a client to send", "protocol-error"],
  ["a PINGRESP", frame(0xd0), "PINGRESP is not for a client to send", "protocol-error"],
]);

/** What the fields of a CONNECT may not be in either version; 5.0 has the properties of the will in front of it. */
const connects = (connect: typeof connect4, willProperties: readonly Part[]): readonly Fault[] => [
  ["a CONNECT with the reserved flag [MQTT-3.1.2-3]", connect(3, "c"), "CONNECT has its reserved flag set"],
  ["a CONNECT with a will of QoS 3 [MQTT-3.1.2-14]", connect(0x1e, "c", "w", ""), "has 3 as its will QoS"],
  ["a CONNECT with a will QoS and no will [MQTT-3.1.2-13]", connect(0x0a, "c"), "will QoS or will retain, and no will"],
  [
    "a CONNECT with will retain and no will [MQTT-3.1.2-15]",
    connect(0x22, "c"),
    "will QoS or will retain, and no will",
  ],
  [
    "a CONNECT with a wildcard in the will topic",
    connect(6, "c", ...willProperties, "w/#", ""),
    'CONNECT has a faulty will: Topic name "w/#"',
  ],
  ["a CONNECT with an empty will topic", connect(6, "c", ...willProperties, "", ""), "Topic name is empty"],
  ["a CONNECT without its will", connect(6, "c", ...willProperties), "CONNECT ends too early"],
  ["a CONNECT without its will payload", connect(6, "c", ...willProperties, "w"), "CONNECT ends too early"],
  ["a CONNECT with U+0000 in the client id [MQTT-1.5.3-2]", connect(2, "c\0"), "CONNECT has a string with U+0000"],
  ["a CONNECT with an ill-formed client id [MQTT-1.5.3-1]", connect(2, illFormed), "is not well-formed UTF-8"],
  ["a CONNECT with an ill-formed user name", connect(0x82, "c", illFormed), "is not well-formed UTF-8"],
  [
    "a CONNECT with an ill-formed will topic",
    connect(6, "c", ...willProperties, illFormed),
    "is not well-formed UTF-8",
  ],
  ["a CONNECT that goes on", connect(2, "c", 1, 2), "CONNECT goes on for 2 bytes after its end"],
  ["a CONNECT without its client id", connect(2), "CONNECT ends too early"],
  ["a CONNECT whose client id ends outside", connect(2, [0, 9, 1]), "CONNECT ends too early"],
  ["a CONNECT without its user name [MQTT-3.1.2-19]", connect(0x82, "c"), "CONNECT ends too early"],
  ["a CONNECT without its password [MQTT-3.1.2-21]", connect(0xc2, "c", "u"), "CONNECT ends too early"],
  ["a CONNECT with a user name that its flags deny [MQTT-3.1.2-18]", connect(2, "c", "u"), "goes on for 3 bytes"],
];

refuse([4], connects(connect4, []));
refuse([5], connects(connect5, [none]));

/** What is wrong with the filters of a SUBSCRIBE and an UNSUBSCRIBE; 5.0 has properties in front of them. */
const filters = (...properties: readonly Part[]): readonly Fault[] => [
  [
    "a SUBSCRIBE without a filter [MQTT-3.8.3-3]",
    frame(subscribe, 0, 1, ...properties),
    "SUBSCRIBE holds no topic filter",
    "protocol-error",
  ],
  [
    "an UNSUBSCRIBE without a filter [MQTT-3.10.3-2]",
    frame(unsubscribe, 0, 1, ...properties),
    "UNSUBSCRIBE holds no topic filter",
    "protocol-error",
  ],
  [
    "a SUBSCRIBE to an invalid filter [MQTT-4.7.1-2]",
    frame(subscribe, 0, 1, ...properties, "a", 0, "a/#/b", 0),
    'SUBSCRIBE is faulty: Topic filter "a/#/b" has "#" before its last level',
  ],
  [
    "a SUBSCRIBE to an empty filter [MQTT-4.7.3-1]",
    frame(subscribe, 0, 1, ...properties, "", 0),
    "Topic filter is empty",
  ],
  [
    "a SUBSCRIBE to an ill-formed filter [MQTT-3.8.3-1]",
    frame(subscribe, 0, 1, ...properties, illFormed, 0),
    "SUBSCRIBE has a string that is not well-formed UTF-8",
  ],
  ["a SUBSCRIBE without its QoS", frame(subscribe, 0, 1, ...properties, "a"), "SUBSCRIBE ends too early"],
  [
    "an UNSUBSCRIBE from an invalid filter",
    frame(unsubscribe, 0, 1, ...properties, "a+"),
    'UNSUBSCRIBE is faulty: Topic filter "a+" has "+" beside other characters',
  ],
  [
    "an UNSUBSCRIBE from an ill-formed filter [MQTT-3.10.3-1]",
    frame(unsubscribe, 0, 1, ...properties, illFormed),
    "UNSUBSCRIBE has a string that is not well-formed UTF-8",
  ],
];

refuse([4], filters());
refuse([5], filters(none));

refuse([4], [
  ["an AUTH", frame(auth), "AUTH is not known to this version of MQTT"],
  ["a PUBREC of three bytes", frame(0x50, 0, 1, 0), "PUBREC goes on for 1 bytes after its end"],
  ["a DISCONNECT with a body", frame(0xe0, 0), "DISCONNECT goes on for 1 bytes after its end"],
  ["a SUBSCRIBE with QoS 3 [MQTT-3.8.3-4]", frame(subscribe, 0, 1, "a", 3), 'SUBSCRIBE asks for QoS 3 of "a"'],
  ...[4, 8, 0x10, 0x20, 0x40, 0x80].map((bits): Fault => [
    `a SUBSCRIBE with the reserved bits ${bits} [MQTT-3.8.3-4]`,
    frame(subscribe, 0, 1, "a", bits),
    'SUBSCRIBE has reserved bits set behind "a"',
  ]),
]);

const nameless = counted(22, "data"), badAnswer = counted(8, "a/#"), twice = counted(11, 1, 11, 2);

refuse([5], [
  ["a PUBACK that goes on", frame(0x40, 0, 1, 0, none, 7), "PUBACK goes on for 1 bytes after its end"],
  ["a DISCONNECT that goes on", frame(0xe0, 0, none, 7), "DISCONNECT goes on for 1 bytes after its end"],
  ["an AUTH with header flags [MQTT5-3.15.1-1]", frame(0xf1), "AUTH has the flags 1"],
  ["a CONNECT whose properties end outside", frame(connect, name, 5, 2, keepAlive, 100), "CONNECT ends too early"],
  [
    "a CONNECT with authentication data and no method",
    frame(connect, name, 5, 2, keepAlive, nameless, "c"),
    "CONNECT has authentication data and no authentication method",
    "protocol-error",
  ],
  [
    "a CONNECT with a wildcard in the response topic of its will [MQTT5-3.3.2-14]",
    frame(connect, name, 5, 6, keepAlive, none, "c", badAnswer, "w", ""),
    'CONNECT has a faulty response topic: Topic name "a/#"',
    "protocol-error",
  ],
  [
    "a SUBSCRIBE with two identifiers",
    frame(subscribe, 0, 1, twice, "a", 0),
    "SUBSCRIBE has the property subscriptionIdentifier twice",
    "protocol-error",
  ],
  ["a SUBSCRIBE with QoS 3", frame(subscribe, 0, 1, none, "a", 3), 'asks for QoS 3 of "a"', "protocol-error"],
  [
    "a SUBSCRIBE with retain handling 3",
    frame(subscribe, 0, 1, none, "a", 0x30),
    'SUBSCRIBE has 3 as the retain handling of "a"',
    "protocol-error",
  ],
  ...[0x40, 0x80].map((bits): Fault => [
    `a SUBSCRIBE with the reserved bits ${bits} [MQTT5-3.8.3-5]`,
    frame(subscribe, 0, 1, none, "a", bits),
    'SUBSCRIBE has reserved bits set behind "a"',
  ]),
]);

const properties = counted(38, "a", "1"), found = { properties: { userProperties: [["a", "1"]] as const } };
const willProperties = counted(24, [0, 0, 0, 5]), foundInWill = { willProperties: { willDelayInterval: 5 } };

/** What is right, and the properties that are found on the way. */
const right: readonly (readonly [what: string, frame: Buffer, found: object])[] = [
  ["a CONNECT", frame(connect, name, 5, 2, keepAlive, properties, "c"), found],
  ["a CONNECT with a password alone", connect5(0x42, "", "p"), {}],
  [
    "a CONNECT with a will",
    frame(connect, name, 5, 0x36, keepAlive, properties, "c", willProperties, "w", ""),
    { ...found, ...foundInWill },
  ],
  ["a CONNECT of 3.1.1", connect4(0xc2, "c", "u", illFormed), {}],
  ["a PUBACK of two bytes", frame(0x40, 0, 1), {}],
  ["a PUBREC with a reason code", frame(0x50, 0, 1, 0x87), {}],
  ["a PUBREL without properties", frame(0x62, 0, 1, 0x92, none), {}],
  ["a PUBCOMP", frame(0x70, 0, 1, 0x92, properties), found],
  [
    "a SUBSCRIBE with all options",
    frame(subscribe, 0, 1, properties, "a", 0x2e, "$share/g/+", 0x19, "#", 0x02),
    found,
  ],
  ["an UNSUBSCRIBE", frame(unsubscribe, 0, 1, properties, "a", "b/#"), found],
  ["a PINGREQ", frame(0xc0), {}],
  ["a DISCONNECT of nothing", frame(0xe0), {}],
  ["a DISCONNECT with a reason code", frame(0xe0, 4), {}],
  ["a DISCONNECT", frame(0xe0, 0, properties), found],
  ["an AUTH", frame(auth, 0x18, properties), found],
];

for (const [what, frame, found] of right) {
  Deno.test(`At level 5, ${what} breaks no rule`, () => {
    const { properties, will } = read(frame, 5);
    assertEquals(
      { ...properties && { properties }, ...will?.properties && { willProperties: will.properties } },
      found,
    );
  });
}
