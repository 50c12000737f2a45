// Very many connections: at once, and one after the other.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { BrokerProcess } from "../support/process.ts";
import { bytes, subscribe } from "./bytes.ts";
import { Peer } from "./peer.ts";
import { Readers } from "./readers.ts";
import { soon } from "./soon.ts";
import { Tap } from "./tap.ts";
import { WeighedBroker } from "./weighed.ts";
import { Witness } from "./witness.ts";

/** How many connections are wanted, and how many files each process needs beside them. */
const CROWD = 10_000, OTHERS = 500;

/** How many files a process may open here. */
function openFiles(): number {
  const { stdout } = new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).outputSync();
  const limit = Number(new TextDecoder().decode(stdout));
  return Number.isNaN(limit) ? Infinity : limit;
}

Deno.test("10,000 clients, or as many as there may be open files, connect at once, and each gets what is published", async () => {
  const count = Math.min(CROWD, openFiles() - OTHERS), start = performance.now();
  const took = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
  await using broker = await BrokerProcess.start("--log-level", "warn");
  const hello = (i: number) => Buffer.concat([bytes({ cmd: "connect", clientId: `client ${i}` }), subscribe(["all"])]);
  using readers = await Readers.connect(broker.port, count, hello, 4 + 5);
  console.log(`${count} connections of ${CROWD} wanted after ${took()}; ulimit -n is ${openFiles()}`);
  using publisher = await Peer.to(broker.port);
  const publish = bytes({ cmd: "publish", topic: "all", payload: "hello", qos: 0 });
  await publisher.send(bytes({ cmd: "connect", clientId: "publisher" }), publish);
  await readers.expect(publish.length);
  console.log(`each has its message after ${took()}`);
  readers[Symbol.dispose](); // all of them leave at once
  using witness = await Witness.of(broker.port);
  await witness.beat();
});

Deno.test("1,000 clients that connect and vanish leave nothing behind but events", async () => {
  await using broker = createBroker();
  await using tap = new Tap(broker);
  for (let i = 0; i < 1000; i++) {
    const { peer, served } = await tap.connect();
    await peer.send(bytes({ cmd: "connect", clientId: `c${i % 10}`, keepalive: 60 }), subscribe(["#"]));
    await peer.receive(4 + 5);
    peer[Symbol.dispose]();
    await soon(served.over, "the end of the connection");
  }
  assertEquals(Object.fromEntries(broker.counters), {
    "connected": 1000,
    "subscribed": 1000,
    "disconnected/connection-lost": 1000,
  });
  await broker.publish("t", "x", { qos: 1 });
  assertEquals(broker.counters.size, 3); // nobody was there to lose it
  await using again = await TestClient.tcp(tap.port);
  assertEquals((await again.connect({ clientId: "c0", clean: false })).sessionPresent, false);
});

Deno.test("Thousands of clients that connect and vanish do not make the broker larger", async () => {
  await using broker = await WeighedBroker.start();
  const visit = async (round: number) => {
    for (let i = 0; i < 1000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, k) => {
        using peer = await Peer.to(broker.port);
        await peer.send(
          bytes({ cmd: "connect", clientId: `${round} ${i + k}` }),
          subscribe([`own/${round}/${i + k}/#`]),
        );
        await peer.receive(4 + 5);
        if (k % 2) peer.reset();
      }));
    }
    return (await broker.weight()).objects;
  };
  await visit(0);
  const before = await visit(1);
  await visit(2);
  const after = await visit(3);
  assert(after - before < 3, `${before.toFixed(1)} MiB of objects, and ${after.toFixed(1)} MiB after 2,000 more`);
});
