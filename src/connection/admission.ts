// Who may come at all: the connections of a broker, counted in all and by address. One too many is told so when it has said who it
// is (a CONNACK answers a CONNECT); but where those that have not said it pile up, it is closed without a word.
import { MqttError } from "../errors.ts";
import type { Memory } from "../memory.ts";
import type { ResolvedLimits } from "../options.ts";
import type { Connection } from "./connection.ts";

/** How many more than the limit are let in to be told that there are too many. */
const TOLD = 1000;

/** The connections at present, and how many there may be. */
export class Admission {
  readonly connections: Set<Connection> = new Set();
  readonly #limits: ResolvedLimits;
  readonly #memory: Memory;
  /** Counted only where it is limited. */
  readonly #byAddress = new Map<string, number>();

  constructor(limits: ResolvedLimits, memory: Memory) {
    this.#limits = limits;
    this.#memory = memory;
  }

  /** Lets a connection in to say who it is; otherwise the reason why not. */
  enter(connection: Connection): MqttError | undefined {
    if (this.connections.size >= this.#limits.connections + TOLD) return this.#tooMany();
    const { connectionsPerAddress: limit } = this.#limits;
    if (limit < Infinity) {
      const address = addressOf(connection.remote), count = this.#byAddress.get(address) ?? 0;
      if (count >= limit * 2 + 1) return this.#tooManyFrom(address);
      this.#byAddress.set(address, count + 1);
    }
    this.connections.add(connection);
    return undefined;
  }

  /** @throws {MqttError} where there are too many, or no memory for more */
  admit(connection: Connection): void {
    if (this.connections.size > this.#limits.connections) throw this.#tooMany();
    const address = addressOf(connection.remote);
    if ((this.#byAddress.get(address) ?? 0) > this.#limits.connectionsPerAddress) throw this.#tooManyFrom(address);
    if (this.#memory.scarce) throw new MqttError("server-busy", "The broker has no memory for more clients now");
  }

  /** A connection has ended. */
  leave(connection: Connection): void {
    this.connections.delete(connection);
    if (this.#limits.connectionsPerAddress === Infinity) return;
    const address = addressOf(connection.remote), count = this.#byAddress.get(address) ?? 0;
    if (count > 1) this.#byAddress.set(address, count - 1);
    else this.#byAddress.delete(address);
  }

  #tooMany(): MqttError {
    return new MqttError("server-unavailable", `There are ${this.#limits.connections} connections already`);
  }

  #tooManyFrom(address: string): MqttError {
    const { connectionsPerAddress } = this.#limits;
    return new MqttError("quota-exceeded", `There are ${connectionsPerAddress} connections from ${address} already`);
  }
}

/** The address without its port. */
function addressOf(remote: string): string {
  return /:\d+$/.test(remote) ? remote.slice(0, remote.lastIndexOf(":")) : remote;
}
