import { assertEquals, assertThrows } from "@std/assert";
import type { BrokerEvent, LedgerEntry } from "../mod.ts";
import { createBroker } from "../mod.ts";
import { timeOfDay } from "../src/clock.ts";
import { isLoss, Ledger } from "../src/ledger.ts";
import { connected } from "./support/client.ts";
import { VirtualClock } from "./support/clock.ts";
import { publishLarge } from "./support/slow_client.ts";

const noon = Date.parse("2026-01-01T12:00:00Z");

/** A clock whose zero is noon of a certain day. */
class DayClock extends VirtualClock {
  readonly origin = noon - this.now();
}

/** A ledger, and its clock. */
function newLedger(): { readonly ledger: Ledger; readonly clock: DayClock } {
  const clock = new DayClock();
  return { clock, ledger: new Ledger(() => timeOfDay(clock)) };
}

type Drop = Extract<BrokerEvent, { type: "dropped" }>;

function dropped(client: string | undefined, topic: string | undefined, others: Partial<Drop> = {}): BrokerEvent {
  return { type: "dropped", client, topic, reason: "queue-full", count: 1, ...others };
}

function denied(client: string, topic: string, action: "publish" | "subscribe" = "subscribe"): BrokerEvent {
  return { type: "denied", action, client, topic, reason: "not-authorized" };
}

function refused(client: string | undefined, detail = "Because"): BrokerEvent {
  return { type: "refused", client, remote: "here:1", reason: "not-authorized", detail };
}

function brief(entries: readonly LedgerEntry[]): string[] {
  return entries.map(({ client, topic, reason, count }) => `${client} ${topic} ${reason}*${count}`);
}

const error = new TypeError("no"), none = undefined;

/** What is kept of each kind of event; nothing of those that tell of no loss. */
const kinds: { readonly [type in BrokerEvent["type"]]: readonly (readonly [BrokerEvent, Partial<LedgerEntry>?])[] } = {
  "listening": [[{ type: "listening", address: "here" }]],
  "connected": [[{
    ...{ type: "connected", client: "c", username: none, remote: "here", protocolLevel: 5 },
    ...{ clean: true, sessionPresent: false, keepAlive: 0 },
  }]],
  "subscribed": [[{ type: "subscribed", client: "c", filter: "a", qos: 0 }]],
  "unsubscribed": [[{ type: "unsubscribed", client: "c", filter: "a" }]],
  "closed": [[{ type: "closed" }]],
  "store-failed": [[
    { type: "store-failed", error },
    { client: none, topic: none, reason: "threw", detail: "TypeError: no" },
  ]],
  "store-recovered": [[{ type: "store-recovered" }]],
  "dropped": [
    [dropped("c", "t", { count: 7 }), { client: "c", topic: "t", reason: "queue-full", detail: none, count: 7 }],
    [dropped(none, none), { client: none, topic: none, reason: "queue-full", detail: none }],
  ],
  "denied": [[denied("c", "a/#"), { client: "c", topic: "a/#", reason: "not-authorized", detail: none }]],
  "refused": [
    [refused("c"), { client: "c", topic: none, reason: "not-authorized", detail: "Because" }],
    [refused(none), { client: none, topic: none, reason: "not-authorized", detail: "Because" }],
  ],
  "disconnected": [
    [{ type: "disconnected", client: "c", remote: "here", reason: "disconnect", detail: "It said so" }],
    [
      { type: "disconnected", client: "c", remote: "here", reason: "connection-lost", detail: "Reset" },
      { client: "c", topic: none, reason: "connection-lost", detail: "Reset" },
    ],
  ],
  "routing-error": [
    [{ type: "routing-error", topic: "t", error }, {
      client: none,
      topic: "t",
      reason: "threw",
      detail: "TypeError: no",
    }],
  ],
  "observer-error": [
    [{ type: "observer-error", error: "text" }, { client: none, topic: none, reason: "threw", detail: "text" }],
    [{ type: "observer-error", error: Object.create(null) }, {
      reason: "threw",
      detail: "[Object: null prototype] {}",
    }],
  ],
  "hook-error": [
    [{ type: "hook-error", hook: "overload", error }, {
      client: none,
      topic: none,
      reason: "overload",
      detail: "TypeError: no",
    }],
  ],
};

for (const [type, cases] of Object.entries(kinds)) {
  Deno.test(`Of an event "${type}" is kept what explains a loss, if it does`, () => {
    for (const [event, expected] of cases) {
      const { ledger } = newLedger(), [last, first] = [new Date(noon), new Date(noon)];
      ledger.note(event);
      const found = ledger.find().map((entry) => ({ ...entry, ...expected }));
      assertEquals(ledger.find(), found); // nothing else than what is expected
      assertEquals(found, expected ? [{ type, count: 1, first, last, ...ledger.find()[0], ...expected }] : []);
      assertEquals(isLoss(event), expected !== undefined);
    }
  });
}

Deno.test("What happens again in the same way is one entry, with its first and last time, and how often it has been", async () => {
  const { ledger, clock } = newLedger();
  ledger.note(dropped("c", "t", { count: 3 }));
  await clock.advance(1000);
  ledger.note(refused("c", "First"));
  await clock.advance(1000);
  for (const event of [dropped("c", "t", { count: 4 }), refused("c", "Second")]) ledger.note(event);
  const [second, first] = ledger.find();
  assertEquals(second, {
    ...{ type: "refused", client: "c", topic: undefined, reason: "not-authorized", detail: "Second", count: 2 },
    ...{ first: new Date(noon + 1000), last: new Date(noon + 2000) },
  });
  assertEquals(first, {
    ...{ type: "dropped", client: "c", topic: "t", reason: "queue-full", detail: undefined, count: 7 },
    ...{ first: new Date(noon), last: new Date(noon + 2000) },
  });
});

Deno.test("Another client, topic, reason or kind of event is another entry", () => {
  const { ledger } = newLedger();
  const all = [
    dropped("c", "t"),
    dropped("d", "t"),
    dropped("c", "u"),
    dropped("c", undefined),
    dropped(undefined, "t"),
    dropped("undefined", "t"),
    dropped("c", "t", { reason: "expired" }),
    denied("c", "t"),
  ];
  for (const event of all) ledger.note(event);
  assertEquals(ledger.find().length, all.length);
});

Deno.test("The latest is first, also of the same moment, and where the time of day is set back", () => {
  let time = 1000;
  const ledger = new Ledger(() => new Date(time));
  const note = (topic: string) => ledger.note(dropped(topic < "c" ? "x" : "y", topic));
  for (const topic of "abcd") note(topic);
  assertEquals(ledger.find().map(({ topic }) => topic), ["d", "c", "b", "a"]);
  time = 0;
  for (const topic of "ac") note(topic);
  assertEquals(ledger.find().map(({ topic }) => topic), ["c", "a", "d", "b"]);
});

Deno.test("A client is asked for by its identifier; what concerns nobody by itself concerns everybody", () => {
  const { ledger } = newLedger();
  const all = [
    dropped("c", "t"),
    dropped("d", "t"),
    dropped(undefined, "u"),
    refused("c"),
    refused(undefined),
    denied("d", "v"),
  ];
  for (const event of all) ledger.note(event);
  assertEquals(brief(ledger.find({ client: "c" })), [
    "undefined undefined not-authorized*1",
    "c undefined not-authorized*1",
    "undefined u queue-full*1",
    "c t queue-full*1",
  ]);
  assertEquals(ledger.find({ client: "constructor" }).map(({ client }) => client), [undefined, undefined]);
  assertEquals(ledger.find({}).length, all.length);
});

const queries: readonly (readonly [topic: string, found: string])[] = [
  ["home/hall/lamp", "home/hall/lamp home/#"],
  ["home/+/lamp", "home/hall/lamp"],
  ["home/#", "home/hall/lamp home/cellar home/#"],
  ["#", "home/hall/lamp home/cellar home/#"],
  ["$SYS/#", "$SYS/x"],
  ["garden", ""],
];

for (const [topic, found] of queries) {
  Deno.test(`Asked for "${topic}", a ledger has ${found || "nothing"}, and what has no topic`, () => {
    const { ledger } = newLedger();
    for (const name of ["home/hall/lamp", "home/cellar", "$SYS/x"]) ledger.note(dropped("c", name));
    ledger.note(denied("c", "home/#"));
    ledger.note(refused("c"));
    const topics = ledger.find({ client: "c", topic }).map(({ topic }) => topic);
    const expected = found.split(" ").filter((name) => name && (name !== "home/#" || topic !== "home/hall/lamp"));
    assertEquals(new Set(topics), new Set([undefined, ...expected]));
  });
}

Deno.test("What is asked for must be a topic filter", () => {
  const { ledger } = newLedger();
  const { message } = assertThrows(() => ledger.find({ topic: "a/#/b" }), TypeError);
  assertEquals(message, 'Topic filter "a/#/b" has "#" before its last level');
});

Deno.test("Of each client the latest 50 kinds of losses are kept", () => {
  const { ledger } = newLedger();
  for (let i = 0; i < 60; i++) ledger.note(dropped("c", `t${i}`));
  ledger.note(dropped("c", "t10")); // is the latest again
  ledger.note(dropped("c", "new"));
  const topics = ledger.find({ client: "c" }).map(({ topic }) => topic);
  const latest = Array.from({ length: 48 }, (_, i) => `t${59 - i}`);
  assertEquals(topics, ["new", "t10", ...latest]);
});

Deno.test("Of 1000 clients losses are kept: those that were last heard of, whatever it was", () => {
  const { ledger } = newLedger();
  for (const topic of ["a", "b"]) ledger.note(dropped("often", topic));
  for (let i = 0; i < 5000; i++) {
    ledger.note(dropped(`c${i}`, "t"));
    if (i % 100 === 0) ledger.note(dropped("often", "a")); // not what came last of this client
  }
  const clients = new Set(ledger.find().map(({ client }) => client));
  const kept = ["often", "c4999", "c4001", "c4000", "c0"].filter((client) => clients.has(client));
  assertEquals([clients.size, kept], [1000, ["often", "c4999", "c4001"]]);
});

Deno.test("Strangers that are refused, under whatever names, drive out nothing that is known of clients", () => {
  const { ledger } = newLedger();
  ledger.note(dropped("c", "t"));
  for (let i = 0; i < 5000; i++) ledger.note(refused(`stranger ${i}`));
  assertEquals([brief(ledger.find({ client: "c" })), ledger.find().length], [["c t queue-full*1"], 1001]);
});

Deno.test("Topics and details that are very long are not kept as they are", () => {
  const { ledger } = newLedger(), long = "\u{1f600}".repeat(20_000);
  for (const topic of ["x".repeat(256), "x".repeat(257), long]) ledger.note(dropped("c", topic));
  ledger.note(refused("c", long));
  const [refusal, dropsOfLong, drop] = ledger.find({ client: "c" });
  assertEquals([drop?.topic?.length, dropsOfLong?.topic, dropsOfLong?.count], [256, undefined, 2]);
  assertEquals([refusal?.detail?.length, refusal?.detail?.startsWith(long.slice(0, 256))], [259, true]);
});

Deno.test("What was found can be changed, and the ledger stays as it is", () => {
  const { ledger } = newLedger();
  ledger.note(dropped("c", "t"));
  Object.assign(ledger.find()[0]!, { count: 99 });
  assertEquals(brief(ledger.find()), ["c t queue-full*1"]);
});

Deno.test("why() tells at once what was lost in this turn, by the broker's clock, and throws where the filter is wrong", async () => {
  const clock = new DayClock();
  await using broker = createBroker({ clock, limits: { queuedMessages: 0 } });
  const client = await connected(broker, "c", { clean: false });
  await client.subscribe("t/+", 1);
  await client.disconnect();
  await clock.advance(5000);
  for (let i = 0; i < 3; i++) broker.publish("t/1", "", { qos: 1 });
  const [first, last] = [new Date(noon + 5000), new Date(noon + 5000)];
  assertEquals(broker.why({ client: "c", topic: "t/#" }), [
    { type: "dropped", client: "c", topic: "t/1", reason: "queue-full", detail: undefined, count: 3, first, last },
  ]);
  await clock.advance(1000);
  await publishLarge(broker, 1, "t/1=x");
  assertEquals(broker.why({ topic: "t/1" }).map(({ count, last }) => [count, last.getTime() - noon]), [[4, 6000]]);
  assertEquals([broker.why({ client: "d" }), broker.why({ topic: "u" }), broker.why().length], [[], [], 1]);
  assertThrows(() => broker.why({ topic: "#/a" }), TypeError, 'Topic filter "#/a"');
});

Deno.test("Client identifiers that are very long are not kept: what concerns them is known, and found, without", () => {
  const { ledger } = newLedger(), long = "x".repeat(60_000), longest = "x".repeat(256);
  for (const client of [longest, `${longest}x`, long]) {
    for (const event of [dropped(client, "t"), refused(client)]) ledger.note(event);
  }
  assertEquals(brief(ledger.find({ topic: "t" })), [
    "undefined undefined not-authorized*2",
    "undefined t queue-full*2",
    `${longest} undefined not-authorized*1`,
    `${longest} t queue-full*1`,
  ]);
  assertEquals(brief(ledger.find({ client: long })), [
    "undefined undefined not-authorized*2",
    "undefined t queue-full*2",
  ]);
});
