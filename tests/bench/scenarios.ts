// The scenarios of the load test. All are closed loops: a publisher is held back by what its slowest subscriber has
// received, so that the figures are of what gets through, and not of what piles up. Each message carries who sent it,
// its number and when; the last one of a publisher says so, and since messages stay in order, whatever is missing by
// then is lost.
import { Buffer } from "node:buffer";
import { type Address, LoadClient } from "./client.ts";
import { Sequence, type Tally } from "./tally.ts";
import type { Delivery, QoS } from "./wire.ts";

export const scenarios = ["pairs", "fanout", "fanin", "connect"] as const;

/** What a load test does. */
export interface Settings extends Address {
  /** N publishers with a subscriber each; one with N; N with one; or N connections at a time that come and go. */
  readonly scenario: typeof scenarios[number];
  readonly clients: number;
  readonly qos: QoS;
  /** Bytes of a payload. */
  readonly size: number;
  /** After so many seconds nothing more is sent. */
  readonly seconds: number;
  /** Nor after so many messages, or connections. */
  readonly count: number;
  /** Messages on their way to one subscriber at a time. */
  readonly window: number;
  /** Whether the sessions of the subscribers outlive their connections. */
  readonly persistent: boolean;
}

/** What every payload begins with: the publisher, the number, the time. */
export const HEADER = 16;

const LAST = 0xffff_ffff;

/** How long what was sent last may take, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Runs a scenario to its end, and resolves to the seconds that it took once everybody was ready. Rejects where the
 * server can't be reached, refuses something or ends a connection.
 */
export async function run(settings: Settings, tally: Tally): Promise<number> {
  if (settings.scenario !== "connect") return await new Traffic(settings, tally).run();
  return await timed(connections(settings, tally));
}

async function timed(work: Promise<void>): Promise<number> {
  const started = performance.now();
  await work;
  return (performance.now() - started) / 1000;
}

/** Connections that come and go. */
async function connections(settings: Settings, tally: Tally): Promise<void> {
  const end = performance.now() + settings.seconds * 1000, run = crypto.randomUUID();
  const one = async () => {
    while (tally.sent < settings.count && performance.now() < end) {
      const started = performance.now(), client = await LoadClient.connect(settings, `${run}-${tally.sent++}`);
      tally.latency.add(performance.now() - started);
      tally.received++;
      await client.close();
    }
  };
  await Promise.all(Array.from({ length: settings.clients }, one));
}

/** Messages from publishers to subscribers. */
class Traffic {
  readonly #settings: Settings;
  readonly #tally: Tally;
  readonly #clients: LoadClient[] = [];
  readonly #publishers: Publisher[] = [];
  readonly #subscribers: Subscriber[] = [];
  /** The client identifiers of sessions that stay. */
  readonly #lasting: string[] = [];

  constructor(settings: Settings, tally: Tally) {
    this.#settings = settings;
    this.#tally = tally;
  }

  async run(): Promise<number> {
    try {
      await this.#prepare();
      const failed = this.#clients.map((client) => client.failed);
      return await Promise.race([timed(this.#publish()), ...failed]);
    } finally {
      await Promise.all(this.#clients.map((client) => client.close()));
      for (const id of this.#lasting) await (await LoadClient.connect(this.#settings, id)).close(); // a clean session ends it
    }
  }

  async #prepare(): Promise<void> {
    const { scenario, clients, qos, size } = this.#settings, prefix = `load/${crypto.randomUUID()}`;
    const [publishers, subscribers] = [scenario === "fanout" ? 1 : clients, scenario === "fanin" ? 1 : clients];
    for (let i = 0; i < publishers; i++) {
      const topic = Buffer.from(`${prefix}/${i}`);
      const options = { ...this.#settings, number: i, topic, publishers, audience: subscribers / publishers };
      this.#publishers.push(new Publisher(await this.#connect(`${prefix}-p${i}`), this.#tally, options));
    }
    for (let i = 0; i < subscribers; i++) {
      const heard = scenario === "pairs" ? [this.#publishers[i]!] : this.#publishers;
      const client = await this.#connect(`${prefix}-s${i}`, !this.#settings.persistent);
      this.#subscribers.push(new Subscriber(client, heard, this.#tally, size));
      await client.subscribe(scenario === "fanin" ? `${prefix}/+` : `${prefix}/${scenario === "pairs" ? i : 0}`, qos);
    }
  }

  async #connect(name: string, clean = true): Promise<LoadClient> {
    const id = name.slice("load/".length), client = await LoadClient.connect(this.#settings, id, clean);
    this.#clients.push(client);
    if (!clean) this.#lasting.push(id);
    return client;
  }

  /** Until each subscriber has heard the last message of each publisher, or waits for it in vain. */
  async #publish(): Promise<void> {
    const stop = () => this.#publishers.forEach((publisher) => publisher.stop());
    const end = setTimeout(stop, this.#settings.seconds * 1000), late = Promise.withResolvers<void>();
    const giveUp = setTimeout(late.resolve, this.#settings.seconds * 1000 + PATIENCE);
    for (const publisher of this.#publishers) publisher.pump();
    await Promise.race([Promise.all(this.#subscribers.map(({ ended }) => ended)), late.promise]);
    clearTimeout(end);
    clearTimeout(giveUp);
    for (const subscriber of this.#subscribers) subscriber.count();
  }
}

interface PublisherOptions extends Settings {
  readonly number: number;
  readonly topic: Uint8Array;
  readonly publishers: number;
  /** How many subscribers hear it. */
  readonly audience: number;
}

/** Sends as fast as it is let. */
class Publisher {
  readonly number: number;
  readonly topic: Uint8Array;
  sent = 0;
  readonly #client: LoadClient;
  readonly #tally: Tally;
  readonly #qos: QoS;
  readonly #audience: number;
  readonly #payload: Buffer;
  readonly #limit: number;
  readonly #window: number;
  /** How many subscribers have received all messages up to a milestone. */
  readonly #reached = new Map<number, number>();
  /** Every so many messages there is a milestone. */
  readonly #stride: number;
  #allowed: number;
  #stopped = false;
  #done = false;

  constructor(client: LoadClient, tally: Tally, options: PublisherOptions) {
    const { number, topic, qos, size, count, window, publishers, audience } = options;
    this.#client = client;
    this.#tally = tally;
    this.number = number;
    this.topic = topic;
    this.#qos = qos;
    this.#audience = audience;
    this.#payload = payloadOf(number, size);
    this.#limit = Math.floor(count / publishers) + Number(number < count % publishers);
    // Several publishers of one subscriber share what may be on its way to that.
    this.#window = this.#allowed = Math.max(1, Math.floor(window * Math.min(1, audience)));
    this.#stride = Math.ceil(this.#window / 2);
    client.onBatch = () => this.pump();
  }

  /** Sends what may be sent at present. */
  pump(): void {
    const client = this.#client, payload = this.#payload, now = performance.now();
    const allowed = () => client.unacknowledged < Math.min(this.#window, client.receiveMaximum);
    const end = this.#stopped ? this.sent : Math.min(this.#allowed, this.#limit);
    for (; this.sent < end && allowed(); this.sent++, this.#tally.sent++) {
      payload.writeUInt32BE(this.sent, 4);
      payload.writeDoubleBE(now, 8);
      client.publish(this.topic, payload, this.#qos);
    }
    if ((this.#stopped || this.sent === this.#limit) && !this.#done && allowed()) {
      this.#done = true;
      payload.writeUInt32BE(LAST, 4);
      client.publish(this.topic, payload, this.#qos);
    }
    client.flush();
  }

  /** A subscriber has received everything from one number up to another. */
  progress(from: number, to: number): void {
    const first = Math.floor(from / this.#stride) + 1, last = Math.floor(to / this.#stride);
    for (let milestone = first; milestone <= last; milestone++) {
      const reached = (this.#reached.get(milestone) ?? 0) + 1;
      this.#reached.set(milestone, reached);
      if (reached < this.#audience) continue;
      this.#reached.delete(milestone);
      this.#allowed = milestone * this.#stride + this.#window;
    }
  }

  /** Sends no more but the last message. */
  stop(): void {
    this.#stopped = true;
    this.pump();
  }
}

/** Checks and counts what it hears. */
class Subscriber {
  /** Resolves when it has heard the last message of each publisher. */
  readonly ended: Promise<void>;
  readonly #tally: Tally;
  readonly #publishers: ReadonlyMap<number, Publisher>;
  readonly #sequences = new Map<Publisher, Sequence>();
  readonly #open: Set<Publisher>;
  readonly #pattern: Buffer;
  readonly #end = Promise.withResolvers<void>();
  /** Those that this batch may have given room. */
  readonly #heard = new Set<Publisher>();
  #now = 0;

  constructor(client: LoadClient, publishers: readonly Publisher[], tally: Tally, size: number) {
    this.ended = this.#end.promise;
    this.#tally = tally;
    this.#publishers = new Map(publishers.map((publisher) => [publisher.number, publisher]));
    this.#open = new Set(publishers);
    this.#pattern = payloadOf(0, size);
    for (const publisher of publishers) this.#sequences.set(publisher, new Sequence(tally));
    client.onMessage = (message) => this.#take(message);
    client.onBatch = () => this.#endBatch();
  }

  /** Counts what has not come. */
  count(): void {
    for (const [publisher, sequence] of this.#sequences) sequence.end(publisher.sent);
  }

  #take({ bytes, topic, topicEnd, payload, end }: Delivery): void {
    const publisher = end - payload < HEADER ? undefined : this.#publishers.get(bytes.readUInt32BE(payload));
    const whole = publisher && same(bytes, topic, topicEnd, publisher.topic, 0) &&
      same(bytes, payload + HEADER, end, this.#pattern, HEADER);
    if (!whole) {
      this.#tally.corrupted++;
      return;
    }
    const number = bytes.readUInt32BE(payload + 4), sequence = this.#sequences.get(publisher)!;
    this.#heard.add(publisher);
    if (number === LAST) {
      if (this.#open.delete(publisher) && this.#open.size === 0) this.#end.resolve();
      return;
    }
    const before = sequence.next;
    sequence.take(number);
    publisher.progress(before, sequence.next);
    this.#now ||= performance.now();
    this.#tally.latency.add(this.#now - bytes.readDoubleBE(payload + 8));
  }

  #endBatch(): void {
    this.#now = 0;
    for (const publisher of this.#heard) publisher.pump();
    this.#heard.clear();
  }
}

/** The payload of a publisher: its number, room for the rest of the header, and a pattern. */
function payloadOf(number: number, size: number): Buffer {
  const payload = Buffer.alloc(size);
  for (let i = HEADER; i < size; i++) payload[i] = i * 31 + 7;
  payload.writeUInt32BE(number);
  return payload;
}

/**
 * True where the bytes from `start` to `end` are those of `expected` from `from` on: a loop for a few, a call for many.
 */
function same(bytes: Buffer, start: number, end: number, expected: Uint8Array, from: number): boolean {
  if (end - start !== expected.length - from) return false;
  if (end - start > 64) return bytes.compare(expected, from, expected.length, start, end) === 0;
  while (start < end) if (bytes[start++] !== expected[from++]) return false;
  return true;
}
