import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { memoryPair } from "../../src/transport/memory.ts";
import type { FailedConnection } from "../../src/transport/prepared.ts";
import { overProxy, withoutHeader } from "../../src/transport/proxy_protocol.ts";
import { listenTcp, tcpStream } from "../../src/transport/tcp.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { pieces } from "../support/frames.ts";
import { Mailbox } from "../support/mailbox.ts";
import { Accepting } from "./ends.ts";
import { readText, send, State } from "./streams.ts";

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const ipv4 = [192, 0, 2, 7, 192, 0, 2, 1, 0xdc, 0x04, 0x07, 0x5b];
const ipv6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0xdc, 0x04, 0x07, 0x5b],
];
const paths = [..."/run/client.sock".padEnd(108, "\0"), ..."/run/proxy.sock".padEnd(108, "\0")].map((c) =>
  c.charCodeAt(0)
);

/** A header of version 2. */
function binary(command: number, kind: number, body: readonly number[], length = body.length): Buffer {
  return Buffer.from([...SIGNATURE, command, kind, length >> 8, length & 255, ...body]);
}

const line = (text: string) => Buffer.from(`${text}\r\n`, "latin1");

/** A field of version 2. */
const field = (type: number, value: readonly number[]) => [type, value.length >> 8, value.length & 255, ...value];

const OWN = "memory", FOUR = "192.0.2.7:56324", SIX = "[2001:db8::7]:56324";

const valid: readonly (readonly [what: string, header: Buffer, remote: string])[] = [
  ["TCP4", line("PROXY TCP4 192.0.2.7 192.0.2.1 56324 1883"), FOUR],
  ["TCP6", line("PROXY TCP6 2001:db8::7 2001:db8::1 56324 1883"), SIX],
  ["TCP6 in capitals, with zeros", line("PROXY TCP6 2001:0DB8:0:0:0:0:0:7 2001:DB8::1 56324 1883"), SIX],
  [
    "the longest TCP6",
    line(`PROXY TCP6 ${["ffff:".repeat(7), "ffff:".repeat(7)].join("ffff ")}ffff 65535 65535`),
    `[${"ffff:".repeat(7)}ffff]:65535`,
  ],
  ["TCP6 of an IPv4 address", line("PROXY TCP6 ::ffff:192.0.2.7 ::1 0 0"), "[::ffff:c000:207]:0"],
  ["UNKNOWN", line("PROXY UNKNOWN"), OWN],
  ["UNKNOWN with addresses", line("PROXY UNKNOWN ffff::1 ffff::2 65535 65535"), OWN],
  ["UNKNOWN of 107 bytes of anything", line("PROXY UNKNOWN ".padEnd(105, "\n\rx")), OWN],
  ["version 2, TCP over IPv4", binary(0x21, 0x11, ipv4), FOUR],
  ["version 2, UDP over IPv4", binary(0x21, 0x12, ipv4), FOUR],
  ["version 2, TCP over IPv6", binary(0x21, 0x21, ipv6), SIX],
  ["version 2, UDP over IPv6", binary(0x21, 0x22, ipv6), SIX],
  ["version 2, Unix socket", binary(0x21, 0x31, paths), OWN],
  ["version 2, nothing specified", binary(0x21, 0x00, []), OWN],
  ["version 2, nothing specified, with bytes", binary(0x21, 0x00, [1, 2, 3, 4]), OWN],
  ["version 2, LOCAL", binary(0x20, 0x00, []), OWN],
  ["version 2, LOCAL with addresses of any kind", binary(0x20, 0xff, ipv4), OWN],
  ["version 2 with fields", binary(0x21, 0x11, [...ipv4, ...field(0x02, [97, 98]), ...field(0x04, [])]), FOUR],
  [
    "version 2 with the largest field",
    binary(0x21, 0x11, [...ipv4, ...field(4, Array(4096 - 16 - 12 - 3).fill(0))]),
    FOUR,
  ],
];

for (const [what, header, remote] of valid) {
  Deno.test(`A header of ${what} gives the address, wherever it is cut`, async () => {
    const all = Buffer.concat([header, Buffer.from("MQTT")]), step = Math.ceil(all.length / 300);
    for (let cut = 1; cut <= all.length; cut += step) {
      const [near, far] = memoryPair();
      for (const piece of [all.subarray(0, cut), all.subarray(cut)]) if (piece.length > 0) await near.write(piece);
      const stream = await withoutHeader(far);
      assertEquals(stream.remote, remote);
      let text = "";
      while (text.length < 4) text += await readText(stream, 1);
      assertEquals(text, "MQTT");
      await send(near, "more");
      assertEquals(await readText(stream), "more");
    }
  });
}

Deno.test("A header may come byte by byte", async () => {
  for (const [, header, remote] of valid.filter(([, header]) => header.length < 300)) {
    const [near, far] = memoryPair(1), opened = withoutHeader(far);
    for (const piece of pieces(header, [1])) await near.write(piece);
    assertEquals((await opened).remote, remote);
  }
});

const invalid: readonly (readonly [what: string, bytes: Buffer, message: RegExp])[] = [
  ["MQTT", Buffer.from([0x10]), /^Connection begins with "10", not with a PROXY header$/],
  ["TLS", Buffer.from([0x16, 3, 1]), /begins with "16(03(01)?)?"/],
  ["HTTP", Buffer.from("GET"), /not with a PROXY header/],
  ["another word", Buffer.from("PROXX"), /not with a PROXY header/],
  ["a signature with a fault in its last byte", Buffer.from([...SIGNATURE.slice(0, 11), 0x0b]), /not with a PROXY/],
  ["another protocol", line("PROXY UDP4 192.0.2.7 192.0.2.1 1 2"), /^PROXY header "PROXY UDP4.*" is not valid$/],
  ["no protocol", line("PROXY "), /is not valid/],
  ["small letters", line("PROXY tcp4 192.0.2.7 192.0.2.1 1 2"), /is not valid/],
  ["letters behind UNKNOWN", line("PROXY UNKNOWNX"), /is not valid/],
  ["two spaces", line("PROXY TCP4  192.0.2.7 192.0.2.1 1 2"), /is not valid/],
  ["a space at the end", line("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 "), /is not valid/],
  ["a field too few", line("PROXY TCP4 192.0.2.7 192.0.2.1 1"), /is not valid/],
  ["a field too many", line("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3"), /is not valid/],
  ["a zero in front of an octet", line("PROXY TCP4 192.0.02.7 192.0.2.1 1 2"), /is not valid/],
  ["an octet of 256", line("PROXY TCP4 192.0.2.256 192.0.2.1 1 2"), /is not valid/],
  ["three octets", line("PROXY TCP4 192.0.2 192.0.2.1 1 2"), /is not valid/],
  ["a wrong address of the other side", line("PROXY TCP4 192.0.2.7 192.0.2.1.1 1 2"), /is not valid/],
  ["an IPv6 address as TCP4", line("PROXY TCP4 ::1 ::1 1 2"), /is not valid/],
  ["an IPv4 address as TCP6", line("PROXY TCP6 192.0.2.7 192.0.2.1 1 2"), /is not valid/],
  ["an address with a zone", line("PROXY TCP6 fe80::1%eth0 ::1 1 2"), /is not valid/],
  ["two double colons", line("PROXY TCP6 1::2::3 ::1 1 2"), /is not valid/],
  ["a zero in front of a port", line("PROXY TCP4 192.0.2.7 192.0.2.1 01 2"), /is not valid/],
  ["a port of 65536", line("PROXY TCP4 192.0.2.7 192.0.2.1 65536 2"), /is not valid/],
  ["a wrong port of the other side", line("PROXY TCP4 192.0.2.7 192.0.2.1 1 99999"), /is not valid/],
  ["a negative port", line("PROXY TCP4 192.0.2.7 192.0.2.1 -1 2"), /is not valid/],
  ["a host name", line("PROXY TCP4 a.example 192.0.2.1 1 2"), /is not valid/],
  [
    "a line that ends by LF alone",
    Buffer.from("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n".padEnd(107, "x")),
    /is not valid/,
  ],
  ["a line of 108 bytes", line("PROXY UNKNOWN ".padEnd(106, "x")), /is not valid/],
  ["version 1 in the binary form", Buffer.from([...SIGNATURE, 0x11]), /version and command 0x11/],
  ["an unknown command", Buffer.from([...SIGNATURE, 0x22]), /version and command 0x22/],
  ["an unknown family", Buffer.from([...SIGNATURE, 0x21, 0x41]), /addresses of kind 0x41/],
  ["an unknown protocol", Buffer.from([...SIGNATURE, 0x21, 0x13]), /addresses of kind 0x13/],
  ["too few bytes for its addresses", binary(0x21, 0x21, ipv4), /has 28 bytes, which its fields do not fill/],
  ["a field that is cut off", binary(0x21, 0x11, [...ipv4, 4, 0]), /which its fields do not fill/],
  ["a field that is too long", binary(0x21, 0x11, [...ipv4, 4, 0, 2, 1]), /which its fields do not fill/],
  ["more bytes than anybody needs", binary(0x21, 0x11, [], 4081), /has 4097 bytes, not at most 4096/],
];

for (const [what, bytes, message] of invalid) {
  Deno.test(`A connection that begins with ${what} is closed at once, wherever it is cut`, async () => {
    for (let cut = 1; cut <= bytes.length; cut++) {
      const [near, far] = memoryPair(), opened = new State(withoutHeader(far));
      await near.write(bytes.subarray(0, cut));
      if (cut < bytes.length) await near.write(bytes.subarray(cut)).catch(() => {}); // it may be closed already
      const error = await assertRejects(() => opened.promise, Error);
      assertMatch(error.message, message);
      assertEquals(await readText(near), null);
    }
  });
}

Deno.test("A connection that ends within its header fails", async () => {
  const [near, far] = memoryPair();
  await send(near, "PROXY TCP4 192");
  await near.closeWrite();
  await assertRejects(() => withoutHeader(far), Error, "Connection ended after 14 bytes of a PROXY header");
});

Deno.test("A header that is not whole in time closes the connection, not sooner; bytes do not put that off", async () => {
  const clock = new VirtualClock(), [near, far] = memoryPair();
  const opened = new State(withoutHeader(far, { clock, timeout: 3000 }));
  await send(near, "PROXY ");
  await clock.advance(2999);
  await send(near, "TCP4 ");
  assertEquals(opened.settled, false);
  await clock.advance(1);
  await assertRejects(() => opened.promise, Error, "No PROXY header came within 3000 ms");
  assertEquals([await readText(near), clock.pending], [null, 0]);
});

Deno.test("A header that has come in time leaves no timer behind, and the connection open", async () => {
  const clock = new VirtualClock(), [near, far] = memoryPair();
  await send(near, "PROXY UNKNOWN\r\n");
  const stream = await withoutHeader(far, { clock });
  assertEquals(clock.pending, 0);
  await clock.advance(60_000);
  await send(stream, "open");
  assertEquals(await readText(near), "open");
});

Deno.test("What came behind the header is gone once the stream is closed", async () => {
  const [near, far] = memoryPair();
  await send(near, "PROXY UNKNOWN\r\nMQTT");
  const stream = await withoutHeader(far);
  stream.close();
  await assertRejects(() => readText(stream));
});

Deno.test("An acceptor behind a proxy hands connections on with their clients' addresses, and tells those that fail", async () => {
  const failures = new Mailbox<FailedConnection>("Failures");
  const options = { onFailure: (failed: FailedConnection) => failures.put(failed), clock: new VirtualClock() };
  using listening = new Accepting(overProxy(listenTcp({ port: 0 }), options));
  const connect = async () => tcpStream(await Deno.connect({ port: listening.acceptor.port, hostname: "127.0.0.1" }));
  const next = listening.next(), silent = await connect(), wrong = await connect(), right = await connect();
  await send(wrong, "GET / HTTP/1.1\r\n\r\n");
  await send(right, "PROXY TCP4 192.0.2.7 192.0.2.1 56324 1883\r\nMQTT");
  const far = await next;
  assertEquals([far.remote, await readText(far)], [FOUR, "MQTT"]);
  const { remote, error } = await failures.take();
  assertMatch(remote, /^127\.0\.0\.1:\d+$/);
  assertMatch(error.message, /not with a PROXY header$/);
  assertMatch(listening.acceptor.address, /^mqtt:\/\/127\.0\.0\.1:\d+$/);
  const ended = listening.ended();
  await settle();
  listening.acceptor.close();
  await ended;
  assertEquals([await readText(silent).catch(() => null), failures.rest()], [null, []]);
  for (const end of [silent, wrong, right, far]) end.close();
});
