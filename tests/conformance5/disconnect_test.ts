// PINGREQ and DISCONNECT (5.0 sections 3.12 to 3.14), the client's and the broker's.
import { assertEquals } from "@std/assert";
import { type Broker, type BrokerOptions, createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { expectAll, upTo } from "../conformance/script.ts";
import { endings, field, frame } from "../conformance/support.ts";
import { bytesOf, wrongFlags } from "../conformance/violations.ts";
import { connected5, faults, resumed5, subscribe5 } from "./clients.ts";
import { connackOf } from "./connects.ts";
import { packet, properties, property, publishFrame, RecordingClient } from "./packets.ts";

Deno.test("each PINGREQ is answered with a PINGRESP, to the byte [MQTT5-3.12.4-1]", async () => {
  await using broker = createBroker();
  await using client = await RecordingClient.connected(broker);
  await client.sendBytes(upTo(3).flatMap(() => frame(0xc0)));
  for (const _ of upTo(3)) await client.expect({ cmd: "pingresp" });
  assertEquals(client.taken(), upTo(3).flatMap(() => frame(0xd0)));
});

Deno.test(
  "DISCONNECT with reserved bits set ends the connection with 0x81 [MQTT5-3.14.1-1]",
  faults(wrongFlags({ cmd: "disconnect", reasonCode: 0 }, 5), "malformed-packet"),
);

Deno.test("DISCONNECT with each reason that a client may have is the end that it asked for [MQTT5-3.14.2-1]", async () => {
  for (const code of [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]) {
    await using broker = createBroker();
    await using client = await connected5(broker, "c");
    const details = [[31, ...field("why")], property.user("a", "1"), property.user("a", "2")];
    await client.sendBytes(frame(0xe0, code, ...properties(...details)));
    await client.expectClosed();
    assertEquals(endings(broker), { "disconnected/disconnect": 1 });
  }
});

Deno.test(
  "DISCONNECT with a reason code that there is not ends the connection with 0x81 [MQTT5-3.14.2-1]",
  faults(
    Object.fromEntries([0x01, 0x02, 0x18, 0x7f, 0x84, 0x92, 0xa3, 0xff].map((code) => [`${code}`, frame(0xe0, code)])),
    "malformed-packet",
  ),
);

Deno.test(
  "DISCONNECT with a property that comes twice ends the connection with 0x82 [MQTT5-4.13.1-1]",
  faults({
    "session expiry interval": frame(0xe0, 0, ...properties([17, 0, 0, 0, 0], [17, 0, 0, 0, 0])),
    "reason string": frame(0xe0, 0, ...properties([31, ...field("a")], [31, ...field("a")])),
  }, "protocol-error"),
);

Deno.test(
  "DISCONNECT with a property that a client can't send there ends the connection with 0x81 [MQTT5-4.13.1-1]",
  faults({
    "server reference": frame(0xe0, 0, ...properties([28, ...field("a")])),
    "will delay interval": frame(0xe0, 0, ...properties([24, 0, 0, 0, 0])),
    "message expiry interval": frame(0xe0, 0, ...properties(property.expiry(1))),
  }, "malformed-packet"),
);

Deno.test("nothing behind a DISCONNECT is processed, and the connection is closed [MQTT5-3.14.4-1] [MQTT5-3.14.4-2]", async () => {
  await using broker = createBroker();
  const topics: string[] = [];
  broker.published.subscribe(({ topic }) => topics.push(topic));
  await using client = await connected5(broker, "c");
  await client.sendBytes([...publishFrame({ topic: "before" }), ...frame(0xe0), ...publishFrame({ topic: "behind" })]);
  await client.expectClosed();
  assertEquals([topics, endings(broker)], [["before"], { "disconnected/disconnect": 1 }]);
});

/** What brings the broker to end a connection of a client "c" by DISCONNECT, and with which reason code. */
const causes: Readonly<Record<string, readonly [number, BrokerOptions, Cause]>> = {
  "a malformed packet": [0x81, {}, (client) => client.sendBytes([0x36, 0])],
  "a protocol error": [0x82, {}, (client) => client.sendBytes(frame(0xd0))],
  "a session that is taken over": [0x8e, {}, (_client, broker) => connackOf(broker, { clientId: "c" })],
  "a broker that closes": [0x8b, {}, (_client, broker) => Promise.resolve(void broker.close())],
  "silence": [0x8d, {}, (_client, _broker, clock) => clock.advance(2000)],
  "a packet that is too large": [
    0x95,
    { limits: { packet: 64 } },
    (client) => client.sendBytes(publishFrame({ payload: "x".repeat(64) })),
  ],
  "too many messages under way": [
    0x93,
    { limits: { receiveMaximum: 1 } },
    (client) => client.sendBytes([...publishFrame({ qos: 2, id: 1 }), ...publishFrame({ qos: 2, id: 2 })]),
  ],
  "a topic alias that is not permitted": [
    0x94,
    { limits: { topicAliases: 1 } },
    (client) => client.sendBytes(publishFrame({ properties: [property.alias(2)] })),
  ],
};

type Cause = (client: TestClient, broker: Broker, clock: VirtualClock) => Promise<unknown>;

/** What a client gets for one of the causes until the end of its connection, PUBREC left out. */
async function farewell(name: keyof typeof causes, connect = {}): Promise<number[]> {
  const [, options, cause] = causes[name]!, clock = new VirtualClock();
  const broker = createBroker({ ...options, clock });
  await using client = await RecordingClient.connected(broker, { clientId: "c", keepalive: 1, properties: connect });
  await cause(client, broker, clock);
  await client.drained();
  broker.close();
  const bytes = client.taken();
  return bytes[0] === 0x50 ? bytes.slice(4) : bytes;
}

for (const [name, [code]] of Object.entries(causes)) {
  Deno.test(`${name}: DISCONNECT 0x${code.toString(16)} is the last packet, and says why in words where those fit [MQTT5-3.14.2-1] [MQTT5-3.14.2-2] [MQTT5-3.14.2-3] [MQTT5-3.14.2-4] [MQTT5-3.14.4-1] [MQTT5-3.14.4-2]`, async () => {
    const full = await farewell(name), short = frame(0xe0, code, 0), reason = full.slice(7);
    assertEquals(full, packet(0xe0, code, ...properties([31, ...field(reason)])));
    for (const maximumPacketSize of [full.length - 1, full.length - 2, full.length - 3, 16]) {
      assertEquals(await farewell(name, { maximumPacketSize }), short);
    }
    assertEquals(await farewell(name, { maximumPacketSize: full.length }), full);
    assertEquals(await farewell(name, { requestProblemInformation: false }), short);
  });
}

Deno.test("nothing comes behind the broker's DISCONNECT, even where an observer of the end publishes [MQTT5-3.14.4-1]", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  broker.events.subscribe((event) =>
    event.type === "disconnected" && broker.publish("ended", event.client, { qos: 1 })
  );
  await using client = await resumed5(broker, "c");
  await subscribe5(client, "ended", { qos: 1 });
  await client.sendBytes(frame(0xd0));
  await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
  await client.expectClosed();
  await using again = await resumed5(broker, "c");
  await expectAll(again, ["publish 1 qos1 c"]); // it waited, and was not lost
});

Deno.test("what was under way to a client still comes before the DISCONNECT [MQTT5-3.14.4-1]", async () => {
  await using broker = createBroker();
  await using client = await connected5(broker, "c");
  await subscribe5(client, "t");
  await client.sendBytes([...publishFrame({ payload: "last" }), ...frame(0xd0)]);
  await client.expect({ cmd: "publish", payload: "last" });
  await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
  await client.expectClosed();
});

Deno.test("a client that was not accepted gets no DISCONNECT, whatever ends its connection [MQTT5-3.14.0-1]", async () => {
  const clock = new VirtualClock(), decision = Promise.withResolvers<boolean>();
  const broker = createBroker({ clock, authenticate: () => decision.promise });
  await using silent = RecordingClient.over(broker);
  await using waiting = RecordingClient.over(broker);
  await waiting.send({ cmd: "connect", protocolVersion: 5, clientId: "c" });
  const closed = broker.close();
  for (const client of [silent, waiting]) {
    await client.drained();
    assertEquals(client.taken(), []);
  }
  decision.resolve(true);
  await closed;
});

Deno.test("a DISCONNECT of the broker reaches the client over TCP, although that still sends [MQTT5-3.14.4-2] [MQTT5-4.13.2-1]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  for (const i of upTo(20)) {
    await using client = await TestClient.tcp(listener.port);
    await client.connect({ protocolVersion: 5, clientId: `${i}` });
    await client.sendBytes(frame(0xd0));
    await client.sendBytes(bytesOf({ cmd: "publish", topic: "t", payload: "x".repeat(50_000), qos: 0 }, 5)).catch(
      () => {},
    );
    await client.expect({ cmd: "disconnect", reasonCode: 0x82 });
    await client.expectClosed();
  }
});
