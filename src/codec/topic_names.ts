// Topic names are few, and come again and again. Decoding one, and checking it, costs more than all else about a small
// PUBLISH; so each is decoded once and found again by its bytes, which are compared one by one: a collision costs time,
// not correctness.
import { MqttError } from "../errors.ts";
import { topicNameFault } from "../topics/filter.ts";

const CACHED = 20_000, LONGEST = 256;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Valid topic names by the bytes of their UTF-8. */
export class TopicNames {
  readonly #byHash = new Map<number, string>();

  /**
   * The topic name in `bytes` from `start` to `end`.
   *
   * @throws {MqttError} where it is not well-formed or not valid [MQTT-3.3.2-1], [MQTT-3.3.2-2]
   */
  read(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    let hash = length;
    for (let i = start; i < end; i++) hash = Math.imul(hash, 31) + bytes[i]! | 0;
    const known = this.#byHash.get(hash);
    if (known !== undefined && known.length === length && sameAscii(known, bytes, start)) return known;
    const topic = decode(bytes.subarray(start, end));
    if (length <= LONGEST && topic.length === length) this.#remember(hash, topic);
    return topic;
  }

  #remember(hash: number, topic: string): void {
    if (this.#byHash.size >= CACHED) this.#byHash.clear();
    this.#byHash.set(hash, topic);
  }
}

function sameAscii(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function decode(bytes: Uint8Array): string {
  let topic;
  try {
    topic = utf8.decode(bytes);
  } catch {
    throw new MqttError("malformed-packet", "Topic name is not well-formed UTF-8");
  }
  const fault = topicNameFault(topic);
  if (fault) throw new MqttError("malformed-packet", fault);
  return topic;
}
