// The command as its users run it, `deno run --allow-net mod.ts`, each time as a process of its own: its flags, its faults,
// what it prints while clients come and go, and its end.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { VERSION } from "../mod.ts";
import { TestClient } from "./support/client.ts";
import { BrokerProcess, denoRun, type Outcome } from "./support/process.ts";

/** Runs the command to its end. */
async function command(...args: readonly string[]): Promise<Outcome> {
  await using process = denoRun("--allow-net", "mod.ts", ...args);
  return await process.outcome();
}

/** Where a client connects from is different each time. */
function withoutAddress(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/127\.0\.0\.1:\d+/, "ADDRESS"));
}

for (const flag of ["--help", "-h"]) {
  Deno.test(`${flag} says what the command does and lists every flag`, async () => {
    const { code, output, errors } = await command(flag);
    assertEquals([code, errors], [0, []]);
    assertEquals(output.slice(0, 4), [
      `Brook ${VERSION}: an MQTT broker. Serves MQTT 5.0, 3.1.1 and 3.1 over TCP, TLS, WebSocket and Unix sockets.`,
      "",
      "Usage: deno run --allow-net mod.ts [options]",
      "       deno run --allow-read --allow-write mod.ts passwd --help",
    ]);
    assertEquals(output.slice(4).flatMap((line) => /^ +(-.+?)(?: {2,}| (?=set |what ))\S/.exec(line)?.[1] ?? []), [
      "--host HOST",
      "-p, --port PORT",
      "--http PORT",
      "--origin ORIGIN",
      "--tls-port PORT",
      "--https PORT",
      "--cert FILE",
      "--key FILE",
      "--client-ca FILE",
      "--unix PATH",
      "--proxy-protocol",
      "--passwords FILE",
      "--acl FILE",
      "--allow-anonymous",
      "--trace",
      "--limit NAME=VALUE",
      "--overload POLICY",
      "--store FILE",
      "--durability LEVEL",
      "--log FORMAT",
      "--log-level LEVEL",
      "--config FILE",
      "--check-config",
      "-v, --version",
      "-h, --help",
    ]);
  });
}

for (const flag of ["--version", "-v"]) {
  Deno.test(`${flag} prints the version`, async () => {
    assertEquals(await command(flag), { code: 0, output: [VERSION], errors: [] });
  });
}

const unknown = (arg: string) => `Unknown argument "${arg}": --help lists what there is`;
const port = "it needs a number from 0 to 65535", host = "it needs an address, such as 127.0.0.1";
const level = "there are error, warn, info, debug";
const open = "would let everybody on the network in: name --passwords, or say --allow-anonymous if that is wanted";

const misuses: readonly (readonly [args: string, fault: string])[] = [
  ["--nope", unknown("--nope")],
  ["-x", unknown("-x")],
  ["--trace stray", unknown("stray")],
  ["-- stray", unknown("stray")],
  ["--port", `--port has no value: ${port}`],
  ["--port=", `--port has no value: ${port}`],
  ["-p --trace", `--port has no value: ${port}`],
  ["--port x", `--port is "x": ${port}`],
  ["-p 65536", `--port is "65536": ${port}`],
  ["--port=-1", `--port is "-1": ${port}`],
  ["--port 1e3", `--port is "1e3": ${port}`],
  ["--host", `--host has no value: ${host}`],
  ["--host --trace", `--host has no value: ${host}`],
  ["--host 0.0.0.0", `--host 0.0.0.0 ${open}`],
  ["--host ::", `--host :: ${open}`],
  ["--host example.org", `--host example.org ${open}`],
  ["--log-level", `--log-level has no value: ${level}`],
  ["--limit packet", `--limit is "packet": it needs a name and a value, such as packet=64KiB`],
  ["--limit", `--limit has no value: it needs a name and a value, such as packet=64KiB`],
  ["--limit packet=", `--limit is "packet=": it needs a name and a value, such as packet=64KiB`],
  ["--limit =1", `--limit is "=1": it needs a name and a value, such as packet=64KiB`],
  ["--limit packet=none", 'Limit "packet" is Infinity: it ranges from 64 to 268435460'],
  ["--limit inflight=1 --limit inflight=1e3", 'Limit "inflight" is "1e3", not a number'],
  ["--overload", `--overload has no value: there are drop-newest, drop-oldest, latest-per-topic, disconnect`],
  ["--limit packet=1", 'Limit "packet" is 1: it ranges from 64 to 268435460'],
  ["--limit packet=1kB", 'Limit "packet" is "1kB", not a number or a size such as "64KiB"'],
  ["--store", "--store has no value: it needs the path of a file, such as brook.db"],
  ["--durability some", `--durability is "some": there are full, normal`],
  ["--overload never", `--overload is "never": there are drop-newest, drop-oldest, latest-per-topic, disconnect`],
  ["--http x", `--http is "x": ${port}`],
  ["--tls-port 8883", "--tls-port and --https need --cert and --key"],
  ["--https 0 --cert a.crt", "--tls-port and --https need --cert and --key"],
  ["--cert a.crt --key a.key", "--cert and --key need --tls-port or --https"],
  [
    "--tls-port 0 --cert a.crt --key a.key --cert b.crt",
    "--cert and --key come in pairs: there are 2 of one and 1 of the other",
  ],
  ["--client-ca a.crt", "--client-ca needs --tls-port"],
  ["--passwords", "--passwords has no value: it needs the path of a file, such as passwords.txt"],
  ["--log xml", '--log is "xml": there are text, json'],
  ["--log-level loud", `--log-level is "loud": ${level}`],
];

for (const [args, fault] of misuses) {
  Deno.test(`${args}: exit status 2, and one line that says what is wrong`, async () => {
    assertEquals(await command(...args.split(" ")), { code: 2, output: [], errors: [`brook: ${fault}`] });
  });
}

Deno.test("a port in use: exit status 1, and one line", async () => {
  using other = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = other.addr;
  const fault =
    `brook: Port ${port} of 127.0.0.1 is in use: stop the program that has it, or choose another one with --port`;
  assertEquals(await command("--port", `${port}`), { code: 1, output: [], errors: [fault] });
});

Deno.test("a port for WebSocket in use: exit status 1 and one line where it was asked for", async () => {
  using other = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = other.addr;
  const fault =
    `brook: Port ${port} of 127.0.0.1 is in use: stop the program that has it, or choose another one with --http`;
  assertEquals(await command("--port", "0", "--http", `${port}`), { code: 1, output: [], errors: [fault] });
});

Deno.test("the default port for WebSocket in use: it goes on without, and says so in one line", async () => {
  using _other = taken(9001);
  await using process = denoRun("--allow-net", "mod.ts", "--port", "0");
  assertMatch(await process.output.take(), /^Brook \S+ listens on mqtt:\/\/127\.0\.0\.1:\d+: /);
  assertEquals(
    (await process.errors.take()).slice(25),
    "warn  No MQTT over WebSocket: Port 9001 of 127.0.0.1 is in use: stop the program that has it, " +
      "or choose another one with --http, or --no-http",
  );
  process.signal("SIGTERM");
  assertEquals((await process.outcome()).code, 0);
});

/** Takes a port, unless another program has it. */
function taken(port: number): Disposable {
  try {
    return Deno.listen({ port, hostname: "127.0.0.1" });
  } catch {
    return { [Symbol.dispose]() {} };
  }
}

Deno.test("--no-http listens for TCP alone", async () => {
  await using broker = await BrokerProcess.start("--no-http");
  assertEquals([...broker.ports.keys()], ["mqtt"]);
});

Deno.test("a host that is not of this machine: exit status 1, and one line", async () => {
  assertEquals(await command("--host", "192.0.2.1", "--allow-anonymous"), {
    code: 1,
    output: [],
    errors: ['brook: Host "192.0.2.1" is not an address of this machine'],
  });
});

Deno.test("no permission to listen: exit status 1, and one line that names the permission", async () => {
  await using process = denoRun("mod.ts");
  assertEquals(await process.outcome(), {
    code: 1,
    output: [],
    errors: [
      "brook: Listening on 127.0.0.1:1883 needs the permission --allow-net: deno run --allow-net mod.ts",
    ],
  });
});

const starts = [
  [
    "",
    "127.0.0.1",
    "everybody on this machine may connect, nobody else; --host 0.0.0.0 --allow-anonymous opens it to the network",
  ],
  ["--allow-anonymous", "127.0.0.1", "everybody on this machine may connect, nobody else"],
  [
    "--allow-anonymous --host 0.0.0.0",
    "0.0.0.0",
    "everybody on the network may connect, without a password (--allow-anonymous)",
  ],
] as const;

for (const [flags, address, who] of starts) {
  Deno.test(`started with ${flags || "no flags"}, it says where it listens and who may connect`, async () => {
    await using process = denoRun(
      "--allow-net",
      "mod.ts",
      "-p",
      "0",
      "--http",
      "0",
      ...flags.split(" ").filter(Boolean),
    );
    const line = /^(.+?):(\d+), ws:\S+: (.+)\. (See .+): http:\S+$/.exec(await process.output.take()) ?? [];
    const [, start, port, end, page] = line;
    assertEquals([start, end], [`Brook ${VERSION} listens on mqtt://${address}`, who]);
    assertEquals(page, "See what it does, publish and subscribe");
    await using client = await TestClient.tcp(Number(port));
    await client.connect();
  });
}

Deno.test("--trace prints every packet of a conversation, and no password", async () => {
  await using broker = await BrokerProcess.start("--trace");
  await using client = await TestClient.tcp(broker.port);
  const will = { topic: "gone", payload: "bye", qos: 1, retain: true };
  await client.connect({ clientId: "c", keepalive: 30, username: "ada", password: "lovelace", will });
  await client.send({
    cmd: "subscribe",
    messageId: 1,
    subscriptions: [{ topic: "a/#", qos: 2 }, { topic: "b", qos: 0 }],
  });
  await client.expect({ cmd: "suback", granted: [2, 0] });
  await client.publish("b", "at QoS 0", { retain: true });
  await client.expect({ cmd: "publish", qos: 0 });
  await client.send({ cmd: "publish", topic: "a/1", payload: "at QoS 1", qos: 1, messageId: 2 });
  await client.expect({ cmd: "publish", qos: 1, messageId: 1 });
  await client.expect({ cmd: "puback", messageId: 2 });
  await client.send({ cmd: "puback", messageId: 1 });
  await client.send({ cmd: "publish", topic: "a/2", payload: "at QoS 2", qos: 2, messageId: 3 });
  await client.expect({ cmd: "publish", qos: 2, messageId: 2 });
  await client.expect({ cmd: "pubrec", messageId: 3 });
  await client.send({ cmd: "pubrel", messageId: 3 });
  await client.expect({ cmd: "pubcomp", messageId: 3 });
  await client.send({ cmd: "pubrec", messageId: 2 });
  await client.expect({ cmd: "pubrel", messageId: 2 });
  await client.send({ cmd: "pubcomp", messageId: 2 });
  await client.send({ cmd: "unsubscribe", messageId: 4, unsubscriptions: ["a/#", "b"] });
  await client.expect({ cmd: "unsuback", messageId: 4 });
  await client.expectNothing();
  await client.disconnect();

  const { output } = await broker.end();
  assertEquals(withoutAddress(output), [
    '-> "ADDRESS" CONNECT client="c" level=4 keepAlive=30s clean user="ada" password will=(topic="gone" qos=1 retain payload="bye")',
    '<- "c" CONNACK code=0',
    '-> "c" SUBSCRIBE id=1 "a/#":2 "b":0',
    '<- "c" SUBACK id=1 granted=2,0',
    '-> "c" PUBLISH topic="b" qos=0 retain payload="at QoS 0"',
    '<- "c" PUBLISH topic="b" qos=0 payload="at QoS 0"',
    '-> "c" PUBLISH topic="a/1" qos=1 id=2 payload="at QoS 1"',
    '<- "c" PUBLISH topic="a/1" qos=1 id=1 payload="at QoS 1"',
    '<- "c" PUBACK id=2',
    '-> "c" PUBACK id=1',
    '-> "c" PUBLISH topic="a/2" qos=2 id=3 payload="at QoS 2"',
    '<- "c" PUBLISH topic="a/2" qos=2 id=2 payload="at QoS 2"',
    '<- "c" PUBREC id=3',
    '-> "c" PUBREL id=3',
    '<- "c" PUBCOMP id=3',
    '-> "c" PUBREC id=2',
    '<- "c" PUBREL id=2',
    '-> "c" PUBCOMP id=2',
    '-> "c" UNSUBSCRIBE id=4 "a/#" "b"',
    '<- "c" UNSUBACK id=4',
    '-> "c" PINGREQ',
    '<- "c" PINGRESP',
    '-> "c" DISCONNECT',
  ]);
});

Deno.test("--limit and --overload hold for every client, and --trace shows each loss between the packets", async () => {
  const limits = ["queuedMessages=1", "inflight=1", "publishRate=none", "packet=64KiB"].flatMap((
    one,
  ) => ["--limit", one]);
  await using broker = await BrokerProcess.start("--trace", "--overload", "drop-oldest", ...limits);
  await using client = await TestClient.tcp(broker.port);
  await client.connect({ clientId: "c" });
  await client.subscribe("t", 1);
  const publish = (payload: string) => [0x32, 6, 0, 1, 0x74, 0, 9, payload.charCodeAt(0)];
  await client.sendBytes(["1", "2", "3", "4", "5"].flatMap(publish)); // come in one turn
  await client.expect({ cmd: "publish", payload: "1", messageId: 1 });
  for (const _ of [1, 2, 3, 4, 5]) await client.expect({ cmd: "puback", messageId: 9 });
  await client.send({ cmd: "puback", messageId: 1 });
  await client.expect({ cmd: "publish", payload: "5", messageId: 2 });
  await broker.printed('!! Dropped 3 messages on "t" for client "c": queue-full');
  await broker.logged('warn  Dropped 3 messages on "t" for client "c": queue-full');
});

const log = [
  'info  Client "c" connected from ADDRESS: MQTT 3.1.1, clean session, keep alive 0 s',
  'debug Client "c" subscribed to "a" at QoS 1',
  'debug Client "c" unsubscribed from "a"',
  'warn  Client "c" disconnected: malformed-packet (SUBSCRIBE is faulty: Topic filter "a/#/b" has "#" before its last level)',
  "warn  Refused a connection from ADDRESS: protocol-error (First packet is PINGREQ, not CONNECT)",
  "info  Closed",
];
const levels = {
  error: ["error"],
  warn: ["error", "warn"],
  info: ["error", "warn", "info"],
  debug: ["error", "warn", "info", "debug"],
};

for (const [level, shown] of Object.entries(levels)) {
  Deno.test(`--log-level ${level} logs the levels ${shown.join(", ")}`, async () => {
    await using broker = await BrokerProcess.start("--log-level", level);
    await using client = await TestClient.tcp(broker.port);
    await client.connect({ clientId: "c" });
    await client.subscribe("a", 1);
    await client.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a"] });
    await client.expect({ cmd: "unsuback" });
    await client.send({ cmd: "subscribe", messageId: 3, subscriptions: [{ topic: "a/#/b", qos: 0 }] });
    await client.expectClosed();
    await using stranger = await TestClient.tcp(broker.port);
    await stranger.send({ cmd: "pingreq" });
    await stranger.expectClosed();

    const { output, errors } = await broker.end();
    assertEquals(output, []); // no trace where none was asked for
    for (const line of errors) assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
    assertEquals(
      withoutAddress(errors.map((line) => line.slice(25))),
      log.filter((line) => shown.some((level) => line.startsWith(level))),
    );
  });
}

Deno.test("--log json logs an object a line, and what the command itself says, too", async () => {
  await using broker = await BrokerProcess.start("--log", "json");
  await using client = await TestClient.tcp(broker.port);
  await client.connect({ clientId: "c" });
  broker.signal("SIGHUP");
  assertEquals(JSON.parse(await broker.logged("Reloaded")).type, "note");
  const { errors } = await broker.end();
  const lines = errors.map((line) => JSON.parse(line));
  for (const { time } of lines) assertEquals(new Date(time).toJSON(), time);
  assertEquals(lines.map(({ level, type, client }) => [level, type, client]), [
    ["info", "connected", "c"],
    ["info", "disconnected", "c"],
    ["info", "closed", undefined],
  ]);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} ends the connections of all clients in good order, with exit status 0`, async () => {
    await using broker = await BrokerProcess.start();
    const clients = await Promise.all([1, 2].map(() => TestClient.tcp(broker.port)));
    for (const [i, client] of clients.entries()) await client.connect({ clientId: `client ${i}` });
    const outcome = broker.end(signal);
    await Promise.all(clients.map((client) => client.expectClosed()));
    const { code, errors } = await outcome;
    assertEquals(code, 0);
    assertEquals(errors.slice(2).map((line) => line.slice(25)), [
      'info  Client "client 0" disconnected: server-shutting-down (The broker closes)',
      'info  Client "client 1" disconnected: server-shutting-down (The broker closes)',
      "info  Closed",
    ]);
  });
}

Deno.test("a second signal ends it at once, with exit status 130", async () => {
  await using process = denoRun("--allow-net", "mod.ts", "--port", "0");
  const [, port] = /:(\d+)[:,] /.exec(await process.output.take()) ?? [];
  assert(port);
  await using client = await TestClient.tcp(Number(port)); // it does not close its side, which the broker waits for
  await client.connect();
  process.signal("SIGINT");
  await process.errors.take((line) => line.includes("server-shutting-down"));
  process.signal("SIGINT");
  assertEquals((await process.outcome()).code, 130);
});
