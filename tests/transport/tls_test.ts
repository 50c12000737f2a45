import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { overProxy } from "../../src/transport/proxy_protocol.ts";
import type { FailedConnection } from "../../src/transport/prepared.ts";
import { listenTcp, tcpStream } from "../../src/transport/tcp.ts";
import { listenTls, overTls, type TlsOptions } from "../../src/transport/tls.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { Mailbox } from "../support/mailbox.ts";
import { Process } from "../support/process.ts";
import { Authority, canIssue, identity, type Issued, openssl } from "./certificates.ts";
import { Accepting } from "./ends.ts";
import { readText, send, State } from "./streams.ts";

function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, ignore: !canIssue, fn });
}

/** A listener on a free port, and the connections that failed. */
class Listening extends Accepting {
  readonly tls: ReturnType<typeof listenTls>;
  readonly failures: Mailbox<FailedConnection>;

  constructor(options: Partial<TlsOptions> = {}) {
    const failures = new Mailbox<FailedConnection>("Failures");
    const tls = listenTls({ port: 0, ...identity().server, onFailure: (failed) => failures.put(failed), ...options });
    super(tls);
    this.tls = tls;
    this.failures = failures;
  }
}

const trusted = () => [identity().authority.own.certificate];

function connect(port: number, options: Partial<Deno.ConnectTlsOptions & Deno.TlsCertifiedKeyPem> = {}) {
  return Deno.connectTls({ port, hostname: "127.0.0.1", caCerts: trusted(), ...options });
}

/** Runs `openssl s_client` to its end; what it says of the connection, and what it has received. */
async function visit({ acceptor: { port } }: Accepting, ...args: string[]) {
  const authority = identity().authority.own.certificateFile;
  const all = ["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", authority, "-brief", "-ign_eof", ...args];
  await using client = new Process("openssl", { args: all });
  const { output, errors } = await client.outcome();
  return { received: output.join("\n"), said: errors.join("\n") };
}

const showing = ({ certificateFile, keyFile }: Issued) => ["-cert", certificateFile, "-key", keyFile];

/** Accepts a connection, greets and ends it. */
async function greet(listening: Accepting): Promise<ByteStream> {
  const stream = await listening.next();
  await send(stream, "hello");
  await stream.closeWrite();
  await readText(stream);
  stream.close();
  return stream;
}

const commonName = (stream: ByteStream) => stream.certificate?.commonName;

for (const version of ["1.2", "1.3"] as const) {
  test(`openssl gets through with TLS ${version}, and trusts the certificate`, async () => {
    using listening = new Listening();
    const flag = `-tls${version.replace(".", "_")}`.replace("_0", "");
    const [stream, { received, said }] = await Promise.all([greet(listening), visit(listening, flag)]);
    assertEquals(received, "hello");
    assertMatch(said, new RegExp(`Protocol version: TLSv${version}`));
    assertMatch(said, /Verification: OK/);
    assertEquals(stream.certificate, undefined);
    assertMatch(stream.remote, /^127\.0\.0\.1:\d+$/);
  });
}

test("A version below the wanted one is refused, also where the client asks for a host", async () => {
  const { server } = identity(), minVersion = "TLSv1.3";
  using listening = new Listening({ minVersion, hosts: { "b.example": server } });
  for (const args of [[], ["-servername", "b.example"]]) {
    const [{ received }, failed] = await Promise.all([
      visit(listening, "-tls1_2", ...args),
      listening.failures.take(),
    ]);
    assertEquals(received, "");
    assertMatch(failed.error.message, /^TLS handshake failed: /);
  }
  await Promise.all([greet(listening), visit(listening)]);
});

test("The address says mqtts and the port", () => {
  using listening = new Listening();
  assertEquals(listening.acceptor.address, `mqtts://127.0.0.1:${listening.acceptor.port}`);
  const taken = { ...identity().server, port: listening.acceptor.port };
  assertThrows(() => listenTls(taken), Deno.errors.AddrInUse);
});

test("A client's certificate that the authority has issued is told with its connection", async () => {
  const { authority } = identity();
  using listening = new Listening({ clientCa: authority.own.certificate });
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const client = authority.issue("/O=Example/CN=lamp 7", { use: "clientAuth" });
    const [stream, { received }] = await Promise.all([greet(listening), visit(listening, version, ...showing(client))]);
    assertEquals(received, "hello");
    const fingerprint = openssl("x509", "-in", client.certificateFile, "-noout", "-fingerprint", "-sha256");
    assertEquals(stream.certificate, {
      commonName: "lamp 7",
      fingerprint: fingerprint.trim().replace(/^.*=/, ""),
    });
  }
});

test("A certificate without a common name has an empty one", async () => {
  const { authority } = identity(), client = authority.issue("/O=Example");
  using listening = new Listening({ clientCa: authority.own.certificate });
  const [stream] = await Promise.all([greet(listening), visit(listening, ...showing(client))]);
  assertEquals(commonName(stream), "");
});

const wrongClients: readonly (readonly [what: string, client: () => Issued | undefined])[] = [
  ["no certificate", () => undefined],
  ["a certificate of another authority", () => new Authority("Stranger").issue("/CN=lamp", { use: "clientAuth" })],
  [
    "a certificate of an authority that has the same name",
    () => new Authority("Test authority").issue("/CN=lamp", { use: "clientAuth" }),
  ],
  ["an expired certificate", () => identity().authority.issue("/CN=lamp", { use: "clientAuth", days: -1 })],
  ["a certificate for servers", () => identity().authority.issue("/CN=lamp", { use: "serverAuth" })],
];

for (const [what, client] of wrongClients) {
  for (const version of ["-tls1_2", "-tls1_3"]) {
    test(`A client with ${what} is refused, and told of (${version})`, async () => {
      using listening = new Listening({ clientCa: identity().authority.own.certificate });
      const issued = client(), args = issued ? showing(issued) : [];
      const [{ received }, failed] = await Promise.all([
        visit(listening, version, ...args),
        listening.failures.take(),
      ]);
      assertEquals(received, "");
      assertMatch(failed.error.message, /^TLS handshake failed: /);
      assertMatch(failed.remote, /^127\.0\.0\.1:\d+$/);
      const good = identity().authority.issue("/CN=next", { use: "clientAuth" });
      const [next] = await Promise.all([greet(listening), visit(listening, version, ...showing(good))]);
      assertEquals(commonName(next), "next");
    });
  }
}

test("Each host has its certificate: by its name, by a star for one level, or else the server's own", async () => {
  const { authority } = identity();
  const issue = (host: string) => authority.issue(`/CN=${host}`, { hosts: `DNS:${host}` });
  const hosts = { "a.example": issue("a.example"), "*.B.example": issue("*.b.example") };
  using listening = new Listening({ hosts });
  const asked = {
    "a.example": "a.example",
    "A.Example": "a.example",
    "x.b.example": "*.b.example",
    "x.y.b.example": "localhost",
    "b.example": "localhost",
    "constructor": "localhost",
  };
  for (const [host, subject] of Object.entries(asked)) {
    const [, { said }] = await Promise.all([greet(listening), visit(listening, "-servername", host)]);
    assertMatch(said, new RegExp(`Peer certificate: CN = ${subject.replace("*", "\\*")}\n`), host);
  }
  const [, { said }] = await Promise.all([greet(listening), visit(listening, "-noservername")]);
  assertMatch(said, /Peer certificate: CN = localhost\n/);
});

test("A client's certificate is asked for at every host", async () => {
  const { authority, server } = identity(), client = authority.issue("/CN=lamp");
  using listening = new Listening({ clientCa: authority.own.certificate, hosts: { "a.example": server } });
  const host = ["-servername", "a.example"];
  const [{ received }] = await Promise.all([visit(listening, ...host), listening.failures.take()]);
  assertEquals(received, "");
  const [stream] = await Promise.all([greet(listening), visit(listening, ...host, ...showing(client))]);
  assertEquals(commonName(stream), "lamp");
});

test("replace() serves new connections with another certificate, while those that exist go on", async () => {
  const { authority } = identity(), renewed = authority.issue("/CN=renewed");
  using listening = new Listening();
  const [old, far] = await Promise.all([connect(listening.acceptor.port), listening.next()]);
  listening.tls.replace(renewed);
  const [, { said }] = await Promise.all([greet(listening), visit(listening)]);
  assertMatch(said, /Peer certificate: CN = renewed\n/);
  await send(far, "still here");
  assertEquals(await new Response(old.readable.pipeThrough(firstOf(10))).text(), "still here");
  far.close();
});

/** Passes on as many bytes, and ends. */
function firstOf(length: number): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(piece, controller) {
      controller.enqueue(piece);
      if ((length -= piece.length) <= 0) controller.terminate();
    },
  });
}

test("replace() exchanges the authority of the clients, too", async () => {
  const { authority, server } = identity(), other = new Authority("Other"), client = other.issue("/CN=lamp");
  using listening = new Listening({ clientCa: authority.own.certificate });
  await Promise.all([visit(listening, ...showing(client)), listening.failures.take()]);
  listening.tls.replace({ ...server, clientCa: other.own.certificate });
  const [stream] = await Promise.all([greet(listening), visit(listening, ...showing(client))]);
  assertEquals(commonName(stream), "lamp");
});

test("replace() with what can't be used throws, and changes nothing", async () => {
  const { authority, server } = identity();
  using listening = new Listening();
  const other = authority.issue("/CN=other");
  assertThrows(() => listening.tls.replace({ ...server, key: other.key }), TypeError, "Key does not belong");
  const [, { said }] = await Promise.all([greet(listening), visit(listening)]);
  assertMatch(said, /Peer certificate: CN = localhost\n/);
});

test("A client that says nothing is closed when its time is over, not sooner, and told of", async () => {
  const clock = new VirtualClock();
  using listening = new Listening({ clock, handshakeTimeout: 3000 });
  const silent = tcpStream(await Deno.connect({ port: listening.acceptor.port, hostname: "127.0.0.1" }));
  const [, end] = [listening.next().catch(() => {}), new State(readText(silent))];
  while (clock.pending === 0) await settle();
  await clock.advance(2999);
  assertEquals(end.settled, false);
  await clock.advance(1);
  assertEquals(await end.promise, null);
  const { error, remote } = await listening.failures.take();
  assertEquals(error.message, "TLS handshake failed: It took more than 3000 ms");
  assertMatch(remote, /^127\.0\.0\.1:\d+$/);
  assertEquals(clock.pending, 0);
  silent.close();
});

test("A handshake that is done leaves no timer behind", async () => {
  const clock = new VirtualClock();
  using listening = new Listening({ clock });
  await Promise.all([greet(listening), visit(listening)]);
  assertEquals(clock.pending, 0);
});

test("A client that is slow to shake hands is in nobody's way", async () => {
  using listening = new Listening();
  const slow = tcpStream(await Deno.connect({ port: listening.acceptor.port, hostname: "127.0.0.1" }));
  await send(slow, "\x16\x03");
  const clients = 20, greeted = Promise.all(Array.from({ length: clients }, () => greet(listening)));
  const visits = Array.from({ length: clients }, async () => {
    const client = await connect(listening.acceptor.port);
    return await new Response(client.readable).text();
  });
  assertEquals(await Promise.all(visits), Array.from({ length: clients }, () => "hello"));
  await greeted;
  slow.close();
});

test("What is no TLS, and a client that goes away while it shakes hands, are failures and nothing more", async () => {
  using listening = new Listening({ clock: new VirtualClock() });
  const hello = ["\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\0", ""];
  for (const bytes of hello) {
    const client = tcpStream(await Deno.connect({ port: listening.acceptor.port, hostname: "127.0.0.1" }));
    await send(client, bytes);
    const failed = listening.failures.take(), waiting = listening.next().catch(() => {});
    if (bytes.length < 10) client.close();
    assertMatch((await failed).error.message, /^TLS handshake failed: /);
    client.close();
    await Promise.all([connect(listening.acceptor.port).then((next) => next.close()), waiting]);
  }
});

test("close() ends the iteration and the handshakes under way; connections go on", async () => {
  using listening = new Listening({ clock: new VirtualClock() });
  const { port } = listening.acceptor;
  const silent = tcpStream(await Deno.connect({ port, hostname: "127.0.0.1" }));
  const [near, far] = await Promise.all([connect(port), listening.next()]);
  const ended = listening.ended();
  listening.acceptor.close();
  await ended;
  assertEquals(await readText(silent).catch(() => null), null);
  await send(far, "still here");
  assertEquals(await new Response(near.readable.pipeThrough(firstOf(10))).text(), "still here");
  assertEquals(listening.failures.rest(), []);
  for (const end of [silent, far, listening.acceptor]) end.close();
});

test("TLS over the PROXY protocol tells the address of the proxy's client", async () => {
  using listening = new Accepting(overTls(overProxy(listenTcp({ port: 0 })), identity().server));
  assertMatch(listening.acceptor.address, /^mqtts:/);
  const conn = await Deno.connect({ port: listening.acceptor.port, hostname: "127.0.0.1" });
  await send(tcpStream(conn), "PROXY TCP4 192.0.2.7 192.0.2.1 5000 8883\r\n");
  const greeted = greet(listening), near = await Deno.startTls(conn, { hostname: "localhost", caCerts: trusted() });
  assertEquals(await new Response(near.readable).text(), "hello");
  assertEquals((await greeted).remote, "192.0.2.7:5000");
});
