// The same metrics for OpenTelemetry. Deno has a meter provider of its own, which exports while OTEL_DENO=true: it is asked for, nothing
// is loaded, no environment is read, and where it is off nothing is left behind. Numbers are looked at when they are exported.
import { VERSION } from "../version.ts";
import { type Metric, metricsOf } from "./metrics.ts";
import type { Status } from "./status.ts";

/** What is measured: a broker. */
export interface Measured {
  readonly status: Status;
  /** Settles when it has closed. */
  readonly closed: Promise<void>;
}

/** As much of OpenTelemetry's MeterProvider as is needed here. */
export interface MeterProvider {
  getMeter(name: string, version?: string): Meter;
}

/** As much of OpenTelemetry's Meter as is needed here. */
export interface Meter {
  createObservableCounter(name: string, options: InstrumentOptions): Instrument;
  createObservableGauge(name: string, options: InstrumentOptions): Instrument;
  addBatchObservableCallback(callback: Observe, instruments: Instrument[]): void;
  removeBatchObservableCallback(callback: Observe, instruments: Instrument[]): void;
}

/** What an instrument says of itself. */
export interface InstrumentOptions {
  readonly description: string;
  /** As UCUM writes it; nothing for a number of things. */
  readonly unit: string;
}

/** What a meter has made; each provider knows its own only. */
// deno-lint-ignore no-explicit-any
export type Instrument = any;

/** Tells the numbers of the moment. */
export type Observe = (result: {
  observe(instrument: Instrument, value: number, attributes?: Record<string, string>): void;
}) => void;

/**
 * Tells a broker's metrics to OpenTelemetry, until the broker closes or the result is disposed of. Where Deno's OpenTelemetry is off and
 * no other provider is given, it does nothing. Of several brokers in a process one can be told of by one provider.
 *
 * @param options `meterProvider`: default Deno's own, which is there while `OTEL_DENO=true`
 *
 * @example
 * ```ts
 * import { createBroker, otelMetrics } from "@brook/mqtt";
 *
 * await using broker = createBroker();
 * using _metrics = otelMetrics(broker);
 * ```
 */
export function otelMetrics(
  { status, closed }: Measured,
  { meterProvider = Deno.telemetry?.meterProvider }: { readonly meterProvider?: MeterProvider } = {},
): Disposable {
  const meter = meterOf(meterProvider);
  if (!meter) return { [Symbol.dispose]() {} };
  const instruments = new Map(metricsOf(status).map((metric) => [metric.name, instrumentOf(metric, meter)]));
  const observe: Observe = (result) => {
    for (const { name, samples } of metricsOf(status)) {
      for (const { value, labels } of samples) result.observe(instruments.get(name), value, { ...labels });
    }
  };
  const end = () => meter.removeBatchObservableCallback(observe, [...instruments.values()]);
  meter.addBatchObservableCallback(observe, [...instruments.values()]);
  closed.then(end, end);
  return { [Symbol.dispose]: end };
}

/** Deno's provider throws where OpenTelemetry is off, which nothing else tells without a permission. */
function meterOf(provider: MeterProvider | undefined): Meter | undefined {
  try {
    return provider?.getMeter("brook", VERSION);
  } catch {
    return undefined;
  }
}

/** OpenTelemetry has names of parts with dots, without the unit and without `_total`, which Prometheus appends again. */
function instrumentOf({ name, help: description, type }: Metric, meter: Meter): Instrument {
  const [, own = name, unit = ""] = /^brook_(.+?)(?:_(seconds|bytes))?(?:_total)?$/.exec(name) ?? [];
  const options = { description, unit: { seconds: "s", bytes: "By" }[unit || own] ?? "" };
  const full = `brook.${own}`;
  return type === "counter" ? meter.createObservableCounter(full, options) : meter.createObservableGauge(full, options);
}
