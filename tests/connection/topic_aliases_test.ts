import { assertEquals, assertThrows } from "@std/assert";
import { IncomingAliases, OutgoingAliases } from "../../src/connection/topic_aliases.ts";
import { Memory } from "../../src/memory.ts";
import { MqttError } from "../../src/errors.ts";

function newAliases(maximum: number, memory = new Memory(Infinity)): IncomingAliases {
  return new IncomingAliases(maximum, memory);
}

Deno.test("An alias of a client stands for the topic that it came with last [MQTT5-3.3.2-12]", () => {
  const aliases = newAliases(2);
  assertEquals([aliases.resolve("a", 1), aliases.resolve("b", 2)], ["a", "b"]);
  assertEquals([aliases.resolve("", 2), aliases.resolve("", 1)], ["b", "a"]);
  assertEquals([aliases.resolve("b", 1), aliases.resolve("", 1), aliases.resolve("", 2)], ["b", "b", "b"]);
});

Deno.test("An alias of a client over the maximum is invalid, one that stands for nothing a protocol error [MQTT5-3.3.2-9]", () => {
  const cases = [
    [2, "a", 3, "topic-alias-invalid", "Topic alias is 3: 2 are permitted"],
    [2, "", 3, "topic-alias-invalid", "Topic alias is 3: 2 are permitted"],
    [0, "a", 1, "topic-alias-invalid", "Topic alias is 1: 0 are permitted"],
    [2, "", 2, "protocol-error", "Topic alias 2 stands for no topic yet"],
  ] as const;
  for (const [maximum, topic, alias, reason, message] of cases) {
    const error = assertThrows(() => newAliases(maximum).resolve(topic, alias), MqttError);
    assertEquals([error.reason, error.message], [reason, message]);
  }
});

Deno.test("The topics of a client's aliases are on the account as long as they have one", () => {
  const memory = new Memory(1000), aliases = newAliases(3, memory), used: number[] = [];
  for (const [topic, alias] of [["x".repeat(300), 1], ["", 1], ["yy", 1], ["y", 2]] as const) {
    aliases.resolve(topic, alias);
    used.push(memory.used);
  }
  assertEquals(used, [300, 300, 2, 3]);
  memory.add(1000);
  const error = assertThrows(() => aliases.resolve("x".repeat(257), 1), MqttError);
  assertEquals([error.reason, error.message], [
    "quota-exceeded",
    "The broker has no memory for so long a topic with an alias now",
  ]);
  assertEquals([aliases.resolve("", 1), aliases.resolve("x".repeat(256), 1).length, memory.used], ["yy", 256, 1257]);
  aliases.clear();
  assertEquals(memory.used, 1000);
});

/** What is sent for topics, one after the other: the topic, its alias with it, or the alias alone. */
function sent(aliases: OutgoingAliases, ...topics: readonly string[]): string {
  return topics.map((topic) => {
    const alias = aliases.use(topic);
    return alias ? alias.known ? `${alias.id}` : `${topic}=${alias.id}` : topic;
  }).join(" ");
}

Deno.test("A topic gets an alias when it comes for the second time, and from then on the alias stands for it", () => {
  assertEquals(sent(new OutgoingAliases(10), ..."aabbaabc"), "a a=1 b b=2 1 1 2 c");
});

Deno.test("There are never more aliases than the client takes: the one that was not used for longest is given anew [MQTT5-3.3.2-11]", () => {
  assertEquals(sent(new OutgoingAliases(2), ..."aabbacccabb"), "a a=1 b b=2 1 c c=2 2 1 b b=2");
});

Deno.test("A client that takes one alias gets one", () => {
  assertEquals(sent(new OutgoingAliases(1), ..."aaabbbaaa"), "a a=1 1 b b=1 1 a a=1 1");
});

Deno.test("Topics that come once cost no alias, and are forgotten some time", () => {
  const aliases = new OutgoingAliases(2);
  assertEquals(sent(aliases, "a", "a", "first"), "a a=1 first");
  for (let i = 0; i < 1000; i++) assertEquals(aliases.use(`once/${i}`), undefined);
  assertEquals(sent(aliases, "first", "a"), "first 1");
});

Deno.test("A client that replays what it is sent always finds the right topic", () => {
  const aliases = new OutgoingAliases(3), client = newAliases(3);
  for (let i = 0; i < 2000; i++) {
    const topic = `t/${(i * i + (i >> 3)) % 7}`, alias = aliases.use(topic);
    if (alias) assertEquals(client.resolve(alias.known ? "" : topic, alias.id), topic);
  }
});
