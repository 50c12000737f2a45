import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { connect, type Socket } from "node:net";
import { listenTcp, tcpStream } from "../../src/transport/tcp.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { settle } from "../support/clock.ts";
import { readText, send, State } from "./streams.ts";

/** A listener on a free port; the streams that it accepts are taken with `next`. */
function listening(hostname = "127.0.0.1") {
  const acceptor = listenTcp({ port: 0, hostname }), streams = acceptor[Symbol.asyncIterator]();
  const next = async (): Promise<ByteStream> => {
    const { value, done } = await streams.next();
    assert(!done);
    return value;
  };
  return { acceptor, streams, next, [Symbol.dispose]: () => acceptor.close() };
}

/** Both ends of a connection. */
async function pair() {
  using listener = listening();
  const port = listener.acceptor.port;
  const [near, far] = await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.next()]);
  const ends = [tcpStream(near), far] as const;
  return { ends, [Symbol.dispose]: () => ends.forEach((end) => end.close()) };
}

Deno.test("The two ends of a connection read what the other writes", async () => {
  using connection = await pair();
  const [near, far] = connection.ends;
  await Promise.all([send(near, "up"), send(far, "down")]);
  assertEquals([await readText(far), await readText(near)], ["up", "down"]);
  assertMatch(far.remote, /^127\.0\.0\.1:\d+$/);
});

Deno.test("An address says the scheme, the host and the port that the system chose", () => {
  using ipv4 = listening(), ipv6 = listening("::1");
  assertEquals(ipv4.acceptor.address, `mqtt://127.0.0.1:${ipv4.acceptor.port}`);
  assertEquals(ipv6.acceptor.address, `mqtt://[::1]:${ipv6.acceptor.port}`);
});

Deno.test("The address of an IPv6 peer is in brackets", async () => {
  using listener = listening("::1");
  using near = await Deno.connect({ hostname: "::1", port: listener.acceptor.port });
  const far = await listener.next();
  assertEquals(far.remote, `[::1]:${near.localAddr.port}`);
  far.close();
});

Deno.test("A port that is taken is refused, and named", () => {
  using listener = listening();
  const { port } = listener.acceptor;
  assertThrows(() => listenTcp({ port }), Deno.errors.AddrInUse, `Port ${port} of 127.0.0.1 is in use`);
});

Deno.test("A listener that is closed ends its iteration, and may be closed again; its connections go on", async () => {
  using listener = listening();
  const { acceptor, streams } = listener;
  using near = await Deno.connect({ port: acceptor.port });
  const far = await listener.next(), waiting = streams.next();
  acceptor.close();
  acceptor.close();
  assertEquals(await waiting, { value: undefined, done: true });
  await send(tcpStream(near), "still here");
  assertEquals(await readText(far), "still here");
  far.close();
});

Deno.test("Peers that reset while they are accepted are in nobody's way", async () => {
  using listener = listening();
  const { port } = listener.acceptor;
  for (let i = 0; i < 20; i++) (await connected(port)).resetAndDestroy();
  using near = await Deno.connect({ port });
  await send(tcpStream(near), "after all");
  let text: string | null = null;
  while (text !== "after all") {
    const far = await listener.next();
    text = await readText(far).catch(() => null);
    far.close();
  }
});

Deno.test("After closeWrite() the peer reads what is on its way, then the end; the way back stays open", async () => {
  using connection = await pair();
  const [near, far] = connection.ends;
  await send(near, "last");
  await near.closeWrite();
  assertEquals([await readText(far), await readText(far)], ["last", null]);
  await send(far, "answer");
  assertEquals(await readText(near), "answer");
});

Deno.test("close() rejects a read that is under way, and may be called again", async () => {
  using connection = await pair();
  const [, far] = connection.ends, read = new State(readText(far));
  await settle();
  far.close();
  far.close();
  await assertRejects(() => read.promise);
});

Deno.test("A write waits while the peer does not read, takes parts, and goes on when the peer reads", async () => {
  using connection = await pair();
  const [near, far] = connection.ends, block = new Uint8Array(1024 * 1024);
  let written = 0, write = new State(far.write(block));
  while (await Promise.race([write.promise.then(() => true), paused()])) {
    written += await write.promise;
    write = new State(far.write(block));
  }
  assertEquals(write.settled, false);
  const buffer = new Uint8Array(1024 * 1024);
  for (let read = 0; read < written;) read += (await near.read(buffer))!;
  const count = await write.promise;
  assert(count > 0 && count <= block.length);
});

Deno.test("A peer that resets ends reads and writes with a rejection or the end, and closing is never an error", async () => {
  using listener = listening();
  const socket = await connected(listener.acceptor.port), far = await listener.next();
  const read = new State(readText(far));
  socket.resetAndDestroy();
  assertEquals(await read.promise.catch(() => null), null);
  await assertRejects(async () => {
    for (;;) await far.write(new Uint8Array(1024));
  });
  await far.closeWrite();
  far.close();
  await far.closeWrite();
});

/** A client that can reset its connection, which Deno's own can't. */
function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

/** False, once everything has run that is ready to. */
async function paused(): Promise<false> {
  for (let i = 0; i < 10; i++) await settle();
  return false;
}
