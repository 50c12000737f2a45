import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { BrokerEvent } from "../../src/events.ts";
import { levelOf, logFormats, type LogLevel, logLevels, logTo } from "../../src/observe/log.ts";
import { VirtualClock } from "../support/clock.ts";

const client = "c",
  remote = "1.2.3.4:5",
  topic = "a/b",
  filter = "a/#",
  error = new TypeError("no"),
  detail = "Because";
const connected = {
  type: "connected",
  client,
  remote,
  username: undefined,
  protocolLevel: 4,
  clean: true,
  sessionPresent: false,
  keepAlive: 60,
} as const;

type Line = readonly [event: BrokerEvent, level: LogLevel, text: string];

/** Every type of event; a missing one is an error of types. */
const lines: { readonly [type in BrokerEvent["type"]]: readonly Line[] } = {
  "store-failed": [[
    { type: "store-failed", error: new Error("no room") },
    "error",
    "Store failed, publications of QoS 1 and 2 are refused until it works again: Error: no room",
  ]],
  "store-recovered": [[{ type: "store-recovered" }, "warn", "Store works again"]],
  "listening": [[
    { type: "listening", address: "mqtt://127.0.0.1:1883" },
    "info",
    "Listening on mqtt://127.0.0.1:1883",
  ]],
  "connected": [
    [connected, "info", 'Client "c" connected from 1.2.3.4:5: MQTT 3.1.1, clean session, keep alive 60 s'],
    [
      { ...connected, username: "u", protocolLevel: 3, clean: false },
      "info",
      'Client "c" connected as "u" from 1.2.3.4:5: MQTT 3.1, new session, keep alive 60 s',
    ],
    [
      { ...connected, clean: false, sessionPresent: true },
      "info",
      'Client "c" connected from 1.2.3.4:5: MQTT 3.1.1, session resumed, keep alive 60 s',
    ],
    [
      { ...connected, protocolLevel: 5, keepAlive: 0 },
      "info",
      'Client "c" connected from 1.2.3.4:5: MQTT 5.0, clean session, keep alive 0 s',
    ],
  ],
  "refused": [
    [
      { type: "refused", client, remote, reason: "not-authorized", detail },
      "warn",
      'Refused client "c" from 1.2.3.4:5: not-authorized (Because)',
    ],
    [
      { type: "refused", client: undefined, remote, reason: "malformed-packet", detail },
      "warn",
      "Refused a connection from 1.2.3.4:5: malformed-packet (Because)",
    ],
  ],
  "disconnected": (["disconnect", "connection-lost", "server-shutting-down", "keep-alive-timeout"] as const).map((
    reason,
  ) => [
    { type: "disconnected", client, remote, reason, detail: 'Saw "x"' },
    reason === "keep-alive-timeout" ? "warn" : "info",
    `Client "c" disconnected: ${reason} (Saw "x")`,
  ]),
  "subscribed": [[{ type: "subscribed", client, filter, qos: 1 }, "debug", 'Client "c" subscribed to "a/#" at QoS 1']],
  "unsubscribed": [[{ type: "unsubscribed", client, filter }, "debug", 'Client "c" unsubscribed from "a/#"']],
  "denied": [[
    { type: "denied", action: "subscribe", client, topic: filter, reason: "not-authorized" },
    "warn",
    'Client "c" may not subscribe "a/#": not-authorized',
  ]],
  "dropped": [
    [
      { type: "dropped", client, topic, reason: "queue-full", count: 1 },
      "warn",
      'Dropped a message on "a/b" for client "c": queue-full',
    ],
    [
      { type: "dropped", client, topic: undefined, reason: "session-ended", count: 3 },
      "warn",
      'Dropped 3 messages for client "c": session-ended',
    ],
    [
      { type: "dropped", client: undefined, topic, reason: "routing-ended", count: 1 },
      "warn",
      'Dropped a message on "a/b": routing-ended',
    ],
    [
      { type: "dropped", client, topic, reason: "packet-too-large", count: 1 },
      "warn",
      'Dropped a message on "a/b" for client "c": packet-too-large',
    ],
    [
      { type: "dropped", client, topic, reason: "client-offline", count: 1 },
      "debug",
      'Dropped a message on "a/b" for client "c": client-offline',
    ],
  ],
  "routing-error": [
    [{ type: "routing-error", topic, error }, "error", 'Routing operator failed on "a/b": TypeError: no'],
    [{ type: "routing-error", topic: undefined, error: "no" }, "error", "Routing operator failed: no"],
  ],
  "observer-error": [[{ type: "observer-error", error: undefined }, "error", "Observer failed: undefined"]],
  "hook-error": [[
    { type: "hook-error", hook: "authenticate", error },
    "error",
    'Hook "authenticate" failed: TypeError: no',
  ]],
  "closed": [[{ type: "closed" }, "info", "Closed"]],
};

for (const [event, level, text] of Object.values(lines).flat()) {
  Deno.test(`An event is logged as ${level}: ${text}`, () => {
    const written: string[] = [];
    logTo((line) => written.push(line), "debug")(event);
    assertEquals([written.length, levelOf(event)], [1, level]);
    const [time, ...rest] = written[0]!.split(" ");
    assertMatch(time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertEquals(rest.join(" "), `${level.padEnd(5)} ${text}`);
  });
}

for (const [i, level] of logLevels.entries()) {
  Deno.test(`The log of level ${level} shows ${logLevels.slice(0, i + 1).join(", ")}`, () => {
    const written: string[] = [], log = logTo((line) => written.push(line), level);
    for (const [event] of Object.values(lines).flat()) log(event);
    const levels = new Set(written.map((line) => line.split(" ")[1]));
    assertEquals([...levels].sort(), logLevels.slice(0, i + 1).sort());
  });
}

/** A log of the level "debug" by a clock that the test sets: its lines without their time and level. */
function gatheringLog() {
  const lines: string[] = [], clock = new VirtualClock();
  return { lines, clock, log: logTo((line) => lines.push(line.slice(31)), "debug", clock) };
}

const drop = (client: string, count = 1): BrokerEvent => ({
  type: "dropped",
  client,
  topic,
  reason: "queue-full",
  count,
});

Deno.test("Connections that are refused, or end because of a fault, are one line a second for each reason, whoever they are of", () => {
  const { log, lines } = gatheringLog();
  for (let i = 0; i < 1000; i++) {
    log({ type: "refused", client: `c${i}`, remote: `here:${i}`, reason: "not-authorized", detail });
    log({ type: "disconnected", client: `c${i}`, remote: `here:${i}`, reason: "keep-alive-timeout", detail });
    if (i % 500 === 0) log({ type: "refused", client: `c${i}`, remote: "here:1", reason: "banned", detail });
  }
  assertEquals(lines, [
    'Refused client "c0" from here:0: not-authorized (Because)',
    'Client "c0" disconnected: keep-alive-timeout (Because)',
    'Refused client "c0" from here:1: banned (Because)',
  ]);
});

Deno.test("What is no loss, and connections that end as they should, are told one by one", () => {
  const { log, lines } = gatheringLog();
  for (let i = 0; i < 10; i++) {
    log(connected);
    log({ type: "disconnected", client, remote, reason: "connection-lost", detail });
    log({ type: "subscribed", client, filter, qos: 0 });
    log({ type: "hook-error", hook: "authorize", error });
  }
  assertEquals(lines.length, 40);
});

const denied: BrokerEvent = { type: "denied", action: "publish", client: "a", topic, reason: "not-authorized" };
const denial = 'Client "a" may not publish "a/b": not-authorized';

Deno.test("The level of the log may change, and what was held at the former one is told all the same", async () => {
  const lines: string[] = [], clock = new VirtualClock();
  let level: LogLevel = "warn";
  const log = logTo((line) => lines.push(line.slice(31)), () => level, clock);
  for (const event of [connected, drop("a"), drop("a")]) log(event);
  level = "error";
  log(drop("b"));
  await clock.advance(1000);
  assertEquals(lines, Array(2).fill('Dropped a message on "a/b" for client "a": queue-full'));
});

Deno.test("The first loss of a kind is told at once, and those that follow within a second when that is over", async () => {
  const { clock, log, lines } = gatheringLog();
  const told = () => lines.splice(0).map((line) => line.replace(' on "a/b" for client', ""));
  for (const event of [drop("a"), drop("a", 5), drop("b"), denied]) log(event);
  await clock.advance(999);
  log(drop("a", 7));
  assertEquals(told(), ['Dropped a message "a": queue-full', 'Dropped a message "b": queue-full', denial]);
  await clock.advance(1);
  assertEquals(told(), ['Dropped 7 messages "a": queue-full (and 5 more since the last line)']);
  for (const event of [drop("b"), drop("a"), denied, denied]) log(event);
  assertEquals(told(), ['Dropped a message "b": queue-full', denial]);
  await clock.advance(1000);
  assertEquals(told(), ['Dropped a message "a": queue-full', denial]);
  await clock.advance(3000);
  assertEquals([told(), clock.pending], [[], 0]);
});

Deno.test("Of a flood that does not end there is a line a second, and what is held when the broker closes is told", async () => {
  const { clock, log, lines } = gatheringLog();
  for (let i = 0; i < 50; i++) {
    for (let k = 0; k < 10; k++) log(drop("a"));
    await clock.advance(100);
  }
  log(drop("a", 2));
  log({ type: "closed" });
  const counts = lines.map((line) => [line.match(/\d+(?= more)/)?.[0], line.startsWith("Dropped 2 ")]);
  const second = ["99", false];
  assertEquals(counts, [[undefined, false], ["98", false], second, second, second, second, [undefined, true], [
    undefined,
    false,
  ]]);
  assertEquals(clock.pending, 0);
});

Deno.test("100,000 drops of one client in a second are one line, of 20,000 clients not more than a line for each", () => {
  const { log, lines } = gatheringLog();
  for (let i = 0; i < 100_000; i++) log(drop("a"));
  assertEquals(lines.length, 1);
  for (let i = 0; i < 20_000; i++) log(drop(`c${i}`));
  assertEquals(lines.length, 20_002); // where too many kinds are remembered, what was held is told
  assert(lines.some((line) => line.includes("and 99998 more")));
});

Deno.test("Of what a client has chosen, 256 characters are written and remembered, in text and in JSON", () => {
  const long = (end: string) => "x".repeat(256) + "z".repeat(65_000) + end, event = drop(long("1"));
  for (const [name, format] of Object.entries(logFormats)) {
    const lines: string[] = [], log = logTo((line) => lines.push(line), "debug", new VirtualClock(), format);
    log({ ...event, topic: long("") } as BrokerEvent);
    log(drop(long("2"))); // another one, which nobody could tell from the first
    assertEquals(lines.length, 1);
    assert(lines[0]!.length < 1500, `${name}: ${lines[0]!.length} characters`);
    assertStringIncludes(lines[0]!, "x".repeat(256) + "...");
    assert(!lines[0]!.includes("zz"));
  }
});
