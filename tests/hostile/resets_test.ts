// Resets: a peer is gone from one moment to the next, with no end of the stream, wherever it stands.
import { assert, assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { bytes } from "./bytes.ts";
import type { Peer } from "./peer.ts";
import { soon } from "./soon.ts";
import { type Served, Tap } from "./tap.ts";
import { Witness } from "./witness.ts";

/** How many peers reset their connection at each stage. */
const RESETS = 100;

/** A PUBLISH that comes in several reads. */
const publish = bytes({ cmd: "publish", topic: "t", payload: "x".repeat(5000), qos: 1, messageId: 1 });

interface Stage {
  /** What a peer does before it resets. */
  readonly reach: (peer: Peer, served: Served, connect: Uint8Array, broker: Broker) => Promise<unknown> | void;
  /** Whether the client is in by then. */
  readonly accepted: boolean;
  /** How many messages it has published by then. */
  readonly published: number;
}

const stages: Readonly<Record<string, Stage>> = {
  "before their first byte": { reach() {}, accepted: false, published: 0 },
  "in the middle of a CONNECT": {
    async reach(peer, served, connect) {
      await peer.send(connect.subarray(0, 7));
      await served.read(7);
    },
    accepted: false,
    published: 0,
  },
  "behind a CONNECT, before the CONNACK is read": {
    async reach(peer, served, connect) {
      peer.freeze();
      await peer.send(connect);
      await served.read(connect.length);
    },
    accepted: true,
    published: 0,
  },
  "in the middle of a PUBLISH": {
    async reach(peer, served, connect) {
      await peer.send(connect, publish.subarray(0, -1));
      await served.read(connect.length + publish.length - 1);
    },
    accepted: true,
    published: 0,
  },
  "in the middle of a handshake of QoS 2": {
    async reach(peer, _served, connect) {
      await peer.send(connect, bytes({ cmd: "publish", topic: "t", payload: "x", qos: 2, messageId: 1 }));
      await peer.receive(4 + 4); // CONNACK and PUBREC
    },
    accepted: true,
    published: 1,
  },
  "while the broker writes a large delivery": {
    async reach(peer, _served, connect, broker) {
      const mebibyte = new Uint8Array(1024 * 1024);
      await peer.send(connect, bytes({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "large", qos: 0 }] }));
      await peer.receive(4 + 5); // CONNACK and SUBACK
      peer.freeze();
      for (let i = 0; i < 8; i++) await broker.publish("large", mebibyte); // more than the system takes
    },
    accepted: true,
    published: 8,
  },
};

for (const [name, { reach, accepted, published }] of Object.entries(stages)) {
  Deno.test(`${RESETS} peers that reset ${name} are in nobody's way, and nothing of them stays`, async () => {
    await using broker = createBroker();
    await using tap = new Tap(broker);
    using witness = await Witness.of(tap.port);
    let messages = 0;
    broker.topic("#").subscribe(({ client }) => client === "witness" || messages++);
    for (let i = 0; i < RESETS; i++) {
      const { peer, served } = await tap.connect();
      await reach(peer, served, bytes({ cmd: "connect", clientId: `peer ${i}`, keepalive: 0 }), broker);
      peer.reset();
      assert(await soon(served.lost, "reset") instanceof Deno.errors.ConnectionReset); // and not the end of the stream
      await soon(served.over, "the end of the connection");
    }
    await witness.beat();
    const lost = broker.counters.get("disconnected/connection-lost") ?? 0;
    assertEquals([lost, messages], [accepted ? RESETS : 0, published * RESETS]);
  });
}

Deno.test("500 peers that reset before they are accepted keep nobody waiting", async () => {
  await using broker = createBroker();
  const { port } = broker.listen({ port: 0 }), program = new URL("reset_program.ts", import.meta.url).href;
  // This process, and the broker in it, stands still meanwhile: the peers are gone when they are accepted.
  const args = ["run", "--allow-net", program, String(port), "500"];
  const { success } = new Deno.Command(Deno.execPath(), { args, stdin: "null" }).outputSync();
  assert(success);
  using witness = await soon(Witness.of(port), "somebody else to connect", 10_000);
  await witness.beat();
  assertEquals([...broker.counters.keys()], ["listening", "connected", "subscribed"]);
});

Deno.test("A peer that closes in order is no reset: the tests of resets can tell them apart", async () => {
  await using broker = createBroker();
  await using tap = new Tap(broker);
  const { peer, served } = await tap.connect();
  peer.closeWrite();
  assertEquals(await soon(served.lost, "end"), undefined);
});
