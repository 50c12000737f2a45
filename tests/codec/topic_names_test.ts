import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { TopicNames } from "../../src/codec/topic_names.ts";
import { MqttError } from "../../src/errors.ts";

/** Reads a topic name that has other bytes around it. */
function read(names: TopicNames, topic: string | readonly number[]): string {
  const bytes = Buffer.from(topic as string), around = Buffer.concat([Buffer.from("##"), bytes, Buffer.from("##")]);
  return names.read(around, 2, 2 + bytes.length);
}

const topics = [
  "a",
  "a/b",
  "/",
  "$SYS/x",
  "ä/\u{1f600}",
  "\ufeffa",
  " ",
  "x".repeat(256),
  "x".repeat(257),
  "constructor",
];

Deno.test("A topic name is read as its bytes say, as often as it comes", () => {
  const names = new TopicNames();
  for (const topic of [...topics, ...topics.toReversed()]) assertStrictEquals(read(names, topic), topic);
});

/**
 * Different texts of equal length whose hashes are the same: 31 times the difference of one byte makes up for the next
 * one.
 */
const collisions = ["Aa/Aa", "Aa/BB", "BB/Aa", "BB/BB"];

Deno.test("Topic names with the same hash are told apart", () => {
  const names = new TopicNames();
  for (const topic of [...collisions, ...collisions]) assertStrictEquals(read(names, topic), topic);
});

Deno.test("More names than are remembered are read all the same", () => {
  const names = new TopicNames();
  for (let i = 0; i < 20_010; i++) assertStrictEquals(read(names, `t/${i}`), `t/${i}`);
  assertStrictEquals(read(names, "t/0"), "t/0");
});

const faults: readonly (readonly [topic: string | readonly number[], fault: string])[] = [
  ["", "Topic name is empty: it needs at least one character"],
  ["a\0", "Topic name holds U+0000"],
  ["a/+", 'Topic name "a/+" holds a wildcard, "+" or "#": only filters may'],
  ["#", 'Topic name "#" holds a wildcard, "+" or "#": only filters may'],
  [[0x61, 0xff], "Topic name is not well-formed UTF-8"],
  [[0xed, 0xa0, 0x80], "Topic name is not well-formed UTF-8"],
];

for (const [topic, fault] of faults) {
  Deno.test(`A topic name is refused, every time: ${fault} [MQTT-3.3.2-1] [MQTT-3.3.2-2]`, () => {
    const names = new TopicNames();
    for (let i = 0; i < 2; i++) {
      const { reason, message } = assertThrows(() => read(names, topic), MqttError);
      assertEquals([reason, message], ["malformed-packet", fault]);
    }
  });
}
