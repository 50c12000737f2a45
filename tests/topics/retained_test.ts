import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Message } from "../../src/message.ts";
import type { RetainedMessages } from "../../src/topics/retained.ts";
import { matchingSuite } from "../suites/matching.ts";
import { VirtualClock } from "../support/clock.ts";
import { retainedMessages } from "../support/retained.ts";

function retained(topic: string, payload: string | Uint8Array = "x", retain = true): Message {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return new Message({ topic, payload: bytes, qos: 1, retain, client: "c" });
}

function setOf(...messages: readonly Message[]): RetainedMessages {
  return filled(new VirtualClock(), ...messages);
}

function filled(clock: VirtualClock, ...messages: readonly Message[]): RetainedMessages {
  const set = retainedMessages(clock);
  for (const message of messages) set.update(message);
  return set;
}

/** What a filter finds, as `topic=payload`, in a fixed order. */
function found(set: RetainedMessages, filter: string): string[] {
  return [...set.matching(filter)].map((message) => `${message.topic}=${message.text()}`).sort();
}

matchingSuite("RetainedMessages", (filters, topic) => {
  const set = setOf(retained(topic), retained("another/topic"), retained("$another"));
  return filters.filter((filter) => [...set.matching(filter)].some((message) => message.topic === topic));
});

Deno.test("The last message of each topic is retained [MQTT-3.3.1-5]", () => {
  const set = setOf(retained("a", "old"), retained("b"), retained("a", "new"));
  assertEquals([set.size, found(set, "#")], [2, ["a=new", "b=x"]]);
});

Deno.test("A message without RETAIN leaves the retained one as it is [MQTT-3.3.1-12]", () => {
  assertEquals(found(setOf(retained("a", "kept"), retained("a", "passes", false), retained("a", "", false)), "a"), [
    "a=kept",
  ]);
});

Deno.test("An empty message removes the retained one, and is not retained [MQTT-3.3.1-10] [MQTT-3.3.1-11]", () => {
  const set = setOf(retained("a/b"), retained("a/b/c"), retained("a"));
  for (const topic of ["a/b", "a/b", "a/b/x", "never"]) set.update(retained(topic, ""));
  assertEquals([set.size, found(set, "#")], [2, ["a/b/c=x", "a=x"]]);
  for (const topic of ["a/b/c", "a"]) set.update(retained(topic, ""));
  assertEquals([set.size, found(set, "#")], [0, []]);
});

Deno.test("What is removed, replaced or added while they are read one by one is not read any more", () => {
  const set = setOf(...["a", "b", "c"].map((topic) => retained(topic)));
  const reading = set.matching("+"), first = reading.next().value!;
  const [second, third] = ["a", "b", "c"].filter((topic) => topic !== first.topic);
  for (const message of [retained(second!, ""), retained(third!, "new"), retained("d")]) set.update(message);
  assertEquals([...reading], []);
  assertEquals(found(set, "+"), [`${first.topic}=x`, `${third}=new`, "d=x"].sort());
});

/** A message that expires after so many seconds. */
function expiring(topic: string, seconds: number, payload = "x"): Message {
  return retained(topic, payload).with({ properties: { messageExpiryInterval: seconds } });
}

Deno.test("A message that expires is retained so long, not shorter, and leaves nothing behind [MQTT5-3.3.2-5]", async () => {
  const clock = new VirtualClock(), set = filled(clock, expiring("a/b", 10), expiring("a", 20), retained("c"));
  await clock.advance(10_000 - 1);
  assertEquals(found(set, "#"), ["a/b=x", "a=x", "c=x"]);
  await clock.advance(1000);
  assertEquals([found(set, "#"), set.size], [["a=x", "c=x"], 2]);
  await clock.advance(10_000);
  assertEquals([found(set, "#"), set.size, clock.pending], [["c=x"], 1, 0]);
});

Deno.test("A message that takes another one's place has an expiry of its own, or none", async () => {
  const clock = new VirtualClock(), set = filled(clock, ...["a", "b", "c"].map((topic) => expiring(topic, 10)));
  await clock.advance(5000);
  for (const message of [expiring("a", 10, "new"), retained("b", "new"), retained("c", "")]) set.update(message);
  await clock.advance(6000);
  assertEquals(found(set, "#"), ["a=new", "b=new"]);
  await clock.advance(5000);
  assertEquals([found(set, "#"), clock.pending], [["b=new"], 0]);
});

Deno.test("The expiry of a message that was removed takes no later one along", async () => {
  const clock = new VirtualClock(), set = filled(clock, expiring("a", 10), retained("a", ""), retained("a", "new"));
  assertEquals(clock.pending, 0);
  await clock.advance(20_000);
  assertEquals(found(set, "a"), ["a=new"]);
});

for (const kind of [Uint8Array, Buffer]) {
  Deno.test(`A retained payload is a copy of its own: it keeps no read buffer alive (${kind.name})`, () => {
    const large = kind.from(new TextEncoder().encode("x".repeat(4096))), view = large.subarray(0, 4);
    const set = setOf(retained("a", view));
    large.fill(0);
    const [message] = set.matching("a");
    assertEquals([message!.text(), message!.payload.buffer.byteLength], ["xxxx", 4]);
  });
}
