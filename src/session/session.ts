// A session: what the broker remembers of a client (3.1.1 section 3.1.2.4). It is a subscriber that outlives its connection; a
// connection only lends it a link to send through. Here are the sending side of QoS 1 and 2 (3.1.1 section 4.3) and the order of
// what is sent: a message is sent at once, or it waits behind those that already wait; it never overtakes them.
import type { Report } from "../events.ts";
import type { Message, QoS } from "../message.ts";
import type { RetainedMessages } from "../topics/retained.ts";
import type { TopicIndex } from "../topics/topic_index.ts";
import { PacketIds } from "./packet_ids.ts";
import { type Delivery, DeliveryQueue, type QueueLimits } from "./queue.ts";
import { lower, type Subscriber, Subscription } from "./subscription.ts";

/** What a connection lends its session. */
export interface Link {
  /** False while so much is on its way to the client that messages had better wait. */
  readonly writable: boolean;
  /** Sends a PUBLISH; `packetId` is 0 at QoS 0. */
  publish(delivery: Delivery, packetId: number, dup: boolean): void;
  /** Sends a PUBREL. */
  release(packetId: number): void;
}

/** What the sessions of a broker share. */
export interface SessionContext {
  readonly index: TopicIndex<Subscriber, readonly Subscriber[]>;
  readonly retained: RetainedMessages;
  readonly limits: QueueLimits & { readonly inflight: number };
  readonly report: Report;
}

/** The state of one client identifier [MQTT-3.1.3-2]. */
export class Session {
  readonly clientId: string;
  /** Whether the session ends with its connection (CleanSession 1). */
  readonly clean: boolean;
  /** Identifiers of QoS 2 messages that were accepted from the client and await its PUBREL. */
  readonly received: Set<number> = new Set();

  readonly #context: SessionContext;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #unacknowledged = new Map<number, Delivery>();
  readonly #released = new Set<number>();
  readonly #queue = new DeliveryQueue();
  readonly #ids = new PacketIds();
  #link: Link | undefined;

  constructor(clientId: string, clean: boolean, context: SessionContext) {
    this.clientId = clientId;
    this.clean = clean;
    this.#context = context;
  }

  /** Lends a link and re-sends what the client has not acknowledged, in order [MQTT-4.4.0-1], [MQTT-4.6.0-1]. */
  attach(link: Link): void {
    this.#link = link;
    for (const id of this.#released) link.release(id);
    for (const [id, delivery] of this.#unacknowledged) link.publish(delivery, id, true);
    this.resume();
  }

  /** Takes the link back. */
  detach(): void {
    this.#link = undefined;
  }

  /** Ends the session: its subscriptions, and whatever had not been delivered. */
  end(): void {
    const { index, report } = this.#context;
    for (const [filter, subscription] of this.#subscriptions) index.delete(filter, subscription);
    this.#subscriptions.clear();
    const count = this.#queue.size + this.#unacknowledged.size;
    if (count > 0) report({ type: "dropped", client: this.clientId, topic: undefined, reason: "session-ended", count });
  }

  /** Subscribes, or replaces the subscription with the same filter without a gap [MQTT-3.8.4-3]. */
  subscribe(filter: string, qos: QoS): void {
    const subscription = new Subscription(this, filter, qos), former = this.#subscriptions.get(filter);
    this.#context.index.add(filter, subscription);
    if (former) this.#context.index.delete(filter, former);
    this.#subscriptions.set(filter, subscription);
  }

  /** Deletes the subscription with exactly this filter; what has been queued for it stays [MQTT-3.10.4-1..3]. */
  unsubscribe(filter: string): boolean {
    const subscription = this.#subscriptions.get(filter);
    if (!subscription) return false;
    this.#subscriptions.delete(filter);
    this.#context.index.delete(filter, subscription);
    return true;
  }

  /** Sends the retained messages that match a filter, as fast as the client takes them [MQTT-3.3.1-6]. */
  replay(filter: string, qos: QoS): void {
    this.#queue.pushReplay(replay(this.#context.retained.matching(filter), qos));
    this.resume();
  }

  /** Sends a message, or lets it wait, or reports that it is dropped. */
  deliver(message: Message, qos: QoS, retain: boolean): void {
    if (this.#queue.empty && this.#canSend(qos)) this.#send({ message, qos, retain });
    else if (!this.#link && qos === 0) this.#drop(message, "client-offline");
    else if (!this.#queue.push({ message, qos, retain }, this.#context.limits)) this.#drop(message, "queue-full");
  }

  /** Sends what waits, as far as the client and the limits let it. */
  resume(): void {
    while (!this.#queue.empty && this.#canSend(1)) {
      const delivery = this.#queue.shift();
      if (delivery) this.#send(delivery);
    }
  }

  /** PUBACK: the end of QoS 1. An unknown identifier is ignored. */
  acknowledge(packetId: number): void {
    if (this.#unacknowledged.get(packetId)?.qos !== 1) return;
    this.#unacknowledged.delete(packetId);
    this.resume();
  }

  /** PUBREC: from here on the PUBLISH is not sent again, its PUBREL is [MQTT-4.3.3-1]. */
  release(packetId: number): void {
    if (this.#unacknowledged.get(packetId)?.qos === 2) {
      this.#unacknowledged.delete(packetId);
      this.#released.add(packetId);
    }
    this.#link?.release(packetId); // [MQTT-4.6.0-4]; an unknown one, too, so that the client can forget it
  }

  /** PUBCOMP: the end of QoS 2. */
  complete(packetId: number): void {
    if (this.#released.delete(packetId)) this.resume();
  }

  #canSend(qos: QoS): boolean {
    if (!this.#link?.writable) return false;
    return qos === 0 || this.#unacknowledged.size + this.#released.size < this.#context.limits.inflight;
  }

  #send(delivery: Delivery): void {
    let packetId = 0;
    if (delivery.qos > 0) {
      packetId = this.#ids.next((id) => this.#unacknowledged.has(id) || this.#released.has(id));
      this.#unacknowledged.set(packetId, delivery);
    }
    this.#link?.publish(delivery, packetId, false);
  }

  #drop({ topic }: Message, reason: "queue-full" | "client-offline"): void {
    this.#context.report({ type: "dropped", client: this.clientId, topic, reason, count: 1 });
  }
}

function* replay(retained: Iterable<Message>, qos: QoS): Generator<Delivery, void, undefined> {
  for (const message of retained) {
    yield { message, qos: lower(message.qos, qos), retain: true }; // [MQTT-3.3.1-8]
  }
}
