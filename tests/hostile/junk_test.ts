// Bytes that no client would send: random ones, and right packets to which something was done. Whatever comes, the broker goes on, others
// notice nothing, and a connection that does not go on is over within its time.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4";
import { type BrokerEvent, createBroker } from "../../mod.ts";
import { toy } from "../conformance5/toy.ts";
import { connect, others } from "../laws/packets.ts";
import { VirtualClock } from "../support/clock.ts";
import type { PacketLike } from "../support/client.ts";
import { bytes } from "./bytes.ts";
import { mutated, Random } from "./random.ts";
import { soon } from "./soon.ts";
import { Tap } from "./tap.ts";
import { Witness } from "./witness.ts";

/** How many connections each kind of junk gets, and how many of them at a time. */
const CONNECTIONS = 400, AT_A_TIME = 50;

/** Milliseconds: 10 s to connect or 7.5 s of silence, half a second that this may be late, and 2 s to read the last word and close. */
const ITS_TIME = 14_000;

/** Some packets of each level, as bytes. */
const corpus = {
  4: sample(fc.oneof(connect[4], others[4]), 4),
  5: sample(fc.oneof(connect[5], others[5]), 5),
} as const;
const connects = { 4: sample(connect[4], 4), 5: sample(connect[5], 5) } as const;

function sample(packets: fc.Arbitrary<PacketLike>, level: 4 | 5): Buffer[] {
  return fc.sample(packets, { seed: 11, numRuns: 300 }).flatMap((packet) => {
    try {
      return [bytes(packet, level)];
    } catch {
      return []; // mqtt-packet does not write all that its reading half takes
    }
  });
}

const login = (clientId: string, level: 4 | 5) => bytes({ cmd: "connect", clientId, keepalive: 5 }, level);

/** What a client sends, by the kind of junk. */
const kinds: Readonly<Record<string, (random: Random, clientId: string) => Buffer>> = {
  "random bytes": (random) => random.bytes(300),
  "random bytes behind a CONNECT": (random, clientId) => {
    return Buffer.concat([login(clientId, random.of([4, 5])), random.bytes(300)]);
  },
  "mutated CONNECT packets": (random) => {
    const packets = connects[random.of([4, 5] as const)];
    return mutated(random, random.of(packets), random.of(packets));
  },
  "mutated packets of 3.1.1": (random, clientId) => behindLogin(random, clientId, 4, corpus[4]),
  "mutated packets of 5.0": (random, clientId) => behindLogin(random, clientId, 5, corpus[5]),
  "mutated packets of the other version": (random, clientId) => {
    const level = random.of([4, 5] as const);
    return behindLogin(random, clientId, level, corpus[level === 4 ? 5 : 4]);
  },
};

function behindLogin(random: Random, clientId: string, level: 4 | 5, packets: readonly Buffer[]): Buffer {
  const several = Array.from({ length: 1 + random.below(5) }, (_, i) => {
    return i === 0 || random.below(2) ? mutated(random, random.of(packets), random.of(packets)) : random.of(packets);
  });
  return Buffer.concat([login(clientId, level), ...several]);
}

for (const [name, junk] of Object.entries(kinds)) {
  Deno.test(`${CONNECTIONS} clients that send ${name} go on or are over within their time, and the broker goes on`, async () => {
    const clock = new VirtualClock(), accepted = new Set<string>(), faults: BrokerEvent[] = [];
    await using broker = createBroker({ clock, authenticationMethods: { toy } });
    broker.events.subscribe((event) => {
      if (event.type === "connected") accepted.add(event.remote);
      if (/error/.test(event.type) || "reason" in event && /implementation/.test(event.reason)) faults.push(event);
    });
    await using tap = new Tap(broker);
    using witness = await Witness.of(tap.port);
    const send = async (i: number) => {
      const sent = junk(new Random(i), `client ${i}`), { peer, served } = await tap.connect();
      const remote = `127.0.0.1:${peer.port}`;
      await peer.send(sent);
      await served.read(sent.length);
      let over = false;
      served.over.then(() => over = true);
      return { i, remote, peer, served, isOver: () => over };
    };
    const clients = [];
    for (let i = 0; i < CONNECTIONS; i += AT_A_TIME) {
      clients.push(...await Promise.all(Array.from({ length: AT_A_TIME }, (_, k) => send(i + k))));
    }
    await clock.advance(ITS_TIME);
    await witness.beat();
    for (const { i, remote, peer, served, isOver } of clients) {
      assert(isOver() || accepted.has(remote), `Connection of seed ${i} is neither accepted nor over`);
      peer.closeWrite(); // its keep alive may be what chance has made of it
      await soon(served.over, `the end of the connection of seed ${i}`);
    }
    assertEquals(faults, []);
    await witness.beat();
  });
}
