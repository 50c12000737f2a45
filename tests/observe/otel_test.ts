// Metrics for OpenTelemetry: as Deno exports them to a real collector, and as another SDK collects them.
import { assert, assertEquals } from "@std/assert";
import { AggregationTemporality, MeterProvider, MetricReader } from "npm:@opentelemetry/sdk-metrics@^2.0.0";
import { createBroker, otelMetrics } from "../../mod.ts";
import { metricsOf } from "../../src/observe/metrics.ts";
import { connected, TestClient } from "../support/client.ts";
import { Mailbox } from "../support/mailbox.ts";
import { Process, root } from "../support/process.ts";

interface Exported {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: readonly Point[] };
  readonly gauge?: { readonly dataPoints: readonly Point[] };
}

interface Point {
  readonly asDouble: number;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}

/** What a collector is sent (OTLP over HTTP as JSON): the metrics of Brook, by name. */
class Collector implements AsyncDisposable {
  readonly exports = new Mailbox<ReadonlyMap<string, Exported>>("Exports");
  readonly #server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { resourceMetrics = [] } = await request.json();
    // deno-lint-ignore no-explicit-any
    const scopes = resourceMetrics.flatMap((one: any) => one.scopeMetrics);
    const metrics: Exported[] = scopes.find(({ scope }: { scope: { name: string } }) => scope.name === "brook")
      ?.metrics ?? [];
    this.exports.put(new Map(metrics.map((metric) => [metric.name, metric])));
    return Response.json({});
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function valuesOf(metric: Exported | undefined): readonly (readonly [labels: string, value: number])[] {
  const points = metric?.sum?.dataPoints ?? metric?.gauge?.dataPoints ?? [];
  return points.map(({ attributes, asDouble }) =>
    [
      attributes.map(({ key, value }) => `${key}=${value.stringValue}`).join(),
      asDouble,
    ] as const
  ).sort();
}

Deno.test("With OTEL_DENO=true the command's metrics go to the collector, and --allow-net is enough for that", async () => {
  await using collector = new Collector();
  await using broker = new Process(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", "mod.ts", "--port", "0", "--no-http"],
    cwd: root,
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_METRIC_EXPORT_INTERVAL: "100",
    },
  });
  const [, port] = /mqtt:\/\/127\.0\.0\.1:(\d+)/.exec(await broker.output.take()) ?? [];
  await using client = await TestClient.tcp(Number(port));
  await client.connect({ clientId: "c" });
  await client.publish("a", "x");
  await client.expectNothing(); // CONNECT, PUBLISH and PINGREQ have come
  const metrics = await collector.exports.take((metrics) =>
    valuesOf(metrics.get("brook.packets")).some(([labels, value]) => labels === "direction=in" && value === 3)
  );
  assertEquals(valuesOf(metrics.get("brook.publish_packets"))[0], ["direction=in", 1]);
  assertEquals(valuesOf(metrics.get("brook.connections")), [["", 1]]);
  assertEquals(["uptime", "bytes", "memory", "packets"].map((name) => metrics.get(`brook.${name}`)?.unit), [
    "s",
    "By",
    "By",
    "",
  ]);
  assert(metrics.get("brook.packets")?.sum?.isMonotonic);
  broker.signal("SIGTERM");
  assertEquals(await broker.ended(), 0);
});

/** Collects when it is told to what has been observed since the last time. */
class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  async metrics(): Promise<ReadonlyMap<string, readonly unknown[]>> {
    const { resourceMetrics } = await this.collect();
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return new Map(
      metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.map(({ value }) => value)]),
    );
  }
}

Deno.test("Another SDK collects every metric, each loss by its reason, until the broker has closed", async () => {
  const reader = new Reader(), meterProvider = new MeterProvider({ readers: [reader] });
  const broker = createBroker({ limits: { retainedMessages: 0 } });
  using _metrics = otelMetrics(broker, { meterProvider });
  await using _client = await connected(broker, "c");
  await broker.publish("a", "x", { retain: true });
  const metrics = await reader.metrics();
  assertEquals([metrics.get("brook.clients"), metrics.get("brook.dropped_messages")], [[1], [1]]);
  const names = metricsOf(broker.status).filter(({ samples }) => samples.length > 0).map(({ name }) => name);
  assertEquals(metrics.size, names.length);
  await broker.close();
  assertEquals((await reader.metrics()).get("brook.clients") ?? [], []);
});

Deno.test("Where OpenTelemetry is off nothing happens", async () => {
  await using broker = createBroker();
  otelMetrics(broker)[Symbol.dispose]();
});
