// The metrics of a broker, as one table: what each is called, what it says, and where its numbers come from. The events are counted by
// their type and reason, which is how every loss gets a number of its own.
import type { Status } from "./status.ts";

/** One number of a metric. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  /** A counter only grows, a gauge goes up and down. */
  readonly type: "counter" | "gauge";
  readonly samples: readonly Sample[];
}

/** The metrics of a broker at this moment. */
export function metricsOf(status: Status): readonly Metric[] {
  const { gauges, traffic, counters } = status;
  return [
    gauge("uptime_seconds", "Time since the broker was created", status.uptime / 1000),
    gauge("connections", "Open connections", gauges.connections),
    gauge("clients", "Clients that are connected", gauges.clients),
    gauge("sessions", "Sessions, with and without a connection", gauges.sessions),
    gauge("subscriptions", "Subscriptions of all sessions", gauges.subscriptions),
    gauge("retained_messages", "Retained messages", gauges.retainedMessages),
    gauge("retained_bytes", "Bytes of the retained messages", gauges.retainedBytes),
    gauge("queued_messages", "Messages that wait in sessions", gauges.queuedMessages),
    gauge("inflight_messages", "Messages sent to clients and not acknowledged yet", gauges.inFlightMessages),
    gauge("memory_bytes", "Bytes held for clients, as the limit of memory counts them", gauges.memoryBytes),
    directions("packets_total", "MQTT packets", traffic.packetsReceived, traffic.packetsSent),
    directions("publish_packets_total", "PUBLISH packets", traffic.publishReceived, traffic.publishSent),
    directions("bytes_total", "Bytes of MQTT packets", traffic.bytesReceived, traffic.bytesSent),
    reasons("dropped_messages_total", "Messages that were not delivered, by reason", counters, "dropped"),
    reasons("denied_total", "Publications and subscriptions that were refused, by reason", counters, "denied"),
    reasons("refused_total", "Connections that were refused, by reason", counters, "refused"),
    reasons("disconnected_total", "Connections that ended, by reason", counters, "disconnected"),
    { name: "brook_events_total", help: "All other events, by type", type: "counter", samples: others(counters) },
  ];
}

function gauge(name: string, help: string, value: number): Metric {
  return { name: `brook_${name}`, help, type: "gauge", samples: [{ value }] };
}

function directions(name: string, help: string, received: number, sent: number): Metric {
  const samples = [{ labels: { direction: "in" }, value: received }, { labels: { direction: "out" }, value: sent }];
  return { name: `brook_${name}`, help: `${help}, by direction`, type: "counter", samples };
}

function reasons(name: string, help: string, counters: ReadonlyMap<string, number>, type: string): Metric {
  const samples = Object.entries(countsOf(counters, type)).map(([reason, value]) => ({ labels: { reason }, value }));
  return { name: `brook_${name}`, help, type: "counter", samples };
}

/** How often a type of event has happened, by reason. */
export function countsOf(counters: ReadonlyMap<string, number>, type: string): Record<string, number> {
  const own = [...counters].filter(([key]) => key.startsWith(`${type}/`));
  return Object.fromEntries(own.map(([key, count]) => [key.slice(type.length + 1), count]));
}

function others(counters: ReadonlyMap<string, number>): readonly Sample[] {
  return [...counters].filter(([key]) => !key.includes("/")).map(([type, value]) => ({ labels: { type }, value }));
}
