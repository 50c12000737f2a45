// What the broker relies on in a stream of bytes, whatever is below it, as one list of behaviours. Each test has both
// ends of a connection: the one whose implementation is tested, and a peer that may be anything.
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../../src/transport/transport.ts";
import { settle } from "../support/clock.ts";
import { readText, send, State } from "../transport/streams.ts";

/** Both ends of a connection. */
export interface Ends extends AsyncDisposable {
  readonly tested: ByteStream;
  readonly peer: ByteStream;
}

/** What an implementation can't do, because what it rests on can't. */
export interface Limits {
  /** Each side can end its way alone; default true. */
  readonly halfClose?: boolean;
  /** A peer that sends has to wait where nobody reads; default true. */
  readonly pacesPeer?: boolean;
  /** Tests that are left out here. */
  readonly ignore?: boolean;
}

const MiB = 1024 * 1024;

/** More than any stream may take while nobody reads it: the buffers of the system hold some MiB. */
const TOO_MUCH = 64 * MiB;

type Test = (ends: Ends) => Promise<void>;

/** Tests one implementation. */
export function streamSuite(name: string, open: () => Promise<Ends>, limits: Limits = {}): void {
  const { halfClose = true, pacesPeer = true, ignore = false } = limits;
  const test = (behaviour: string, run: Test, possible = true) => {
    if (!possible) return;
    Deno.test({
      name: `${name}: ${behaviour}`,
      ignore,
      async fn() {
        await using ends = await open();
        await run(ends);
      },
    });
  };
  test("it says who is on the other side", ({ tested }) => Promise.resolve(assert(tested.remote.length > 0)));
  test("bytes arrive whole and in order, in both directions at the same time", bothWays);
  test("a read takes as much as its buffer holds, and the next one goes on there", partsOfPieces);
  test("a read waits until something comes", waitsForBytes);
  test("a buffer may be used again when its write has resolved", takesCopies);
  test("a write waits while the peer does not read, and goes on when it does", writeWaits);
  test("a peer that is not read has to wait, and loses nothing", peerWaits, pacesPeer);
  test("what came before the end is read, then the end, however often", endOfStream);
  test(
    "closeWrite() ends what the peer reads, behind all that was written; the end of the peer is still read",
    closesWrite,
  );
  test("behind closeWrite(), the way back stays open", answerIsRead, halfClose);
  test("a peer that ends its way still reads what is written", peerWriteSideCloses, halfClose);
  test("nothing can be written behind closeWrite(), which may be called again", noWriteBehind);
  test("close() rejects a read and a write that are under way, and those that follow", closeRejects);
  test("close() and closeWrite() may be called again, in any order", closesAgain);
  test("close() is the end for the peer", closeIsSeen);
  test("a peer that is gone ends reading and writing, and nothing is left uncaught", goneWhileReading);
  test("a peer that goes while a write waits for it rejects that", goneWhileWriting);
}

/** Bytes that differ from all that are near to them. */
function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 16) + seed) & 255);
}

async function writeAll(stream: ByteStream, bytes: Uint8Array, sizes: readonly number[]): Promise<void> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    at += await stream.write(bytes.subarray(at, at + sizes[turn % sizes.length]!));
  }
}

async function readAll(stream: ByteStream, length: number, size = 10_000): Promise<Uint8Array> {
  const all = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await stream.read(all.subarray(at, at + size));
    assert(count, `The stream ended after ${at} of ${length} bytes`);
    at += count;
  }
  return all;
}

interface Filled {
  readonly written: number;
  readonly waiting: State<number>;
}

/** Writes until that has to wait; resolves to how much was written, and to the write that waits. */
async function fill(stream: ByteStream): Promise<Filled> {
  const block = new Uint8Array(MiB);
  for (let written = 0; written < TOO_MUCH;) {
    const write = new State(stream.write(block));
    if (!await settled(write)) return { written, waiting: write };
    written += await write.promise;
  }
  throw new Error(`${TOO_MUCH} bytes were written, and nobody has read them`);
}

/** Whether it settles without anybody else's doing: what that takes is a few turns of the event loop. */
async function settled(state: State<unknown>): Promise<boolean> {
  for (let i = 0; i < 40 && !state.settled; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  return state.settled;
}

async function bothWays({ tested, peer }: Ends): Promise<void> {
  const up = pattern(MiB, 1), down = pattern(MiB + 17, 2), sizes = [1, 2, 70_000, 125, 126, 127, 3000, 65_535, 65_536];
  const [upRead, downRead] = await Promise.all([
    readAll(tested, up.length),
    readAll(peer, down.length),
    writeAll(peer, up, sizes),
    writeAll(tested, down, sizes),
  ]);
  assert(upRead.every((byte, i) => byte === up[i]), "What the peer wrote came otherwise");
  assert(downRead.every((byte, i) => byte === down[i]), "What the peer read was other than what was written");
}

async function partsOfPieces({ tested, peer }: Ends): Promise<void> {
  await send(peer, "abcdef");
  assertEquals([await readText(tested, 1), await readText(tested, 2)], ["a", "bc"]);
  let rest = "";
  while (rest.length < 3) rest += await readText(tested);
  assertEquals(rest, "def");
}

async function waitsForBytes({ tested, peer }: Ends): Promise<void> {
  const read = new State(readText(tested));
  assertEquals(await settled(read), false);
  await send(peer, "at last");
  assertEquals(await read.promise, "at last");
}

async function takesCopies({ tested, peer }: Ends): Promise<void> {
  const buffer = new Uint8Array(50_000), count = 20;
  const reading = readAll(peer, buffer.length * count);
  for (let i = 0; i < count; i++) await writeAll(tested, buffer.fill(i), [buffer.length]);
  buffer.fill(255);
  assert((await reading).every((byte, i) => byte === Math.floor(i / buffer.length)));
}

async function writeWaits({ tested, peer }: Ends): Promise<void> {
  await drained(await fill(tested), peer);
}

async function peerWaits({ tested, peer }: Ends): Promise<void> {
  await drained(await fill(peer), tested);
}

/** Reads all that was written before, and until the write that waits has resolved. */
async function drained({ written, waiting }: Filled, from: ByteStream): Promise<void> {
  const buffer = new Uint8Array(MiB), done = waiting.promise.then(() => 0);
  for (let read = 0; read < written || !waiting.settled;) {
    const count = await Promise.race([from.read(buffer), ...read < written ? [] : [done]]);
    assert(count !== null, `The stream ended after ${read} of ${written} bytes`);
    read += count;
  }
  assert(await waiting.promise > 0);
}

async function endOfStream({ tested, peer }: Ends): Promise<void> {
  await send(peer, "last words");
  await peer.closeWrite();
  let text = "";
  for (let part; (part = await readText(tested, 4)) !== null;) text += part;
  assertEquals([text, await readText(tested)], ["last words", null]);
}

async function closesWrite({ tested, peer }: Ends): Promise<void> {
  await send(tested, "last words");
  await tested.closeWrite();
  assertEquals([await readText(peer), await readText(peer)], ["last words", null]);
  await peer.closeWrite();
  assertEquals(await readText(tested), null);
}

async function answerIsRead({ tested, peer }: Ends): Promise<void> {
  await tested.closeWrite();
  assertEquals(await readText(peer), null);
  await assertRejects(() => tested.write(new Uint8Array(1)));
  await send(peer, "answer");
  assertEquals(await readText(tested), "answer");
}

async function peerWriteSideCloses({ tested, peer }: Ends): Promise<void> {
  await peer.closeWrite();
  assertEquals(await readText(tested), null);
  await send(tested, "answer");
  await tested.closeWrite();
  assertEquals([await readText(peer), await readText(peer)], ["answer", null]);
}

async function noWriteBehind({ tested }: Ends): Promise<void> {
  await tested.closeWrite();
  await assertRejects(() => tested.write(new Uint8Array(1)));
  await tested.closeWrite();
}

async function closeRejects({ tested }: Ends): Promise<void> {
  const read = new State(tested.read(new Uint8Array(1))), { waiting: write } = await fill(tested);
  assertEquals([read.settled, write.settled], [false, false]);
  tested.close();
  for (const state of [read, write]) await assertRejects(() => state.promise);
  await assertRejects(() => tested.read(new Uint8Array(1)));
  await assertRejects(() => tested.write(new Uint8Array(1)));
}

async function closesAgain({ tested, peer }: Ends): Promise<void> {
  await tested.closeWrite();
  tested.close();
  await tested.closeWrite();
  for (const end of [tested, peer, peer, tested]) end.close();
}

async function closeIsSeen({ tested, peer }: Ends): Promise<void> {
  await send(tested, "a");
  assertEquals(await readText(peer), "a");
  tested.close();
  assertEquals(await readText(peer).catch(() => null), null);
}

/** What lies unread with the peer makes the system reset the connection. */
async function goneWhileReading({ tested, peer }: Ends): Promise<void> {
  await send(tested, "unread");
  await settle();
  const read = new State(readText(tested));
  peer.close();
  assertEquals(await read.promise.catch(() => null), null);
  await assertRejects(async () => {
    for (;;) {
      await tested.write(new Uint8Array(1024));
      await settle();
    }
  });
  await tested.closeWrite();
  tested.close();
  await tested.closeWrite();
}

async function goneWhileWriting({ tested, peer }: Ends): Promise<void> {
  const { waiting } = await fill(tested);
  peer.close();
  await assertRejects(async () => {
    await waiting.promise;
    await fill(tested);
  });
  tested.close();
}
