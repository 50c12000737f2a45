import { assertEquals, assertIsError } from "@std/assert";
import { connackReturnCode, isReason, MqttError, type Reason, reasonCode } from "../src/errors.ts";

/** What 3.1.1 can say in a CONNACK (3.1.1 section 3.2.2.3), and a reason without an answer. */
const reasons: readonly (readonly [reason: Reason, code: number, returnCode: number | undefined])[] = [
  ["unsupported-protocol-version", 0x84, 1],
  ["client-identifier-not-valid", 0x85, 2],
  ["server-unavailable", 0x88, 3],
  ["bad-user-name-or-password", 0x86, 4],
  ["not-authorized", 0x87, 5],
  ["malformed-packet", 0x81, undefined],
];

for (const [reason, code, returnCode] of reasons) {
  Deno.test(`${reason} is 0x${code.toString(16)} in MQTT 5.0, and ${returnCode ?? "nothing"} in a CONNACK of 3.1.1`, () => {
    assertEquals([reasonCode(reason), connackReturnCode(reason), isReason(reason)], [code, returnCode, true]);
  });
}

Deno.test("What is not in the catalogue is no reason, whatever objects inherit", () => {
  for (const other of ["", "no", "constructor", "__proto__", 0x87, true, null, undefined, {}]) {
    assertEquals(isReason(other), false, String(other));
  }
});

Deno.test("An MqttError has a reason for a program and a message for a person", () => {
  const error = new MqttError("packet-too-large", "Packet of 300 bytes exceeds the limit of 256");
  assertIsError(error, Error, "Packet of 300 bytes");
  assertEquals([error.name, error.reason], ["MqttError", "packet-too-large"]);
});
