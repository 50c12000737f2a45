// The will delay interval (5.0 section 3.1.3.2.2). Time is virtual here; the broker may act up to half a second late, never early.
import { assertEquals } from "@std/assert";
import { type Broker, createBroker } from "../../mod.ts";
import { connected, type TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { frame } from "../conformance/support.ts";
import { connected5 } from "./clients.ts";

const LATE = 500, FOREVER = 0xffff_ffff;

/** A CONNECT with a will that is delayed by `delay` seconds, for a session that lasts for `expiry` seconds. */
function leaving(delay: number, expiry: number, clean = false) {
  const will = { topic: "will", payload: "gone", qos: 1, retain: false, properties: { willDelayInterval: delay } };
  return { clean, will, properties: { sessionExpiryInterval: expiry } };
}

interface Scene {
  readonly clock: VirtualClock;
  readonly broker: Broker;
  /** A client that gets the wills. */
  readonly watcher: TestClient;
  expectWill(): Promise<unknown>;
}

/** A test in virtual time. */
function inTime(test: (scene: Scene) => Promise<void>): () => Promise<void> {
  return async () => {
    const clock = new VirtualClock();
    await using broker = createBroker({ clock });
    await using watcher = await connected5(broker, "watcher");
    await watcher.subscribe("#", 1);
    const expectWill = () => watcher.expect({ cmd: "publish", topic: "will", payload: "gone", qos: 1 });
    await test({ clock, broker, watcher, expectWill });
  };
}

/** Ends a connection by a fault. */
async function end(client: TestClient): Promise<void> {
  await client.sendBytes(frame(0xd0));
  await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
  await client.expectClosed();
}

for (const expiry of [10, FOREVER]) {
  Deno.test(
    `a will of a session of ${expiry} s is published when its delay has passed, not before, and once [MQTT5-3.1.2-8] [MQTT5-3.1.2-10]`,
    inTime(async ({ broker, clock, watcher, expectWill }) => {
      await using client = await connected5(broker, "c", leaving(2, expiry));
      await clock.advance(5000); // what counts is the end of the connection
      await end(client);
      await clock.advance(2000 - 1);
      await watcher.expectNothing();
      await clock.advance(1 + LATE);
      await expectWill();
      await clock.advance(10_000);
      await watcher.expectNothing();
    }),
  );
}

Deno.test(
  "a client that comes back in time has its will not sent, then or later [MQTT5-3.1.3-9] [MQTT5-3.1.2-8]",
  inTime(async ({ broker, clock, watcher }) => {
    await end(await connected5(broker, "c", leaving(2, 10)));
    await clock.advance(2000 - 1);
    await using again = await connected5(broker, "c", { clean: false, properties: { sessionExpiryInterval: 10 } });
    await clock.advance(5000);
    await again.disconnect();
    await clock.advance(5000);
    await watcher.expectNothing();
  }),
);

Deno.test(
  "a client of 3.1.1 that comes back in time stops a delayed will, too [MQTT5-3.1.3-9]",
  inTime(async ({ broker, clock, watcher }) => {
    await end(await connected5(broker, "c", leaving(2, 10)));
    await using _again = await connected(broker, "c", { clean: false });
    await clock.advance(5000);
    await watcher.expectNothing();
  }),
);

Deno.test(
  "a client that takes over its own connection in time stops a delayed will, not one without a delay [MQTT5-3.1.3-9]",
  inTime(async ({ broker, clock, watcher, expectWill }) => {
    await using _first = await connected5(broker, "c", leaving(2, 10));
    await using _second = await connected5(broker, "c", leaving(0, 10));
    await clock.advance(5000);
    await watcher.expectNothing();
    await using _third = await connected5(broker, "c", { clean: false });
    await expectWill();
  }),
);

Deno.test(
  "each connection that is lost starts a delay of its own [MQTT5-3.1.3-9] [MQTT5-3.1.2-8]",
  inTime(async ({ broker, clock, watcher, expectWill }) => {
    for (let time = 0; time < 3; time++) {
      await end(await connected5(broker, "c", leaving(2, 10)));
      await clock.advance(1500);
    }
    await watcher.expectNothing();
    await clock.advance(500 + LATE);
    await expectWill();
    await watcher.expectNothing();
  }),
);

for (const expiry of [2, 0]) {
  Deno.test(
    `the end of the session ends the delay, where that comes after ${expiry} s [MQTT5-3.1.2-8]`,
    inTime(async ({ broker, clock, watcher, expectWill }) => {
      await end(await connected5(broker, "c", leaving(60, expiry)));
      if (expiry > 0) {
        await clock.advance(expiry * 1000 - 1);
        await watcher.expectNothing();
        await clock.advance(1 + LATE);
      }
      await expectWill();
      await watcher.expectNothing();
    }),
  );
}

Deno.test(
  "a clean start ends the session, and with it the delay [MQTT5-3.1.2-8] [MQTT5-3.1.4-4]",
  inTime(async ({ broker, clock, watcher, expectWill }) => {
    await end(await connected5(broker, "c", leaving(60, 100)));
    await watcher.expectNothing();
    await using _again = await connected5(broker, "c", { clean: true });
    await expectWill();
    await clock.advance(3000);
    await watcher.expectNothing();
  }),
);

Deno.test(
  "a clean start that takes over a connection publishes its will, delayed or not [MQTT5-3.1.2-8]",
  inTime(async ({ broker, watcher, expectWill }) => {
    await using _first = await connected5(broker, "c", leaving(60, 100));
    await using _second = await connected5(broker, "c", { clean: true });
    await expectWill();
    await watcher.expectNothing();
  }),
);

for (const reasonCode of [0x04, 0x00]) {
  Deno.test(
    `DISCONNECT with reason code ${reasonCode} ${
      reasonCode > 0 ? "keeps" : "removes"
    } the will and its delay [MQTT5-3.1.2-8] [MQTT5-3.14.4-3]`,
    inTime(async ({ broker, clock, watcher, expectWill }) => {
      await using client = await connected5(broker, "c", leaving(2, 10));
      await client.send({ cmd: "disconnect", reasonCode });
      await client.expectClosed();
      await clock.advance(2000 - 1);
      await watcher.expectNothing();
      await clock.advance(1 + LATE);
      if (reasonCode > 0) await expectWill();
      await watcher.expectNothing();
    }),
  );
}

Deno.test(
  "DISCONNECT with 0x04 that ends the session has the will sent at once [MQTT5-3.1.2-8]",
  inTime(async ({ broker, watcher, expectWill }) => {
    await using client = await connected5(broker, "c", leaving(60, 100));
    await client.send({ cmd: "disconnect", reasonCode: 0x04, properties: { sessionExpiryInterval: 0 } });
    await client.expectClosed();
    await expectWill();
    await watcher.expectNothing();
  }),
);

Deno.test("the broker's limit of the session expiry ends a delay, too [MQTT5-3.1.2-8]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock, limits: { sessionExpiry: 2 } });
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will");
  await end(await connected5(broker, "c", leaving(60, FOREVER)));
  await clock.advance(2000 + LATE);
  await watcher.expect({ cmd: "publish", topic: "will" });
});

Deno.test(
  "a delayed will is retained where it says so, when it is published [MQTT5-3.1.2-15]",
  inTime(async ({ broker, clock, expectWill }) => {
    const { will, ...options } = leaving(2, 10);
    await end(await connected5(broker, "c", { ...options, will: { ...will, retain: true } }));
    await using early = await connected5(broker, "early");
    await early.subscribe("will");
    await early.expectNothing();
    await clock.advance(2000 + LATE);
    await expectWill();
    await early.expect({ cmd: "publish", topic: "will", retain: false });
    await using late = await connected5(broker, "late");
    await late.subscribe("will");
    await late.expect({ cmd: "publish", topic: "will", retain: true });
  }),
);

Deno.test(
  "a session that is there again keeps nothing of a will that was published [MQTT5-3.1.2-10]",
  inTime(async ({ broker, clock, watcher, expectWill }) => {
    await end(await connected5(broker, "c", leaving(1, 5)));
    await clock.advance(1000 + LATE);
    await expectWill();
    await end(await connected5(broker, "c", { clean: false, properties: { sessionExpiryInterval: 1 } }));
    await clock.advance(1000 + LATE);
    await watcher.expectNothing();
    assertEquals(broker.counters.get("disconnected/protocol-error"), 2);
  }),
);
