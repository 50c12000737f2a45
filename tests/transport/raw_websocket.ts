// A WebSocket client that a test holds by its frames: it reads and writes them one by one, right or wrong, over a plain
// connection.
import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import type { ByteStream } from "../../src/transport/transport.ts";

/** The kinds of frames. */
export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

/** A frame that the server has sent. */
export interface Frame {
  readonly kind: number;
  readonly payload: Buffer;
}

/** One end of an open WebSocket; as a stream, it carries bytes in binary frames. */
export class RawWebSocket implements ByteStream {
  readonly remote = "raw";
  /** The response of the server, as text. */
  readonly head: string;
  readonly #conn: Deno.Conn;
  #received: Buffer;
  /** What is left of the last binary frame. */
  #rest: Buffer = Buffer.alloc(0);

  private constructor(conn: Deno.Conn, head: string, received: Buffer) {
    this.#conn = conn;
    this.head = head;
    this.#received = received;
  }

  /** Asks for a WebSocket, and resolves when the server has answered; a test may leave out or add headers. */
  static async open(port: number, headers: Readonly<Record<string, string>> = {}, path = "/"): Promise<RawWebSocket> {
    const conn = await Deno.connect({ port, hostname: "127.0.0.1" });
    const all = {
      "Host": "localhost",
      "Connection": "Upgrade",
      "Upgrade": "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Protocol": "mqtt",
      ...headers,
    };
    const lines = Object.entries(all).filter(([, value]) => value).map(([name, value]) => `${name}: ${value}\r\n`);
    await conn.write(Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`));
    let received = Buffer.alloc(0), end = -1;
    for (; end < 0; end = received.indexOf("\r\n\r\n")) received = Buffer.concat([received, await some(conn)]);
    return new RawWebSocket(conn, received.subarray(0, end).toString(), Buffer.from(received.subarray(end + 4)));
  }

  /** The same, where the server must accept. */
  static async accepted(...request: Parameters<typeof RawWebSocket.open>): Promise<RawWebSocket> {
    const socket = await RawWebSocket.open(...request);
    assertMatch(socket.head, /^HTTP\/1.1 101 /);
    return socket;
  }

  /** Sends a frame, masked with zeros; `final` is false where another one continues it. */
  async send(kind: number, payload: Uint8Array | string = "", final = true): Promise<void> {
    const body = Buffer.from(payload as string), head = Buffer.alloc(14);
    head[0] = (final ? 0x80 : 0) | kind;
    const long = body.length > 65_535, size = body.length < 126 ? 2 : long ? 10 : 4;
    head[1] = 0x80 | (size === 2 ? body.length : long ? 127 : 126);
    if (size === 4) head.writeUInt16BE(body.length, 2);
    if (size === 10) head.writeUInt32BE(body.length, 6);
    await this.sendBytes(Buffer.concat([head.subarray(0, size + 4), body]));
  }

  /** Sends bytes that need not be a frame. */
  async sendBytes(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#conn.write(rest));
  }

  /** The next frame; undefined at the end of the connection. */
  async frame(): Promise<Frame | undefined> {
    for (;;) {
      const found = this.#takeFrame();
      if (found) return found;
      const piece = await some(this.#conn);
      if (piece.length === 0) return undefined;
      this.#received = Buffer.concat([this.#received, piece]);
    }
  }

  #takeFrame(): Frame | undefined {
    const bytes = this.#received;
    if (bytes.length < 10 && bytes.length < 2 + (bytes[1] ?? 0)) return undefined;
    const short = bytes[1]!, at = short < 126 ? 2 : short === 126 ? 4 : 10;
    const size = at === 2 ? short : at === 4 ? bytes.readUInt16BE(2) : bytes.readUInt32BE(6);
    if (bytes.length < at + size) return undefined;
    this.#received = bytes.subarray(at + size);
    return { kind: bytes[0]! & 15, payload: bytes.subarray(at, at + size) };
  }

  /** The body of a response that is no WebSocket, as far as it has come. */
  async body(): Promise<string> {
    if (this.#received.length === 0) this.#received = await some(this.#conn);
    return this.#received.toString();
  }

  /** Takes the frames up to a close frame, which must have this code; answers it. */
  async expectClose(code: number): Promise<void> {
    let frame = await this.frame();
    while (frame && frame.kind !== CLOSE) frame = await this.frame();
    assertEquals(frame?.payload.readUInt16BE(0), code);
    await this.send(CLOSE, frame!.payload.subarray(0, 2));
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const frame = await this.frame();
      if (!frame || frame.kind === CLOSE) return null;
      assertEquals(frame.kind, BINARY);
      this.#rest = frame.payload;
    }
    const count = this.#rest.copy(buffer);
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.send(BINARY, bytes);
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    return this.send(CLOSE, Buffer.from([1000 >> 8, 1000 & 255]));
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It was closed before.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function some(conn: Deno.Conn): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(65_536), count = await conn.read(buffer).catch(() => null);
  return buffer.subarray(0, count ?? 0);
}
