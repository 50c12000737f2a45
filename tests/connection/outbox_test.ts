import { Buffer } from "node:buffer";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import type { PublishFrame } from "../../src/codec/encode.ts";
import { ChunkPool } from "../../src/connection/chunk_pool.ts";
import { Outbox, type OutboxOwner } from "../../src/connection/outbox.ts";
import { Memory } from "../../src/memory.ts";
import { Message } from "../../src/message.ts";
import { systemClock } from "../../src/clock.ts";
import { Turn } from "../../src/turn.ts";
import { settle } from "../support/clock.ts";

const encode = (text: string) => new TextEncoder().encode(text),
  decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** An outbox and the socket that it writes to: each write waits until the test lets it go. */
class Scene {
  readonly turn = new Turn(systemClock);
  readonly outbox: Outbox;
  /** What was asked to be written, one entry for each write. */
  readonly writes: string[] = [];
  readonly errors: unknown[] = [];
  /** How many messages of QoS 0 have been told to be lost. */
  lost = 0;
  rooms = 0;
  #pending: PromiseWithResolvers<number> | undefined;

  constructor(changes: Partial<OutboxOwner> = {}, limit = 10, readonly memory = new Memory(Infinity)) {
    const owner: OutboxOwner = {
      write: (bytes) => this.#write(bytes),
      roomAgain: () => void this.rooms++,
      writeFailed: (error, lost) => {
        this.errors.push(error);
        this.lost += lost;
      },
      ...changes,
    };
    this.outbox = new Outbox(owner, { turn: this.turn, pool: new ChunkPool(memory) }, limit);
  }

  #write(bytes: Uint8Array): Promise<number> {
    if (this.#pending) throw new Error("Two writes at a time");
    this.writes.push(decode(bytes));
    return (this.#pending = Promise.withResolvers()).promise;
  }

  /** Appends in one turn. */
  send(...texts: readonly string[]): void {
    this.turn.run(() => texts.forEach((text) => this.outbox.append(encode(text))));
  }

  /** Appends a PUBLISH of two bytes, in a turn of its own: at QoS 0 where it has no identifier. */
  publish(packetId = 0): void {
    const frame = { buffer: Buffer.from("12"), start: 0, end: 2, idAt: 0, size: 2, rest: undefined };
    this.turn.run(() => this.outbox.appendPublish(frame, packetId, false));
  }

  /** Has the write that is under way take so many bytes, all by default. */
  async written(count: number = this.writes.at(-1)!.length): Promise<void> {
    const pending = this.#pending!;
    this.#pending = undefined;
    pending.resolve(count);
    await settle();
  }

  /** Has the write that is under way fail. */
  async fail(error: Error): Promise<void> {
    this.#pending!.reject(error);
    await settle();
  }
}

Deno.test("What is appended in one turn goes out in one write, at its end", () => {
  const { outbox, turn, writes } = new Scene();
  turn.run(() => {
    outbox.append(encode("ab"));
    outbox.append(encode("cd"));
    assertEquals(writes, []);
  });
  assertEquals(writes, ["abcd"]);
});

Deno.test("What is appended outside of a turn goes out with the microtasks", async () => {
  const { outbox, writes } = new Scene();
  outbox.append(encode("ab"));
  outbox.append(encode("cd"));
  assertEquals(writes, []);
  await Promise.resolve();
  assertEquals(writes, ["abcd"]);
});

Deno.test("There is one write at a time: what comes meanwhile goes out together, in order", async () => {
  const scene = new Scene();
  for (const text of ["a", "b", "c"]) scene.send(text);
  assertEquals(scene.writes, ["a"]);
  await scene.written();
  scene.send("d");
  await scene.written();
  await scene.written();
  assertEquals(scene.writes, ["a", "bc", "d"]);
});

Deno.test("A write that takes a part is followed by one with the rest", async () => {
  const scene = new Scene();
  scene.send("abcdef");
  await scene.written(2);
  await scene.written(1);
  scene.send("g");
  await scene.written();
  await scene.written();
  assertEquals(scene.writes, ["abcdef", "cdef", "def", "g"]);
});

Deno.test("It is full above its limit, and says once that there is room again", async () => {
  const scene = new Scene();
  scene.send("0123456789");
  assertEquals(scene.outbox.full, false);
  scene.send("x");
  assertEquals(scene.outbox.full, true);
  await scene.written(1);
  assertEquals([scene.outbox.full, scene.rooms], [false, 1]);
  await scene.written(9);
  await scene.written();
  assertEquals([scene.writes, scene.rooms], [["0123456789", "123456789", "x"], 1]);
});

Deno.test("What is appended where there is room again goes out behind the rest", async () => {
  const scene: Scene = new Scene({ roomAgain: () => scene.send("more") });
  scene.send("0123456789", "x");
  assertEquals(scene.outbox.full, true);
  await scene.written(5);
  await scene.written();
  assertEquals(scene.writes, ["0123456789x", "56789x", "more"]);
});

Deno.test("emptied() waits until everything is written, also what is appended meanwhile", async () => {
  const scene = new Scene(), done: string[] = [];
  await scene.outbox.emptied();
  scene.send("a");
  scene.outbox.emptied().then(() => done.push("emptied"));
  scene.send("b");
  await scene.written();
  assertEquals(done, []);
  await scene.written();
  assertEquals(done, ["emptied"]);
});

Deno.test("A write that fails is reported once; then nothing is kept or written, and nobody waits", async () => {
  const scene = new Scene(), error = new Deno.errors.BrokenPipe("gone"), done: string[] = [];
  scene.send("0123456789", "x");
  assertEquals(scene.outbox.full, true);
  scene.outbox.emptied().then(() => done.push("emptied"));
  await scene.fail(error);
  scene.send("more");
  await scene.outbox.emptied();
  assertEquals([scene.errors, scene.writes, done], [[error], ["0123456789x"], ["emptied"]]);
  assertEquals(scene.outbox.full, false);
});

Deno.test("A write that throws at once is a write that fails", async () => {
  const scene = new Scene({
    write() {
      throw new TypeError("not a socket");
    },
  });
  scene.send("a");
  await settle();
  assertEquals(scene.errors.map(String), ["TypeError: not a socket"]);
});

Deno.test("A write that tells a count which can't be is a write that fails, whether a payload is lent or not", async () => {
  for (const count of [0, -1, 0.5, NaN, Infinity, undefined, "1"] as number[]) {
    let writes = 0;
    const write = () => writes++ < 1000 ? Promise.resolve(count) : Promise.reject(new Error("It goes on for ever"));
    const scenes = [new Scene({ write }), new Scene({ write })] as const;
    scenes[0].send("a");
    scenes[1].turn.run(() => scenes[1].outbox.appendPublish(largeFrame("a"), 0, false));
    await settle();
    for (const { errors, memory } of scenes) {
      assertEquals([errors.map(String), memory.used], [
        [`RangeError: Stream tells of "${count}" bytes, not of 1 to 1`],
        0,
      ]);
    }
  }
});

Deno.test("A shared PUBLISH gets the packet identifier and the DUP flag of this client alone", () => {
  const { outbox, turn, writes } = new Scene(),
    frame = {
      buffer: Buffer.from([9, 9, 0x32, 5, 0, 1, 0x61, 0, 1, 9]),
      start: 2,
      end: 9,
      idAt: 5,
      size: 7,
      rest: undefined,
    };
  turn.run(() => {
    outbox.append(encode("before"));
    outbox.appendPublish(frame, 0x4142, true);
    outbox.appendPublish({ ...frame, idAt: 0 }, 0, false);
  });
  assertEquals(writes, ["before" + "\x3a\x05\0\x01aAB" + "\x32\x05\0\x01a\0\x01"]);
  assertEquals([...frame.buffer], [9, 9, 0x32, 5, 0, 1, 0x61, 0, 1, 9]);
});

Deno.test("Order and bytes stay right from a few bytes to more than any chunk", async () => {
  const sizes = [1, 511, 512, 513, 65_000, 65_536, 65_537, 200_000], scene = new Scene();
  const texts = sizes.map((size, i) => String(i).repeat(size));
  scene.send(...texts);
  await scene.written();
  for (const text of texts) scene.send(text);
  await scene.written();
  await scene.written(100_000);
  await scene.written();
  const whole = texts.join(""), [first, second, third, rest] = scene.writes;
  assertStrictEquals(first, whole);
  assertStrictEquals(second! + third!, whole);
  assertStrictEquals(rest, third!.slice(100_000));
});

Deno.test("A chunk that went out is filled again by another outbox", () => {
  const pool = new ChunkPool(new Memory(Infinity)), chunk = pool.take(1000);
  pool.give(chunk);
  assertStrictEquals(pool.take(2000), chunk);
  const small = pool.take(10), large = pool.take(300_000);
  for (const other of [small, large]) pool.give(other);
  assertEquals([pool.take(1000).length, small.length, large.length], [4096, 512, 300_000]);
});

Deno.test("Messages of QoS 0 that were on their way when a write fails are lost: of the write, and of what comes behind it", async () => {
  const scene = new Scene();
  for (const packetId of [0, 1, 0]) scene.publish(packetId); // the first one is written, the others wait
  await scene.written();
  assertEquals(scene.writes.length, 2);
  for (const packetId of [0, 2, 0, 0]) scene.publish(packetId);
  scene.send("an acknowledgement");
  await scene.written(1); // a part of it: nobody knows what the client has got
  await scene.fail(new Error("gone"));
  assertEquals(scene.lost, 1 + 3);
  scene.publish();
  await settle();
  assertEquals([scene.lost, scene.errors.length], [4, 1]);
});

Deno.test("Nothing is lost where everything was written, or was of QoS 1 and 2", async () => {
  const scene = new Scene();
  for (const packetId of [0, 0]) scene.publish(packetId);
  await scene.written();
  await scene.written();
  for (const packetId of [1, 2]) scene.publish(packetId);
  await scene.fail(new Error("gone"));
  assertEquals([scene.lost, scene.errors.length], [0, 1]);
});

const endings: readonly (readonly [how: string, end: (scene: Scene) => Promise<void>])[] = [
  ["is written", (scene) => scene.written().then(() => scene.written())],
  ["is written piece by piece", async (scene) => {
    while (scene.writes.at(-1) !== "z") await scene.written(Math.ceil(scene.writes.at(-1)!.length / 2));
    await scene.written();
  }],
  ["can't be written", (scene) => scene.fail(new Error("gone"))],
];

for (const [how, end] of endings) {
  Deno.test(`What is on its way is on the account until it ${how}`, async () => {
    for (const size of [1, 600, 5000, 70_000]) {
      const scene = new Scene(), { memory } = scene;
      assertEquals(memory.used, 0);
      scene.send("x".repeat(Math.min(size, 600)), "y".repeat(size));
      assertEquals(memory.used >= size, true);
      scene.send("z");
      await end(scene);
      assertEquals(memory.used, 0);
    }
  });
}

Deno.test("While memory is full 16 KiB may be on their way, and a message that is larger had better wait at any time", async () => {
  const memory = new Memory(1_000_000), scene = new Scene({}, 1_000_000, memory), { outbox } = scene;
  const state = () => [outbox.takes(1), outbox.takes(16_384), outbox.takes(20_000), outbox.full, outbox.choked];
  assertEquals(state(), [true, true, true, false, false]);
  memory.add(2_000_000);
  assertEquals(state(), [true, true, false, false, false]);
  scene.send("x".repeat(16_384));
  assertEquals(state(), [false, false, false, false, false]);
  scene.send("x");
  assertEquals(state(), [false, false, false, true, false]);
  scene.send("x".repeat(16_384));
  assertEquals(state(), [false, false, false, true, true]);
  memory.add(-2_000_000);
  assertEquals(state(), [true, true, true, false, false]);
  memory.add(2_000_000);
  assertEquals([outbox.full, scene.rooms], [true, 0]);
  await scene.written();
  assertEquals([state(), scene.rooms], [[false, false, false, true, false], 0]);
  await scene.written();
  assertEquals([state(), scene.rooms], [[true, true, false, false, false], 1]);
});

/** Bytes of the smallest payload that is not copied. */
const SHARED = 131_072;

/** A PUBLISH with such a payload: `<payload`. */
function largeFrame(letter: string, size = SHARED): PublishFrame {
  const lent = { bytes: Buffer.alloc(size, letter), start: 0, end: size };
  const rest = new Message({ topic: "t", qos: 0, retain: false, client: undefined }, undefined, lent);
  return { buffer: Buffer.from("<"), start: 0, end: 1, idAt: 0, size: 1 + size, rest };
}

Deno.test("A large payload is one for all outboxes, and on the account once, until the last of them has written it", async () => {
  const memory = new Memory(Infinity), scenes = [1, 2, 3].map(() => new Scene({}, 10, memory));
  const frame = largeFrame("x");
  for (const { outbox, turn } of scenes) turn.run(() => outbox.appendPublish(frame, 0, false));
  for (const [i, scene] of scenes.entries()) {
    assertEquals([memory.used > SHARED, memory.used < SHARED + 3000, scene.outbox.full], [true, true, true]);
    await scene.written();
    await scene.written(100_000);
    assertEquals(scene.writes.map(({ length }) => length), [1, SHARED, SHARED - 100_000]);
    if (i === 1) await scene.fail(new Error("gone"));
    else await scene.written();
    assertEquals([scene.lost, scene.outbox.full], [Number(i === 1), false]);
  }
  assertEquals(memory.used, 0);
});

Deno.test("A buffer that the payload was lent from may be used again", async () => {
  const scene = new Scene(), { bytes } = Object.freeze({ bytes: Buffer.alloc(SHARED, "a") });
  const rest = new Message({ topic: "t", qos: 0, retain: false, client: undefined }, undefined, {
    bytes,
    start: 0,
    end: SHARED,
  });
  scene.turn.run(() => scene.outbox.appendPublish({ ...largeFrame("-"), rest }, 0, false));
  bytes.fill("b");
  await scene.written();
  assertEquals(new Set(scene.writes[1]), new Set("a"));
});

Deno.test("An outbox that dies lets go of the payloads that wait in it, and knows what is lost", async () => {
  const scene = new Scene();
  for (const letter of "abc") scene.turn.run(() => scene.outbox.appendPublish(largeFrame(letter), 0, false));
  assertEquals(scene.memory.used > 3 * SHARED, true);
  await scene.written();
  await scene.fail(new Error("gone"));
  assertEquals([scene.lost, scene.memory.used], [3, 0]);
});

Deno.test("A payload that its observer gives away while it is being sent ends the connection: no other bytes take its place", async () => {
  const scene = new Scene(), large = largeFrame("a");
  scene.turn.run(() => scene.outbox.appendPublish(large, 0, false));
  scene.turn.run(() => scene.outbox.append(encode("next")));
  await scene.written();
  await scene.written(1000);
  (large.rest!.payload.buffer as ArrayBuffer).transfer();
  await scene.written(1);
  assertEquals(scene.errors.map(String), ['Error: Payload of "t" was given away while it was on its way']);
  assertEquals([scene.writes.includes("next"), scene.lost, scene.memory.used], [false, 1, 0]);
});

const piece = fc.oneof(
  fc.record({ append: fc.integer({ min: 1, max: 3000 }) }),
  fc.record({ publish: fc.constantFrom(10, SHARED, SHARED + 1) }),
  fc.constant("mark" as const),
  fc.constant("permit" as const),
  fc.record({ write: fc.constantFrom(1, 1000, 50_000, Infinity) }),
);

Deno.test("Law: what goes out is what was appended, in order, no further than it may, whatever is written when", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40, size: "max" }), async (pieces) => {
      const memory = new Memory(Infinity), turn = new Turn(systemClock, () => {}); // who flushes is the test
      let pending: { readonly bytes: Uint8Array; readonly resolve: (count: number) => void } | undefined;
      const owner = {
        roomAgain() {},
        writeFailed() {},
        write: (bytes: Uint8Array) => new Promise<number>((resolve) => pending = { bytes, resolve }),
      };
      const outbox = new Outbox(owner, { turn, pool: new ChunkPool(memory) }, 1000), out: Uint8Array[] = [];
      const appended: Uint8Array[] = [], marks: number[] = [];
      let permitted = 0;
      const total = (all: readonly Uint8Array[]) => all.reduce((sum, { length }) => sum + length, 0);
      const write = async (most: number) => {
        const { bytes, resolve } = pending ?? {}, count = Math.min(most, bytes?.length ?? 0);
        pending = undefined;
        if (bytes) out.push(new Uint8Array(bytes.subarray(0, count)));
        resolve?.(count);
        for (let i = 0; i < 5; i++) await Promise.resolve();
        assert(total(out) <= permitted);
      };
      for (const [i, piece] of pieces.entries()) {
        const letter = String.fromCharCode(97 + i % 26);
        if (piece === "mark") marks.push(outbox.mark());
        else if (piece === "permit") outbox.flush(permitted = marks.shift() ?? permitted);
        else if ("append" in piece) {
          appended.push(Buffer.alloc(piece.append, letter));
          outbox.append(appended.at(-1)!);
        } else if ("publish" in piece) {
          appended.push(Buffer.concat([Buffer.from("<"), Buffer.alloc(piece.publish, letter)]));
          outbox.appendPublish(largeFrame(letter, piece.publish), 0, false);
        } else await write(piece.write);
      }
      outbox.flush(permitted = Infinity);
      while (pending) await write(Infinity);
      assertEquals(Buffer.compare(Buffer.concat(out), Buffer.concat(appended)), 0);
      assertEquals([memory.used, outbox.full], [0, false]);
    }),
    { numRuns: 100 },
  );
});
