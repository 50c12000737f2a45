import { assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import type { BrokerEvent } from "../../src/events.ts";
import { type Holder, Sessions } from "../../src/session/sessions.ts";
import { compileRoute, type Subscriber } from "../../src/session/subscription.ts";
import { RetainedMessages } from "../../src/topics/retained.ts";
import { TopicIndex } from "../../src/topics/topic_index.ts";

/** An empty set of sessions, the index that they subscribe to, and what they report. */
function newSessions() {
  const events: BrokerEvent[] = [], index = new TopicIndex<Subscriber, readonly Subscriber[]>(compileRoute);
  const limits = { inflight: 1, queuedMessages: 1, queuedBytes: 1 };
  const report = (event: BrokerEvent) => void events.push(event);
  return { sessions: new Sessions({ index, retained: new RetainedMessages(), limits, report }), index, events };
}

const nobody: Holder = { takeOver() {} };

Deno.test("A session that was not clean is found again, one that was clean is not [MQTT-3.1.2-4] [MQTT-3.1.2-6]", () => {
  for (const [first, second, present] of [[false, false, true], [false, true, false], [true, false, false]] as const) {
    const { sessions } = newSessions(), opened = sessions.open("c", first, nobody);
    sessions.close(opened.session);
    const again = sessions.open("c", second, nobody);
    assertEquals([opened.present, again.present, again.session === opened.session], [false, present, present]);
  }
});

Deno.test("Each client identifier has a session of its own, whatever it is called", () => {
  const { sessions } = newSessions();
  const all = ["a", "A", "", "constructor", "__proto__"].map((id) => sessions.open(id, false, nobody));
  assertEquals([all.map(({ present }) => present).includes(true), new Set(all.map((one) => one.session)).size], [
    false,
    5,
  ]);
});

Deno.test("When its connection is over, a clean session ends and its subscriptions with it; others stay", () => {
  const { sessions, index } = newSessions();
  const [clean, stored] = [true, false].map((clean) => sessions.open(String(clean), clean, nobody).session);
  for (const session of [clean!, stored!]) session.subscribe("a", 0);
  assertEquals(index.match("a").length, 2);
  for (const session of [clean!, stored!]) sessions.close(session);
  assertEquals(index.match("a").length, 1);
  sessions.open("false", true, nobody);
  assertEquals(index.match("a").length, 0);
});

Deno.test("Whoever holds a session has given it up before the next one gets it [MQTT-3.1.4-2]", () => {
  const { sessions } = newSessions(), log: string[] = [];
  const first = sessions.open("c", false, {
    takeOver() {
      log.push("taken over");
      sessions.close(first.session);
    },
  });
  const second = sessions.open("c", false, nobody);
  log.push("opened");
  assertEquals(log, ["taken over", "opened"]);
  assertStrictEquals(second.session, first.session);
  sessions.open("c", false, nobody);
  assertEquals(log.length, 2);
});

Deno.test("A clean session that is taken over ends with its first connection", () => {
  const { sessions, index } = newSessions();
  const first = sessions.open("c", true, { takeOver: () => sessions.close(first.session) });
  first.session.subscribe("a", 0);
  const second = sessions.open("c", false, nobody);
  assertNotEquals(second.session, first.session);
  assertEquals([second.present, index.match("a")], [false, []]);
});
