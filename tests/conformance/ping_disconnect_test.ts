// PINGREQ and DISCONNECT (3.1.1 sections 3.12 to 3.14).
import { assertEquals } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { expectAll, upTo } from "./script.ts";
import { frame } from "./support.ts";
import { bytesOf, endTheConnection, wrongFlags } from "./violations.ts";

const will = { topic: "will", payload: "x", qos: 0, retain: false };

Deno.test("each PINGREQ is answered with a PINGRESP [MQTT-3.12.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "client");
  await client.sendBytes(upTo(3).flatMap(() => bytesOf({ cmd: "pingreq" })));
  for (const _ of upTo(3)) await client.expect({ cmd: "pingresp" });
  await client.expectNothing();
});

Deno.test(
  "a PINGREQ with flags or a body ends the connection [MQTT-4.8.0-1]",
  endTheConnection({ ...wrongFlags({ cmd: "pingreq" }), "a body": frame(0xc0, 0) }),
);

Deno.test(
  "a DISCONNECT with reserved bits set, or with a body, ends the connection as a fault [MQTT-3.14.1-1]",
  endTheConnection({ ...wrongFlags({ cmd: "disconnect" }), "a body": frame(0xe0, 0) }),
);

Deno.test("on DISCONNECT the will is discarded, for good [MQTT-3.14.4-3]", async () => {
  await using broker = createBroker();
  await using observer = await connected(broker, "observer");
  await observer.subscribe("#");
  for (const clean of [true, false]) {
    for (const qos of [0, 1, 2]) {
      const leaving = await connected(broker, "leaving", { clean, will: { ...will, qos, retain: true } });
      await leaving.disconnect();
      const again = await connected(broker, "leaving", { clean });
      await again.drop(); // without a will of its own
    }
  }
  await observer.publish("last", "end");
  await expectAll(observer, ["publish qos0 end"]);
  assertEquals(broker.counters.get("disconnected/disconnect"), 6);
});

Deno.test("a malformed DISCONNECT discards no will [MQTT-3.14.1-1] [MQTT-3.14.4-3]", async () => {
  await using broker = createBroker();
  await using observer = await connected(broker, "observer");
  await observer.subscribe("will");
  await using client = await connected(broker, "client", { will });
  await client.sendBytes([0xe1, 0]);
  await client.expectClosed();
  await expectAll(observer, ["publish qos0 x"]);
});

Deno.test("DISCONNECT comes after everything that was sent before it, and before nothing that is sent behind it", async () => {
  await using broker = createBroker();
  await using observer = await connected(broker, "observer");
  await observer.subscribe("#");
  await using client = await connected(broker, "client", { will });
  const publish = (topic: string) => bytesOf({ cmd: "publish", topic, payload: topic, qos: 1, messageId: 1 });
  await client.sendBytes([...publish("before"), ...bytesOf({ cmd: "disconnect" }), ...publish("behind")]);
  await client.expect({ cmd: "puback", messageId: 1 });
  await client.expectClosed();
  await expectAll(observer, ["publish qos0 before"]);
});

Deno.test("DISCONNECT over a real socket is answered by its end, and discards the will [MQTT-3.14.4-3]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using observer = await TestClient.tcp(listener.port);
  await observer.connect({ clientId: "observer" });
  await observer.subscribe("#");
  await using client = await TestClient.tcp(listener.port);
  await client.connect({ clientId: "client", will });
  await client.disconnect();
  await observer.expectNothing();
});
