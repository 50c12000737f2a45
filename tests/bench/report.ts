// The figures of a load test, for people and for programs.
import type { Settings } from "./scenarios.ts";
import type { Tally } from "./tally.ts";

/** What a load test has found. */
export interface Figures extends Pick<Settings, "scenario" | "clients" | "qos" | "size" | "version"> {
  /** How long it has taken, up to the last message. */
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  /** Messages received, or connections accepted, per second. */
  readonly rate: number;
  /** Milliseconds from sending to receiving, or from connecting to the CONNACK. */
  readonly latency: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number };
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
}

/** The figures of a test that has ended. */
export function figuresOf(settings: Settings, tally: Tally, seconds: number): Figures {
  const { scenario, clients, qos, size, version } = settings;
  const { sent, received, lost, duplicated, reordered, corrupted, latency } = tally;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => rounded(latency.quantile(share))) as [
    number,
    number,
    number,
  ];
  return {
    ...{ scenario, clients, qos, size, version, seconds: rounded(seconds), sent, received },
    rate: Math.round(received / seconds),
    latency: { p50, p95, p99, max: rounded(latency.max) },
    ...{ lost, duplicated, reordered, corrupted },
  };
}

/** The figures as a table. */
export function table(figures: Figures): string {
  const { scenario, clients, qos, size, version, seconds, sent, received, rate, latency } = figures;
  const connecting = scenario === "connect", what = connecting ? "connections" : "messages";
  const carried = connecting ? "" : `, QoS ${qos}, ${size} bytes`;
  const rows: (readonly [string, string])[] = [
    ["scenario", `${scenario}, ${clients} clients${carried}, MQTT ${version === 5 ? "5.0" : "3.1.1"}, ${seconds} s`],
    ["sent", `${grouped(sent)} ${what}`],
    ["received", grouped(received)],
    ["rate", `${grouped(rate)} a second`],
    ["latency", Object.entries(latency).map(([name, value]) => `${name} ${value} ms`).join(", ")],
    ...(["lost", "duplicated", "reordered", "corrupted"] as const).map((name) =>
      [name, grouped(figures[name])] as const
    ),
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join("\n");
}

/** A line while a test runs: what has come in the last second. */
export function progress(second: number, received: number, tally: Tally): string {
  return `${second} s: ${grouped(received)} a second, ${grouped(tally.faults)} faults`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
