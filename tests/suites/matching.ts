// What a subscription means (3.1.1 section 4.7), as one table: for the definition, `matches()`, and for its
// optimisations.
import { assertEquals } from "@std/assert";

/** Which of the filters match the topic, in any order. */
type Match = (filters: readonly string[], topic: string) => readonly string[] | Promise<readonly string[]>;

interface Case {
  readonly rule: string;
  readonly topic: string;
  readonly matching: readonly string[];
  readonly others: readonly string[];
}

const cases: readonly Case[] = [
  {
    rule: "A filter without wildcards matches its own name, case and spaces included [MQTT-4.7.3-4]",
    topic: "sport/Tennis",
    matching: ["sport/Tennis"],
    others: ["sport/tennis", "sport/Tennis ", "sport", "sport/Tennis/", "/sport/Tennis", "Tennis"],
  },
  {
    rule: "# matches any number of levels, the parent included [MQTT-4.7.1-2]",
    topic: "sport/tennis/player1",
    matching: ["#", "sport/#", "sport/tennis/#", "sport/tennis/player1/#", "+/#", "+/+/#", "+/+/+/#"],
    others: ["sport/tennis/player/#", "tennis/#", "sport/tennis/player1/x/#", "sport//#", "/#", "+/+/+/+/#"],
  },
  {
    rule: "+ matches exactly one level [MQTT-4.7.1-3]",
    topic: "sport/tennis/player1",
    matching: ["sport/+/player1", "+/tennis/+", "+/+/+", "sport/tennis/+"],
    others: ["sport/+", "+", "+/+", "+/+/+/+", "sport/+/player2", "+/player1"],
  },
  { rule: "A level may be empty", topic: "/finance", matching: ["+/+", "/+", "/finance", "/#", "#"], others: ["+"] },
  { rule: "Levels may be all empty", topic: "//", matching: ["//", "+/+/+", "//+", "/#", "+//"], others: ["/", "+/+"] },
  { rule: "One slash is two levels", topic: "/", matching: ["/", "+/+", "/+", "+/", "/#"], others: ["+", "//", "$/+"] },
  { rule: "A level at the end may be empty", topic: "a/", matching: ["a/+", "a/#", "a/", "+/"], others: ["a", "+"] },
  {
    rule: "# matches the parent alone",
    topic: "a",
    matching: ["a/#", "#", "+", "+/#"],
    others: ["a/", "a/+", "a/+/#"],
  },
  {
    rule: "Wildcards at the start do not match topics that start with $ [MQTT-4.7.2-1]",
    topic: "$SYS/monitor/Clients",
    matching: ["$SYS/#", "$SYS/monitor/+", "$SYS/+/Clients", "$SYS/monitor/Clients"],
    others: ["#", "+/#", "+/monitor/Clients", "+/+/+", "SYS/#", "/#"],
  },
  { rule: "A topic may be $ alone", topic: "$", matching: ["$", "$/#"], others: ["#", "+", "+/#"] },
  {
    rule: "$ has no meaning in later levels, or later in the first one",
    topic: "a$/$b",
    matching: ["#", "+/+", "a$/+", "a$/#", "+/$b"],
    others: ["$/#", "a/$b"],
  },
  {
    rule: "Names that objects inherit are levels like others",
    topic: "constructor/__proto__",
    matching: ["constructor/__proto__", "constructor/+", "+/__proto__", "constructor/#"],
    others: ["constructor", "constructor/__proto__/constructor", "toString/+"],
  },
  {
    rule: "Levels are compared by code points, without normalisation [MQTT-1.5.3-3]",
    topic: "caf\u00e9/\ufeff😀",
    matching: ["caf\u00e9/+", "+/\ufeff😀"],
    others: ["cafe\u0301/+", "+/😀"],
  },
  {
    rule: "A topic may have 30,000 levels",
    topic: "/".repeat(30_000),
    matching: ["#", "/#", "+".concat("/+".repeat(30_000)), "+/".repeat(30_000) + "#"],
    others: ["+", "+".concat("/+".repeat(29_999))],
  },
];

/** Tests one implementation against the table. */
export function matchingSuite(name: string, match: Match): void {
  for (const { rule, topic, matching, others } of cases) {
    Deno.test(`${name}: ${rule}`, async () => {
      const found = await match([...others, ...matching], topic);
      assertEquals([...found].sort(), [...matching].sort());
    });
  }
}
