// Topic names and topic filters (3.1.1 section 4.7): the rules, and what it means for a filter to match a name.
// `matches` is the definition of a subscription; topic_index.ts is its optimisation, and delivers exactly the same.
import { levelsOf } from "../keys.ts";

/** The longest topic name or filter, in bytes of UTF-8 [MQTT-4.7.3-3]. */
const MAX_BYTES = 65_535;

const DOLLAR = 0x24;

const encoder = new TextEncoder();

/**
 * What a wildcard filter captures, as a tuple type: one string for each `+`, and one for `#` with the rest of the levels.
 *
 * `Captures<"home/+/#">` is `[string, string]`; for a filter that is known only at run time it is `string[]`.
 */
export type Captures<Filter extends string> = string extends Filter ? string[]
  : Filter extends `${infer Level}/${infer Rest}` ? [...LevelCaptures<Level>, ...Captures<Rest>]
  : LevelCaptures<Filter>;

type LevelCaptures<Level extends string> = Level extends "+" | "#" ? [string] : [];

/** What is wrong with a topic name, as a sentence, or `undefined`. */
export function topicNameFault(topic: string): string | undefined {
  const fault = stringFault("Topic name", topic); // first: what quotes the name must not send U+0000 back
  if (fault || !/[+#]/.test(topic)) return fault;
  return `Topic name "${topic}" holds a wildcard, "+" or "#": only filters may`; // [MQTT-3.3.2-2]
}

/** What is wrong with a topic filter, as a sentence, or `undefined`. */
export function topicFilterFault(filter: string): string | undefined {
  const fault = stringFault("Topic filter", filter);
  if (fault || !/[+#]/.test(filter)) return fault;
  const hash = filter.indexOf("#");
  if (hash >= 0 && hash < filter.length - 1) return `Topic filter "${filter}" has "#" before its last level`;
  if (/[^/]#/.test(filter)) {
    return `Topic filter "${filter}" has "#" beside other characters: it stands alone in its level`;
  }
  if (/[^/]\+|\+[^/]/.test(filter)) {
    return `Topic filter "${filter}" has "+" beside other characters: it stands alone in its level`;
  }
}

function stringFault(what: string, value: string): string | undefined {
  if (value === "") return `${what} is empty: it needs at least one character`; // [MQTT-4.7.3-1]
  return textFault(what, value);
}

/** What is wrong with a string of any packet (3.1.1 section 1.5.3), as a sentence, or `undefined`. */
export function textFault(what: string, value: string): string | undefined {
  if (value.includes("\0")) return `${what} holds U+0000`; // [MQTT-4.7.3-2]
  if (!value.isWellFormed()) return `${what} holds half of a surrogate pair`;
  if (value.length * 3 > MAX_BYTES) {
    const bytes = encoder.encode(value).length;
    if (bytes > MAX_BYTES) return `${what} is ${bytes} bytes long: ${MAX_BYTES} are possible`; // [MQTT-4.7.3-3]
  }
}

/** How large a topic name or filter may be: each level costs memory in an index. */
export interface TopicLimits {
  readonly topicLevels: number;
  /** In bytes of UTF-8. */
  readonly topicLength: number;
}

/** What is wrong with the size of a topic name or filter, as the rest of a sentence, or `undefined`. */
export function topicSizeFault(topic: string, { topicLevels, topicLength }: TopicLimits): string | undefined {
  if (topic.length * 3 > topicLength && encoder.encode(topic).length > topicLength) {
    return `has more than ${topicLength} bytes`;
  }
  if (topic.length < topicLevels) return undefined;
  let levels = 1;
  for (let at = topic.indexOf("/"); at >= 0; at = topic.indexOf("/", at + 1)) {
    if (++levels > topicLevels) return `has more than ${topicLevels} levels`;
  }
}

/** True for the topics below which a server tells of itself (3.1.1 section 4.7.2): what clients say there would be taken for that. */
export function isSysTopic(topic: string): boolean {
  return topic.charCodeAt(0) === DOLLAR && (topic === "$SYS" || topic.startsWith("$SYS/"));
}

/** True where `filter` holds a wildcard. */
export function isWildcard(filter: string): boolean {
  return filter.includes("+") || filter.includes("#");
}

/**
 * A predicate that tells whether a message's topic matches `filter`, to use with RxJS's `filter` operator (section 4.7).
 *
 * @throws {TypeError} where the filter is not valid
 *
 * @example
 * ```ts
 * import { matches } from "@brook/mqtt";
 * import { assert } from "@std/assert";
 *
 * const temperatures = matches("home/+/temp");
 * assert(temperatures({ topic: "home/kitchen/temp" }));
 * assert(!temperatures({ topic: "home/kitchen/light" }));
 * assert(!matches("#")({ topic: "$SYS/uptime" })); // [MQTT-4.7.2-1]
 * ```
 */
export function matches(filter: string): (message: { readonly topic: string }) => boolean {
  const fault = topicFilterFault(filter);
  if (fault) throw new TypeError(fault);
  if (!isWildcard(filter)) return ({ topic }) => topic === filter;
  const levels = filter.split("/");
  return ({ topic }) => matchLevels(levels, topic);
}

function matchLevels(filter: readonly string[], topic: string): boolean {
  if (topic.startsWith("$") && (filter[0] === "+" || filter[0] === "#")) return false; // [MQTT-4.7.2-1]
  const levels = levelsOf(topic);
  for (let i = 0; i < filter.length; i++) {
    if (filter[i] === "#") return true; // also the parent: "a/#" matches "a"
    if (i >= levels.length || (filter[i] !== "+" && filter[i] !== levels[i])) return false;
  }
  return filter.length === levels.length;
}

/** The levels of `topic` that the wildcards of `filter` stand for; both are taken to match. */
export function captures<Filter extends string>(filter: Filter, topic: string): Captures<Filter> {
  const levels = levelsOf(topic), found: string[] = [];
  for (const [i, level] of filter.split("/").entries()) {
    if (level === "+") found.push(levels[i] ?? "");
    else if (level === "#") found.push(levels.slice(i).join("/"));
  }
  return found as Captures<Filter>;
}
