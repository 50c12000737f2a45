// kill -9 under load, again and again: the command with a store, many kinds of clients that come back by themselves, and a book in
// which all that they know is checked in the end.
import { assert, assertEquals } from "@std/assert";
import { tcpStream } from "../../src/transport/tcp.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { Random } from "../hostile/random.ts";
import type { Process } from "../support/process.ts";
import { temporaryFolder } from "../support/stores.ts";
import { Book } from "./book.ts";
import { portOf, startCommand } from "./command.ts";
import { FaithfulClient, type FaithfulOptions } from "./faithful_client.ts";

/** How often each broker is killed; in CI a hundred times. */
const KILLS = Deno.env.get("CI") ? 100 : 10;

/** The command, which is killed and started again on the same file. */
class MortalBroker implements AsyncDisposable {
  readonly #path: string;
  readonly #options: readonly string[];
  #process: Process | undefined;
  #port = Promise.withResolvers<number>();
  #listening = false;

  constructor(path: string, ...options: readonly string[]) {
    this.#path = path;
    this.#options = options;
  }

  /** Starts it. Clients that wait are let in when it listens. */
  start(): void {
    const process = this.#process = startCommand(this.#path, "--log-level", "error", ...this.#options);
    portOf(process).then((port) => {
      if (process !== this.#process) return;
      this.#listening = true;
      this.#port.resolve(port);
    }, (error) => {
      if (process === this.#process) this.#port.reject(error); // unless it was killed before
    });
  }

  /** Resolves when it listens. */
  async listening(): Promise<void> {
    await this.#port.promise;
  }

  /** Kills it; what it has said of itself must have been nothing. */
  async kill(): Promise<void> {
    const process = this.#process!;
    if (this.#listening) this.#port = Promise.withResolvers(); // those who wait go on doing so
    this.#listening = false;
    this.#process = undefined;
    await process.kill();
    assertEquals(process.errors.rest(), []);
  }

  readonly open = async (): Promise<ByteStream> => {
    const port = await this.#port.promise;
    return tcpStream(await Deno.connect({ port, hostname: "127.0.0.1" }));
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.kill();
  }
}

/** All clients, what they do, and how much of it has happened. */
class Load implements AsyncDisposable {
  readonly book = new Book();
  readonly #broker: MortalBroker;
  readonly #random: Random;
  readonly #clients: FaithfulClient[] = [];
  readonly #working: Promise<void>[] = [];
  #over = false;

  constructor(broker: MortalBroker, random: Random) {
    this.#broker = broker;
    this.#random = random;
  }

  /** How many messages the clients have received. */
  get events(): number {
    return this.#clients.reduce((sum, { receipts }) => sum + receipts.length, 0);
  }

  #client(id: string, options: Partial<FaithfulOptions> = {}): FaithfulClient {
    const level = this.#clients.length % 2 === 0 ? 4 : 5;
    const client = new FaithfulClient({ id, level, open: this.#broker.open, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Works until the end is near. */
  #work(step: () => Promise<unknown>): void {
    const work = async () => {
      while (!this.#over) await step();
    };
    this.#working.push(work());
  }

  async start(): Promise<void> {
    const slowly = (send: () => void) => void setTimeout(send, this.#random.below(20));
    await this.#subscriber("quick", ["m/#", 2]);
    await this.#subscriber("slow", ["m/+/1", 2], slowly);
    await this.#subscriber("choosy", ["m/0/#", 1], slowly);
    const restless = await this.#subscriber("restless", ["m/#", 2]),
      moody = await this.#subscriber("moody", ["m/2/0", 2]);
    await this.book.subscribe(restless, "m/+/2", 2);
    await this.#will("watched");
    for (let i = 0; i < 4; i++) await this.#publisher(i);
    this.#work(() => this.#leave(restless));
    this.#work(() => this.#changeMind(moody));
  }

  async #subscriber(
    id: string,
    [filter, qos]: readonly [string, number],
    acknowledge?: FaithfulOptions["acknowledge"],
  ): Promise<FaithfulClient> {
    const client = this.#client(id, acknowledge && { acknowledge });
    await client.start();
    await this.book.subscribe(client, filter, qos);
    return client;
  }

  /** Publishes to three topics, five messages at a time, and what is retained. */
  async #publisher(number: number): Promise<void> {
    const client = this.#client(`publisher-${number}`);
    await client.start();
    for (let i = 0; i < 5; i++) {
      this.#work(() => {
        const payload = `${number}-${this.book.published}`, qos = this.#random.of([1, 2] as const);
        if (this.#random.below(10) > 0) {
          return this.book.publish(client, `m/${number}/${this.#random.below(3)}`, payload, qos);
        }
        // One QoS a topic: what is sent again at QoS 1 comes behind what is not at QoS 2.
        return this.book.publish(client, `r/${number}/${qos}`, this.#random.of([payload, payload, ""]), qos, true);
      });
    }
  }

  /** Goes away and comes back, in whatever way. */
  async #leave(client: FaithfulClient): Promise<void> {
    await client.stop(this.#random.of(["disconnect", "drop"]));
    await this.#progress(this.#random.below(40));
    await client.start();
    await this.#progress(this.#random.below(40));
  }

  async #changeMind(client: FaithfulClient): Promise<void> {
    await this.book.subscribe(client, "m/1/#", 2);
    await this.#progress(this.#random.below(20));
    await this.book.unsubscribe(client, "m/1/#");
  }

  async #will(id: string): Promise<void> {
    const watcher = this.#client("watcher");
    await watcher.start();
    await watcher.subscribe("w", 2);
    const client = this.#client(id, { will: (n) => ({ topic: "w", payload: `${n}`, qos: 2, retain: false }) });
    await client.start();
    this.#work(() => this.#leave(client));
  }

  #named(id: string): FaithfulClient {
    return this.#clients.find((client) => client.id === id)!;
  }

  /** Resolves when so many messages more have been received by the quick one, or the end is near. */
  async #progress(count: number): Promise<void> {
    const quick = this.#named("quick"), { length } = quick.receipts;
    await quick.until(() => quick.receipts.length >= length + count || this.#over);
  }

  /** The same for the kills. */
  progress(count: number): Promise<void> {
    return this.#progress(count);
  }

  /** Brings everything to rest, and resolves to what is wrong. */
  async finish(): Promise<string[]> {
    this.#over = true;
    await Promise.all(this.#working);
    await this.#named("watched").stop("disconnect");
    const wills = await this.#willFaults();
    for (let before = -1; before < this.events;) {
      before = this.events;
      for (const client of this.#clients) await client.rest();
    }
    return [...wills, ...await this.#retainedFaults(), ...this.book.faults()];
  }

  /** Each connection that was accepted, and not ended by its client, has left its will, once. */
  async #willFaults(): Promise<string[]> {
    const { accepted, ended } = this.#named("watched"), watcher = this.#named("watcher");
    const published = () => watcher.receipts.map(({ payload }) => Number(payload));
    const expected = accepted.filter((attempt) => !ended.includes(attempt));
    await watcher.until(() => expected.every((attempt) => published().includes(attempt)));
    return published().filter((will, i, all) => all.indexOf(will) < i).map((will) =>
      `Will ${will} was published twice`
    );
  }

  async #retainedFaults(): Promise<string[]> {
    const reader = this.#client("reader");
    await reader.start();
    await reader.subscribe("r/#", 1);
    await reader.rest();
    const found = new Map(reader.receipts.map(({ topic, payload }) => [topic, payload])), wanted = this.book.retained;
    return [...new Set([...found.keys(), ...wanted.keys()])].filter((topic) => found.get(topic) !== wanted.get(topic))
      .map((topic) => `Retained on ${topic} is ${found.get(topic)}, not ${wanted.get(topic)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await Promise.all(this.#clients.map((client) => client.stop("drop")));
  }
}

/** Kills it at some moment: after some work, with the first client, or before it listens. */
async function kill(broker: MortalBroker, load: Load, random: Random): Promise<void> {
  if (random.below(10) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(250)));
  else {
    await broker.listening();
    await load.progress(random.of([0, 1, 10, 50, 200]));
  }
  await broker.kill();
}

for (const durability of ["full", "normal"]) {
  Deno.test({
    name: `Killed ${KILLS} times under load, at durability ${durability}, the broker keeps every promise`,
    timeout: 300_000,
    async fn() {
      using folder = temporaryFolder();
      const seed = Date.now() % 1_000_000, random = new Random(seed);
      await using broker = new MortalBroker(`${folder.path}/brook.db`, "--durability", durability);
      await using load = new Load(broker, random);
      broker.start();
      await load.start();
      for (let kills = 0; kills < KILLS; kills++) {
        await kill(broker, load, random);
        broker.start();
      }
      const faults = await load.finish(), { published } = load.book;
      console.log(`${published} messages, ${load.events} receipts, seed ${seed}`);
      assertEquals(faults.slice(0, 20), [], `Seed ${seed}`);
      assert(published > KILLS && load.events > published);
    },
  });
}
