// Somebody else: a client that does nothing but what is right, and must not feel that others do not.
import { bytes, subscribe } from "./bytes.ts";
import { Peer } from "./peer.ts";

const beep = bytes({ cmd: "publish", topic: "sign/of/life", payload: "beep", qos: 0 });

/** A client that talks to itself over the broker. */
export class Witness implements Disposable {
  readonly #peer: Peer;
  #received = 4 + 5;

  private constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** Connects over TCP. */
  static async of(port: number): Promise<Witness> {
    const witness = new Witness(await Peer.to(port));
    await witness.#peer.send(bytes({ cmd: "connect", clientId: "witness" }), subscribe(["sign/of/life"]));
    await witness.#peer.receive(witness.#received);
    return witness;
  }

  /** A message goes its way through the broker and comes back; resolves to the milliseconds that this took. */
  async beat(): Promise<number> {
    const start = performance.now(), received = this.#received += beep.length;
    await this.#peer.send(beep);
    const all = await this.#peer.receive(received);
    if (!all.subarray(-beep.length).equals(beep)) throw new Error("Connection ended, or another message came");
    return performance.now() - start;
  }

  /** Does that as long as `work` is under way; resolves to the longest that it took. */
  async longest(work: Promise<unknown>): Promise<number> {
    let longest = 0, working = true;
    const done = work.finally(() => working = false);
    done.catch(() => {}); // which is told below, unless the witness fails first
    while (working) longest = Math.max(longest, await this.beat());
    await done;
    return longest;
  }

  [Symbol.dispose](): void {
    this.#peer[Symbol.dispose]();
  }
}
