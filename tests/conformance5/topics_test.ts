// Topic names and topic filters (5.0 section 4.7), as clients see them; a shared subscription matches as its filter does.
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { field } from "../conformance/support.ts";
import { receiveAll } from "../conformance/script.ts";
import { type Violations, violationsOf } from "../conformance/violations.ts";
import { connected5, faults, subscribe5, unsubscribe5 } from "./clients.ts";
import { packet, publishFrame } from "./packets.ts";

const LONGEST = 65_535;

/** Which of `topics` a filter brings: as new messages, as retained ones, and to a group. */
async function brought(filter: string, topics: readonly string[]): Promise<string[]> {
  await using broker = createBroker();
  await using before = await connected5(broker, "before");
  await subscribe5(before, filter);
  await using member = await connected5(broker, "member");
  await subscribe5(member, `$share/group/${filter}`);
  for (const topic of topics) await broker.publish(topic, "x", { retain: true });
  await using after = await connected5(broker, "after");
  await subscribe5(after, filter);
  const topicsOf = async (client: typeof before) => (await receiveAll(client)).map(({ topic }) => topic as string);
  const established = await topicsOf(before);
  assertEquals(await topicsOf(member), established);
  assertEquals((await topicsOf(after)).toSorted(), established.toSorted());
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
  "# matches the level before it and any number of levels [MQTT5-4.7.1-1]",
  match(["sport", "sport/", "sport/tennis", "sport/tennis/player1", "sports", "a/sport"], {
    "sport/#": ["sport", "sport/", "sport/tennis", "sport/tennis/player1"],
    "sport/tennis/#": ["sport/tennis", "sport/tennis/player1"],
    "#": ["sport", "sport/", "sport/tennis", "sport/tennis/player1", "sports", "a/sport"],
  }),
);

Deno.test(
  "+ matches exactly one level, which may be empty, at any place [MQTT5-4.7.1-2]",
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
  "a wildcard at the start matches no name that starts with $ [MQTT5-4.7.2-1]",
  match(["$SYS", "$SYS/a", "$other/a/b", "$", "a/$b", "a"], {
    "#": ["a/$b", "a"],
    "+": ["a"],
    "+/a": [],
    "+/#": ["a/$b", "a"],
    "$SYS/#": ["$SYS", "$SYS/a"],
    "$SYS/+": ["$SYS/a"],
    "$other/a/+": ["$other/a/b"],
    "$": ["$"],
    "a/+": ["a/$b"],
  }),
);

const names = [
  "a",
  "A",
  " a",
  "a ",
  "\u00e9",
  "e\u0301",
  "\ufeffa",
  "constructor",
  "__proto__",
  "😀",
  "\ufffd",
  "a/../b",
];

Deno.test(
  "names are compared character by character: nothing is normalized, unknown characters count [MQTT5-4.7.3-4]",
  match(names, {
    ...Object.fromEntries(names.map((name) => [name, [name]])),
    "toString": [],
    "b": [],
    "a/+/b": ["a/../b"],
  }),
);

Deno.test(
  "a wildcard is taken in a filter, and in no topic name [MQTT5-4.7.0-1] [MQTT5-3.3.2-2]",
  faults(violationsOf(["a/+", "+", "#", "a/#", "a#", "+a"], (topic) => publishFrame({ topic })), "malformed-packet"),
);

/** A filter in a SUBSCRIBE, alone and in a shared subscription, and in an UNSUBSCRIBE. */
function asFilters(filters: readonly string[]): Violations {
  return {
    ...violationsOf(
      filters.flatMap((filter) => [filter, ...filter && [`$share/group/${filter}`]]),
      (filter) => packet(0x82, 0, 1, 0, ...field(filter), 0),
    ),
    ...violationsOf(
      filters.map((filter) => ({ unsubscribe: filter })),
      ({ unsubscribe }) => packet(0xa2, 0, 1, 0, ...field(unsubscribe)),
    ),
  };
}

Deno.test(
  "a # that is not the last level, or does not fill it, is malformed [MQTT5-4.7.1-1]",
  faults(asFilters(["a/#/b", "#/a", "a#", "a/b#", "##", "#a", "a/#b", "+#"]), "malformed-packet"),
);

Deno.test(
  "a + that does not fill a level is malformed [MQTT5-4.7.1-2]",
  faults(asFilters(["a+", "+a", "a/b+", "a/+b/c", "++", "a/++/b", "+$"]), "malformed-packet"),
);

Deno.test(
  "an empty topic filter is malformed [MQTT5-4.7.3-1]",
  faults({
    "second filter of a SUBSCRIBE": packet(0x82, 0, 1, 0, ...field("a"), 0, ...field(""), 0),
    ...asFilters([""]),
  }, "malformed-packet"),
);

Deno.test(
  "a topic name or filter with U+0000 is malformed [MQTT5-4.7.3-2]",
  faults({
    ...violationsOf(["\0", "a\0", "\0a", "a/\0/b"], (topic) => publishFrame({ topic })),
    ...asFilters(["a\0b", "\0", "a/\0/#"]),
  }, "malformed-packet"),
);

Deno.test("topic names and filters of 65,535 bytes are possible, in every way in which they are sent [MQTT5-4.7.3-3]", async () => {
  for (const longest of ["a".repeat(LONGEST), "/".repeat(LONGEST), "\u20ac".repeat(LONGEST / 3)]) {
    await using broker = createBroker({ limits: { topicLevels: 65_536 } });
    await using client = await connected5(broker, "client", { properties: { topicAliasMaximum: 1 } });
    await subscribe5(client, longest, { qos: 1 });
    for (const retain of [false, true]) {
      await client.sendBytes(publishFrame({ topic: longest, qos: 1, id: 1, retain, payload: "x" }));
      await client.expect({ cmd: "publish", topic: longest, payload: "x", retain: false });
      await client.expect({ cmd: "puback", messageId: 1 });
    }
    await unsubscribe5(client, [longest], [0]);
    await subscribe5(client, longest);
    await client.expect({ cmd: "publish", topic: longest, payload: "x", retain: true });
  }
});
