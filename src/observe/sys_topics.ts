// What a broker tells of itself as retained messages below $SYS, for programs that watch Mosquitto so: the same names where the same
// thing is meant, and below $SYS/broker/brook what is ours. A wildcard at the first level does not match these topics.
import { VERSION } from "../version.ts";
import { Load } from "./load.ts";
import { countsOf } from "./metrics.ts";
import type { Gauges, Status } from "./status.ts";

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
  const { status } = broker, told = new Map<string, string>(), values = new Values(status);
  let cancel = (): void => {}, ended = false;
  const tell = () => {
    if (ended || status.closing) return;
    for (const [topic, value] of values.now()) {
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

/** The topics below $SYS/broker/, and what they tell. */
class Values {
  readonly #status: Status;
  readonly #load = new Load();
  #last: number;
  /** The most that there were at a time when somebody looked, as Mosquitto counts them. */
  #mostClients = 0;
  #mostHeap = 0;

  constructor(status: Status) {
    this.#status = status;
    this.#last = status.clock.now();
  }

  /** What they tell now, all of the same moment. */
  now(): readonly (readonly [topic: string, value: string])[] {
    const { gauges, uptime } = this.#status;
    const numbers = { ...this.#clientsNow(gauges), ...this.#messages(gauges), ...this.#heapNow() };
    return [
      ["version", `brook version ${VERSION}`],
      ["uptime", `${Math.floor(uptime / 1000)} seconds`],
      ...Object.entries(numbers).map(([topic, value]) => [topic, String(value)] as const),
      ...[...this.#loads()].map(([topic, value]) => [`load/${topic}`, value.toFixed(2)] as const),
    ];
  }

  #clientsNow({ clients, sessions, subscriptions }: Gauges): Readonly<Record<string, number>> {
    const shared = this.#status.sharedSubscriptions;
    this.#mostClients = Math.max(this.#mostClients, clients);
    return {
      "clients/connected": clients,
      "clients/active": clients,
      "clients/disconnected": sessions - clients,
      "clients/inactive": sessions - clients,
      "clients/total": sessions,
      "clients/maximum": this.#mostClients,
      "subscriptions/count": subscriptions - shared,
      "shared_subscriptions/count": shared,
    };
  }

  #messages(gauges: Gauges): Readonly<Record<string, number>> {
    const { retainedMessages, queuedMessages, inFlightMessages, memoryBytes } = gauges, { traffic } = this.#status;
    const dropped = this.#dropped(), reasons = dropped.map(([reason, count]) => [`brook/dropped/${reason}`, count]);
    return {
      "messages/received": traffic.packetsReceived,
      "messages/sent": traffic.packetsSent,
      "publish/messages/received": traffic.publishReceived,
      "publish/messages/sent": traffic.publishSent,
      "publish/messages/dropped": sum(dropped),
      "bytes/received": traffic.bytesReceived,
      "bytes/sent": traffic.bytesSent,
      "retained messages/count": retainedMessages,
      "messages/stored": retainedMessages + queuedMessages,
      "store/messages/count": retainedMessages + queuedMessages,
      "messages/inflight": inFlightMessages,
      ...Object.fromEntries(reasons),
      "brook/messages/queued": queuedMessages,
      "brook/memory": memoryBytes,
    };
  }

  /** Of the whole process. */
  #heapNow(): Readonly<Record<string, number>> {
    const { heapUsed, external } = Deno.memoryUsage(), heap = heapUsed + external;
    this.#mostHeap = Math.max(this.#mostHeap, heap);
    return { "heap/current": heap, "heap/maximum": this.#mostHeap };
  }

  #loads(): ReadonlyMap<string, number> {
    const { clock, traffic, counters } = this.#status, now = clock.now(), seconds = (now - this.#last) / 1000;
    this.#last = now;
    const connections = counters.get("connected") ?? 0;
    return this.#load.update({
      "messages/received": traffic.packetsReceived,
      "messages/sent": traffic.packetsSent,
      "publish/received": traffic.publishReceived,
      "publish/sent": traffic.publishSent,
      "publish/dropped": sum(this.#dropped()),
      "bytes/received": traffic.bytesReceived,
      "bytes/sent": traffic.bytesSent,
      connections,
      sockets: connections + sum(Object.entries(countsOf(counters, "refused"))),
    }, seconds);
  }

  #dropped(): [reason: string, count: number][] {
    return Object.entries(countsOf(this.#status.counters, "dropped"));
  }
}

function sum(counts: readonly (readonly [reason: string, count: number])[]): number {
  return counts.reduce((sum, [, count]) => sum + count, 0);
}
