// What it costs to find who wants a message, by the number of those who want something else.
import { TopicIndex } from "../../src/topics/topic_index.ts";

const SUBSCRIPTIONS = [1, 1000, 100_000];

/** More topics than an index remembers the answers for. */
const FRESH = 50_000;

/** An index with that many subscriptions, each on a topic of its own. */
function indexOf(count: number): TopicIndex<number, readonly number[]> {
  const index = new TopicIndex<number, readonly number[]>((subscribers) => subscribers);
  for (let i = 0; i < count; i++) index.add(topicOf(i), i);
  return index;
}

function topicOf(i: number): string {
  return `site/${i % 100}/room/${i}/temperature`;
}

for (const count of SUBSCRIPTIONS) {
  const group = `match, ${count.toLocaleString("en-US")} subscriptions`, index = indexOf(count), wild = indexOf(count);
  const topics = Array.from({ length: FRESH }, (_, i) => topicOf(i));
  for (const filter of ["#", "site/+/room/+/temperature", "site/7/#"]) wild.add(filter, -1);

  Deno.bench("the same topic again", { group, baseline: true }, () => {
    index.match(topics[0]!);
  });

  let next = 0;
  Deno.bench("topics that are new to it", { group }, () => {
    index.match(topics[next++ % FRESH]!);
  });

  Deno.bench("topics that are new to it, and three wildcards", { group }, () => {
    wild.match(topics[next++ % FRESH]!);
  });

  Deno.bench("subscribing and unsubscribing", { group }, () => {
    index.add("site/0/room/new", -1);
    index.delete("site/0/room/new", -1);
  });
}
