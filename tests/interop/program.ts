// A program that speaks MQTT, as the tests drive it: whichever it is, it subscribes, publishes, leaves and is killed in one way.
// Invariant: where a promise resolves, the broker knows of it too, by an acknowledgement or by what its log says.
import type { MessageProperties } from "../../src/codec/properties.ts";
import type { QoS } from "../../src/message.ts";
import type { Process } from "../support/process.ts";

/** A broker, as programs and tests see it. */
export interface TestedBroker {
  readonly port: number;
  /** Resolves to the next line of the log that contains `text`. */
  logged(text: string): Promise<string>;
  /** Forgets the lines of the log so far that contain `text`. */
  forget(text: string): void;
}

/** What MQTT 5.0 says of a message. */
export interface Properties extends Omit<MessageProperties, "correlationData"> {
  /** Text, though it may be any bytes. */
  readonly correlationData?: string;
  /** Of a message that is received: the identifiers of the subscriptions that match, in ascending order. */
  readonly subscriptionIdentifier?: readonly number[];
  /** Of a will: how many seconds it waits for the client to come back. */
  readonly willDelayInterval?: number;
}

/** A message. */
export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  /** At level 5 alone, and left out where there are none. */
  readonly properties?: Properties;
}

/** The protocol levels of MQTT 3.1, 3.1.1 and 5.0. */
export type Level = 3 | 4 | 5;

/** What each level is called. */
export const levelNames = { 3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5.0" } as const;

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
  /** At level 5, seconds that its session lasts without it; default: for ever where `clean` is false, and else 0. */
  readonly expiry?: number;
  /** At level 5, the identifier of its subscriptions. */
  readonly identifier?: number;
}

const FOREVER = 0xffff_ffff;

/** How long the session of a subscriber lasts without it, in seconds. */
export function expiryOf({ clean = true, expiry = clean ? 0 : FOREVER }: SubscriberOptions): number {
  return expiry;
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
  subscribe(broker: TestedBroker, options: SubscriberOptions): Promise<Subscriber>;
  /** Connects a subscriber that says DISCONNECT as soon as its subscriptions are acknowledged. */
  visit(broker: TestedBroker, options: SubscriberOptions): Promise<void>;
  /** Publishes messages in order, and disconnects. */
  publish(broker: TestedBroker, messages: readonly Message[], level?: Level): Promise<void>;
}

/** Resolves when the broker has noticed that a client has left in this way: from then on its log is that of its next connection. */
export async function gone(broker: TestedBroker, id: string, how: "disconnect" | "connection-lost"): Promise<void> {
  await broker.logged(`Client "${id}" disconnected: ${how} `);
  broker.forget(`Client "${id}"`);
}

/** A subscriber that is a process of its own: what differs from program to program is how it is ready and read. */
export async function subscriberProcess(
  broker: TestedBroker,
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

/** A message as it was received: without properties where it has none. */
export function received(message: Message, properties: Properties): Message {
  return Object.keys(properties).length > 0 ? { ...message, properties } : message;
}
