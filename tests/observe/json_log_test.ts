import { assertEquals, assertMatch } from "@std/assert";
import type { BrokerEvent } from "../../src/events.ts";
import { jsonLine, logTo } from "../../src/observe/log.ts";
import { VirtualClock } from "../support/clock.ts";

const time = new Date(0), level = "info";

function parsed(event: BrokerEvent, held = 0): unknown {
  return JSON.parse(jsonLine({ time, level, event, held }));
}

Deno.test("A line of JSON has the time, the level, the fields of the event, and the event as a sentence", () => {
  assertEquals(parsed({ type: "subscribed", client: "c", filter: "a/#", qos: 1 }), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    type: "subscribed",
    client: "c",
    filter: "a/#",
    qos: 1,
    message: 'Client "c" subscribed to "a/#" at QoS 1',
  });
});

Deno.test("A line of JSON tells an error as text, and how many of its kind were held back", () => {
  assertEquals(parsed({ type: "hook-error", hook: "authorize", error: new TypeError("no") }, 3), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    type: "hook-error",
    hook: "authorize",
    error: "TypeError: no",
    message: 'Hook "authorize" failed: TypeError: no',
    held: 3,
  });
});

Deno.test("A line of JSON holds nothing that a terminal would obey, and means the same all the same", () => {
  const client = "a\n\x1b[31m\x9b\u202e\u2028\u{e0001}\ud800";
  const line = jsonLine({ time, level, event: { type: "unsubscribed", client, filter: "a" }, held: 0 });
  assertMatch(line, /^[\x20-\x7e]+$/);
  assertEquals(JSON.parse(line).client, client);
});

Deno.test("A line of JSON that is no event is a note", () => {
  assertEquals(JSON.parse(jsonLine({ time, level, event: "Reloaded", held: 0 })), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    type: "note",
    message: "Reloaded",
  });
});

Deno.test("The log writes JSON where that is asked for", () => {
  const lines: string[] = [];
  logTo((line) => lines.push(line), "info", new VirtualClock(), jsonLine)({ type: "closed" });
  assertEquals(JSON.parse(lines[0]!).message, "Closed");
});
