// What it costs to turn bytes into packets, and packets into bytes.
import { Buffer } from "node:buffer";
import { Decoder } from "../../src/codec/decode.ts";
import { encode, PublishEncoder } from "../../src/codec/encode.ts";
import { FrameReader } from "../../src/codec/frame.ts";
import { generate, type Packet } from "../../src/codec/mqtt_packet.ts";
import type { ProtocolLevel } from "../../src/codec/packet.ts";
import { Message } from "../../src/message.ts";

const topic = "home/kitchen/temperature", payload = Buffer.alloc(64, "x");
const properties = { contentType: "text/plain", messageExpiryInterval: 60, userProperties: { from: "bench" } };
const publish = { cmd: "publish", topic, payload, retain: false, dup: false, messageId: 7 } as const;
const subscriptions = [{ topic: "home/+/temperature", qos: 1 }, { topic: "garden/#", qos: 0 }];

const received: readonly [name: string, level: ProtocolLevel, packet: object][] = [
  ["PUBLISH, 3.1.1, QoS 0", 4, { ...publish, qos: 0 }],
  ["PUBLISH, 3.1.1, QoS 1", 4, { ...publish, qos: 1 }],
  ["PUBLISH, 5.0, QoS 0, no properties", 5, { ...publish, qos: 0 }],
  ["PUBLISH, 5.0, QoS 1, no properties", 5, { ...publish, qos: 1 }],
  ["PUBLISH, 5.0, QoS 0, three properties", 5, { ...publish, qos: 0, properties }],
  ["PUBLISH, 5.0, QoS 1, three properties", 5, { ...publish, qos: 1, properties }],
  ["PUBACK", 4, { cmd: "puback", messageId: 7 }],
  ["PUBREC", 4, { cmd: "pubrec", messageId: 7 }],
  ["SUBSCRIBE, 3.1.1, two filters", 4, { cmd: "subscribe", messageId: 7, subscriptions }],
  ["SUBSCRIBE, 5.0, two filters", 5, { cmd: "subscribe", messageId: 7, subscriptions }],
];

for (const [name, level, packet] of received) {
  const bytes = generate(packet as Packet, { protocolVersion: level });
  const decoder = new Decoder(), reader = new FrameReader(1_000_000);
  Deno.bench(name, { group: "decode, from a read to a packet", baseline: name === received[0]![0] }, () => {
    reader.space().set(bytes);
    reader.received(bytes.length);
    decoder.decode(reader.next()!, level);
  });
}

const fields = { topic, payload, qos: 1, retain: false, client: "bench" } as const;
const message = new Message(fields),
  described = new Message({
    ...fields,
    properties: { contentType: "text/plain", userProperties: [["from", "bench"]] },
  });

const sent: readonly [name: string, level: ProtocolLevel, message: Message, identifiers?: readonly number[]][] = [
  ["PUBLISH, 3.1.1", 4, message],
  ["PUBLISH, 5.0, no properties", 5, message],
  ["PUBLISH, 5.0, two properties", 5, described],
  ["PUBLISH, 5.0, two properties, subscription identifiers", 5, described, [1, 200]],
];

for (const [name, level, message, identifiers] of sent) {
  const encoder = new PublishEncoder(),
    other = new Message(fields),
    terms = { qos: 1, retain: false, identifiers } as const;
  Deno.bench(name, { group: "encode", baseline: name === sent[0]![0] }, () => {
    encoder.frame(other, 4, { qos: 0, retain: false }); // so that the next message is a new one
    encoder.frame(message, level, terms);
  });
}

const shared = new PublishEncoder();
Deno.bench("PUBLISH, for a subscriber that gets what another one got", { group: "encode" }, () => {
  shared.frame(message, 4, { qos: 1, retain: false });
});

for (const cmd of ["puback", "pubrec"] as const) {
  Deno.bench(`${cmd.toUpperCase()}, with a reason`, { group: "encode" }, () => {
    encode({ cmd, messageId: 7, reasonCode: 16 }, 5, 1000);
  });
}
