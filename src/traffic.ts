// What has gone through a broker, counted where packets come and go, and read when somebody asks. In an array of floating-point numbers,
// which are added to in place however large they become. Packets are counted when they are handed to the outbox: the bytes of one whose
// client is lost before it takes them are counted, too.

/** The traffic of one broker since it began. */
export interface TrafficCounts {
  /** MQTT packets of every kind. */
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** PUBLISH packets. */
  readonly publishReceived: number;
  readonly publishSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Counts it. */
export class Traffic {
  readonly #counts = new Float64Array(6);

  /** Bytes have come. */
  came(bytes: number): void {
    this.#counts[4]! += bytes;
  }

  /** They were a packet. */
  received(publish: boolean): void {
    this.#counts[0]!++;
    if (publish) this.#counts[2]!++;
  }

  /** A packet leaves. */
  sent(bytes: number, publish: boolean): void {
    this.#counts[1]!++;
    this.#counts[5]! += bytes;
    if (publish) this.#counts[3]!++;
  }

  /** The counts so far. */
  get counts(): TrafficCounts {
    const [packetsReceived, packetsSent, publishReceived, publishSent, bytesReceived, bytesSent] = this
      .#counts as unknown as [number, number, number, number, number, number];
    return { packetsReceived, packetsSent, publishReceived, publishSent, bytesReceived, bytesSent };
  }
}
