import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Broker, createBroker } from "../../src/broker.ts";
import { monitor, type MonitorOptions } from "../../src/observe/monitor.ts";
import { connected } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";

const local = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 5000 } } as const;
const remote = { remoteAddr: { transport: "tcp", hostname: "192.168.1.7", port: 5000 } } as const;

interface Asked extends RequestInit {
  readonly host?: string;
  readonly info?: { readonly remoteAddr: Deno.Addr };
  readonly options?: MonitorOptions;
}

async function ask(
  broker: Broker,
  path: string,
  { host = "localhost:9001", info = local, options, ...init }: Asked = {},
) {
  const response = await monitor(broker, options)(new Request(`http://${host}${path}`, init), info);
  assert(response, `Nobody answers ${path}`);
  return response;
}

function basic(username: string, password: string): { readonly headers: Record<string, string> } {
  return { headers: { authorization: `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}` } };
}

Deno.test("The page may run its own script only, and may not be framed", async () => {
  await using broker = createBroker();
  const response = await ask(broker, "/"), policy = response.headers.get("content-security-policy")!;
  assertMatch(await response.text(), /^<!doctype html>/i);
  assertMatch(policy, /script-src 'sha256-[^']{44}';/);
  assertMatch(policy, /frame-ancestors 'none'/);
});

Deno.test("The overview tells what flows and what was lost", async () => {
  await using broker = createBroker({ limits: { retainedMessages: 0 } });
  await using _client = await connected(broker, "c");
  await broker.publish("a", "x", { retain: true });
  const { version, gauges, traffic, dropped } = await (await ask(broker, "/api/overview")).json();
  assertEquals([version, gauges.connections, traffic.packetsReceived], ["0.1.0", 1, 1]);
  assertEquals(dropped, { "retained-full": 1 });
});

Deno.test("Clients are found by a part of their name, user name or address, and the first 200 are told", async () => {
  await using broker = createBroker();
  for (let i = 0; i < 250; i++) await connected(broker, `lamp-${i}`);
  await using _alice = await connected(broker, "phone", { username: "Alice" });
  const found = async (search: string) => {
    const { total, clients } = await (await ask(broker, `/api/clients?search=${search}`)).json();
    return [total, clients.length];
  };
  assertEquals(await found(""), [251, 200]);
  assertEquals(await found("LAMP-24"), [11, 11]);
  assertEquals(await found("alice"), [1, 1]);
  assertEquals(await found("nobody"), [0, 0]);
});

Deno.test("Losses are found by client and topic; a topic that is none is a fault of the request", async () => {
  await using broker = createBroker({ limits: { retainedMessages: 0 } });
  await broker.publish("a/b", "x", { retain: true });
  const { entries } = await (await ask(broker, "/api/why?topic=a/%23")).json();
  assertEquals(entries.map(({ topic, reason }: { topic: string; reason: string }) => [topic, reason]), [
    ["a/b", "retained-full"],
  ]);
  assertEquals((await (await ask(broker, "/api/why?topic=b")).json()).total, 0);
  assertEquals((await ask(broker, "/api/why?topic=a/%23/b")).status, 400);
});

Deno.test("A client is disconnected by a POST of the page, or of a program, and by nothing else", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "a/ü", { protocolVersion: 5 });
  const path = `/api/clients/${encodeURIComponent("a/ü")}/disconnect`, method = "POST";
  assertEquals((await ask(broker, path)).status, 405);
  assertEquals((await ask(broker, path, { method, headers: { origin: "http://evil.example" } })).status, 403);
  assertEquals((await ask(broker, path, { method, headers: { origin: "null" } })).status, 403);
  assertEquals((await ask(broker, path, { method, headers: { "sec-fetch-site": "cross-site" } })).status, 403);
  assertEquals((await ask(broker, path, { method, headers: { origin: "http://localhost:9001" } })).status, 204);
  await client.expect({ cmd: "disconnect", reasonCode: 0x98 });
  assertEquals((await ask(broker, path, { method })).status, 404);
  assertEquals((await ask(broker, "/api/clients/%ff/disconnect", { method })).status, 400);
});

Deno.test("Who wants to know no more than whether something is there asks with HEAD, and gets what GET gets", async () => {
  await using broker = createBroker();
  for (const path of ["/", "/healthz", "/metrics"]) {
    const [head, get] = [await ask(broker, path, { method: "HEAD" }), await ask(broker, path)];
    assertEquals([head.status, [...head.headers]], [200, [...get.headers]], path);
  }
  assertEquals((await ask(broker, "/metrics", { method: "PUT" })).status, 405);
});

Deno.test("A name that somebody else made to mean this machine is refused", async () => {
  await using broker = createBroker();
  const statusOf = async (host: string, asked: Asked = {}) =>
    (await ask(broker, "/api/overview", { host, ...asked })).status;
  for (
    const host of ["localhost", "127.0.0.1:80", "[::1]:9001", "brook.localhost", "brook:9001", "192.0.2.7", "brook.lan"]
  ) {
    for (const info of [local, remote]) assertEquals(await statusOf(host, { info }), 200, host);
  }
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9001"]) {
    for (const info of [local, remote]) assertEquals(await statusOf(host, { info }), 421, host);
  }
  assertEquals(await statusOf("brook.example", { options: { hosts: ["brook.example"] } }), 200);
});

Deno.test("A host is expected that an origin names, any one where all origins may connect, and one that has a certificate", async () => {
  for (
    const [origin, url, status] of [
      ["https://brook.example", "http://brook.example:9001/metrics", 200],
      ["https://brook.example", "http://evil.example:9001/metrics", 421],
      ["*", "http://evil.example:9001/metrics", 200],
      ["https://brook.example", "https://other.example/metrics", 200],
    ] as const
  ) {
    await using broker = createBroker({ origins: [origin] });
    assertEquals((await monitor(broker)(new Request(url), local))?.status, status, url);
  }
});

Deno.test("Where clients need a password, so does whoever looks; health does not", async () => {
  await using broker = createBroker({
    authenticate: ({ username, password }) => username === "ü" && password === "p:w",
  });
  for (const path of ["/", "/metrics", "/api/overview", "/api/clients", "/api/why"]) {
    const refused = await ask(broker, path);
    assertEquals([refused.status, refused.headers.get("www-authenticate")], [
      401,
      'Basic realm="Brook", charset="UTF-8"',
    ]);
    assertEquals((await ask(broker, path, basic("ü", "wrong"))).status, 401);
    assertEquals((await ask(broker, path, basic("ü", "p:w"))).status, 200);
  }
  assertEquals((await ask(broker, "/api/overview", { headers: { authorization: "Basic ?" } })).status, 401);
  assertEquals((await ask(broker, "/healthz")).status, 200);
});

Deno.test("A hook that fails lets nobody look", async () => {
  await using broker = createBroker({ authenticate: () => Promise.reject(new Error("no")) });
  assertEquals((await ask(broker, "/", basic("u", "p"))).status, 401);
});

Deno.test("A password that was right is asked about again after a minute, a wrong one each time", async () => {
  const asked: (string | undefined)[] = [], clock = new VirtualClock();
  await using broker = createBroker({
    clock,
    authenticate: ({ password }) => asked.push(password) > 0 && password === "p",
  });
  const show = monitor(broker),
    look = (password: string) => show(new Request("http://localhost/api/overview", basic("u", password)), local);
  for (const password of ["p", "p", "x", "x"]) await look(password);
  assertEquals(asked, ["p", "x", "x"]);
  await clock.advance(60_000);
  await look("p");
  assertEquals(asked, ["p", "x", "x", "p"]);
});

Deno.test("What is not its own the monitor leaves to others", async () => {
  await using broker = createBroker();
  assertEquals(monitor(broker)(new Request("http://localhost/mqtt"), local), undefined);
  assertEquals((await ask(broker, "/api/toString")).status, 404);
  assertEquals((await ask(broker, "/metrics", { method: "POST" })).status, 405);
});

Deno.test("A request for a host that can't be one is not the monitor's, and no error", async () => {
  await using broker = createBroker();
  const show = monitor(broker), faults: unknown[] = [];
  await using server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: () => {},
    onError: (fault) => {
      faults.push(fault);
      return new Response(null, { status: 500 });
    },
  }, (request, info) => show(request, info) ?? new Response(null, { status: 404 }));
  using conn = await Deno.connect({ port: server.addr.port });
  await conn.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n"));
  assertMatch(await new Response(conn.readable).text(), /^HTTP\/1\.1 404 /);
  assertEquals(faults, []);
});
