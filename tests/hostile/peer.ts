// A client of bytes: it knows no packets, and has every way to leave that a socket has. Over node:net, because Deno's own sockets can't
// reset a connection.
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { soon } from "./soon.ts";

/** One connection of an attacker. */
export class Peer implements Disposable {
  /** Resolves when the broker has ended the connection, or it was lost. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.setNoDelay(true);
    socket.on("error", () => {}); // reset, or written to when it was closed: `ended` tells it
    socket.on("data", (bytes) => this.#take(bytes as Buffer));
  }

  /** Connects to a port of this machine. */
  static async to(port: number): Promise<Peer> {
    const socket = connect(port, "127.0.0.1");
    await soon(
      new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject)),
      "connect",
    );
    return new Peer(socket);
  }

  /** Its own port, by which the other side knows it. */
  get port(): number {
    return this.#socket.localPort!;
  }

  /** Everything that has come so far. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Sends bytes; resolves when the system has taken them, or never will. */
  send(...bytes: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve) => this.#socket.write(Buffer.concat(bytes), () => resolve()));
  }

  /** Resolves to everything that has come when that is so many bytes, or the end. */
  async receive(count = Infinity): Promise<Buffer> {
    const ended = this.ended.then(() => true);
    while (this.#length < count) {
      const over = await soon(Promise.race([this.#changed.promise, ended]), `${count} bytes`);
      if (over) break;
    }
    return this.received;
  }

  /** Reads nothing from now on. */
  freeze(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  thaw(): void {
    this.#socket.resume();
  }

  /** Says that it will send nothing more; the way back stays open. */
  closeWrite(): void {
    this.#socket.end();
  }

  /** Resets the connection: no end of the stream, and what is on its way is lost. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
