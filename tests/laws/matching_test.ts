// For random filters and topics over a small alphabet, so that they often meet: whatever finds matches faster finds the same as
// the definition, `matches()`.
import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import { Message } from "../../src/message.ts";
import { captures, matches, topicFilterFault, topicNameFault } from "../../src/topics/filter.ts";

import { TopicIndex } from "../../src/topics/topic_index.ts";
import { VirtualClock } from "../support/clock.ts";
import { retainedMessages } from "../support/retained.ts";

const level = fc.constantFrom("", "a", "b", "$", "$a"), wildcard = fc.constantFrom("+", "+", "a", "b", "", "$", "$a");

const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/")).filter(Boolean);

const filters = fc.tuple(fc.array(wildcard, { maxLength: 5 }), fc.constantFrom([], ["#"]))
  .map(([levels, last]) => [...levels, ...last].join("/")).filter(Boolean);

/** Something done to an index: a subscriber is added or deleted, or a topic is looked up, which fills the cache. */
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom("add", "add", "delete"), filter: filters, subscriber: fc.nat(2) }),
    fc.record({ do: fc.constant("match"), topic: topics }),
  ),
  { maxLength: 60 },
);

Deno.test("Law: generated filters and topics are valid", () => {
  fc.assert(fc.property(topics, filters, (topic, filter) => {
    assertEquals([topicNameFault(topic), topicFilterFault(filter)], [undefined, undefined]);
  }));
});

Deno.test("Law: the index finds what matches() says, whatever was added, deleted and looked up before", () => {
  fc.assert(
    fc.property(steps, fc.array(topics, { minLength: 1 }), (steps, last) => {
      const index = new TopicIndex((found: string[]) => found), subscribed = new Map<string, string>();
      const check = (topic: string) => {
        const wanted = [...subscribed].filter(([, filter]) => matches(filter)({ topic })).map(([key]) => key);
        assertEquals([...index.match(topic)].sort(), wanted.sort());
      };
      for (const step of steps) {
        if (!("filter" in step)) {
          check(step.topic);
          continue;
        }
        const key = `${step.subscriber} of ${step.filter}`;
        if (step.do === "add") index.add(step.filter, key), subscribed.set(key, step.filter);
        else index.delete(step.filter, key), subscribed.delete(key);
      }
      last.forEach(check);
    }),
    { numRuns: 500 },
  );
});

Deno.test("Law: the retained messages that a filter finds are those that matches() says, however they came and went", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(topics, fc.boolean())), fc.array(filters), (updates, filters) => {
      const set = retainedMessages(new VirtualClock()), kept = new Set<string>();
      for (const [topic, keep] of updates) {
        const payload = new Uint8Array(keep ? 1 : 0);
        set.update(new Message({ topic, payload, qos: 0, retain: true, client: undefined }));
        keep ? kept.add(topic) : kept.delete(topic);
      }
      assertEquals(set.size, kept.size);
      for (const filter of filters) {
        const wanted = [...kept].filter((topic) => matches(filter)({ topic }));
        assertEquals([...set.matching(filter)].map(({ topic }) => topic).sort(), wanted.sort());
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("Law: a filter with its captures in place of its wildcards is the topic again", () => {
  let met = 0;
  fc.assert(
    fc.property(filters, topics, (filter, topic) => {
      if (!matches(filter)({ topic })) return;
      met++;
      const found: string[] = captures(filter, topic);
      const rebuilt = filter.replace(/[+#]/g, () => found.shift()!);
      assert(rebuilt === topic || rebuilt === `${topic}/`, `${filter} of ${topic}: ${rebuilt}`); // "a/#" matches "a"
      assertEquals(found, []);
    }),
    { numRuns: 5000 },
  );
  assert(met > 100, `Only ${met} of the pairs matched`);
});
