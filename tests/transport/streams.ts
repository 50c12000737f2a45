// What the tests of the transports have in common.
import type { ByteStream } from "../../src/transport/transport.ts";

/** A promise of which can be told whether it has settled; a rejection does not count as uncaught. */
export class State<T> {
  readonly promise: Promise<T>;
  settled = false;

  constructor(promise: Promise<T>) {
    this.promise = promise;
    const settle = () => void (this.settled = true);
    promise.then(settle, settle);
  }
}

/** Writes all of a text. */
export async function send(stream: ByteStream, text: string): Promise<void> {
  for (let rest = new TextEncoder().encode(text); rest.length > 0;) rest = rest.subarray(await stream.write(rest));
}

/** Reads once, as text; null at the end. */
export async function readText(stream: ByteStream, size = 1000): Promise<string | null> {
  const buffer = new Uint8Array(size), count = await stream.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}
