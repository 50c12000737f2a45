import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Captures,
  captures,
  isSysTopic,
  isWildcard,
  matches,
  topicFilterFault,
  topicNameFault,
  topicSizeFault,
} from "../../src/topics/filter.ts";
import { Message } from "../../src/message.ts";
import { of, toArray } from "../../src/rx.ts";
import { filter, lastValueFrom } from "../../src/rx.ts";
import { matchingSuite } from "../suites/matching.ts";

matchingSuite("matches()", async (filters, topic) => {
  const message = new Message({ topic, payload: new Uint8Array(), qos: 0, retain: false, client: undefined });
  const found = await Promise.all(filters.map(async (wanted) => {
    const routed = await lastValueFrom(of(message).pipe(filter(matches(wanted)), toArray()));
    return routed.map(() => wanted);
  }));
  return found.flat();
});

const LONGEST = 65_535;

Deno.test("A topic name is at least one character, and any but wildcards and U+0000 [MQTT-4.7.3-1]", () => {
  for (
    const topic of ["a", "/", "//", " ", "a b", "$SYS/x", "ÄÖ/€/😀", "a".repeat(LONGEST), "constructor", "__proto__"]
  ) {
    assertEquals(topicNameFault(topic), undefined, topic.slice(0, 20));
  }
});

const nameFaults: readonly (readonly [rule: string, topic: string, fault: string])[] = [
  ["empty [MQTT-4.7.3-1]", "", "Topic name is empty: it needs at least one character"],
  ["with + [MQTT-3.3.2-2]", "a/+", 'Topic name "a/+" holds a wildcard, "+" or "#": only filters may'],
  ["with # [MQTT-3.3.2-2]", "a#b", 'Topic name "a#b" holds a wildcard, "+" or "#": only filters may'],
  ["with U+0000 [MQTT-4.7.3-2]", "a\0b", "Topic name holds U+0000"],
  ["with half of a surrogate pair", "a\ud800", "Topic name holds half of a surrogate pair"],
  ["too long [MQTT-4.7.3-3]", "a".repeat(LONGEST + 1), "Topic name is 65536 bytes long: 65535 are possible"],
  ["too long in bytes only", "é".repeat(32_768), "Topic name is 65536 bytes long: 65535 are possible"],
];

for (const [rule, topic, fault] of nameFaults) {
  Deno.test(`A topic name is refused: ${rule}`, () => assertEquals(topicNameFault(topic), fault));
}

const filterFaults: readonly (readonly [filter: string, fault: string])[] = [
  ["", "Topic filter is empty: it needs at least one character"],
  ["a\0", "Topic filter holds U+0000"],
  ["\udfff", "Topic filter holds half of a surrogate pair"],
  ["#/a", 'Topic filter "#/a" has "#" before its last level'],
  ["a/#/b", 'Topic filter "a/#/b" has "#" before its last level'],
  ["a/#/", 'Topic filter "a/#/" has "#" before its last level'],
  ["##", 'Topic filter "##" has "#" before its last level'],
  ["a#", 'Topic filter "a#" has "#" beside other characters: it stands alone in its level'],
  ["+#", 'Topic filter "+#" has "#" beside other characters: it stands alone in its level'],
  ["a+", 'Topic filter "a+" has "+" beside other characters: it stands alone in its level'],
  ["+a/b", 'Topic filter "+a/b" has "+" beside other characters: it stands alone in its level'],
  ["a/++/b", 'Topic filter "a/++/b" has "+" beside other characters: it stands alone in its level'],
];

for (const [wrong, fault] of filterFaults) {
  Deno.test(`Topic filter ${JSON.stringify(wrong)} is refused [MQTT-4.7.1-2] [MQTT-4.7.1-3]`, () => {
    assertEquals(topicFilterFault(wrong), fault);
    assertEquals(assertThrows(() => matches(wrong), TypeError).message, fault);
  });
}

Deno.test("A topic filter may be as long as 65,535 bytes, and no longer [MQTT-4.7.3-3]", () => {
  assertEquals(topicFilterFault("+/".repeat(32_767) + "#"), undefined);
  assertMatch(topicFilterFault("+/".repeat(32_768)) ?? "", /^Topic filter is 65536 bytes long/);
});

Deno.test("isWildcard() tells filters with wildcards from topic names", () => {
  for (const wildcard of ["#", "+", "a/+", "a/#"]) assertEquals(isWildcard(wildcard), true, wildcard);
  for (const name of ["a", "/", "$SYS"]) assertEquals(isWildcard(name), false, name);
});

const sizes: readonly (readonly [topic: string, levels: number, bytes: number])[] = [
  ["a", 1, 1],
  ["/", 2, 1],
  ["//", 3, 2],
  ["a/b", 2, 3],
  ["a/b/", 3, 4],
  ["+/+/#", 3, 5],
  ["\u20ac/\u20ac", 2, 7],
  ["\u{1f600}", 1, 4],
  ["a".repeat(1000), 1, 1000],
];

for (const [topic, levels, bytes] of sizes) {
  Deno.test(`topicSizeFault() lets pass a topic of ${levels} levels and ${bytes} bytes where that is the limit, not below`, () => {
    const fault = (topicLevels: number, topicLength: number) => topicSizeFault(topic, { topicLevels, topicLength });
    assertEquals(fault(levels, bytes), undefined);
    assertEquals(fault(65_536, bytes - 1), `has more than ${bytes - 1} bytes`);
    if (levels > 1) assertEquals(fault(levels - 1, 65_535), `has more than ${levels - 1} levels`);
  });
}

const captured: readonly (readonly [filter: string, topic: string, found: readonly string[]])[] = [
  ["a/b", "a/b", []],
  ["+", "a", ["a"]],
  ["+/+", "/a", ["", "a"]],
  ["home/+/temp", "home/kitchen/temp", ["kitchen"]],
  ["home/+/#", "home/kitchen/lamp/1", ["kitchen", "lamp/1"]],
  ["#", "a/b//c", ["a/b//c"]],
  ["a/#", "a/", [""]],
  ["a/#", "a", [""]],
  ["+/#", "a", ["a", ""]],
];

for (const [wanted, topic, found] of captured) {
  Deno.test(`captures() of "${wanted}" in "${topic}" are ${JSON.stringify(found)}`, () => {
    assertEquals(captures(wanted, topic), [...found]);
  });
}

Deno.test("Captures<> knows how many wildcards a filter has", () => {
  const none: Captures<"a/b"> = [], two: Captures<"home/+/#"> = ["kitchen", "lamp/1"];
  const unknown: Captures<string> = ["as", "many", "as", "come"];
  // @ts-expect-error: one wildcard is one string
  const wrong: Captures<"a/+"> = ["x", "y"];
  assertEquals([none.length, two.length, unknown.length, wrong.length], [0, 2, 4, 2]);
});

Deno.test("The text of a fault holds the topic, for whoever has to find it", () => {
  assertStringIncludes(topicNameFault("sensors/#/x") ?? "", '"sensors/#/x"');
});

Deno.test("isSysTopic() is true of $SYS and what is below it, in this spelling alone", () => {
  for (const topic of ["$SYS", "$SYS/", "$SYS/broker/uptime"]) assertEquals(isSysTopic(topic), true, topic);
  for (const topic of ["$", "$SY", "$SYSTEM", "$SYSTEM/a", "$sys/a", "/$SYS", "a/$SYS/b", "SYS/a", "$share/g/a"]) {
    assertEquals(isSysTopic(topic), false, topic);
  }
});
