// The broker of the soak test, a process of its own: `deno run --allow-net --v8-flags=--expose-gc tests/soak/broker.ts`. It prints
// its port. A message on `soak/sample` has it collect its garbage and publish what it takes then on `soak/samples`. What it holds
// for others is bounded in size and in time, so that it holds nothing a little after everybody has left.
import { type Broker, createBroker, rx } from "../../mod.ts";

/** What the process takes, in bytes. */
export interface Usage {
  readonly heap: number;
  /** Buffers outside of the heap. */
  readonly external: number;
  readonly rss: number;
  /** How often what has happened, by kind of event. */
  readonly counters: Readonly<Record<string, number>>;
}

/** The seconds after which everything is forgotten that a client has left behind. */
export const EXPIRY = 1;

async function usage(counters: ReadonlyMap<string, number>, gc: () => void): Promise<Usage> {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10)); // what waits for a turn of the event loop to be released
  }
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { heap: heapUsed, external, rss, counters: Object.fromEntries(counters) };
}

/** Observes a topic, alone and in a group, and uses an operator, each for a while. */
async function lookAround(broker: Broker, name: string): Promise<void> {
  using _operator = broker.use(rx.tap());
  const about = [{ retained: true }, { group: name }, { noLocal: true }];
  const looking = about.map((options) => broker.topic(`soak/seen/${name}/+`, options).subscribe());
  await broker.publish(`soak/seen/${name}/x`, "seen");
  for (const observer of looking) observer.unsubscribe();
}

async function main(): Promise<void> {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error("Garbage can't be collected: start it with --v8-flags=--expose-gc");
  const stop = new AbortController();
  await using broker = createBroker({
    signal: stop.signal,
    authorize: ({ topic }) => topic.startsWith("soak/slowly/") ? Promise.resolve(!topic.endsWith("0")) : true,
    authenticationMethods: { ask: async ({ challenge }) => (await challenge(new Uint8Array(3))).length > 0 },
    limits: {
      connectTimeout: 1000,
      sessionExpiry: EXPIRY,
      queuedMessages: 100,
      inflight: 20,
      outbox: "16KiB",
    },
  });
  broker.topic("soak/inside/+").subscribe(({ captures: [name] }) => lookAround(broker, name));
  broker.topic("soak/sample").subscribe(async () => {
    await broker.publish("soak/samples", { ...await usage(broker.counters, gc) });
  });
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  console.log(broker.listen({ port: 0 }).port);
  await broker.closed;
  Deno.exit();
}

if (import.meta.main) await main();
