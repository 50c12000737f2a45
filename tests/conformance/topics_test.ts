// Topic names and topic filters (3.1.1 section 4.7), as clients see them.
import { assertEquals, assertThrows } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected } from "../support/client.ts";
import { receiveAll } from "./script.ts";
import { field, frame } from "./support.ts";
import { endTheConnection, type Violations, violationsOf } from "./violations.ts";

const LONGEST = 65_535;

/** Which of `topics` a filter brings, as new messages and as retained ones. */
async function brought(filter: string, topics: readonly string[]): Promise<string[]> {
  await using broker = createBroker();
  await using before = await connected(broker, "before");
  await before.subscribe(filter);
  for (const topic of topics) await broker.publish(topic, "x", { retain: true });
  await using after = await connected(broker, "after");
  await after.subscribe(filter);
  const established = (await receiveAll(before)).map(({ topic }) => topic as string);
  const retained = (await receiveAll(after)).map(({ topic }) => topic as string);
  assertEquals([...retained].sort(), [...established].sort());
  return established;
}

/** A test of what filters match: of `topics`, exactly those that each filter lists, in that order. */
function match(topics: readonly string[], filters: Readonly<Record<string, readonly string[]>>): () => Promise<void> {
  return async () => {
    for (const [filter, expected] of Object.entries(filters)) {
      assertEquals(await brought(filter, topics), expected, filter);
    }
  };
}

Deno.test(
  "# matches the level before it and any number of levels [MQTT-4.7.1-2]",
  match(["sport", "sport/", "sport/tennis", "sport/tennis/player1", "sports", "spor", "a/sport"], {
    "sport/#": ["sport", "sport/", "sport/tennis", "sport/tennis/player1"],
    "sport/tennis/#": ["sport/tennis", "sport/tennis/player1"],
    "#": ["sport", "sport/", "sport/tennis", "sport/tennis/player1", "sports", "spor", "a/sport"],
  }),
);

Deno.test(
  "+ matches exactly one level, which may be empty [MQTT-4.7.1-3]",
  match(["sport", "sport/", "sport/tennis", "sport/tennis/player1", "/finance", "/", "//"], {
    "+": ["sport"],
    "sport/+": ["sport/", "sport/tennis"],
    "+/+": ["sport/", "sport/tennis", "/finance", "/"],
    "/+": ["/finance", "/"],
    "+/tennis/+": ["sport/tennis/player1"],
    "sport/+/player1": ["sport/tennis/player1"],
    "+/#": ["sport", "sport/", "sport/tennis", "sport/tennis/player1", "/finance", "/", "//"],
    "+/+/+": ["sport/tennis/player1", "//"],
  }),
);

Deno.test(
  "a / at either end, or two of them, makes a level of its own [MQTT-4.7.1-3]",
  match(["a", "/a", "a/", "a/b", "a//b", "/", "//"], {
    "a": ["a"],
    "/a": ["/a"],
    "a/": ["a/"],
    "a//b": ["a//b"],
    "a/+/b": ["a//b"],
    "/": ["/"],
    "//": ["//"],
    "a/#": ["a", "a/", "a/b", "a//b"],
    "/#": ["/a", "/", "//"],
  }),
);

Deno.test(
  "names are compared character by character: case, blanks and composition count [MQTT-3.3.2-3]",
  match(["a", "A", " a", "a ", "\u00e9", "e\u0301", "\ufeffa", "constructor", "__proto__", "😀"], {
    "a": ["a"],
    "A": ["A"],
    "a ": ["a "],
    "\u00e9": ["\u00e9"],
    "e\u0301": ["e\u0301"],
    "\ufeffa": ["\ufeffa"],
    "constructor": ["constructor"],
    "__proto__": ["__proto__"],
    "😀": ["😀"],
    "toString": [],
  }),
);

Deno.test(
  "a wildcard at the start matches no name that starts with $ [MQTT-4.7.2-1]",
  match(["$SYS", "$SYS/a", "$other/a/b", "$", "a/$b", "a"], {
    "#": ["a/$b", "a"],
    "+": ["a"],
    "+/a": [],
    "+/#": ["a/$b", "a"],
    "+/a/#": [],
    "$SYS/#": ["$SYS", "$SYS/a"],
    "$SYS/+": ["$SYS/a"],
    "$other/a/+": ["$other/a/b"],
    "$": ["$"],
    "a/+": ["a/$b"],
  }),
);

/** A filter in a SUBSCRIBE, and in an UNSUBSCRIBE. */
function asFilters(filters: readonly string[]): Violations {
  return {
    ...violationsOf(filters, (filter) => frame(0x82, 0, 1, ...field(filter), 0)),
    ...violationsOf(
      filters.map((filter) => ({ unsubscribe: filter })),
      (value) => frame(0xa2, 0, 1, ...field(value.unsubscribe)),
    ),
  };
}

Deno.test(
  "a # that is not the last character, or not alone in its level, ends the connection [MQTT-4.7.1-2]",
  endTheConnection(asFilters(["a#", "a/b#", "#a", "#/a", "a/#/b", "#/", "##", "a/##", "#/#", "+#", "$#"])),
);

Deno.test(
  "a + that does not fill a level ends the connection [MQTT-4.7.1-3]",
  endTheConnection(asFilters(["a+", "+a", "a/b+", "a/+b/c", "++", "a/++/b", "+$", "#+"])),
);

Deno.test(
  "an empty topic name or filter ends the connection [MQTT-4.7.3-1]",
  endTheConnection({
    "PUBLISH": frame(0x30, ...field(""), 0x78),
    "PUBLISH with RETAIN": frame(0x31, ...field(""), 0x78),
    "second filter of a SUBSCRIBE": frame(0x82, 0, 1, ...field("a"), 0, ...field(""), 0),
    ...asFilters([""]),
  }),
);

Deno.test(
  "a topic name or filter with U+0000 ends the connection [MQTT-4.7.3-2]",
  endTheConnection({
    ...violationsOf(["\0", "a\0", "\0a", "a/\0/b"], (topic) => frame(0x30, ...field(topic), 0x78)),
    ...asFilters(["a\0b", "\0", "a/\0/#"]),
  }),
);

Deno.test("topic names and filters of 65,535 bytes are possible: one level, as many as can be, and wide characters [MQTT-4.7.3-3]", async (t) => {
  const names = {
    "one level": "a".repeat(LONGEST),
    "levels": "/".repeat(LONGEST),
    "characters": "\u20ac".repeat(LONGEST / 3),
  };
  for (const [name, longest] of Object.entries(names)) {
    await t.step(name, async () => {
      assertEquals(field(longest).length, LONGEST + 2);
      await using broker = createBroker({ limits: { topicLevels: 65_536 } });
      await using client = await connected(broker, "client");
      await client.subscribe(longest, 1);
      for (const retain of [false, true]) {
        await client.send({ cmd: "publish", topic: longest, payload: "x", qos: 1, retain, messageId: 1 });
        await client.expect({ cmd: "publish", topic: longest, payload: "x", retain: false });
        await client.expect({ cmd: "puback", messageId: 1 });
      }
      await client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: [longest] });
      await client.expect({ cmd: "unsuback", messageId: 2 });
      await client.subscribe(longest, 1);
      await client.expect({ cmd: "publish", topic: longest, payload: "x", retain: true });
    });
  }
});

Deno.test("the broker's own process can publish no longer topic name either [MQTT-4.7.3-3] [MQTT-4.7.3-1] [MQTT-4.7.3-2]", async () => {
  await using broker = createBroker();
  for (const topic of ["a".repeat(LONGEST + 1), "\u20ac".repeat(LONGEST / 3 + 1), "", "a\0"]) {
    assertThrows(() => broker.publish(topic, "x"), TypeError, "Topic name");
    assertThrows(() => broker.topic(topic), TypeError, "Topic filter");
  }
});
