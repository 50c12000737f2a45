// The ways to a broker in another program: inside its web server, over TLS, over a Unix socket, and through a load balancer.
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Hono } from "npm:hono@^4";
import { type Broker, type BrokerEvent, createBroker, type Credentials, listenUnix, MqttError } from "../../mod.ts";
import { MqttjsClient } from "../interop/mqttjs.ts";
import { connStream } from "../../src/transport/tcp.ts";
import { TestClient } from "../support/client.ts";
import { Mailbox } from "../support/mailbox.ts";
import { canIssue, identity } from "../transport/certificates.ts";
import { RawWebSocket } from "../transport/raw_websocket.ts";

const local = { port: 0, hostname: "127.0.0.1" };

/** The broker's handler in a web server. */
function served(broker: Broker) {
  return Deno.serve({ ...local, onListen() {} }, broker.fetch);
}

/** The events of one type. */
function eventsOf<Type extends BrokerEvent["type"]>(broker: Broker, type: Type): Mailbox<BrokerEvent & { type: Type }> {
  const mailbox = new Mailbox<BrokerEvent & { type: Type }>(type);
  broker.events.subscribe((event) => event.type === type && mailbox.put(event as BrokerEvent & { type: Type }));
  return mailbox;
}

/** A client of MQTT.js at a port. */
function clientAt(port: number, id: string, over: object): Promise<MqttjsClient> {
  return MqttjsClient.connect({ port, logged: () => Promise.resolve(""), forget() {} }, id, {
    ...over,
  });
}

for (const path of ["/mqtt", "/"]) {
  Deno.test(`fetch: MQTT.js exchanges messages over WebSocket at ${path}`, async () => {
    await using broker = createBroker();
    await using server = served(broker);
    await using client = await clientAt(server.addr.port, "web", { protocol: "ws", path });
    await client.subscribe("echo", { qos: 1 });
    await client.publish({ topic: "echo", payload: "hello", qos: 1, retain: false });
    assertEquals((await client.messages.take()).payload, "hello");
    await client.leave();
  });
}

Deno.test("fetch answers what is neither MQTT nor a page of somebody's: 426 where MQTT is, 404 elsewhere", async () => {
  await using broker = createBroker();
  const statuses: number[] = [];
  for (const path of ["/", "/mqtt", "/other"]) {
    statuses.push((await broker.fetch(new Request(`http://127.0.0.1${path}`))).status);
  }
  assertEquals(statuses, [426, 426, 404]);
});

Deno.test("fetch: pages get the requests that are not for MQTT, until they are removed", async () => {
  await using broker = createBroker();
  await using server = served(broker);
  const text = async (path: string) => {
    return await (await fetch(`http://127.0.0.1:${server.addr.port}${path}`)).text();
  };
  {
    using _pages = broker.serve(({ url }) => url.endsWith("/status") ? new Response("well") : undefined);
    using _more = broker.serve(({ url }) => url.endsWith("/") ? Promise.resolve(new Response("start")) : undefined);
    assertEquals([await text("/status"), await text("/")], ["well", "start"]);
    using socket = await RawWebSocket.accepted(server.addr.port);
    await socket.closeWrite();
  }
  assertEquals(await text("/status"), "There is nothing here: MQTT over WebSocket is at /mqtt\n");
});

Deno.test("fetch: a request for a host that can't be one is refused, as the client's own fault", async () => {
  await using broker = createBroker();
  await using server = served(broker);
  const status = async (host: string) => {
    using conn = await Deno.connect({ port: server.addr.port });
    await conn.write(new TextEncoder().encode(`GET /mqtt HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
    return (await new Response(conn.readable).text()).slice(9, 12);
  };
  assertEquals([await status("localhost"), await status("[::1"), await status("a b"), await status("%")], [
    "426",
    "400",
    "400",
    "400",
  ]);
});

const pages: readonly (readonly [host: string, origin: string, status: number])[] = [
  ["127.0.0.1", "", 101],
  ["127.0.0.1", "http://127.0.0.1:3000", 101],
  ["127.0.0.1", "http://localhost:3000", 101],
  ["127.0.0.1", "https://trusted.example", 101],
  ["127.0.0.1", "https://stranger.example", 403],
  ["127.0.0.1", "http://127.0.0.1.stranger.example", 403],
  ["127.0.0.1", "null", 403],
  // A name that somebody has made to mean this machine is the page's own host, to the browser.
  ["stranger.example", "http://stranger.example", 421],
  ["127.0.0.1.stranger.example", "http://127.0.0.1.stranger.example:8080", 421],
  ["localhost.", "http://localhost.", 421],
  // A program that is no browser names no origin; a page over TLS has the certificate of its name.
  ["broker.example", "", 101],
  ["broker.example", "https://broker.example", 101],
  ["trusted.example", "http://trusted.example:8080", 101],
  ["192.0.2.7", "http://192.0.2.7", 101],
  ["[2001:db8::7]", "http://[2001:db8::7]:3000", 101],
  ["broker", "http://broker", 101],
  ["broker.local", "http://broker.local", 101],
];

for (const [host, origin, status] of pages) {
  const who = origin === "" ? "who is no web page" : `a page of ${origin}`;
  Deno.test(`fetch as ${host} answers ${who} with ${status}`, async () => {
    await using broker = createBroker({ origins: ["https://trusted.example"] });
    await using server = served(broker);
    using socket = await RawWebSocket.open(server.addr.port, { Host: `${host}:${server.addr.port}`, Origin: origin });
    assertEquals(socket.head.slice(0, 12), `HTTP/1.1 ${status}`);
    if (status === 101) await socket.closeWrite();
  });
}

Deno.test("fetch says which page or host it has found, and which it wants", async () => {
  await using broker = createBroker();
  const said = async (origin: string, host: string) => {
    const request = new Request(`http://${host}/mqtt`, { headers: { upgrade: "websocket", origin } });
    return (await (await broker.fetch(request)).text()).trimEnd();
  };
  assertEquals(
    await said("http://a.example", "b.example"),
    'Pages of "http://a.example" may not connect: those of "b.example" may, and those of an origin which the broker was told of, ' +
      "such as by --origin",
  );
  assertEquals(
    await said("http://a.example:9001", "a.example:9001"),
    'Host "a.example" is not known here: it has to be an address, a local name such as "localhost", or that of an origin which the ' +
      "broker was told of, such as by --origin http://a.example",
  );
});

Deno.test("fetch: a client that would rather speak HTTP/2 gets the page all the same", async () => {
  await using broker = createBroker();
  using _pages = broker.serve(() => new Response("a page"));
  const headers = {
    connection: "Upgrade, HTTP2-Settings",
    upgrade: "h2c",
    "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA",
  };
  assertEquals(await (await broker.fetch(new Request("http://localhost/", { headers }))).text(), "a page");
});

Deno.test("fetch tells pages where a request comes from", async () => {
  await using broker = createBroker();
  await using server = served(broker);
  using _pages = broker.serve((_, info) => Response.json(info!.remoteAddr));
  const found = await (await fetch(`http://127.0.0.1:${server.addr.port}/`)).json();
  assertEquals([found.hostname, found.port > 0], ["127.0.0.1", true]);
});

Deno.test("fetch can be a route of Hono, whatever the page around it is called", async () => {
  await using broker = createBroker();
  const app = new Hono<{ Bindings: Deno.ServeHandlerInfo }>(), connected = eventsOf(broker, "connected");
  app.get("/", (context) => context.text("a page"));
  app.all("/mqtt", (context) => broker.fetch(context.req.raw, context.env));
  await using server = Deno.serve({ ...local, onListen() {} }, app.fetch);
  const { port } = server.addr;
  const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { host: "broker.example" } });
  assertEquals(await page.text(), "a page");
  await using client = await clientAt(port, "web", { protocol: "ws", path: "/mqtt" });
  assertMatch((await connected.take()).remote, /^127\.0\.0\.1:\d+$/);
  await client.leave();
});

Deno.test("fetch: a broker that is closed takes no more WebSockets", async () => {
  const broker = createBroker();
  await broker.close();
  const request = new Request("http://127.0.0.1/mqtt", { headers: { upgrade: "websocket" } });
  assertEquals((await broker.fetch(request)).status, 503);
});

Deno.test({
  name: "listen() with a certificate serves TLS, and authenticate sees the certificate of the client",
  ignore: !canIssue,
  async fn() {
    const { authority, server } = identity(), seen = new Mailbox<Credentials>("credentials");
    const authenticate = (credentials: Credentials) => (seen.put(credentials), true);
    await using broker = createBroker({ authenticate });
    const listener = broker.listen({
      port: 0,
      cert: server.certificate,
      key: server.key,
      clientCa: authority.own.certificate,
    });
    assertEquals(listener.address, `mqtts://127.0.0.1:${listener.port}`);
    const { certificate: cert, key } = authority.issue("/CN=lamp", { use: "clientAuth" });
    const over = { protocol: "mqtts", ca: authority.own.certificate, cert, key };
    await using client = await clientAt(listener.port, "lamp", over);
    assertEquals((await seen.take()).certificate?.commonName, "lamp");
    await client.leave();
    await using plain = TestClient.memory(broker);
    await plain.connect();
    assertEquals((await seen.take()).certificate, undefined);
  },
});

Deno.test({
  name: "A certificate can be replaced: those who are connected stay, and a faulty one changes nothing",
  ignore: !canIssue,
  async fn() {
    const { authority, server } = identity(), next = authority.issue("/CN=next", { use: "serverAuth" });
    await using broker = createBroker();
    const refused = eventsOf(broker, "refused");
    await using listener = broker.listen({ port: 0, cert: server.certificate, key: server.key });
    const over = { protocol: "mqtts", ca: authority.own.certificate };
    await using former = await clientAt(listener.port, "former", over);
    assertThrows(() => listener.replace({ cert: next.certificate, key: server.key }), TypeError, "does not belong");
    listener.replace({ cert: next.certificate, key: next.key });
    assertEquals(await nameOf(listener.port, authority.own.certificate), "next");
    await former.subscribe("a", { qos: 1 });
    await former.leave();
    await using stranger = await TestClient.tcp(listener.port);
    await stranger.stream.write(new TextEncoder().encode("not TLS at all, for sure"));
    const { reason, detail } = await refused.take(({ detail }) => detail.startsWith("TLS handshake failed: "));
    assertEquals([reason, detail.length > 23], ["protocol-error", true]);
  },
});

/** Whose certificate a server shows. */
async function nameOf(port: number, ca: string): Promise<string> {
  const { connect } = await import("node:tls");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(
    { port, host: "localhost", ca },
    () => resolve([socket.getPeerCertificate().subject.CN].flat()[0]!),
  );
  socket.on("error", reject);
  const name = await promise;
  socket.destroy();
  return name;
}

Deno.test("listen() takes any acceptor, such as a Unix socket", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/broker.sock`;
  {
    await using broker = createBroker();
    const { address } = broker.listen(await listenUnix({ path }));
    assertEquals(address, `mqtt+unix://${path}`);
    await using client = new TestClient(connStream(await Deno.connect({ transport: "unix", path }), path));
    await client.connect();
    await client.disconnect();
  }
  await Deno.remove(folder); // it is empty: the socket is gone
});

Deno.test("Behind a load balancer, a client has the address that this says; who says none is refused by name", async () => {
  await using broker = createBroker();
  const connected = eventsOf(broker, "connected"), refused = eventsOf(broker, "refused");
  const { port } = broker.listen({ port: 0, proxyProtocol: true });
  await using client = await TestClient.tcp(port);
  await client.stream.write(new TextEncoder().encode("PROXY TCP4 192.0.2.7 192.0.2.1 4242 1883\r\n"));
  await client.connect({ clientId: "far" });
  assertEquals((await connected.take()).remote, "192.0.2.7:4242");
  await using other = await TestClient.tcp(port);
  await other.send({ cmd: "connect", clientId: "near", clean: true, keepalive: 0 });
  const { client: id, reason } = await refused.take();
  assertEquals([id, reason], [undefined, "protocol-error"]);
});

Deno.test("listen() leaves no port taken where the certificate is wrong", async () => {
  await using broker = createBroker();
  const former = broker.listen(local), { port } = former;
  await former.close();
  assertThrows(() => broker.listen({ port, cert: "", key: "" }), TypeError, "Certificate has no PEM");
  assertEquals(broker.listen({ port }).port, port);
});

Deno.test("listen() throws on a closed broker", async () => {
  const broker = createBroker();
  await broker.close();
  assertThrows(() => broker.listen(local), MqttError, "Broker is closed");
});
