// Sizes that nobody needs: a length that is only claimed, topics of thousands of levels, thousands of properties.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createBroker, type Reason } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { fields } from "../support/packets.ts";
import { bytes, measured, packet } from "./bytes.ts";
import { Peer } from "./peer.ts";
import { soon } from "./soon.ts";
import { Tap } from "./tap.ts";
import { WeighedBroker } from "./weighed.ts";
import { Witness } from "./witness.ts";

/** 268,435,455 as a remaining length. */
const LONGEST = [0xff, 0xff, 0xff, 0x7f];

const login = bytes({ cmd: "connect", clientId: "c" }), login5 = bytes({ cmd: "connect", clientId: "c" }, 5);

/** Openings of which only the length counts: what they are, their bytes, how they end their connection, and what is said before. */
const claims:
  readonly (readonly [string, readonly Uint8Array[], `${"refused" | "disconnected"}/${Reason}`, number[]])[] = [
    ["A CONNECT", [Buffer.from([0x10, ...LONGEST])], "refused/packet-too-large", []],
    ["A PUBLISH as the first packet", [Buffer.from([0x30, ...LONGEST])], "refused/packet-too-large", []],
    ["A PUBLISH", [login, Buffer.from([0x30, ...LONGEST])], "disconnected/packet-too-large", [0x20, 2, 0, 0]],
    ["A SUBSCRIBE", [login, Buffer.from([0x82, ...LONGEST])], "disconnected/packet-too-large", [0x20, 2, 0, 0]],
    ["A length of five bytes", [Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x7f])], "refused/malformed-packet", []],
    ["A CONNECT of 64 KiB and a byte", [Buffer.from([0x10, 0xfe, 0xff, 0x03])], "refused/packet-too-large", []],
  ];

for (const [what, sent, counter, said] of claims) {
  Deno.test(`${what} of which only the length has come ends its connection at once: ${counter}`, async () => {
    await using broker = createBroker();
    await using tap = new Tap(broker);
    const { peer, served } = await tap.connect();
    await peer.send(...sent);
    assertEquals([...await peer.receive()], said);
    await soon(served.over, "the end");
    assertEquals(broker.counters.get(counter), 1);
  });
}

Deno.test("A PUBLISH that claims 256 MiB is answered with 0x95 in MQTT 5.0", async () => {
  await using broker = createBroker();
  await using client = await TestClient.tcp(broker.listen({ port: 0 }).port);
  await client.connect({ protocolVersion: 5 });
  await client.sendBytes([0x30, ...LONGEST]);
  await client.expect({ cmd: "disconnect", reasonCode: 0x95 });
  await client.expectClosed();
});

Deno.test("1,000 clients that claim packets of 256 MiB and send some of it do not make the broker larger", async () => {
  await using broker = await WeighedBroker.start();
  const claim = async (i: number) => {
    using peer = await Peer.to(broker.port);
    await peer.send(...i % 2 ? [login] : [], Buffer.from([0x30, ...LONGEST]), Buffer.alloc(1000));
    await soon(peer.ended, "the end");
  };
  const round = () => Promise.all(Array.from({ length: 500 }, (_, i) => claim(i)));
  await round();
  const before = (await broker.weight()).all;
  await round();
  const after = (await broker.weight()).all;
  assert(after - before < 30, `${before.toFixed()} MiB, and ${after.toFixed()} MiB after`);
});

const deep = "/".repeat(29_999);

/** 10,000 user properties behind their length. */
const many = measured(...Array.from({ length: 10_000 }, (_, i) => fields(38, `name ${i}`, "v")));

Deno.test("A topic of 30,000 levels is refused wherever it comes, and the client goes on", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 });
  await using old = await TestClient.tcp(port), client = await TestClient.tcp(port);
  await old.connect({ clientId: "old" });
  await client.connect({ clientId: "new", protocolVersion: 5 });
  const publish = { cmd: "publish", topic: deep, payload: "", qos: 1, messageId: 1, retain: true, dup: false } as const;
  await client.send(publish);
  await client.expect({ cmd: "puback", reasonCode: 0x90 });
  await old.send(publish);
  await old.expect({ cmd: "puback" }); // which can't say no
  for (const topic of [deep, `+${deep}`, `${deep}#`, `$share/g/${deep}`]) {
    const subscribe = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] } as const;
    await client.send(subscribe);
    await client.expect({ cmd: "suback", granted: [0x8f] });
    await old.send(subscribe);
    await old.expect({ cmd: "suback", granted: [0x80] });
  }
  await client.send({ cmd: "unsubscribe", messageId: 1, unsubscriptions: [deep] });
  await client.expect({ cmd: "unsuback" });
  assertEquals(broker.counters.get("denied/topic-name-invalid"), 2);
});

Deno.test("A will on a topic of 30,000 levels refuses its client", async () => {
  await using broker = createBroker();
  await using client = await TestClient.tcp(broker.listen({ port: 0 }).port);
  const will = { topic: deep, payload: "", qos: 0, retain: false };
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion: 5, will });
  await client.expect({ cmd: "connack", reasonCode: 0x90 });
  await client.expectClosed();
});

Deno.test("A broker that permits 30,000 levels routes and retains a topic that has them", async () => {
  await using broker = createBroker({ limits: { topicLevels: 65_536 } });
  await using client = await TestClient.tcp(broker.listen({ port: 0 }).port);
  await client.connect();
  for (const filter of [deep, `+${deep}`, `#`]) await client.subscribe(filter);
  await client.publish(deep, "deep", { retain: true });
  await client.expect({ cmd: "publish", topic: deep, payload: "deep" });
  await client.subscribe(`${deep}#`);
  await client.expect({ cmd: "publish", topic: deep, payload: "deep", retain: true });
  await client.publish(deep, "", { retain: true });
  await client.expect({ cmd: "publish", topic: deep, payload: "" });
});

/** Packets of 5.0 with 10,000 user properties, by their names, and what is answered first. */
const rich: Readonly<Record<string, readonly [sent: Buffer, answer: string]>> = {
  "PUBLISH": [packet(0x32, "t", [0, 1], many), "puback"],
  "PUBREL": [packet(0x62, [0, 1], 0, many), "pubcomp"],
  "SUBSCRIBE": [packet(0x82, [0, 1], many, "s", 0), "suback"],
  "UNSUBSCRIBE": [packet(0xa2, [0, 1], many, "s"), "unsuback"],
};

for (const [name, [sent, answer]] of Object.entries(rich)) {
  Deno.test(`A ${name} with 10,000 user properties is taken like any other, or refused for one fault in them`, async () => {
    await using broker = createBroker();
    const { port } = broker.listen({ port: 0 });
    using witness = await Witness.of(port);
    await using client = await TestClient.tcp(port), faulty = await TestClient.tcp(port);
    await client.connect({ protocolVersion: 5, clientId: "c" });
    await client.sendBytes(sent);
    await client.expect({ cmd: answer as "puback" });
    await client.expectNothing();
    await faulty.connect({ protocolVersion: 5, clientId: "f" });
    sent[sent.lastIndexOf(38)] = 0x7f; // no such property
    await faulty.sendBytes(sent);
    await faulty.expect({ cmd: "disconnect", reasonCode: 0x81 });
    await faulty.expectClosed();
    await witness.beat();
  });
}

Deno.test("10,000 user properties reach a subscriber in their order, and are left out for one of 3.1.1", async () => {
  await using broker = createBroker();
  await using tap = new Tap(broker);
  const subscribe = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] } as const;
  const { peer } = await tap.connect(), { peer: old } = await tap.connect();
  await peer.send(login5);
  const suback = 2 + (await peer.receive(2))[1]!, before = suback + 6;
  await peer.send(bytes(subscribe, 5));
  await peer.receive(before);
  await old.send(bytes({ cmd: "connect", clientId: "old" }), bytes(subscribe));
  await old.receive(4 + 5);
  const publish = packet(0x30, "t", many, [1, 2, 3]);
  await peer.send(publish);
  const received = await peer.receive(before + publish.length);
  assert(received.subarray(-publish.length).equals(publish));
  const plain = bytes({ cmd: "publish", topic: "t", payload: Buffer.from([1, 2, 3]), qos: 0 });
  assertEquals([...(await old.receive(9 + plain.length)).subarray(9)], [...plain]);
});
