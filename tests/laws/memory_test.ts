// Whatever clients do, in whatever order: what a broker holds for them is never less than nothing, and nothing is held any more when
// their sessions have ended, their sockets are closed and no message is retained. The parts of a broker are put together here as
// system.ts does it, because it shows its account to nobody.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4";
import { Decoder } from "../../src/codec/decode.ts";
import { PublishEncoder } from "../../src/codec/encode.ts";
import { generate, type Packet, type Parser, parser } from "../../src/codec/mqtt_packet.ts";
import { Traffic } from "../../src/traffic.ts";
import { Admission } from "../../src/connection/admission.ts";
import type { ConnectionContext } from "../../src/connection/connection.ts";
import { Connections } from "../../src/connection/connections.ts";
import { converse } from "../../src/connection/conversation.ts";
import { ChunkPool } from "../../src/connection/chunk_pool.ts";
import { Trace } from "../../src/connection/trace.ts";
import { resolveOptions } from "../../src/options.ts";
import { overloadPolicies } from "../../src/overload.ts";
import { Router } from "../../src/routing/router.ts";
import { Sessions } from "../../src/session/sessions.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { Surroundings } from "../session/surroundings.ts";
import { settle } from "../support/clock.ts";

const LIMITS = { inflight: 4, queuedMessages: 6, queuedBytes: 6000, memory: 1024 * 1024 };

/** What a broker is made of. */
class Parts extends Surroundings {
  readonly #connections = new Connections();
  readonly #context: ConnectionContext;

  constructor() {
    super(LIMITS);
    const { clock, turn, memory, deadlines, retained, report } = this;
    const options = resolveOptions({
      limits: { ...LIMITS, outbox: 1024, sessionExpiry: 3 },
      overload: ({ client: { id } }) => overloadPolicies[Number(id) % overloadPolicies.length]!,
      clock,
    });
    const router = new Router([], report, (message) => {
      retained.update(message);
      for (const subscriber of this.index.match(message.topic)) subscriber.next(message);
    });
    this.publish = (will) => router.incoming.next(will);
    this.#context = {
      ...{ options, turn, deadlines, retained, report },
      sessions: new Sessions(this),
      decoder: new Decoder(),
      encoder: new PublishEncoder(),
      pool: new ChunkPool(memory),
      trace: new Trace(),
      admission: new Admission(options.limits, memory),
      durability: undefined,
      traffic: new Traffic(),
      memory,
    };
    this.#connections.opened.pipe(converse()).subscribe((message) => router.incoming.next(message));
  }

  accept(stream: ByteStream): void {
    this.#connections.accept(stream, this.#context);
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#context.admission.connections.size;
  }
}

/** A client that answers what it is sent, or refuses it, or does not even read. */
class Robot {
  readonly #stream: ByteStream;
  readonly #speech: { protocolVersion: number };
  readonly #parser: Parser;
  readonly #refuses: boolean;
  #reading = Promise.withResolvers<void>();
  #id = 0;

  constructor(parts: Parts, clientId: string, kind: { level: 4 | 5; clean: boolean; refuses: boolean; will: boolean }) {
    const [ours, theirs] = memoryPair(500), { level: protocolVersion, clean, refuses, will } = kind;
    parts.accept(theirs);
    this.#stream = ours;
    this.#refuses = refuses && protocolVersion === 5;
    this.#speech = { protocolVersion };
    this.#parser = parser(this.#speech);
    this.#parser.on("packet", (packet) => this.#answer(packet));
    const properties = clean ? {} : { sessionExpiryInterval: 2, receiveMaximum: 3 };
    this.send({
      ...{ cmd: "connect", clientId, clean, keepalive: 0, protocolVersion, properties } as Packet,
      ...will && { will: { topic: "will", payload: Buffer.from("gone"), qos: 1, retain: true } },
    });
    this.#reading.resolve();
    this.#read();
  }

  async #read(): Promise<void> {
    const buffer = Buffer.alloc(500);
    try {
      for (let count; (count = await this.#stream.read(buffer)) !== null; await this.#reading.promise) {
        this.#parser.parse(Buffer.from(buffer.subarray(0, count)));
      }
    } catch {
      // It has left.
    }
    this.#stream.close();
  }

  #answer(packet: Packet): void {
    const reasonCode = this.#refuses ? 0x97 : 0, { messageId = 0 } = packet as { messageId?: number };
    if (packet.cmd === "publish" && packet.qos === 1) this.send({ cmd: "puback", messageId, reasonCode });
    if (packet.cmd === "publish" && packet.qos === 2) this.send({ cmd: "pubrec", messageId, reasonCode });
    if (packet.cmd === "pubrec") this.send({ cmd: "pubrel", messageId });
    if (packet.cmd === "pubrel") this.send({ cmd: "pubcomp", messageId });
  }

  /** Sends a packet, unless the connection has ended. */
  send(packet: Packet): Promise<void> {
    return this.sendBytes(generate(packet, this.#speech));
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest: Uint8Array = bytes; rest.length > 0;) rest = rest.subarray(await this.#stream.write(rest));
    } catch {
      // It has ended.
    }
  }

  get nextId(): number {
    return this.#id = this.#id % 5 + 1;
  }

  /** Reads nothing for a while. */
  stall(): void {
    this.#reading = Promise.withResolvers();
  }

  resume(): void {
    this.#reading.resolve();
  }

  leave(): void {
    this.resume();
    this.#stream.close();
  }
}

const TOPICS = ["a", "b", "a/b", "will"], FILTERS = ["a", "#", "a/+", "$share/g/#", "$share/g/a", "+"];

const who = fc.nat(3), qos = fc.constantFrom(0, 1, 2), filter = fc.constantFrom(...FILTERS);
const kind = fc.record({
  level: fc.constantFrom(4, 5),
  clean: fc.boolean(),
  refuses: fc.boolean(),
  will: fc.boolean(),
});
/** All four clients come and subscribe. */
const beginning = fc.tuple(...[0, 1, 2, 3].flatMap((i) => [
  fc.record({ connect: fc.constant(i), kind }),
  fc.record({ subscribe: fc.constant(i), filter, qos }),
]));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ connect: who, kind }) },
  { weight: 3, arbitrary: fc.record({ subscribe: who, filter, qos }) },
  { weight: 1, arbitrary: fc.record({ unsubscribe: who, filter }) },
  {
    weight: 8,
    arbitrary: fc.record({
      publish: who,
      topic: fc.constantFrom(...TOPICS),
      size: fc.constantFrom(0, 10, 700, 3000, 140_000),
      times: fc.constantFrom(1, 1, 5, 20),
      retain: fc.boolean(),
      expires: fc.boolean(),
      alias: fc.boolean(),
      qos,
    }),
  },
  { weight: 1, arbitrary: fc.record({ begin: who }) },
  { weight: 3, arbitrary: fc.record({ stall: who }) },
  { weight: 2, arbitrary: fc.record({ resume: who }) },
  { weight: 1, arbitrary: fc.record({ leave: who }) },
  { weight: 1, arbitrary: fc.record({ disconnect: who }) },
  { weight: 2, arbitrary: fc.record({ wait: fc.constantFrom(500, 1500, 4000) }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The first half of a PUBLISH of 16,384 bytes. */
const partOfPacket = Buffer.concat([Buffer.from([0x30, 0xfd, 0x7f, 0, 1, 0x61]), Buffer.alloc(8000)]);

/** Does one thing; whoever is not there does nothing. */
async function take(step: Step, parts: Parts, robots: Map<number, Robot>): Promise<void> {
  if ("connect" in step) robots.set(step.connect, new Robot(parts, `${step.connect}`, step.kind));
  else if ("subscribe" in step) {
    const robot = robots.get(step.subscribe), subscriptions = [{ topic: step.filter, qos: step.qos }];
    robot?.send({ cmd: "subscribe", messageId: 100, subscriptions } as Packet);
  } else if ("unsubscribe" in step) {
    robots.get(step.unsubscribe)?.send({ cmd: "unsubscribe", messageId: 101, unsubscriptions: [step.filter] });
  } else if ("publish" in step) {
    const { topic, size, qos, retain, expires, alias, times } = step, payload = Buffer.alloc(size);
    const properties = {
      ...expires && { messageExpiryInterval: 1, userProperties: { a: "b" } },
      ...alias && { topicAlias: times },
    };
    const robot = robots.get(step.publish);
    for (let i = 0; robot && i < times; i++) {
      const messageId = robot.nextId;
      robot.send({ cmd: "publish", topic, payload, qos, retain, dup: false, messageId, properties } as Packet);
    }
  } else if ("begin" in step) robots.get(step.begin)?.sendBytes(partOfPacket);
  else if ("stall" in step) robots.get(step.stall)?.stall();
  else if ("resume" in step) robots.get(step.resume)?.resume();
  else if ("leave" in step) robots.get(step.leave)?.leave();
  else if ("disconnect" in step) robots.get(step.disconnect)?.send({ cmd: "disconnect" });
  else await parts.clock.advance(step.wait);
}

Deno.test("Law: when all sessions have ended and all sockets are closed, nothing is held for anybody", async () => {
  const seen = new Map<string, number>();
  let most = 0;
  await fc.assert(
    fc.asyncProperty(
      beginning,
      fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
      async (first, others) => {
        const parts = new Parts(), robots = new Map<number, Robot>(), all = new Set<Robot>();
        for (const step of [...first, ...others]) {
          await take(step, parts, robots);
          await new Promise((resolve) => setTimeout(resolve, 0)); // what comes of it needs no more than microtasks
          for (const robot of robots.values()) all.add(robot);
          assert(parts.memory.used >= 0);
          most = Math.max(most, parts.memory.used);
        }
        for (const robot of all) robot.leave();
        await settle(); // their sessions begin to wait for them
        await parts.clock.advance(4000);
        for (const topic of TOPICS) parts.route({ topic, retain: true, payload: new Uint8Array() });
        for (const event of parts.events) {
          const name = event.type === "dropped" ? event.reason : event.type;
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
        assertEquals([parts.connections, parts.index.match("a"), parts.memory.used], [0, [], 0]);
      },
    ),
    { numRuns: 30 },
  );
  for (const reason of ["queue-full", "superseded", "session-ended", "client-offline", "refused-by-client"]) {
    assert(seen.has(reason), `Nothing was dropped as ${reason}: ${[...seen]}`);
  }
  assert(most > 10_000, `No more than ${most} bytes were ever held`);
});
