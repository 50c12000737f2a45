// Who may come at all: the connections of a broker, counted in all and by address (place.ts). One too many is told so when it has
// said who it is (a CONNACK answers a CONNECT); but where those that have not said it pile up, it is closed without a word. Who has been
// let in takes a place that others could have, and so does who is being decided about: strangers, and those that were refused, do not.
import { MqttError } from "../errors.ts";
import type { Memory } from "../memory.ts";
import type { ResolvedLimits } from "../options.ts";
import { placeOf } from "../place.ts";
import type { Session } from "../session/session.ts";
import type { Connection } from "./connection.ts";
import { Rates } from "./rates.ts";

/** How many more than the limit may be there to be told that there are too many. */
const TOLD = 1000;

/** The connections from one address: all, and those that were let in. */
interface Count {
  connections: number;
  admitted: number;
}

/** The connections at present, and how many there may be. */
export class Admission {
  readonly connections: Set<Connection> = new Set();
  /** How fast those publish that come and go. */
  readonly rates: Rates = new Rates();
  readonly #limits: ResolvedLimits;
  readonly #memory: Memory;
  #admitted = 0;
  /** Counted only where it is limited. */
  readonly #byAddress = new Map<string, Count>();

  constructor(limits: ResolvedLimits, memory: Memory) {
    this.#limits = limits;
    this.#memory = memory;
  }

  /** Lets a connection say who it is; otherwise the reason why not. */
  enter(connection: Connection): MqttError | undefined {
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.connections.size >= connections + TOLD) return this.#tooMany();
    if (connectionsPerAddress < Infinity) {
      const address = placeOf(connection.remote), count = this.#byAddress.get(address);
      if (!count) this.#byAddress.set(address, { connections: 1, admitted: 0 });
      else if (count.connections > connectionsPerAddress * 2) return this.#tooManyFrom(address);
      else count.connections++;
    }
    this.connections.add(connection);
    return undefined;
  }

  /**
   * Gives a client its place, before it is decided about. One that takes over a connection gets the place of that; and one whose session
   * is here is always welcome where memory is scarce: it takes what waits for it.
   *
   * @throws {MqttError} where there are too many, or no memory for more
   */
  admit(connection: Connection, stored: Session | undefined): void {
    const former = stored?.holder, givenUp = former ? 1 : 0, count = this.#countOf(connection);
    if (this.#admitted - givenUp >= this.#limits.connections) throw this.#tooMany();
    const givenUpHere = former && this.#countOf(former) === count ? 1 : 0;
    if (count && count.admitted - givenUpHere >= this.#limits.connectionsPerAddress) {
      throw this.#tooManyFrom(placeOf(connection.remote));
    }
    if (this.#memory.scarce && !stored) {
      throw new MqttError("server-busy", "The broker has no memory for more clients now");
    }
    connection.admitted = true;
    this.#admitted++;
    if (count) count.admitted++;
  }

  /** A connection ends: its place is free from here on. */
  dismiss(connection: Connection): void {
    if (!connection.admitted) return;
    connection.admitted = false;
    this.#admitted--;
    const count = this.#countOf(connection);
    if (count) count.admitted--;
  }

  /** A connection is closed. */
  leave(connection: Connection): void {
    this.connections.delete(connection);
    const count = this.#countOf(connection);
    if (count && --count.connections === 0) this.#byAddress.delete(placeOf(connection.remote));
  }

  #countOf({ remote }: { readonly remote: string }): Count | undefined {
    return this.#byAddress.size > 0 ? this.#byAddress.get(placeOf(remote)) : undefined;
  }

  #tooMany(): MqttError {
    return new MqttError("server-unavailable", `There are ${this.#limits.connections} connections already`);
  }

  #tooManyFrom(address: string): MqttError {
    const { connectionsPerAddress } = this.#limits;
    return new MqttError("quota-exceeded", `There are ${connectionsPerAddress} connections from ${address} already`);
  }
}
