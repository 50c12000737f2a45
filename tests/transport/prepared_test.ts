// Connections that have something to say before MQTT begins, more of them than may be getting ready at a time.
import { assertEquals } from "@std/assert";
import { type FailedConnection, prepared } from "../../src/transport/prepared.ts";
import { listenTcp, tcpStream } from "../../src/transport/tcp.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { Mailbox } from "../support/mailbox.ts";
import { Accepting } from "./ends.ts";
import { send } from "./streams.ts";

/** Ready is who has sent a byte. */
async function greeted(stream: ByteStream): Promise<ByteStream> {
  await stream.read(new Uint8Array(1));
  return stream;
}

/** Room for two, and the connections that failed. */
class Crowded extends Accepting {
  readonly clock: VirtualClock;
  readonly failures: Mailbox<FailedConnection>;

  constructor() {
    const clock = new VirtualClock(), failures = new Mailbox<FailedConnection>("Failures");
    super(prepared(listenTcp({ port: 0 }), greeted, { clock, most: 2, onFailure: (failed) => failures.put(failed) }));
    this.clock = clock;
    this.failures = failures;
  }

  /** A client that is waiting, at the latest when the others are. */
  async client(): Promise<ByteStream> {
    const client = tcpStream(await Deno.connect({ port: this.acceptor.port, hostname: "127.0.0.1" }));
    await settle();
    return client;
  }
}

Deno.test("Who comes while there is no room waits until one of the others is ready", async () => {
  using crowded = new Crowded();
  const [, second, third] = [await crowded.client(), await crowded.client(), await crowded.client()];
  await send(third, "x");
  await crowded.clock.advance(999);
  await send(second, "x");
  for (const _ of [second, third]) (await crowded.next()).close();
  assertEquals(crowded.failures.rest(), []);
});

Deno.test("Who has been silent longest, and for a second, makes room for who comes", async () => {
  using crowded = new Crowded();
  const first = await crowded.client();
  await crowded.clock.advance(600);
  const second = await crowded.client(), third = await crowded.client();
  await send(third, "x");
  await crowded.clock.advance(399);
  assertEquals(crowded.failures.rest(), []);
  await crowded.clock.advance(1);
  const { error } = await crowded.failures.take();
  assertEquals(error.message, "It made room for others after 1000 ms: 2 connections were getting ready at a time");
  (await crowded.next()).close();
  assertEquals(await first.read(new Uint8Array(1)), null);
  await send(second, "x");
  (await crowded.next()).close();
  assertEquals([crowded.failures.rest(), crowded.clock.pending], [[], 0]);
});

Deno.test("An acceptor that is closed while somebody waits for room ends, and everybody is let go of", async () => {
  using crowded = new Crowded();
  const clients = [await crowded.client(), await crowded.client(), await crowded.client()];
  const ended = crowded.ended();
  crowded.acceptor.close();
  await ended;
  for (const client of clients) assertEquals(await client.read(new Uint8Array(1)).catch(() => null), null);
  assertEquals([crowded.failures.rest(), crowded.clock.pending], [[], 0]);
});
