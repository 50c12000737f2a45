// Random packets of a client as mqtt-packet takes them, of both versions; user properties are as it has them: values by name.
import { Buffer } from "node:buffer";
import fc from "npm:fast-check@^4";
import { topicFilterFault, topicNameFault } from "../../src/topics/filter.ts";
import type { PacketLike } from "../support/client.ts";

const uint16 = fc.nat(65_535), uint32 = fc.nat(0xffff_ffff), boolean = fc.boolean();
const positive16 = fc.integer({ min: 1, max: 65_535 }), positive32 = fc.integer({ min: 1, max: 0xffff_ffff });

export const qos = fc.constantFrom(0 as const, 1 as const, 2 as const), messageId = positive16;
export const bytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
export const text = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.includes("\0"));
export const topic = fc.oneof(text, fc.constantFrom("a", "a/b", "/", "$SYS/x")).filter((topic) =>
  !topicNameFault(topic)
);
const filter = fc.oneof(topic, fc.constantFrom("#", "+/a", "a/+/#", "+")).filter((filter) => !topicFilterFault(filter));

/** A record of which any part may be missing. */
function partOf(parts: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object> {
  return fc.record(parts, { requiredKeys: [], noNullPrototype: true });
}

/** Not empty: mqtt-packet loses an empty value where its name comes again. */
const value = text.filter(Boolean);

/** Values by name; several, as a list, where the name comes more than once. */
const userProperties = fc.dictionary(text, fc.oneof(value, fc.array(value, { minLength: 2, maxLength: 3 })), {
  minKeys: 1,
  maxKeys: 3,
});

/** The properties of a message. */
export const messageProperties = partOf({
  payloadFormatIndicator: boolean,
  messageExpiryInterval: uint32,
  contentType: text,
  responseTopic: topic,
  correlationData: bytes,
  userProperties,
});

const willProperties = fc.tuple(messageProperties, partOf({ willDelayInterval: uint32 })).map(merge);
const reasonProperties = partOf({ reasonString: text, userProperties });

const connectProperties = fc.tuple(
  partOf({
    sessionExpiryInterval: uint32,
    receiveMaximum: positive16,
    maximumPacketSize: positive32,
    topicAliasMaximum: uint16,
    requestResponseInformation: boolean,
    requestProblemInformation: boolean,
    userProperties,
  }),
  fc.oneof(
    partOf({ authenticationMethod: text }),
    fc.record({ authenticationMethod: text, authenticationData: bytes }),
  ),
).map(merge);

/** Makes one object of several. */
function merge(parts: readonly object[]): object {
  return Object.assign({}, ...parts);
}

/** The same packet with properties, or without any. */
function withProperties(properties: fc.Arbitrary<object>) {
  return <P extends object>(packet: fc.Arbitrary<P>): fc.Arbitrary<P> =>
    fc.tuple(packet, fc.option(properties)).map(([packet, properties]) => ({
      ...packet,
      ...properties && { properties },
    }));
}

const will = fc.record({ topic, payload: bytes, qos, retain: boolean }, { noNullPrototype: true });
const login = fc.oneof(
  fc.constant({}),
  fc.record({ username: text }),
  fc.record({ username: text, password: bytes }),
);

function connects(versions: fc.Arbitrary<object>, will: fc.Arbitrary<object>): fc.Arbitrary<PacketLike> {
  return fc.tuple(
    fc.record({
      cmd: fc.constant("connect" as const),
      clean: boolean,
      keepalive: uint16,
      clientId: value,
    }),
    versions,
    login,
    fc.oneof(fc.constant({}), fc.record({ will })),
  ).map((parts) => merge(parts) as PacketLike);
}

const publish = fc.record({
  cmd: fc.constant("publish" as const),
  topic,
  payload: bytes,
  qos,
  retain: boolean,
  dup: boolean,
  messageId,
}).map(({ dup, messageId, ...packet }) => packet.qos === 0 ? { ...packet, dup: false } : { ...packet, dup, messageId });

const ack = fc.record({
  cmd: fc.constantFrom("puback" as const, "pubrec" as const, "pubrel" as const, "pubcomp" as const),
  messageId,
});

function subscribes(options: fc.Arbitrary<object>): fc.Arbitrary<PacketLike> {
  const subscription = fc.tuple(fc.record({ topic: filter, qos }), options).map(merge);
  return fc.record({
    cmd: fc.constant("subscribe" as const),
    messageId,
    subscriptions: fc.array(subscription, { minLength: 1, maxLength: 5 }),
  });
}

const unsubscribe = fc.record({
  cmd: fc.constant("unsubscribe" as const),
  messageId,
  unsubscriptions: fc.array(filter, { minLength: 1, maxLength: 5 }),
});

const ping = fc.record({ cmd: fc.constant("pingreq" as const) });

/** Acknowledgements with a reason code that their packet may have, or none. */
const ack5 = ack.chain((packet) => {
  const codes = packet.cmd === "puback" || packet.cmd === "pubrec" ? [0, 0x10, 0x87, 0x99] : [0, 0x92];
  const reasoned = withProperties(reasonProperties)(
    fc.constantFrom(...codes).map((code) => ({ ...packet, reasonCode: code })),
  );
  return fc.oneof(fc.constant(packet), reasoned);
});

/** A CONNECT, by level. */
export const connect = {
  4: connects(fc.constantFrom({ protocolVersion: 4 }, { protocolVersion: 3, protocolId: "MQIsdp" }), will),
  5: withProperties(connectProperties)(
    connects(fc.constant({ protocolVersion: 5 }), withProperties(willProperties)(will)),
  ),
} as const;

/** Any other packet, by level. */
export const others: { readonly [level in 4 | 5]: fc.Arbitrary<PacketLike> } = {
  4: fc.oneof(
    publish,
    ack,
    subscribes(fc.constant({})),
    unsubscribe,
    ping,
    fc.record({ cmd: fc.constant("disconnect" as const) }),
  ),
  5: fc.oneof(
    withProperties(fc.tuple(messageProperties, partOf({ topicAlias: positive16 })).map(merge))(publish),
    ack5,
    withProperties(partOf({ subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }), userProperties }))(
      subscribes(fc.record({ nl: boolean, rap: boolean, rh: fc.nat(2) })),
    ),
    withProperties(partOf({ userProperties }))(unsubscribe),
    ping,
    withProperties(fc.tuple(reasonProperties, partOf({ sessionExpiryInterval: uint32 })).map(merge))(
      fc.record({ cmd: fc.constant("disconnect" as const), reasonCode: fc.constantFrom(0, 4, 0x81, 0x99) }),
    ),
    withProperties(
      partOf({ authenticationMethod: text, authenticationData: bytes, reasonString: text, userProperties }),
    )(
      fc.record({ cmd: fc.constant("auth" as const), reasonCode: fc.constantFrom(0, 0x18, 0x19) }),
    ),
  ),
};

/** What a client sends over one connection, and the version that it speaks. */
export const conversation = fc.constantFrom(4 as const, 5 as const).chain((level) =>
  fc.tuple(connect[level], fc.array(others[level], { maxLength: 8 }))
    .map(([first, rest]) => ({ level, packets: [first, ...rest] }))
);
