// A TLS connection as a stream, on top of another stream. node:tls reads without end, whether its side is read or not:
// a client could fill the memory. So what it reads from is not the network but a stream in between, which gives it more
// only while a handshake is under way, or somebody waits for bytes.
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { Inbox } from "./inbox.ts";
import type { ByteStream, ClientCertificate } from "./transport.ts";

/**
 * The sizes of reads: small ones for those that hardly speak, larger ones when they are filled; and that of the largest
 * write.
 */
const SMALL = 2048, LARGE = 65_536;

/** The encrypted side: a stream of bytes as node:tls wants it. */
export class Wire extends Duplex {
  readonly #stream: ByteStream;
  #wanted: () => boolean = () => true;
  #asked = false;
  #reading = false;
  #size = SMALL;

  constructor(stream: ByteStream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
  }

  /** From now on, gives bytes only while these are wanted. */
  onlyWhile(wanted: () => boolean): void {
    this.#wanted = wanted;
  }

  override _read(): void {
    this.#asked = true;
    this.pull();
  }

  /** Reads, where bytes are wanted by now. */
  pull(): void {
    if (this.#asked && !this.#reading && this.#wanted()) this.#pull();
  }

  async #pull(): Promise<void> {
    this.#reading = true;
    this.#asked = false;
    try {
      const buffer = Buffer.allocUnsafeSlow(this.#size), count = await this.#stream.read(buffer);
      this.#reading = false;
      if (count === this.#size) this.#size = Math.min(this.#size * 4, LARGE);
      this.push(count === null ? null : buffer.subarray(0, count));
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override async _write(bytes: Buffer, _encoding: unknown, done: (error?: Error | null) => void): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#stream.write(rest));
    } catch (error) {
      return done(error as Error);
    }
    done();
  }

  override async _final(done: () => void): Promise<void> {
    await this.#stream.closeWrite();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.close();
    done(error);
  }
}

/** The readable side, once the handshake is done. */
export class TlsStream implements ByteStream {
  readonly remote: string;
  readonly certificate: ClientCertificate | undefined;
  readonly #socket: TLSSocket;
  readonly #wire: Wire;
  readonly #inbox = new Inbox();
  /** Why nothing can be written any more. */
  #broken: Error | undefined;
  /** Ends the write that is under way: node:tls may forget it. */
  #reject: ((error: Error) => void) | undefined;

  constructor(socket: TLSSocket, wire: Wire, remote: string) {
    this.#socket = socket;
    this.#wire = wire;
    this.remote = remote;
    this.certificate = certificateOf(socket);
    wire.onlyWhile(() => this.#inbox.wanted);
    socket.on("data", (piece: Buffer) => this.#inbox.put(piece));
    socket.on("end", () => this.#inbox.end());
    socket.on("error", (error) => this.#break(error));
    socket.on("close", () => this.#break(new Deno.errors.BrokenPipe("The TLS connection has been closed")));
  }

  #break(error: Error): void {
    this.#inbox.end(error);
    this.#broken ??= error;
    this.#reject?.(error);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const count = this.#inbox.read(buffer);
    this.#wire.pull();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      this.#reject = reject;
      const part = bytes.subarray(0, LARGE);
      this.#socket.write(part, (error) => error ? reject(error) : resolve(part.length));
    });
  }

  /** Says so to the other side, as soon as that takes it. */
  closeWrite(): Promise<void> {
    this.#broken ??= new Deno.errors.BrokenPipe("The TLS connection has been closed for writing");
    this.#socket.end();
    return Promise.resolve();
  }

  close(): void {
    const error = new Deno.errors.Interrupted("Stream was closed");
    this.#inbox.break(error);
    this.#break(error);
    this.#socket.destroy();
  }
}

function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const { subject, fingerprint256 } = socket.getPeerCertificate();
  if (!socket.authorized || !fingerprint256) return undefined; // it is authorized, too, where nothing was asked of it
  return { commonName: [subject?.CN ?? ""].flat()[0]!, fingerprint: fingerprint256 };
}
