// Enhanced authentication with clients that do not want to be authenticated, and topic aliases with such that want to confuse.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type BrokerOptions, createBroker, scramSecret, scramSha256 } from "../../mod.ts";
import { authPacket, toy } from "../conformance5/toy.ts";
import { TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { bytes } from "./bytes.ts";
import { soon } from "./soon.ts";
import { Tap } from "./tap.ts";
import { Witness } from "./witness.ts";

const secret = await scramSecret("secret");

const options: BrokerOptions = {
  authenticationMethods: {
    toy,
    "SCRAM-SHA-256": scramSha256((username) => username === "ann" ? secret : undefined),
  },
};

/** A CONNECT that opens an authentication. */
function opening(data: string, authenticationMethod = "toy", others: object = {}): Buffer {
  const properties = { authenticationMethod, authenticationData: Buffer.from(data) };
  return bytes({ cmd: "connect", clientId: "c", properties, ...others }, 5);
}

/** An AUTH that goes on. */
function answer(data: string, authenticationMethod?: string, reasonCode?: number): Buffer {
  return bytes(authPacket(data, reasonCode, authenticationMethod), 5);
}

const long = "x".repeat(60_000), scram = "SCRAM-SHA-256";

/** What a client opens with, and what it answers to the first challenge, if it gets to one. */
const conversations: Readonly<Record<string, readonly [first: Buffer, second?: Buffer]>> = {
  "nothing": [opening("", scram)],
  "no SCRAM": [opening("GET / HTTP/1.1", scram)],
  "bytes that are no text": [opening("\u{fffd}\u{fffd}", scram)],
  "a name of 60,000 characters": [opening(`n,,n=${long},r=abc`, scram), answer(`c=biws,r=abc,p=${long}`, scram)],
  "a name that objects inherit": [opening("n,,n=__proto__,r=abc", scram), answer("c=biws,r=abc,p=AAAA", scram)],
  "a proof of nothing": [opening("n,,n=ann,r=abc", scram), answer("c=biws,r=abc,p=", scram)],
  "60,000 commas": [opening(`n,,n=ann,r=abc`, scram), answer(",".repeat(60_000), scram)],
  "an empty answer": [opening("n,,n=ann,r=abc", scram), answer("", scram)],
  "another method's answer": [opening("n,,n=ann,r=abc", scram), answer("2")],
  "an answer with success": [opening("ann:1"), answer("2", "toy", 0)],
  "a beginning anew": [opening("ann:1"), answer("2", "toy", 0x19)],
};

for (const [name, [first, second]] of Object.entries(conversations)) {
  Deno.test(`50 clients that authenticate with ${name} stay outside, and others go on`, async () => {
    await using broker = createBroker(options);
    await using tap = new Tap(broker);
    using witness = await Witness.of(tap.port);
    await Promise.all(Array.from({ length: 50 }, async () => {
      const { peer, served } = await tap.connect();
      await peer.send(first);
      if (second) {
        await peer.receive(1); // the challenge
        await peer.send(second, second, second);
      }
      await soon(Promise.all([peer.ended, served.over]), "the end");
    }));
    await witness.beat();
    const refused = [...broker.counters].filter(([name]) => name.startsWith("refused/"));
    assertEquals(refused.reduce((sum, [, count]) => sum + count, 0), 50);
    assertEquals([broker.counters.get("connected"), broker.counters.get("hook-error")], [1, undefined]);
  });
}

Deno.test("A client that does not answer a challenge is refused in the end", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ ...options, clock });
  await using tap = new Tap(broker);
  const { peer, served } = await tap.connect();
  await peer.send(opening("ann:1"));
  await peer.receive(1);
  await clock.advance(11_000);
  await soon(Promise.all([peer.ended, served.over]), "the end");
  assertEquals(broker.counters.get("refused/protocol-error"), 1);
});

Deno.test("A client that authenticates anew again and again, without an end, is disconnected", async () => {
  await using broker = createBroker(options);
  await using tap = new Tap(broker);
  const { peer, served } = await tap.connect();
  await peer.send(opening("ann:0"));
  await peer.receive(1);
  const again = answer("ann:1", "toy", 0x19);
  await peer.send(...Array<Buffer>(1000).fill(again));
  await soon(Promise.all([peer.ended, served.over]), "the end");
  assertEquals(broker.counters.get("disconnected/protocol-error"), 1);
});

Deno.test("An authorize that took its time once does not put off the keep alive of a client that then says nothing", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ ...options, clock, authorize: () => Promise.resolve(true) });
  await using tap = new Tap(broker);
  const { peer, served } = await tap.connect();
  const will = { topic: "w", payload: Buffer.from("gone"), qos: 0, retain: false };
  await peer.send(opening("ann:0", "toy", { keepalive: 10, will }));
  await peer.receive(1); // CONNACK
  await clock.advance(15_500);
  assertEquals(broker.counters.get("disconnected/keep-alive-timeout"), 1);
  await clock.advance(2000);
  await soon(Promise.all([peer.ended, served.over]), "the end");
});

/** A PUBLISH with a topic alias. */
function aliased(topic: string, topicAlias: number): Buffer {
  const publish = bytes({ cmd: "publish", topic, payload: "", qos: 0, properties: { topicAlias: 1 } }, 5);
  publish.writeUInt16BE(topicAlias, publish.length - 2); // mqtt-packet refuses some
  return publish;
}

const aliases: Readonly<Record<string, readonly [sent: readonly Buffer[], reason: string, published: number]>> = {
  "0": [[aliased("t", 0)], "protocol-error", 0],
  "over the maximum": [[aliased("t", 101)], "topic-alias-invalid", 0],
  "as large as can be": [[aliased("t", 65_535)], "topic-alias-invalid", 0],
  "that stands for nothing": [[aliased("t", 1), aliased("", 2)], "protocol-error", 1],
  "given to a wildcard": [[aliased("a/#", 1)], "malformed-packet", 0],
  "given to each of 100 long topics, and again": [
    [...Array.from({ length: 200 }, (_, i) => aliased(`${i}${"x".repeat(65_000)}`, i % 100 + 1)), aliased("", 101)],
    "topic-alias-invalid",
    200,
  ],
};

for (const [name, [sent, reason, published]] of Object.entries(aliases)) {
  Deno.test(`A topic alias ${name} ends its own connection alone, and what was published before stands`, async () => {
    await using broker = createBroker();
    await using tap = new Tap(broker);
    using witness = await Witness.of(tap.port);
    let messages = 0;
    broker.published.subscribe(() => messages++);
    const { peer, served } = await tap.connect();
    await peer.send(bytes({ cmd: "connect", clientId: "c" }, 5), ...sent);
    await soon(Promise.all([peer.ended, served.over]), "the end");
    assertEquals([messages, broker.counters.get(`disconnected/${reason}`)], [published, 1]);
    await witness.beat();
  });
}

Deno.test("A topic alias of one connection is unknown to every other, that of the same client too", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 });
  await using first = await TestClient.tcp(port);
  await first.connect({ clientId: "c", protocolVersion: 5 });
  await first.sendBytes(aliased("t", 1));
  await first.expectNothing();
  for (const clientId of ["other", "c"]) {
    await using next = await TestClient.tcp(port);
    await next.connect({ clientId, protocolVersion: 5 });
    await next.sendBytes(aliased("", 1));
    await next.expect({ cmd: "disconnect", reasonCode: 0x82 });
    await next.expectClosed();
  }
});
