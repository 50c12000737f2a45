// A client of a run: it keeps the rules of MQTT, with a disk that outlives its connections (what it has to send again, and which QoS 2
// messages it has begun to take), and else follows its whims: it subscribes, publishes, stops reading, breaks off in the middle of a
// packet, falls silent, comes back with another version of MQTT.
import { Buffer } from "node:buffer";
import type { PacketLike } from "../support/client.ts";
import type { Published } from "./history.ts";
import type { Link, Peer } from "./network.ts";
import type { Random } from "./random.ts";
import { QUOTA, type Stage } from "./stage.ts";
import type { Whims } from "./whims.ts";

/** Where clients live. */
export interface World {
  readonly stage: Stage;
  readonly random: Random;
  readonly whims: Whims;
  /** Milliseconds that a client takes to answer, at most. */
  readonly lag: number;
}

/** A message that the broker has not acknowledged; `released` where only its PUBCOMP is wanting. */
interface Outgoing {
  readonly packet: PacketLike;
  readonly message: Published;
  released: boolean;
}

/** Whether a client follows its whims, or only comes back and takes what there is for it, or ends its session. */
type Mood = "lively" | "calm" | "leaving";

/** How many topic aliases a client gives, on each connection. */
const ALIASES = 3;

/** One client identifier, and whoever uses it. */
export class SimulatedClient implements Peer {
  readonly id: string;
  readonly #world: World;
  #mood: Mood = "lively";
  #version: number;
  /** It acknowledges nothing. */
  #holding = false;

  // Its connection.
  #link: Link | undefined;
  #connect: PacketLike | undefined;
  #welcome = false;
  readonly #aliases: string[] = [];
  readonly #asked = new Set<number>();
  #replies: PacketLike[] = [];

  // Its disk.
  readonly #unacknowledged = new Map<number, Outgoing>();
  #lastId = 0;

  constructor(id: string, world: World) {
    this.id = id;
    this.#world = world;
    this.#version = world.whims.version();
  }

  /** Follows its whims until it is told otherwise. */
  live(): void {
    const { stage: { schedule, night }, whims } = this.#world;
    if (this.#mood !== "lively") return;
    if (night === 0) this.#act();
    schedule.after(night + whims.pause(), () => this.live());
  }

  /** From now on it only comes back, and takes what there is for it. */
  calm(): void {
    this.#mood = "calm";
    this.#link?.stall(false);
    if (this.#connect?.keepalive) this.#hangUp("close");
    if (!this.#link) this.#open({ clean: false });
  }

  /** Ends its session. */
  leave(): void {
    this.#mood = "leaving";
    this.#link?.send({ cmd: "disconnect" });
    this.#hangUp("close");
    this.#open({ clean: true });
  }

  /** Is not heard of again. */
  vanish(): void {
    this.#mood = "calm";
    this.#hangUp("vanish");
  }

  /** Acknowledges nothing, until it is told to go on. */
  hold(holding: boolean): void {
    this.#holding = holding;
    if (!holding) this.#flush();
  }

  // Connections.

  #open(wish: Partial<PacketLike>): void {
    const connect: PacketLike = {
      clientId: this.id,
      keepalive: 0,
      protocolVersion: this.#version,
      ...wish,
      cmd: "connect",
    };
    this.#version = connect.protocolVersion;
    this.#connect = connect;
    this.#welcome = false;
    this.#aliases.length = 0;
    this.#asked.clear();
    if (connect.clean) this.#unacknowledged.clear();
    const link = this.#link = this.#world.stage.open(this.id, this.#version, this);
    link.send(connect, connect.will && this.#willOf(connect));
    if (connect.keepalive > 0 && this.#world.random.chance(0.8)) this.#beat(link, connect.keepalive * 1000);
  }

  #willOf({ will: { topic, payload, qos, retain, properties } }: PacketLike): Published {
    const expiry = properties?.messageExpiryInterval;
    return { topic, text: String(payload), qos, retain, client: this.id, expiry, contentType: undefined };
  }

  /** Keeps the connection alive while it is awake. */
  #beat(link: Link, interval: number): void {
    const { stage } = this.#world;
    stage.schedule.after(interval, () => {
      if (this.#link !== link || stage.night > 0) return;
      if (this.#welcome) link.send({ cmd: "pingreq" });
      this.#beat(link, interval);
    });
  }

  #hangUp(how: "close" | "cut" | "vanish"): void {
    const link = this.#link;
    this.#link = undefined;
    this.#replies = [];
    link?.[how]();
  }

  ended(): void {
    this.#hangUp("close");
    if (this.#mood === "calm") this.#open({ clean: false });
  }

  // What comes from the broker.

  receive(packet: PacketLike): void {
    const { cmd, messageId } = packet;
    if (cmd === "connack") this.#welcomed(packet);
    else if (cmd === "publish") this.#take(packet);
    else if (cmd === "pubrel") {
      this.#reply({ cmd: "pubcomp", messageId });
    } else if (cmd === "pubrec") {
      const outgoing = this.#unacknowledged.get(messageId);
      if (outgoing) outgoing.released = true;
      this.#reply({ cmd: "pubrel", messageId });
    } else if (cmd === "puback" || cmd === "pubcomp") this.#unacknowledged.delete(messageId);
    else if (cmd === "suback" || cmd === "unsuback") this.#asked.delete(messageId);
  }

  #welcomed({ sessionPresent }: PacketLike): void {
    this.#welcome = true;
    if (this.#mood === "leaving") {
      this.#link!.send({ cmd: "disconnect" });
      return this.#hangUp("close");
    }
    if (this.#connect!.clean) return;
    if (!sessionPresent) this.#unacknowledged.clear();
    for (const [messageId, { packet, message, released }] of this.#unacknowledged) { // [MQTT-4.4.0-1], [MQTT-4.6.0-1]
      if (released) this.#link!.send({ cmd: "pubrel", messageId });
      else this.#link!.send({ ...packet, dup: true }, this.#version === 5 ? message : plain(message));
    }
  }

  /** Takes a message, or, now and then, refuses it. */
  #take({ qos, messageId }: PacketLike): void {
    if (qos === 0) return;
    const refuses = this.#version === 5 && this.#mood === "lively" && this.#world.random.chance(0.01);
    this.#reply({ cmd: qos === 1 ? "puback" : "pubrec", messageId, ...refuses && { reasonCode: 0x80 } });
  }

  /** Answers after a while, in order, and several at once. */
  #reply(packet: PacketLike): void {
    const { stage: { schedule }, random, lag } = this.#world, link = this.#link;
    this.#replies.push(packet);
    if (this.#replies.length > 1) return;
    schedule.after(this.#mood === "lively" ? random.between(0, lag) : 0, () => {
      if (this.#link === link && !this.#holding) this.#flush();
    });
  }

  #flush(): void {
    for (const packet of this.#replies.splice(0)) this.#link?.send(packet);
  }

  // What comes to its mind.

  #act(): void {
    const { stage: { schedule }, random, whims } = this.#world,
      link = this.#link,
      ready = this.#welcome || this.#connect?.clean;
    if (!link) return this.#open(whims.connect(this.id, whims.version(this.#version)));
    if (!ready && !random.chance(0.1)) return; // nothing before the CONNACK may rely on the session
    const habit = ready ? whims.habit() : whims.ending();
    switch (habit) {
      case "publish":
        for (let count = random.pick([1, 1, 1, 2, 5]); count > 0; count--) this.publish(this.#message());
        return;
      case "subscribe":
        return this.subscribe(whims.subscribe(this.#version));
      case "unsubscribe":
        return link.send({ cmd: "unsubscribe", messageId: this.#ask(), unsubscriptions: whims.filters() });
      case "ping":
        return link.send({ cmd: "pingreq" });
      case "stall":
        link.stall(true);
        return schedule.after(random.between(0, random.pick([100, 5000])), () => link.stall(false));
      case "garbage":
        return link.send({ cmd: "garbage" as PacketLike["cmd"] }, undefined, Buffer.from([0, 0]));
      case "disconnect":
        link.send({ cmd: "disconnect", ...this.#version === 5 && whims.disconnect(this.#lasts) });
        return this.#hangUp("close");
      case "cut":
        if (ready) this.publish(this.#message());
        return this.#hangUp("cut");
      case "close":
      case "vanish":
        return this.#hangUp(habit);
    }
  }

  get #lasts(): boolean {
    return (this.#connect!.properties?.sessionExpiryInterval ?? 0) > 0;
  }

  #message(): Published {
    return this.#world.whims.message(this.id, this.#version);
  }

  /** Subscribes to filters. */
  subscribe({ subscriptions, properties }: Partial<PacketLike>): void {
    const about = { subscriptions, ...this.#version === 5 && { properties } };
    this.#link!.send({ cmd: "subscribe", messageId: this.#ask(), ...about });
  }

  /** Publishes a message, unless it has too many under way. */
  publish(message: Published): void {
    const { topic, text: payload, qos, retain, expiry, contentType } = message;
    if (qos > 0 && this.#unacknowledged.size >= QUOTA) return;
    const properties = {
      ...expiry !== undefined && { messageExpiryInterval: expiry },
      ...contentType !== undefined && { contentType },
    };
    const messageId = qos > 0 ? this.#id() : undefined, dup = false;
    const about = { topic, payload, qos, retain, dup, messageId, ...this.#version === 5 && { properties } };
    const packet: PacketLike = { cmd: "publish", ...about };
    if (messageId !== undefined) this.#unacknowledged.set(messageId, { packet, message, released: false });
    this.#link!.send(this.#version === 5 && this.#welcome ? this.#aliased(packet) : packet, message);
  }

  /** The first topics get aliases, which stand for them from the second time on. */
  #aliased(packet: PacketLike): PacketLike {
    const { topic, properties } = packet, known = this.#aliases.includes(topic);
    if (!known) this.#aliases.push(topic);
    const topicAlias = this.#aliases.indexOf(topic) + 1;
    return topicAlias > ALIASES
      ? packet
      : { ...packet, topic: known ? "" : topic, properties: { ...properties, topicAlias } };
  }

  #ask(): number {
    const id = this.#id();
    this.#asked.add(id);
    return id;
  }

  #id(): number {
    const inUse = (id: number) => this.#unacknowledged.has(id) || this.#asked.has(id);
    do this.#lastId = this.#lastId % 65_535 + 1; while (inUse(this.#lastId));
    return this.#lastId;
  }
}

/** What 3.1.1 says of a message. */
function plain(message: Published): Published {
  return { ...message, expiry: undefined, contentType: undefined };
}
