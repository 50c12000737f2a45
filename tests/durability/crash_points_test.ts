// The broker dies between any two steps of small scenes, whatever it is doing: what its clients know in the end is as if nothing had
// happened. Every scene is played once for each change and each commit that it makes, and dies there.
import { assert, assertEquals } from "@std/assert";
import type { BrokerOptions } from "../../mod.ts";
import { Random } from "../hostile/random.ts";
import { Book } from "./book.ts";
import { CrashingWorld } from "./crashing_world.ts";
import type { FaithfulClient } from "./faithful_client.ts";

interface Scene {
  readonly what: string;
  readonly options?: BrokerOptions;
  /** Plays it to its end; resolves to what is wrong beside the book. */
  play(world: CrashingWorld, book: Book): Promise<readonly string[] | void>;
}

/** Starts clients one after the other. */
async function started(world: CrashingWorld, ...ids: readonly string[]): Promise<FaithfulClient[]> {
  const clients = ids.map((id, i) => world.client(id, { level: i % 2 === 0 ? 4 : 5 }));
  for (const client of clients) await client.start();
  return clients;
}

/** Publishes messages at QoS 1 and 2 in turn, not waiting for each other. */
async function publishAll(book: Book, client: FaithfulClient, topic: string, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => {
    return book.publish(client, topic, `${client.id} ${topic} ${book.published}`, i % 2 === 0 ? 1 : 2);
  }));
}

/** What a new subscriber finds retained. */
async function retainedIn(world: CrashingWorld): Promise<Map<string, string>> {
  const [reader] = await started(world, "reader");
  await reader!.subscribe("#", 1);
  await world.rest();
  return new Map(reader!.receipts.filter(({ retain }) => retain).map(({ topic, payload }) => [topic, payload]));
}

const scenes: readonly Scene[] = [
  {
    what: "messages of QoS 1 and 2 for one who is there",
    async play(world, book) {
      const [a, b] = await started(world, "a", "b") as [FaithfulClient, FaithfulClient];
      await book.subscribe(b, "t/#", 2);
      await publishAll(book, a, "t/1", 4);
      await book.publish(a, "t/2", "last", 2);
    },
  },
  {
    what: "messages for one who was away, and takes them one by one",
    options: { limits: { inflight: 1 } },
    async play(world, book) {
      const [a, b] = await started(world, "a", "b") as [FaithfulClient, FaithfulClient];
      await book.subscribe(b, "t", 2);
      await b.stop();
      await publishAll(book, a, "t", 4);
      await b.start();
      await publishAll(book, a, "t", 2);
    },
  },
  {
    what: "connections that are lost, and taken over",
    async play(world, book) {
      const [a, b] = await started(world, "a", "b") as [FaithfulClient, FaithfulClient];
      await book.subscribe(b, "t", 2);
      const published = publishAll(book, a, "t", 4);
      for (const client of [a, b, a]) {
        client.cut();
        await Promise.resolve();
      }
      await published;
      b.cut();
    },
  },
  {
    what: "subscriptions that come and go, and overlap",
    async play(world, book) {
      const [a, b] = await started(world, "a", "b") as [FaithfulClient, FaithfulClient];
      await book.subscribe(b, "t/#", 2);
      await publishAll(book, a, "t/1", 2);
      await book.subscribe(b, "t/+", 2);
      await publishAll(book, a, "t/1", 2);
      await book.unsubscribe(b, "t/#");
      await publishAll(book, a, "t/1", 2);
      await book.unsubscribe(b, "t/+");
      await publishAll(book, a, "t/1", 2);
    },
  },
  {
    what: "retained messages that are replaced and removed",
    async play(world, book) {
      const [a] = await started(world, "a") as [FaithfulClient];
      for (const payload of ["1", "2", "3"]) await book.publish(a, "r/1", payload, 1, true);
      for (const payload of ["4", ""]) await book.publish(a, "r/2", payload, 2, true);
      await book.publish(a, "r/3", "5", 2, true);
      const found = await retainedIn(world);
      return same(found, book.retained) ? [] : [`Retained are ${JSON.stringify([...found])}`];
    },
  },
  {
    what: "a will of each connection that is lost, and of none that is not",
    async play(world) {
      const [b] = await started(world, "b") as [FaithfulClient];
      await b.subscribe("w", 2);
      const a = world.client("a", { will: (n) => ({ topic: "w", payload: `${n}`, qos: 2, retain: false }) });
      await a.start();
      a.cut();
      await a.stop("drop");
      await a.start();
      await world.rest();
      await a.stop("disconnect");
      await world.rest();
      return willFaults(world, a, b);
    },
  },
  {
    what: "a group that shares its messages",
    async play(world, book) {
      const [a, b, c] = await started(world, "a", "b", "c") as [FaithfulClient, FaithfulClient, FaithfulClient];
      for (const client of [b, c]) await client.subscribe("$share/g/t", 2);
      await publishAll(book, a, "t", 4);
      await world.rest();
      const received = [...b.receipts, ...c.receipts].filter(({ qos }) => qos === 2).map(({ payload }) => payload);
      const all = new Set([...b.receipts, ...c.receipts].map(({ payload }) => payload));
      return received.length === 2 && all.size === 4 ? [] : [`Received are ${[...all]}, at QoS 2 ${received}`];
    },
  },
];

function same(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

/** Each connection that was accepted has left its will once, but the last one, which has said goodbye. */
function willFaults(world: CrashingWorld, { accepted }: FaithfulClient, { receipts }: FaithfulClient): string[] {
  const published = receipts.map(({ payload }) => Number(payload)), last = accepted.at(-1)!;
  const missing = accepted.filter((attempt) => attempt !== last && !published.includes(attempt));
  const twice = published.filter((attempt, i) => published.indexOf(attempt) < i);
  const wrong = world.crashes === 0 ? published.filter((attempt) => attempt === last) : [];
  return [
    ...missing.map((attempt) => `Will ${attempt} was not published`),
    ...twice.map((attempt) => `Will ${attempt} was published twice`),
    ...wrong.map((attempt) => `Will ${attempt} was published`),
  ];
}

/** Plays a scene, in which the broker dies, and resolves to what is wrong. */
async function play(
  scene: Scene,
  deaths: readonly number[],
): Promise<{ faults: string[]; steps: number; crashes: number }> {
  await using world = new CrashingWorld(deaths, scene.options);
  const book = new Book(), others = await scene.play(world, book) ?? [], unrest = await world.rest();
  return { faults: [...unrest, ...others, ...book.faults()], steps: world.steps, crashes: world.crashes };
}

for (const scene of scenes) {
  Deno.test(`Wherever the broker dies, it is as if it had not: ${scene.what}`, async () => {
    const { faults, steps } = await play(scene, []);
    assertEquals(faults, []);
    assert(steps > 10, `There are ${steps} steps`);
    const random = new Random(steps);
    for (let step = 1; step <= steps; step++) {
      const deaths = [step, ...step % 3 === 0 ? [1 + random.below(20)] : []]; // at times the next one dies, too
      const { faults, crashes } = await play(scene, deaths);
      assertEquals(faults, [], `Deaths after ${deaths} steps`);
      assert(crashes > 0, `It did not die after ${step} steps`);
    }
  });
}
