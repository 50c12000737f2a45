// What a broker tells of itself as retained messages below $SYS, for programs that watch Mosquitto so: the same names where the same
// thing is meant, and below $SYS/broker/brook what is ours. A wildcard at the first level does not match these topics.
import { VERSION } from "../version.ts";
import { countsOf } from "./metrics.ts";
import type { Status } from "./status.ts";

/** What tells of itself: a broker. */
export interface Teller {
  readonly status: Status;
  /** Settles when it has closed. */
  readonly closed: Promise<void>;
  /** Publishes a message of its own. */
  publish(topic: string, payload: string, options: { readonly retain: boolean }): Promise<void>;
}

/** How often the topics are told, by default, in milliseconds. */
const INTERVAL = 10_000;

/**
 * Publishes what a broker tells of itself, at once and then every `interval` milliseconds of its clock, where it has changed. Ends when
 * the broker closes, or when the result is disposed of.
 *
 * @example
 * ```ts
 * import { createBroker } from "@brook/mqtt";
 * import { assertEquals } from "@std/assert";
 * import { sysTopics } from "./sys_topics.ts";
 *
 * await using broker = createBroker();
 * using _topics = sysTopics(broker);
 * const seen: string[] = [];
 * broker.topic("$SYS/broker/version", { retained: true }).subscribe((message) => seen.push(message.text()));
 * assertEquals(seen, ["brook version 0.1.0"]);
 * ```
 */
export function sysTopics(broker: Teller, { interval = INTERVAL }: { readonly interval?: number } = {}): Disposable {
  const { status } = broker, told = new Map<string, string>();
  let cancel = (): void => {}, ended = false;
  const tell = () => {
    if (ended || status.closing) return;
    for (const [topic, value] of valuesOf(status)) {
      if (told.get(topic) === value) continue;
      told.set(topic, value);
      broker.publish(`$SYS/broker/${topic}`, value, { retain: true });
    }
    cancel = status.clock.schedule(tell, interval);
  };
  const end = () => {
    ended = true;
    cancel();
  };
  tell();
  broker.closed.then(end, end); // a timer that is left would keep the process alive
  return { [Symbol.dispose]: end };
}

/** The topics below $SYS/broker/, and what they tell now. */
function valuesOf(status: Status): readonly (readonly [topic: string, value: string])[] {
  const { gauges, traffic, counters, uptime } = status, dropped = Object.entries(countsOf(counters, "dropped"));
  const numbers: Readonly<Record<string, number>> = {
    "clients/connected": gauges.clients,
    "clients/total": gauges.sessions,
    "messages/received": traffic.packetsReceived,
    "messages/sent": traffic.packetsSent,
    "publish/messages/received": traffic.publishReceived,
    "publish/messages/sent": traffic.publishSent,
    "publish/messages/dropped": dropped.reduce((sum, [, count]) => sum + count, 0),
    "bytes/received": traffic.bytesReceived,
    "bytes/sent": traffic.bytesSent,
    "subscriptions/count": gauges.subscriptions,
    "retained messages/count": gauges.retainedMessages,
    "messages/inflight": gauges.inFlightMessages,
    ...Object.fromEntries(dropped.map(([reason, count]) => [`brook/dropped/${reason}`, count])),
    "brook/messages/queued": gauges.queuedMessages,
    "brook/memory": gauges.memoryBytes,
  };
  return [
    ["version", `brook version ${VERSION}`],
    ["uptime", `${Math.floor(uptime / 1000)} seconds`],
    ...Object.entries(numbers).map(([topic, value]) => [topic, String(value)] as const),
  ];
}
