// Connections of which one half is dead: a client that says nothing more, has vanished, or reads nothing.
import { assertEquals } from "@std/assert";
import { type BrokerEvent, createBroker } from "../../mod.ts";
import { VirtualClock } from "../support/clock.ts";
import { BrokerProcess } from "../support/process.ts";
import { bytes } from "./bytes.ts";
import { Peer } from "./peer.ts";
import { soon } from "./soon.ts";
import { Tap } from "./tap.ts";
import { Witness } from "./witness.ts";

/** More than the system takes for a client that does not read. */
const MEBIBYTES = 8, mebibyte = new Uint8Array(1024 * 1024);

const subscribe = bytes({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] });

/** A broker on a port, its time, and the ends of its connections. */
function setUp() {
  const clock = new VirtualClock(), broker = createBroker({ clock }), ends: string[] = [];
  broker.events.subscribe((event: BrokerEvent) => {
    if (event.type === "disconnected") ends.push(`${event.client}: ${event.reason}, ${event.detail}`);
  });
  return { clock, broker, ends, tap: new Tap(broker) };
}

Deno.test("A client that shuts its writing side still gets the answers to what it has sent, and then the end", async () => {
  const { broker, tap, ends } = setUp();
  await using _ = broker;
  await using _tap = tap;
  const { peer, served } = await tap.connect();
  const own = { topic: "t", payload: "x", qos: 0 } as const;
  await peer.send(bytes({ cmd: "connect", clientId: "c" }), subscribe, bytes({ ...own, cmd: "publish" }));
  peer.closeWrite();
  assertEquals([...await peer.receive()], [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0, ...bytes({ ...own, cmd: "publish" })]);
  await soon(Promise.all([peer.ended, served.over]), "the end");
  assertEquals(ends, ["c: connection-lost, End of stream"]);
});

Deno.test("A client that vanishes without a word is gone after one and a half times its keep alive", async () => {
  const { broker, tap, clock, ends } = setUp();
  await using _ = broker;
  await using _tap = tap;
  const { peer, served } = await tap.connect();
  await peer.send(bytes({ cmd: "connect", clientId: "c", keepalive: 10 }));
  await peer.receive(4);
  await clock.advance(14_900);
  assertEquals(ends, []);
  await clock.advance(600);
  assertEquals(ends, ["c: keep-alive-timeout, No packet within 15 s"]);
  await soon(Promise.all([peer.ended, served.over]), "the end");
});

Deno.test("A client that reads nothing while much is on its way to it is let go of, its socket too", async () => {
  const { broker, tap, clock, ends } = setUp();
  await using _ = broker;
  await using _tap = tap;
  using witness = await Witness.of(tap.port);
  const { peer, served } = await tap.connect();
  using _peer = peer;
  await peer.send(bytes({ cmd: "connect", clientId: "c", keepalive: 10 }), subscribe);
  await peer.receive(4 + 5);
  peer.freeze();
  for (let i = 0; i < MEBIBYTES; i++) await broker.publish("t", mebibyte);
  await clock.advance(20_000); // its keep alive, and what time the end of a connection takes
  assertEquals(ends, ["c: keep-alive-timeout, No packet within 15 s"]);
  await soon(served.over, "the end of the connection");
  await witness.beat();
});

Deno.test("The command ends on SIGTERM also while a client reads nothing", async () => {
  const broker = await BrokerProcess.start("--log-level", "debug");
  await using _ = broker;
  using frozen = await Peer.to(broker.port), publisher = await Peer.to(broker.port);
  await frozen.send(bytes({ cmd: "connect", clientId: "frozen" }), subscribe);
  await frozen.receive(4 + 5);
  frozen.freeze();
  const publish = bytes({ cmd: "publish", topic: "t", payload: "x".repeat(1_000_000), qos: 1, messageId: 1 });
  await publisher.send(bytes({ cmd: "connect", clientId: "publisher" }), ...Array(MEBIBYTES).fill(publish));
  await publisher.receive(4 + 4 * MEBIBYTES);
  assertEquals(await soon(broker.stop(), "the end of the process"), 0);
});
