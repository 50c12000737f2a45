import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { Hono } from "npm:hono@^4";
import { settle, VirtualClock } from "../support/clock.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { upgrade } from "../../src/transport/websocket.ts";
import { WebSocketServer } from "./ends.ts";
import { BINARY, CLOSE, PING, PONG, RawWebSocket, TEXT } from "./raw_websocket.ts";
import { readText, send, State } from "./streams.ts";

/** A server, one of its connections, and the client of that. */
async function opened(options?: ConstructorParameters<typeof WebSocketServer>[0]) {
  const server = new WebSocketServer(options);
  const [stream, client] = await Promise.all([server.next(), RawWebSocket.accepted(server.port)]);
  return {
    stream,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const offers: readonly (readonly [offered: string, selected: string])[] = [
  ["mqtt", "mqtt"],
  ["chat, mqtt", "mqtt"],
  ["mqttv3.1, mqtt", "mqtt"],
  ["mqttv3.1", "mqttv3.1"],
];

for (const [offered, selected] of offers) {
  Deno.test(`Of the subprotocols "${offered}", "${selected}" is taken`, async () => {
    await using server = new WebSocketServer();
    using client = await RawWebSocket.accepted(server.port, { "Sec-WebSocket-Protocol": offered });
    assertMatch(client.head.toLowerCase(), new RegExp(`sec-websocket-protocol: ${selected.replace(".", "\\.")}(\r|$)`));
  });
}

const refusals: readonly (readonly [string, Readonly<Record<string, string>>, status: number, text: string])[] = [
  [
    "another subprotocol",
    { "Sec-WebSocket-Protocol": "chat, mqtts" },
    400,
    'needed, the client offers "chat", "mqtts"',
  ],
  ["no subprotocol", { "Sec-WebSocket-Protocol": "" }, 400, 'Subprotocol "mqtt" is needed, the client offers none'],
  ["capitals in its subprotocol", { "Sec-WebSocket-Protocol": "MQTT" }, 400, 'the client offers "MQTT"'],
  ["no wish for a WebSocket", { "Upgrade": "", "Connection": "close" }, 426, "a WebSocket is needed"],
  ["a wish for something else", { "Upgrade": "h2c", "Connection": "close" }, 426, "a WebSocket is needed"],
  ["no key", { "Sec-WebSocket-Key": "" }, 400, "'sec-websocket-key' header"],
];

for (const [what, headers, status, text] of refusals) {
  Deno.test(`A request with ${what} is refused and told why`, async () => {
    await using server = new WebSocketServer();
    using client = await RawWebSocket.open(server.port, headers);
    assertMatch(client.head, new RegExp(`^HTTP/1.1 ${status} `));
    assertEquals((await client.body()).includes(text), true);
  });
}

Deno.test("The remote side is told as address and port", async () => {
  await using both = await opened();
  assertMatch(both.stream.remote, /^127\.0\.0\.1:\d+$/);
});

Deno.test("Where the server does not tell the remote side, it is a WebSocket", async () => {
  await using both = await opened({ info: undefined } as object);
  assertEquals(both.stream.remote, "websocket");
});

Deno.test("A text frame ends the connection with 1003, whatever came with it", async () => {
  await using both = await opened();
  const { stream, client } = both, read = new State(readText(stream));
  await client.send(TEXT, "mqtt");
  await client.expectClose(1003);
  await assertRejects(() => read.promise, Error, "A text frame came: MQTT takes binary ones");
  await assertRejects(() => stream.write(new Uint8Array(1)), Error, "A text frame came");
});

Deno.test("A message in several frames, with a ping between them, is read like one; empty ones are nothing", async () => {
  await using both = await opened();
  const { stream, client } = both;
  await client.send(BINARY);
  await client.send(BINARY, "ab", false);
  await client.send(PING, "?");
  await client.send(0, "cd", true);
  await client.send(BINARY, "ef");
  assertEquals((await client.frame())?.kind, PONG);
  let text = "";
  while (text.length < 6) text += await readText(stream);
  assertEquals(text, "abcdef");
});

Deno.test("What is written leaves in binary frames of at most 64 KiB", async () => {
  await using both = await opened();
  const { stream, client } = both, bytes = Buffer.alloc(150_000, "abc");
  const written = [await stream.write(bytes), await stream.write(bytes.subarray(65_536))];
  assertEquals(written, [65_536, 65_536]);
  for (let i = 0; i < 2; i++) {
    const frame = await client.frame();
    assertEquals([frame?.kind, frame?.payload.length], [BINARY, 65_536]);
  }
});

Deno.test("A client that sends faster than it is read loses its connection with 1009, and what it has sent is forgotten", async () => {
  await using both = await opened({ unread: 100_000 });
  const { stream, client } = both, message = Buffer.alloc(40_000);
  for (let i = 0; i < 4; i++) await client.send(BINARY, message);
  await client.expectClose(1009);
  await assertRejects(() => readText(stream), Error, "More has come than is read");
});

Deno.test("A client that goes on sending tiny messages loses its connection: they count for what they cost", async () => {
  await using both = await opened({ unread: 100_000 });
  const { stream, client } = both;
  const tiny = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])));
  await client.sendBytes(tiny);
  while (await client.frame());
  await assertRejects(() => readText(stream), Error, "More has come than is read");
});

Deno.test("A message larger than the limit is taken where nothing lies unread", async () => {
  await using both = await opened({ unread: 1000 });
  const { stream, client } = both, message = Buffer.alloc(3_000_000, 7);
  for (let i = 0; i < 3; i++) {
    await client.send(BINARY, message);
    for (let left = message.length; left > 0;) left -= (await stream.read(new Uint8Array(1_000_000)))!;
  }
});

Deno.test("A message of 64 MiB and more ends the connection", async () => {
  await using both = await opened();
  const { stream, client } = both, read = new State(readText(stream));
  await client.sendBytes(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x04, 0, 0, 1, 0, 0, 0, 0]));
  await assertRejects(() => read.promise, Error, "too large");
});

/**
 * Writes until that has to wait for the clock; resolves to the write that waits, and to how much was written before.
 */
async function filled(stream: ByteStream, clock: VirtualClock) {
  const block = new Uint8Array(65_536);
  for (let written = 0; written < 64 * 1024 * 1024;) {
    const write = new State(stream.write(block));
    while (!write.settled && clock.pending === 0) await settle();
    if (!write.settled) return { write, written };
    written += await write.promise;
  }
  throw new Error("Nobody reads, and no write has to wait");
}

Deno.test("A write that waits looks again as its clock says, and leaves no timer behind", async () => {
  const clock = new VirtualClock();
  await using both = await opened({ clock });
  const { stream, client } = both, { write, written } = await filled(stream, clock);
  await clock.advance(10_000);
  assertEquals([write.settled, clock.pending], [false, 1]);
  for (let read = 0; read < written;) read += (await client.frame())!.payload.length;
  await settle();
  assertEquals(write.settled, false);
  await clock.advance(256);
  assertEquals([write.settled, clock.pending], [true, 0]);
});

Deno.test("A write that waits rejects when the stream is closed, and leaves no timer behind", async () => {
  const clock = new VirtualClock();
  await using both = await opened({ clock });
  const { stream } = both, { write } = await filled(stream, clock);
  stream.close();
  await assertRejects(() => write.promise, Deno.errors.Interrupted);
  assertEquals(clock.pending, 0);
});

Deno.test("A close frame of the client is answered with its code, and ends reading and writing", async () => {
  await using both = await opened();
  const { stream, client } = both;
  await send(client, "last words");
  await client.send(CLOSE, Buffer.from([1001 >> 8, 1001 & 255]));
  assertEquals([await readText(stream), await readText(stream)], ["last words", null]);
  const answer = await client.frame();
  assertEquals([answer?.kind, answer?.payload.readUInt16BE(0)], [CLOSE, 1001]);
  assertEquals(await client.frame(), undefined);
  await assertRejects(() => stream.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
});

Deno.test("closeWrite() and close() send the close code 1000, behind what was written", async () => {
  for (const how of ["closeWrite", "close"] as const) {
    await using both = await opened();
    const { stream, client } = both;
    await send(stream, "last words");
    stream[how]();
    assertEquals((await client.frame())?.payload.toString(), "last words");
    await client.expectClose(1000);
    assertEquals(await client.frame(), undefined);
  }
});

Deno.test("A frame that breaks the rules of WebSockets ends its connection, and no other", async () => {
  await using server = new WebSocketServer();
  const wrong = [[0x81, 0x81, 0, 0, 0, 0, 0xff], [0x83, 0x80, 0, 0, 0, 0], [0xc2, 0x80, 0, 0, 0, 0], [
    0x09,
    0x80,
    0,
    0,
    0,
    0,
  ]];
  for (const bytes of wrong) {
    const [stream, client] = await Promise.all([server.next(), RawWebSocket.accepted(server.port)]);
    await client.sendBytes(Buffer.from(bytes));
    await assertRejects(() => readText(stream));
    client.close();
  }
  const [stream, client] = await Promise.all([server.next(), RawWebSocket.accepted(server.port)]);
  await send(client, "fine");
  assertEquals(await readText(stream), "fine");
  client.close();
});

Deno.test("It can be one route of a server among others", async () => {
  await using server = new WebSocketServer({}, (mqtt) => (request, info) => {
    return new URL(request.url).pathname === "/mqtt" ? mqtt(request, info) : new Response("a page");
  });
  const page = await fetch(`http://127.0.0.1:${server.port}/`);
  assertEquals(await page.text(), "a page");
  const [stream, client] = await Promise.all([server.next(), RawWebSocket.accepted(server.port, {}, "/mqtt")]);
  await send(client, "hello");
  assertEquals(await readText(stream), "hello");
  client.close();
});

Deno.test("It can be a route of Hono", async () => {
  const app = new Hono<{ Bindings: Deno.ServeHandlerInfo }>(), text = Promise.withResolvers<string>();
  app.get("/", (context) => context.text("a page"));
  app.get("/mqtt", (context) =>
    upgrade(context.req.raw, async (stream) => {
      text.resolve(`${await readText(stream)} from ${stream.remote}`);
      stream.close();
    }, { info: context.env }));
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, app.fetch);
  const page = await fetch(`http://127.0.0.1:${server.addr.port}/`);
  assertEquals(await page.text(), "a page");
  using client = await RawWebSocket.accepted(server.addr.port, {}, "/mqtt");
  await send(client, "hello");
  assertMatch(await text.promise, /^hello from 127\.0\.0\.1:\d+$/);
  await client.expectClose(1000);
});

Deno.test("A browser's WebSocket gets through", async () => {
  await using server = new WebSocketServer();
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, ["mqtt"]);
  const open = new Promise((resolve) => socket.onopen = resolve), [stream] = await Promise.all([server.next(), open]);
  socket.send(Buffer.from("hello"));
  assertEquals([await readText(stream), socket.protocol], ["hello", "mqtt"]);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  stream.close();
  assertEquals((await closed).code, 1000);
});
