// What the receiving half of a connection owes its client, however its turns and its writes fall together.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { createBroker } from "../../mod.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import { settle, VirtualClock } from "../support/clock.ts";

/** Bytes of these packets of 3.1.1. */
function bytesOf(...packets: readonly object[]): Buffer {
  return Buffer.concat(packets.map((packet) => generate(packet as Packet) as Buffer));
}

const PINGRESP = 0xd0;

Deno.test("What was read is handled although the client takes its messages just when that was to wait for it", async () => {
  await using broker = createBroker({ clock: new VirtualClock(), limits: { inflight: 1, outbox: 1024 } });
  const arrived: Buffer[] = [], written: Buffer[] = [], end = Promise.withResolvers<null>();
  let wake = () => {};
  const send = (bytes: Buffer) => {
    arrived.push(bytes);
    wake();
  };
  const accepted = broker.accept({
    remote: "client",
    async read(buffer) {
      while (arrived.length === 0) {
        if (await Promise.race([end.promise, new Promise<void>((resolve) => wake = resolve)]) === null) return null;
      }
      const bytes = arrived.shift()!;
      buffer.set(bytes);
      return bytes.length;
    },
    write(bytes) {
      written.push(Buffer.from(bytes));
      return Promise.resolve(bytes.length);
    },
    closeWrite: () => Promise.resolve(),
    close: () => end.resolve(null),
  });
  send(bytesOf({ cmd: "connect", clientId: "c", clean: true, keepalive: 0 }));
  await settle();
  send(bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 1 }] }));
  await settle();
  for (const payload of ["1", "2"]) await broker.publish("t", payload, { qos: 1 });
  for (let i = 0; i < 2; i++) await broker.publish("t", "x".repeat(3000));
  send(bytesOf({ cmd: "puback", messageId: 1 }));
  await settle();
  send(bytesOf({ cmd: "puback", messageId: 2 }, { cmd: "pingreq" }));
  await settle();
  assertEquals(written.at(-1)![0], PINGRESP);
  end.resolve(null);
  await accepted;
});

Deno.test("A stream that tells a count which can't be ends its own connection, and keeps nobody waiting", async () => {
  for (const count of [-1, 0.5, NaN, 1_000_000, undefined, "1"] as number[]) {
    await using broker = createBroker({ clock: new VirtualClock() });
    const [, theirs] = memoryPair();
    let reads = 0;
    await broker.accept({ ...theirs, read: () => Promise.resolve(reads++ < 1000 ? count : null), close() {} });
    assertEquals(reads, 1);
  }
});

Deno.test("A stream that brings nothing, again and again, lets others have their turn", async () => {
  await using broker = createBroker({ clock: new VirtualClock() });
  const [, theirs] = memoryPair();
  let reads = 0;
  const read = () => Promise.resolve(reads++ < 1000 ? 0 : null);
  broker.accept({ ...theirs, read, close() {} });
  await new Promise((resolve) => setImmediate(resolve));
  assert(reads < 10, `${reads} reads before anything else could happen`);
});
