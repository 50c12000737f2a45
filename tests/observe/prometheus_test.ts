import { assert, assertEquals, assertMatch } from "@std/assert";
import parse from "npm:parse-prometheus-text-format@^1.1.1";
import { createBroker } from "../../src/broker.ts";
import { metricsOf } from "../../src/observe/metrics.ts";
import { healthResponse, metricsResponse, prometheusText } from "../../src/observe/prometheus.ts";
import { connected } from "../support/client.ts";

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly { readonly value: string; readonly labels?: Readonly<Record<string, string>> }[];
}

function familyOf(text: string, name: string): Family {
  const family = (parse(text) as Family[]).find((family) => family.name === name);
  assert(family, `There is no ${name}`);
  return family;
}

Deno.test("Prometheus can read the metrics, each with its help and type", async () => {
  await using broker = createBroker();
  await using _client = await connected(broker, "c");
  const response = metricsResponse(broker.status), text = await response.text();
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const metrics = metricsOf(broker.status), families = parse(text) as Family[];
  assertEquals(families.map(({ name, type }) => [name, type.toLowerCase()]), metrics.map((m) => [m.name, m.type]));
  assert(families.every(({ help, name }) => help.length > 5 && name.startsWith("brook_")));
  assertEquals(familyOf(text, "brook_connections").metrics, [{ value: "1" }]);
  assertEquals(familyOf(text, "brook_packets_total").metrics, [
    { value: "1", labels: { direction: "in" } },
    { value: "1", labels: { direction: "out" } },
  ]);
});

Deno.test("The metrics are named as Prometheus wants it: base units at the end, and _total behind those of counters", async () => {
  await using broker = createBroker();
  const families = parse(prometheusText(metricsOf(broker.status))) as Family[];
  assertEquals(new Set(families.map(({ name }) => name)).size, families.length);
  for (const { name, help, type } of families) {
    assertMatch(name, /^brook_[a-z]+(_[a-z]+)*$/);
    assertEquals(name.endsWith("_total"), type === "COUNTER", name);
    assert(!/_(count|sum|bucket|info|milliseconds|ms|kilobytes|percent|counter|gauge)(_|$)/.test(name), name);
    for (const unit of ["seconds", "bytes"]) {
      assertEquals(name.includes(unit), name.replace("_total", "").endsWith(`_${unit}`), name);
    }
    assertMatch(help, /^[A-Z].*[^.]$/, name);
  }
});

Deno.test("Every reason of a loss is a sample of its own", async () => {
  await using broker = createBroker({ limits: { retainedMessages: 0 }, authorize: () => "not-authorized" });
  await broker.publish("a", "x", { retain: true });
  await broker.publish("b", "x", { retain: true });
  await using client = await connected(broker, "c");
  await client.publish("t", "");
  await client.expectNothing();
  const text = prometheusText(metricsOf(broker.status));
  assertEquals(familyOf(text, "brook_dropped_messages_total").metrics, [
    { value: "2", labels: { reason: "retained-full" } },
  ]);
  assertEquals(familyOf(text, "brook_denied_total").metrics, [{ value: "1", labels: { reason: "not-authorized" } }]);
  assertEquals(familyOf(text, "brook_events_total").metrics, [{ value: "1", labels: { type: "connected" } }]);
});

Deno.test("Labels are escaped as Prometheus wants it", () => {
  const label = 'a "b" \\ c\nd';
  const text = prometheusText([{ name: "n", help: "h", type: "gauge", samples: [{ labels: { label }, value: 1 }] }]);
  assertEquals(text, '# HELP n h\n# TYPE n gauge\nn{label="a \\"b\\" \\\\ c\\nd"} 1\n');
});

Deno.test("Health is 200 while the broker works, and 503 when it has closed", async () => {
  const broker = createBroker(), well = healthResponse(broker.status);
  assertEquals([well.status, await well.text()], [200, "ok\n"]);
  await broker.close();
  const closed = healthResponse(broker.status);
  assertEquals([closed.status, await closed.text()], [503, "Broker is closed\n"]);
});
