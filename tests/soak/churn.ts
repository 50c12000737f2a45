// Clients that come to a broker and go, one behind the other and many at a time.
import type { Version } from "../bench/wire.ts";
import type { Random } from "../fuzz/random.ts";
import { SoakClient, type Tally } from "./client.ts";
import { visits } from "./visits.ts";

/** Where visits go to. */
export class Churn {
  readonly tally: Tally = { connections: 0, operations: 0 };
  readonly random: Random;
  readonly #port: number;
  #names = 0;

  constructor(port: number, random: Random) {
    this.#port = port;
    this.random = random;
  }

  /** A name that was never used before. */
  fresh(): string {
    return `${(this.#names++).toString(36)}-${this.random.next().toString(36)}`;
  }

  get version(): Version {
    return this.random.oneIn(2) ? 4 : 5;
  }

  open(version: Version): Promise<SoakClient> {
    return SoakClient.open(this.#port, version, this.tally);
  }

  connect(version: Version, about: object = {}): Promise<SoakClient> {
    return SoakClient.connect(this.#port, version, this.tally, { clientId: `guest-${this.fresh()}`, ...about });
  }

  /** Visits, one after the other, until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.random.weighted(visits)(this);
  }
}
