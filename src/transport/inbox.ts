// What arrives by events and is read by calls: where the network can't be asked for bytes but brings them when they
// come, they lie here until the connection reads them. Invariant: bytes come out as they went in, and an end comes out
// behind them.

/** What a piece costs beside its bytes, so that a flood of tiny ones counts for what it is. */
const OVERHEAD = 256;

interface Reader {
  readonly buffer: Uint8Array;
  resolve(count: number | null): void;
  reject(error: unknown): void;
}

/** The received part of one connection. */
export class Inbox {
  readonly #pieces: Uint8Array[] = [];
  #held = 0;
  #reader: Reader | undefined;
  #end: { readonly error: unknown } | undefined;

  /** What it holds, in bytes of memory. */
  get held(): number {
    return this.#held;
  }

  /** True while a read waits. */
  get wanted(): boolean {
    return this.#reader !== undefined;
  }

  /** Adds what has arrived; the bytes must not change after that. */
  put(piece: Uint8Array): void {
    if (this.#end || piece.length === 0) return;
    this.#pieces.push(piece);
    this.#held += piece.length + OVERHEAD;
    this.#serve();
  }

  /** Nothing more will come, because of an error where one is given; what is there can still be read. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#serve();
  }

  /** Forgets what is there: every read rejects. */
  break(error: unknown): void {
    this.#pieces.length = this.#held = 0;
    this.#end = { error };
    this.#serve();
  }

  /** Reads as `ByteStream.read` does. */
  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#reader = { buffer, resolve, reject };
      this.#serve();
    });
  }

  #serve(): void {
    const reader = this.#reader, piece = this.#pieces[0], end = this.#end;
    if (!reader || !piece && !end) return;
    this.#reader = undefined;
    if (piece) reader.resolve(this.#take(piece, reader.buffer));
    else if (end!.error === undefined) reader.resolve(null);
    else reader.reject(end!.error);
  }

  #take(piece: Uint8Array, buffer: Uint8Array): number {
    const count = Math.min(piece.length, buffer.length);
    buffer.set(count < piece.length ? piece.subarray(0, count) : piece);
    this.#held -= count;
    if (count < piece.length) {
      this.#pieces[0] = piece.subarray(count);
    } else {
      this.#pieces.shift();
      this.#held -= OVERHEAD;
    }
    return count;
  }
}
