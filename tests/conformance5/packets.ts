// What the tests of MQTT 5.0 write and read byte by byte: properties, which may break any rule, and a client that keeps the bytes
// that it is sent, because only they show the order of user properties.
import type { Broker } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory.ts";
import type { ByteStream } from "../../src/transport/transport.ts";
import { type PacketLike, TestClient } from "../support/client.ts";
import { field } from "../conformance/support.ts";

/** A variable byte integer (5.0 section 1.5.5). */
export function varint(value: number): number[] {
  return value < 128 ? [value] : [value & 0x7f | 0x80, ...varint(Math.floor(value / 128))];
}

/** A packet of any size behind its fixed header. */
export function packet(head: number, ...body: readonly number[]): number[] {
  return [head, ...varint(body.length), ...body];
}

/** Properties behind their length. */
export function properties(...list: readonly (readonly number[])[]): number[] {
  return [...varint(list.flat().length), ...list.flat()];
}

/** Each property of a PUBLISH as bytes (5.0 section 2.2.2.2). */
export const property = {
  payloadFormat: (value: number): number[] => [1, value],
  expiry: (seconds: number): number[] => [2, ...[24, 16, 8, 0].map((shift) => seconds >>> shift & 0xff)],
  contentType: (value: string | readonly number[]): number[] => [3, ...field(value)],
  responseTopic: (value: string | readonly number[]): number[] => [8, ...field(value)],
  correlation: (value: readonly number[]): number[] => [9, ...field(value)],
  identifier: (value: number): number[] => [11, ...varint(value)],
  alias: (value: number): number[] => [35, value >> 8, value & 0xff],
  user: (name: string | readonly number[], value: string | readonly number[]): number[] => [
    38,
    ...field(name),
    ...field(value),
  ],
} as const;

/** The parts of a PUBLISH. */
interface PublishParts {
  readonly topic?: string | readonly number[];
  readonly qos?: number;
  readonly id?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly properties?: readonly (readonly number[])[];
  readonly payload?: string;
}

/** A PUBLISH of 5.0, right or wrong; by default on the topic "t", of QoS 0, with no properties and no payload. */
export function publishFrame(parts: PublishParts = {}): number[] {
  const { topic = "t", qos = 0, id = 1, retain = false, dup = false, payload = "" } = parts;
  const flags = Number(dup) << 3 | qos << 1 | Number(retain), text = new TextEncoder().encode(payload);
  const identifier = qos > 0 ? [id >> 8, id & 0xff] : [];
  return packet(0x30 | flags, ...field(topic), ...identifier, ...properties(...parts.properties ?? []), ...text);
}

/** How many bytes the value of a property takes, by its identifier. */
const sizes: Readonly<Record<number, number>> = { 1: 1, 2: 4, 35: 2 };

/** The properties in the bytes of one PUBLISH, each as its bytes; those of the same kind in their order. */
export function propertiesIn(frame: readonly number[]): number[][] {
  const at = (position: number) => frame[position]!;
  const skipVarint = (position: number): number => at(position) < 128 ? position + 1 : skipVarint(position + 1);
  const skipField = (position: number) => position + 2 + (at(position) << 8 | at(position + 1));
  const start = skipField(skipVarint(1)) + (at(0) & 0x06 ? 2 : 0), list = skipVarint(start), found: number[][] = [];
  const length = frame.slice(start, list).reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0);
  for (let from = list; from < list + length;) {
    const id = at(from), size = sizes[id];
    const value = from + 1, end = size !== undefined ? value + size : id === 11 ? skipVarint(value) : skipField(value);
    const to = id === 38 ? skipField(end) : end;
    found.push(frame.slice(from, to));
    from = to;
  }
  return found.toSorted((a, b) => a[0]! - b[0]!); // stable
}

/** A client that keeps the bytes that it is sent. */
export class RecordingClient extends TestClient {
  readonly #seen: number[];

  constructor(stream: ByteStream) {
    const seen: number[] = [];
    super({
      ...stream,
      async read(buffer) {
        const count = await stream.read(buffer);
        seen.push(...buffer.subarray(0, count ?? 0));
        return count;
      },
    }, 5);
    this.#seen = seen;
  }

  /** One over the in-memory transport that has sent nothing yet. */
  static over(broker: Broker): RecordingClient {
    const [ours, theirs] = memoryPair();
    broker.accept(theirs);
    return new RecordingClient(ours);
  }

  /** Connects with 5.0 over the in-memory transport; the bytes behind the CONNACK are there to be taken. */
  static async connected(broker: Broker, options: Partial<PacketLike> = {}): Promise<RecordingClient> {
    const client = RecordingClient.over(broker);
    await client.connect({ clientId: "recording", protocolVersion: 5, ...options });
    client.#seen.splice(0, 2 + client.#seen[1]!); // the CONNACK, which is short
    return client;
  }

  /** Resolves when the broker has ended the connection, whatever came before that. */
  async drained(): Promise<void> {
    const isEnd = (error: Error) => error.message.startsWith("Connection ended");
    for (let ended = false; !ended;) {
      ended = await this.receive().then(() => false, (error) => isEnd(error) || Promise.reject(error));
    }
    this.stream.close();
  }

  /** The bytes that have come since the last call. */
  taken(): number[] {
    return this.#seen.splice(0);
  }

  /** Receives a PUBLISH that is all that has come since the last call, and returns its bytes. */
  async publishBytes(): Promise<number[]> {
    await this.expect({ cmd: "publish" });
    return this.taken();
  }
}
