// A program that speaks MQTT, as the tests drive it: whichever it is, it subscribes, publishes, leaves and is killed in one way.
// Invariant: where a promise resolves, the broker knows of it too, by an acknowledgement or by what its log says.
import type { QoS } from "../../src/message.ts";
import type { BrokerProcess, Process } from "../support/process.ts";

/** A message. */
export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
}

/** The protocol levels of MQTT 3.1, 3.1.1 and 5.0. */
export type Level = 3 | 4 | 5;

/** How a subscriber connects, and what it subscribes to. */
export interface SubscriberOptions {
  /** The client identifier. */
  readonly id: string;
  /** Topic filters; none of them: it only takes what its session holds. */
  readonly filters: readonly string[];
  readonly qos: QoS;
  /** Default true. */
  readonly clean?: boolean;
  readonly will?: Message;
  /** Default 4. */
  readonly level?: Level;
}

/** A client that has subscribed. */
export interface Subscriber extends AsyncDisposable {
  /** The next message. */
  next(): Promise<Message>;
  /** Reads nothing any more, and so acknowledges nothing. */
  freeze(): void;
  /** Ends without a word. */
  kill(): Promise<void>;
}

/** A program. */
export interface Program {
  readonly name: string;
  readonly installed: boolean;
  /** Connects a subscriber; resolves when the broker has acknowledged its subscriptions. */
  subscribe(broker: BrokerProcess, options: SubscriberOptions): Promise<Subscriber>;
  /** Connects a subscriber that says DISCONNECT as soon as its subscriptions are acknowledged. */
  visit(broker: BrokerProcess, options: SubscriberOptions): Promise<void>;
  /** Publishes messages in order, and disconnects. */
  publish(broker: BrokerProcess, messages: readonly Message[], level?: Level): Promise<void>;
}

/** Resolves when the broker has noticed that a client has left in this way: from then on its log is that of its next connection. */
export async function gone(broker: BrokerProcess, id: string, how: "disconnect" | "connection-lost"): Promise<void> {
  await broker.logged(`Client "${id}" disconnected: ${how} `);
  broker.forget(`Client "${id}"`);
}

/** A subscriber that is a process of its own: what differs from program to program is how it is ready and read. */
export async function subscriberProcess(
  broker: BrokerProcess,
  id: string,
  process: Process,
  { ready, next }: { ready(): Promise<unknown>; next(): Promise<Message> },
): Promise<Subscriber> {
  await using unlessReady = new AsyncDisposableStack();
  unlessReady.use(process);
  await ready();
  unlessReady.move();
  return {
    next,
    freeze: () => process.signal("SIGSTOP"),
    async kill() {
      await process.kill();
      await gone(broker, id, "connection-lost");
    },
    [Symbol.asyncDispose]: () => process.kill(),
  };
}

let publishers = 0;

/** A client identifier that nobody else has. */
export function publisherId(): string {
  return `publisher-${++publishers}`;
}
