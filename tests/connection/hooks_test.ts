// Hooks that take their time, and hooks that never answer.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";

Deno.test("A hook that never settles does not hold its client's place for ever", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { connections: 1 }, authorize: () => new Promise(() => {}) });
  const client = await connected(broker, "stuck", { keepalive: 10 });
  await client.send({ cmd: "publish", topic: "t", payload: "x", qos: 1, messageId: 1 });
  await client.drop();
  await clock.advance(60_000); // four times the 15 s that it may be silent: the hook may need them
  assertEquals(broker.counters.get("disconnected/keep-alive-timeout"), undefined);
  await clock.advance(180_000);
  assertEquals(broker.counters.get("disconnected/keep-alive-timeout"), 1);
  await using next = await connected(broker, "next");
  await next.expectNothing();
});

Deno.test("A hook that says nothing lets nobody in, whether it says so at once or later", async () => {
  for (const nothing of [() => {}, async () => {}]) {
    await using broker = createBroker({ authenticate: nothing as () => boolean });
    await using client = TestClient.memory(broker);
    await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0 });
    await client.expect({ cmd: "connack", returnCode: 5 });
    await client.expectClosed();
  }
});

Deno.test("A method that asks a client learns that it has left, also where it asks after that", async () => {
  const left: string[] = [], gone = Promise.withResolvers<void>(), over = Promise.withResolvers<void>();
  await using broker = createBroker({
    authenticationMethods: {
      async slow({ challenge }) {
        for (const wait of [undefined, gone.promise]) {
          await wait;
          await challenge(new Uint8Array(1)).catch((error) => left.push(error.message));
        }
        over.resolve();
        return true;
      },
    },
  });
  await using client = TestClient.memory(broker);
  const properties = { authenticationMethod: "slow" };
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion: 5, properties });
  await client.expect({ cmd: "auth", reasonCode: 0x18 });
  await client.drop();
  gone.resolve();
  await over.promise;
  assertEquals(left, ["The client has left", "The client has left"]);
});

Deno.test("A method that sends challenges without waiting for answers learns of each that has none when the client leaves", async () => {
  const settled = Promise.withResolvers<unknown[]>(), data = (byte: number) => Uint8Array.of(byte);
  await using broker = createBroker({
    authenticationMethods: {
      async hasty({ challenge }) {
        const asked = await Promise.allSettled([1, 2, 3].map((byte) => challenge(data(byte))));
        settled.resolve(asked.map((one) => one.status === "fulfilled" ? [...one.value] : one.reason.message));
        return true;
      },
    },
  });
  await using client = TestClient.memory(broker);
  const properties = { authenticationMethod: "hasty" };
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion: 5, properties });
  for (const _ of [1, 2, 3]) await client.expect({ cmd: "auth", reasonCode: 0x18 });
  const answer = { ...properties, authenticationData: Buffer.of(9) };
  await client.send({ cmd: "auth", reasonCode: 0x18, properties: answer });
  await client.drop();
  assertEquals(await settled.promise, ["The client has left", "The client has left", [9]]);
});

Deno.test("A refusal that can't be said ends the connection all the same", async () => {
  const serverReference = "x".repeat(70_000);
  await using broker = createBroker({ authenticate: () => ({ reason: "server-moved", serverReference }) });
  await using client = TestClient.memory(broker);
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion: 5 });
  await client.expectClosed();
  assertEquals(broker.counters.get("refused/server-moved"), 1);
});

Deno.test("A hook that sets the end of a connection ends also one that it has not decided on; of several ends the soonest counts", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({
    clock,
    authenticate({ clientId, endAfter }) {
      for (const milliseconds of [20_000, 5000, 10_000]) endAfter!(milliseconds);
      return clientId === "slow" ? new Promise(() => {}) : true;
    },
  });
  const ends: string[] = [];
  broker.events.subscribe((event) => {
    if (event.type === "disconnected" || event.type === "refused") {
      ends.push(`${event.type} ${event.client} ${event.reason}`);
    }
  });
  await using slow = TestClient.memory(broker);
  await slow.send({ cmd: "connect", clientId: "slow", clean: true, keepalive: 0 });
  await using client = await connected(broker, "c"), brief = await connected(broker, "brief");
  await brief.disconnect();
  await clock.advance(4900);
  assertEquals(ends, ["disconnected brief disconnect"]);
  await clock.advance(500);
  for (const one of [slow, client]) await one.expectClosed();
  assertEquals(ends.slice(1), ["refused slow maximum-connect-time", "disconnected c maximum-connect-time"]);
});

Deno.test("A hook that sets no time for the end of a connection lets nobody in", async () => {
  await using broker = createBroker({
    authenticate({ endAfter }) {
      endAfter!(Number(undefined));
      return true;
    },
  });
  await using client = TestClient.memory(broker);
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0 });
  await client.expect({ cmd: "connack", returnCode: 3 });
  assertEquals(broker.counters.get("hook-error"), 1);
});

Deno.test("A client whose connection is ended while it takes its session over is not connected, and leaves nothing behind", async () => {
  await using broker = createBroker();
  const events: string[] = [];
  broker.events.subscribe((event) => {
    events.push(event.type);
    if (event.type === "disconnected") broker.close({ drain: 0 });
  });
  await using _former = await connected(broker, "c");
  await using client = TestClient.memory(broker);
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0 });
  await broker.closed;
  assertEquals(events, ["connected", "disconnected", "refused", "closed"]);
  const { clients, sessions } = broker.status.gauges;
  assertEquals([clients, sessions], [0, 0]);
});
