// Metrics in the text format of Prometheus, version 0.0.4, and whether the broker is well.
import { type Metric, metricsOf, type Sample } from "./metrics.ts";
import type { Status } from "./status.ts";

/** Answers `/metrics`. */
export function metricsResponse(status: Status): Response {
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" };
  return new Response(prometheusText(metricsOf(status)), { headers });
}

/** Answers `/healthz`: 200 and "ok", or 503 and why not. */
export function healthResponse({ fault }: Status): Response {
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return new Response(`${fault ?? "ok"}\n`, { status: fault === undefined ? 200 : 503, headers });
}

/** The text of metrics; one that has no number yet is told of all the same. */
export function prometheusText(metrics: readonly Metric[]): string {
  return metrics.map(({ name, help, type, samples }) => {
    const lines = samples.map((sample) => sampleLine(name, sample));
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
  }).join("");
}

function sampleLine(name: string, { labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
