// Clients that are slow, by chance or by intent: each waits for itself, and costs no more than its share.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createBroker } from "../../mod.ts";
import { VirtualClock } from "../support/clock.ts";
import { bytes, subscribe } from "./bytes.ts";
import { Tap } from "./tap.ts";
import { soon } from "./soon.ts";
import { Witness } from "./witness.ts";

const login = bytes({ cmd: "connect", clientId: "slow" });

Deno.test("A client that sends a byte of its CONNECT each second is refused when its time is up", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await using tap = new Tap(broker);
  const { peer, served } = await tap.connect();
  for (const at of login.keys()) {
    if (broker.counters.has("refused/protocol-error")) break;
    assert(at < 11, "It was let go on after 11 s");
    await peer.send(login.subarray(at, at + 1));
    await served.read(at + 1);
    await clock.advance(1000);
  }
  await soon(Promise.all([peer.ended, served.over]), "the end");
  assertEquals([broker.counters.get("refused/protocol-error"), broker.counters.has("connected")], [1, false]);
});

Deno.test("A client that sends its packets byte by byte is served like any other", async () => {
  await using broker = createBroker();
  await using tap = new Tap(broker);
  const { peer, served } = await tap.connect(), publish = bytes({ cmd: "publish", topic: "t", payload: "x", qos: 0 });
  const sent = Buffer.concat([login, subscribe(["t"]), publish]);
  for (const at of sent.keys()) {
    await peer.send(sent.subarray(at, at + 1));
    await served.read(at + 1);
  }
  assertEquals([...await peer.receive(4 + 5 + publish.length)].slice(-publish.length), [...publish]);
});

Deno.test("A subscriber that reads byte by byte gets everything, and others do not wait for it", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 }), byte = new Uint8Array(1), got: number[] = [];
  using reader = await Deno.connect({ port });
  using witness = await Witness.of(port);
  await reader.write(Buffer.concat([login, subscribe(["t"])]));
  const read = async (count: number) => {
    for (got.length = 0; got.length < count;) if (await reader.read(byte)) got.push(byte[0]!);
    return got;
  };
  assertEquals(await read(9), [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0]);
  const publishes = Array.from({ length: 500 }, (_, i) => {
    return bytes({ cmd: "publish", topic: "t", payload: `${i}`.repeat(20), qos: 0 });
  });
  for (let i = 0; i < 500; i++) await broker.publish("t", `${i}`.repeat(20));
  const expected = Buffer.concat(publishes);
  assert(await witness.longest(read(expected.length)) < 1000);
  assert(Buffer.from(got).equals(expected));
});

Deno.test("A publisher that does not read its acknowledgements is not read in turn, alone; later it gets all of them", async () => {
  const limit = 64 * 1024, refusal = { reason: "not-authorized", message: "x".repeat(1000) } as const;
  const authorize = ({ topic }: { topic: string }) => topic === "t" ? refusal : true;
  await using broker = createBroker({ authorize, limits: { outbox: limit } });
  await using tap = new Tap(broker);
  using witness = await Witness.of(tap.port);
  const { peer, served } = await tap.connect();
  await peer.send(bytes({ cmd: "connect", clientId: "deaf" }, 5));
  const before = (await peer.receive(1)).length, count = 8000;
  peer.freeze();
  const publish = bytes({ cmd: "publish", topic: "t", payload: "x".repeat(100), qos: 1, messageId: 1 }, 5);
  const sent = peer.send(Buffer.concat(Array(count).fill(publish)));
  for (let beats = 0; beats < 50; beats++) await witness.beat(); // it would be read meanwhile
  assert(served.count < count * publish.length, "All that it sent was read");
  assert(served.largestWrite < 2 * limit + 4096, `${served.largestWrite} bytes were kept for it at once`);
  peer.thaw();
  const puback = 2 + 2 + 1 + 1 + 3 + 1000 + 2; // its length takes two bytes, and so does that of its properties
  await Promise.all([sent, peer.receive(before + count * puback)]);
  assertEquals(broker.counters.get("denied/not-authorized"), count);
});
