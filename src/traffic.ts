// What has gone through a broker: plain numbers, made larger where packets come and go, and read when somebody asks. Packets are
// counted when they are handed to the outbox: the bytes of one whose client is lost before it takes them are counted, too.

/** The traffic of one broker since it began. */
export class Traffic {
  /** MQTT packets of every kind. */
  packetsReceived = 0;
  packetsSent = 0;
  /** PUBLISH packets. */
  publishReceived = 0;
  publishSent = 0;
  bytesReceived = 0;
  bytesSent = 0;

  /** Bytes have come. */
  came(bytes: number): void {
    this.bytesReceived += bytes;
  }

  /** They were a packet. */
  received(publish: boolean): void {
    this.packetsReceived++;
    if (publish) this.publishReceived++;
  }

  /** A packet leaves. */
  sent(bytes: number): void {
    this.packetsSent++;
    this.bytesSent += bytes;
  }
}
