// A broker that is killed and started again on the same store, in one process and in virtual time: what was committed is there
// again, and nothing else. The time of day goes on over a restart, as that of a machine does.
import { type Broker, type BrokerEvent, type BrokerOptions, createBroker } from "../../mod.ts";
import type { MemoryStore } from "../../src/store/memory.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { type PacketLike, TestClient } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";
import { Disk } from "./disk.ts";
import { Life } from "./life.ts";

/** When everything begins, in milliseconds of wall time. */
const BEGIN = 1_700_000_000_000;

/** A virtual clock that knows the time of day. */
export class DayClock extends VirtualClock {
  readonly origin: number;

  /** @param time the time of day in milliseconds of wall time */
  constructor(time: number) {
    super();
    this.origin = time - this.now();
  }

  /** The time of day. */
  get time(): number {
    return this.origin + this.now();
  }
}

/** A client that sees how much the broker has written to it. */
export class WatchedClient extends TestClient {
  #written = 0;

  /** A client of a broker in this process; nothing has been sent yet. */
  static of(broker: Broker): WatchedClient {
    const [ours, theirs] = memoryPair(), client = new WatchedClient(ours);
    broker.accept({ ...theirs, write: (bytes) => client.#write(theirs, bytes) });
    return client;
  }

  /** How many bytes have come. */
  get written(): number {
    return this.#written;
  }

  #write(stream: ByteStream, bytes: Uint8Array): Promise<number> {
    this.#written += bytes.length;
    return stream.write(bytes);
  }
}

/** A machine on which a broker runs, again and again. */
export class Machine implements AsyncDisposable {
  /** What lasts. */
  readonly disk: Disk;
  clock: DayClock;
  broker: Broker;
  /** The events of all its brokers. */
  readonly events: BrokerEvent[] = [];
  readonly #options: BrokerOptions;
  #life: Life | undefined;
  readonly #clients = new Set<WatchedClient>();

  constructor(options: BrokerOptions = {}, disk: Disk = new Disk()) {
    this.#options = options;
    this.disk = disk;
    this.clock = new DayClock(BEGIN);
    this.broker = this.#start();
  }

  /** What its disk holds. */
  get store(): MemoryStore {
    return this.disk.store;
  }

  #start(): Broker {
    this.#life = new Life(this.store);
    const broker = createBroker({ ...this.#options, clock: this.clock, store: this.#life.store });
    broker.events.subscribe((event) => this.events.push(event));
    return broker;
  }

  /** Kills the broker: its clients lose their connections, and what was not committed is lost. */
  async crash(): Promise<void> {
    this.#life!.end();
    this.store.crash();
    for (const client of this.#clients) await client.drop();
    this.#clients.clear();
  }

  /** Starts a broker again after so many seconds, during which there was none. */
  async start(seconds = 0): Promise<void> {
    this.clock = new DayClock(this.clock.time + seconds * 1000);
    this.broker = this.#start();
    await settle();
  }

  /** Kills the broker and starts another. */
  async restart(seconds = 0): Promise<void> {
    await this.crash();
    await this.start(seconds);
  }

  /** Closes the broker in order, and starts another. */
  async stopAndStart(seconds = 0): Promise<void> {
    await Promise.all([this.broker.close({ drain: 0 }), this.clock.advance(5000)]);
    await this.start(seconds);
  }

  /** Lets seconds pass while the broker runs. */
  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  /** A client that has sent nothing yet. */
  stranger(): WatchedClient {
    const client = WatchedClient.of(this.broker);
    this.#clients.add(client);
    return client;
  }

  /** A connected client; up to 3.1.1 one whose session lasts, at level 5 one whose session does not, where nothing else is said. */
  async client(clientId: string, options: Partial<PacketLike> = {}): Promise<WatchedClient> {
    const client = this.stranger();
    await client.connect({ clientId, clean: false, ...options });
    return client;
  }

  /** The drops that were told, as `client topic reason*count`. */
  drops(): string[] {
    return this.events.flatMap((event) =>
      event.type === "dropped" ? [`${event.client} ${event.topic} ${event.reason}*${event.count}`] : []
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disk.full = false;
    await this.disk.finishAll();
    for (const client of this.#clients) await client.drop();
    await Promise.all([this.broker.close({ drain: 0 }), this.clock.advance(5000)]);
  }
}
