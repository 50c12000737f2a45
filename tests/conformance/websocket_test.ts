// Section 6 of both standards: MQTT over WebSocket, seen frame by frame.
import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Broker, createBroker, rx } from "../../mod.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import { upgrade } from "../../src/transport/websocket.ts";
import { type PacketLike, TestClient } from "../support/client.ts";
import { pieces } from "../support/frames.ts";
import { parsed } from "../support/packets.ts";
import { BINARY, RawWebSocket, TEXT } from "../transport/raw_websocket.ts";

/** A broker behind a server of WebSockets. */
function served() {
  const broker = createBroker();
  const handler = (request: Request, info: Deno.ServeHandlerInfo) =>
    upgrade(request, (stream) => broker.accept(stream), { info });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
  return {
    broker,
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      await broker.close();
      await server.shutdown();
    },
  };
}

const levels = [4, 5] as const;

function bytesOf(protocolVersion: number, ...packets: PacketLike[]): Buffer {
  return Buffer.concat(packets.map((packet) => generate(packet as Packet, { protocolVersion })));
}

function connectOf(protocolVersion: number): PacketLike {
  return { cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion };
}

/** The next event of a kind. */
function event(broker: Broker, type: "connected" | "disconnected") {
  return rx.firstValueFrom(broker.events.pipe(rx.filter((event) => event.type === type)));
}

Deno.test("packets come in binary frames, and a text frame ends the connection [MQTT-6.0.0-1, MQTT5-6.0.0-1]", async () => {
  for (const level of levels) {
    await using server = served();
    using client = await RawWebSocket.accepted(server.port);
    await client.send(BINARY, bytesOf(level, connectOf(level)));
    const answer = await client.frame();
    assertEquals([answer?.kind, parsed(answer!.payload, level).cmd], [BINARY, "connack"]);
    const lost = event(server.broker, "disconnected");
    await client.send(TEXT, "mqtt");
    await client.expectClose(1003);
    const { reason, detail } = await lost as { reason?: string; detail?: string };
    assertEquals([reason, detail], ["connection-lost", "Error: A text frame came: MQTT takes binary ones"]);
  }
});

const cuts: readonly (readonly [string, readonly number[]])[] = [
  ["one frame for all packets", [10_000]],
  ["a frame for each byte", [1]],
  ["frames that end anywhere", [1, 7, 2, 30, 3]],
];

for (const [how, sizes] of cuts) {
  Deno.test(`packets and frames need not begin and end together: ${how} [MQTT-6.0.0-2, MQTT5-6.0.0-2]`, async () => {
    for (const level of levels) {
      await using server = served();
      const socket = await RawWebSocket.accepted(server.port);
      await using client = new TestClient(socket, level);
      const payload = "x".repeat(300), publish = { cmd: "publish", topic: "a", payload, qos: 1, messageId: 2 } as const;
      const subscribe = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] } as const;
      const all = bytesOf(level, connectOf(level), subscribe, publish, { cmd: "pingreq" });
      for (const piece of pieces(all, sizes)) await socket.send(BINARY, piece);
      const received = [];
      while (received.at(-1) !== "pingresp") received.push((await client.receive()).cmd);
      assertEquals(received.toSorted(), ["connack", "pingresp", "puback", "publish", "suback"]);
    }
  });
}

Deno.test("a packet that is larger than a frame of the broker comes whole [MQTT-6.0.0-2, MQTT5-6.0.0-2]", async () => {
  await using server = served();
  await using client = new TestClient(await RawWebSocket.accepted(server.port));
  await client.connect();
  await client.subscribe("large");
  const payload = "0123456789".repeat(50_000);
  await server.broker.publish("large", payload);
  await client.expect({ cmd: "publish", topic: "large", payload });
  await client.disconnect();
});

Deno.test("a client that does not offer mqtt is refused before it can connect [MQTT-6.0.0-3, MQTT5-6.0.0-3]", async () => {
  await using server = served();
  for (const offered of ["", "chat"]) {
    using client = await RawWebSocket.open(server.port, { "Sec-WebSocket-Protocol": offered });
    assertMatch(client.head, /^HTTP\/1\.1 400 /);
    assertMatch(await client.body(), /^Subprotocol "mqtt" is needed/);
  }
});

Deno.test("the subprotocol that is selected is mqtt, whatever else is offered [MQTT-6.0.0-4, MQTT5-6.0.0-4]", async () => {
  await using server = served();
  for (const offered of ["mqtt", "chat, mqtt", "mqttv3.1, mqtt"]) {
    using client = await RawWebSocket.accepted(server.port, { "Sec-WebSocket-Protocol": offered });
    assertMatch(client.head, /\r\nsec-websocket-protocol: mqtt(\r|$)/i);
  }
});
