// The edge of the broker: what it needs of a network connection, and of something that accepts them. Everything behind this
// interface is free of sockets.

/** A client's certificate that has been verified. */
export interface ClientCertificate {
  /** The common name of its subject; empty where it has none. */
  readonly commonName: string;
  /** Its SHA-256 as pairs of upper-case hexadecimal digits with colons between them. */
  readonly fingerprint: string;
}

/** A connection as a stream of bytes in both directions. One read and one write may be under way at a time. */
export interface ByteStream {
  /** Address and port of the other side, for people. */
  readonly remote: string;
  /** What the other side has proven to be, where that was asked of it. */
  readonly certificate?: ClientCertificate | undefined;
  /** Reads into `buffer`; resolves to the number of bytes, or null at the end of the stream. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes at least one byte of `bytes`; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Says that nothing more will be written. Never rejects. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once; a read or write under way rejects. May be called again. */
  close(): void;
}

/**
 * Checks how many bytes a stream, which may be anybody's, says that it has read or written. After a count that can't be, nobody knows
 * what has come or gone, and a loop that waits for the rest of it would never end.
 *
 * @throws {RangeError} where it is no number from `least` to `most`
 */
export function requireCount(count: number, least: number, most: number): void {
  if (Number.isInteger(count) && count >= least && count <= most) return;
  throw new RangeError(`Stream tells of "${count}" bytes, not of ${least} to ${most}`);
}

/** Something that accepts connections: they come as an asynchronous iterable, which ends when it is closed. */
export interface Acceptor extends AsyncIterable<ByteStream> {
  /** Where it listens, as a URL. */
  readonly address: string;
  /** Its port; 0 where it has none, such as on a Unix socket. */
  readonly port: number;
  /** Stops to accept. May be called again. */
  close(): void;
}
