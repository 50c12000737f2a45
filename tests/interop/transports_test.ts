// Real clients over each transport beside TCP: they connect in their own ways, and get what they have published.
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { QoS } from "../../src/message.ts";
import { listenTls, type TlsOptions } from "../../src/transport/tls.ts";
import type { Acceptor } from "../../src/transport/transport.ts";
import { listenUnix } from "../../src/transport/unix.ts";
import { upgrade } from "../../src/transport/websocket.ts";
import { Process, run } from "../support/process.ts";
import { Authority, canIssue, identity, type Issued } from "../transport/certificates.ts";
import type { LocalBroker } from "./local_broker.ts";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import { paho } from "./paho.ts";
import { gone, type Message, type Program, type TestedBroker } from "./program.ts";
import { testLocally } from "./programs.ts";

/** The same broker behind another port. */
function behind(broker: LocalBroker, port: number): TestedBroker {
  return { port, logged: (text) => broker.logged(text), forget: (text) => broker.forget(text) };
}

/** Has the broker serve what an acceptor accepts, until that is closed. */
function serve(broker: LocalBroker, acceptor: Acceptor): TestedBroker & Disposable {
  (async () => {
    for await (const stream of acceptor) broker.broker.accept(stream);
  })();
  return { ...behind(broker, acceptor.port), [Symbol.dispose]: () => acceptor.close() };
}

function serveWebSockets(broker: LocalBroker): TestedBroker & AsyncDisposable {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request, info) => {
    return upgrade(request, (stream) => broker.broker.accept(stream), { info });
  });
  return { ...behind(broker, server.addr.port), [Symbol.asyncDispose]: () => server.shutdown() };
}

const certificates: Program = { ...mosquitto, name: "openssl", installed: canIssue };

const issueClient = (days = 2) => identity().authority.issue("/CN=lamp", { use: "clientAuth", days });

/** How a server of the tests is set up, where it asks for certificates or does not. */
function tlsOptions(asksForCertificate: boolean): TlsOptions {
  const { server, authority } = identity();
  return { ...server, ...asksForCertificate && { clientCa: authority.own.certificate } };
}

const qualities: readonly QoS[] = [0, 1, 2];

/** MQTT.js subscribes over a transport, publishes at every quality of service, gets all of it, and leaves. */
async function exchange(broker: TestedBroker, over: object): Promise<void> {
  for (const level of [4, 5] as const) {
    const id = `exchange ${level}`;
    await using client = await MqttjsClient.connect(broker, id, { ...over, level });
    await client.subscribe("echo/#", { qos: 2 });
    const messages = qualities.map((qos): Message => {
      return { topic: `echo/${qos}`, payload: "äöü".repeat(100_000), qos, retain: false };
    });
    await Promise.all(messages.map((message) => client.publish(message)));
    for (const message of messages) assertEquals(await client.messages.take(({ qos }) => qos === message.qos), message);
    await client.leave();
  }
}

testLocally([mqttjs], "MQTT.js exchanges messages over WebSocket", async (broker) => {
  await using server = serveWebSockets(broker);
  await exchange(server, { protocol: "ws" });
});

testLocally(
  [mqttjs],
  "A frozen MQTT.js over WebSocket keeps nobody waiting: its messages wait in its session",
  async (broker) => {
    await using server = serveWebSockets(broker);
    const over = { protocol: "ws", level: 5 } as const;
    await using frozen = await MqttjsClient.connect(server, "frozen", over);
    await using reader = await MqttjsClient.connect(server, "reader", over);
    for (const client of [frozen, reader]) await client.subscribe("load", { qos: 0 });
    frozen.raw.stream.unpipe().pause();
    const payload = "x".repeat(1_000_000);
    for (let i = 0; i < 30; i++) {
      await broker.broker.publish("load", payload);
      assertEquals((await reader.messages.take()).payload.length, payload.length);
    }
    await broker.logged('for client "frozen": queue-full');
    await reader.leave();
  },
);

testLocally([mqttjs, certificates], "MQTT.js exchanges messages over TLS", async (broker) => {
  using server = serve(broker, listenTls({ port: 0, ...tlsOptions(false) }));
  await exchange(server, { protocol: "mqtts", ca: identity().authority.own.certificate });
});

testLocally(
  [mqttjs, certificates],
  "MQTT.js exchanges messages over TLS with a certificate of its own",
  async (broker) => {
    using server = serve(broker, listenTls({ port: 0, ...tlsOptions(true) }));
    const { certificate: cert, key } = issueClient();
    await exchange(server, { protocol: "mqtts", ca: identity().authority.own.certificate, cert, key });
  },
);

testLocally([mqttjs], "MQTT.js exchanges messages over a Unix socket", async (broker) => {
  const folder = await Deno.makeTempDir(), path = `${folder}/broker.sock`;
  {
    using server = serve(broker, await listenUnix({ path }));
    await exchange(server, { protocol: "mqtt+unix", path });
  }
  await Deno.remove(folder);
});

/** Mosquitto's publisher over TLS, which trusts the tests' authority. */
function publishOverTls({ port }: TestedBroker, client?: Issued): Promise<void> {
  const { authority } = identity();
  const own = client ? ["--cert", client.certificateFile, "--key", client.keyFile] : [];
  const trust = ["--cafile", authority.own.certificateFile];
  const message = ["-i", "publisher", "-t", "from/mosquitto", "-m", "hello", "-q", "1"];
  return run("mosquitto_pub", { args: ["-h", "localhost", "-p", `${port}`, ...trust, ...own, ...message] });
}

testLocally(
  [mosquitto, certificates],
  "Mosquitto publishes and subscribes over TLS with certificates",
  async (broker) => {
    using server = serve(broker, listenTls({ port: 0, ...tlsOptions(true) }));
    const { authority } = identity(), client = issueClient();
    const files = [
      "--cafile",
      authority.own.certificateFile,
      "--cert",
      client.certificateFile,
      "--key",
      client.keyFile,
    ];
    const args = ["-h", "localhost", "-p", `${server.port}`, ...files, "-i", "subscriber", "-t", "from/#", "-q", "1"];
    await using subscriber = new Process("mosquitto_sub", { args });
    await broker.logged('Client "subscriber" subscribed');
    await publishOverTls(server, client);
    assertEquals(await subscriber.output.take(), "hello");
  },
);

const refused: readonly (readonly [what: string, client: () => Issued | undefined])[] = [
  ["no certificate", () => undefined],
  ["an expired certificate", () => issueClient(-1)],
  ["a certificate that has signed itself", () => new Authority("lamp").own],
];

for (const [what, client] of refused) {
  testLocally([mosquitto, certificates], `Mosquitto with ${what} does not get in`, async (broker) => {
    const failed = Promise.withResolvers<Error>();
    const onFailure = ({ error }: { error: Error }) => failed.resolve(error);
    using server = serve(broker, listenTls({ port: 0, ...tlsOptions(true), onFailure }));
    await assertRejects(() => publishOverTls(server, client()), Error, "mosquitto_pub ended with");
    assertMatch((await failed.promise).message, /^TLS handshake failed: /);
    await publishOverTls(server, issueClient());
    await gone(server, "publisher", "disconnect");
  });
}

testLocally([mosquitto], "Mosquitto publishes and subscribes over a Unix socket", async (broker) => {
  const folder = await Deno.makeTempDir(), path = `${folder}/broker.sock`;
  {
    using _server = serve(broker, await listenUnix({ path }));
    const over = ["--unix", path, "-t", "from/mosquitto", "-q", "2"];
    await using subscriber = new Process("mosquitto_sub", { args: [...over, "-i", "subscriber"] });
    await broker.logged('Client "subscriber" subscribed');
    await run("mosquitto_pub", { args: [...over, "-m", "hello"] });
    assertEquals(await subscriber.output.take(), "hello");
  }
  await Deno.remove(folder);
});

/** What Paho does: it subscribes, publishes, prints what comes back, and leaves. */
const ECHO = `
import sys, threading
import paho.mqtt.client as mqtt
done = threading.Event()
def on_connect(client, data, flags, code):
    client.subscribe("echo", 2)
def on_subscribe(client, data, mid, granted):
    client.publish("echo", "x" * 300000, 2)
def on_message(client, data, message):
    print(message.topic, len(message.payload), flush=True)
    done.set()
client = mqtt.Client("paho", transport="websockets")
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_start()
done.wait(20)
client.disconnect()
client.loop_stop()
`;

testLocally([paho], "Paho for Python exchanges messages over WebSocket", async (broker) => {
  await using server = serveWebSockets(broker);
  await using process = new Process("/usr/bin/python3", { args: ["-c", ECHO, `${server.port}`] });
  assertEquals(await process.output.take(), "echo 300000");
  assertEquals(await process.ended(), 0);
});
