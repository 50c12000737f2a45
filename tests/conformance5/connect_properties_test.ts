// The properties of CONNECT and of its will (5.0 sections 3.1.2.11 and 3.1.3.2).
import { createBroker } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { field, flag, frame } from "../conformance/support.ts";
import type { Violations } from "../conformance/violations.ts";
import { connectFrame, refuseAsMalformed, refuseAsProtocolError, say, willFrame } from "./connects.ts";
import { property } from "./packets.ts";

/** Properties with a value that is right, by name. */
type Named = Readonly<Record<string, readonly number[]>>;

const ofConnect: Named = {
  "session expiry interval": say.sessionExpiry(10),
  "request problem information": say.problemInformation(0),
  "request response information": say.responseInformation(1),
  "receive maximum": say.receiveMaximum(1),
  "topic alias maximum": say.topicAliasMaximum(0),
  "maximum packet size": say.maximumPacketSize(1000),
};
const ofAuthentication: Named = {
  "authentication method": say.method("toy"),
  "authentication data": say.data("data"),
};
const ofWill: Named = {
  "payload format indicator": property.payloadFormat(0),
  "message expiry interval": property.expiry(10),
  "content type": property.contentType("text"),
  "response topic": property.responseTopic("a"),
  "correlation data": property.correlation([0]),
  "will delay interval": say.willDelay(0),
};

function withEach(named: Named, opening: (bytes: readonly number[]) => number[]): Violations {
  return Object.fromEntries(Object.entries(named).map(([name, bytes]) => [name, opening(bytes)]));
}

const inConnect = (...properties: readonly (readonly number[])[]) => connectFrame({ properties });

Deno.test(
  "a property of CONNECT that comes twice is refused with 0x82 [MQTT5-3.1.4-1] [MQTT5-4.13.1-1]",
  refuseAsProtocolError({
    ...withEach(ofConnect, (bytes) => inConnect(bytes, property.user("a", "b"), bytes)),
    ...withEach(ofAuthentication, (bytes) => inConnect(say.method("toy"), bytes, bytes)),
    "with another value": inConnect(say.receiveMaximum(1), say.receiveMaximum(2)),
  }),
);

Deno.test(
  "a property of a will that comes twice is refused with 0x82 [MQTT5-3.1.4-1] [MQTT5-4.13.1-1]",
  refuseAsProtocolError(withEach(ofWill, (bytes) => willFrame(bytes, bytes))),
);

const ofOthers: Named = {
  "subscription identifier": property.identifier(1),
  "assigned client identifier": [18, ...field("c")],
  "server keep alive": [19, 0, 1],
  "response information": [26, ...field("a")],
  "server reference": [28, ...field("a")],
  "reason string": [31, ...field("a")],
  "topic alias": property.alias(1),
  "maximum QoS": [36, 1],
  "retain available": [37, 1],
  "shared subscription available": [42, 1],
  "0": [0, 0],
  "4, which is not used": [4, 0],
  "99, which is not used": [99, 0],
  "an identifier of two bytes": [0x91, 0x00, 0, 0, 0, 1],
};

Deno.test(
  "a property that does not belong into CONNECT is refused with 0x81 [MQTT5-3.1.4-1] [MQTT5-4.13.1-1]",
  refuseAsMalformed(withEach({ ...ofWill, ...ofOthers }, (bytes) => inConnect(bytes))),
);

Deno.test(
  "a property that does not belong into a will is refused with 0x81 [MQTT5-3.1.4-1] [MQTT5-4.13.1-1]",
  refuseAsMalformed(withEach({ ...ofConnect, ...ofAuthentication, ...ofOthers }, (bytes) => willFrame(bytes))),
);

Deno.test(
  "a property with a value that it can't have is refused with 0x82 [MQTT5-3.1.4-1] [MQTT5-4.13.1-1]",
  refuseAsProtocolError({
    "receive maximum 0": inConnect(say.receiveMaximum(0)),
    "maximum packet size 0": inConnect(say.maximumPacketSize(0)),
    "request problem information 2": inConnect(say.problemInformation(2)),
    "request response information 255": inConnect(say.responseInformation(255)),
    "authentication data without a method": inConnect(say.data("data")),
    "payload format indicator 2": willFrame(property.payloadFormat(2)),
    "a response topic with a wildcard": willFrame(property.responseTopic("a/#")),
  }),
);

Deno.test(
  "properties that are cut off, or longer than their packet, are refused with 0x81 [MQTT5-3.1.4-1]",
  refuseAsMalformed({
    "longer than the packet": frame(0x10, ...field("MQTT"), 5, 2, 0, 0, 0x7f, ...field("client")),
    "a length that goes on for ever": frame(0x10, ...field("MQTT"), 5, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
    "no more than an identifier": inConnect([17]),
    "cut off within a number": inConnect([17, 0, 0, 0]),
    "cut off within a string": inConnect([21, 0, 5, 0x74]),
    "cut off within a pair": inConnect([38, ...field("name")]),
    "of a will, longer than the packet": frame(0x10, ...field("MQTT"), 5, 6, 0, 0, 0, ...field("client"), 0x7f),
    "of a will, cut off": frame(0x10, ...field("MQTT"), 5, 6, 0, 0, 0, ...field("client")),
  }),
);

Deno.test("every property may be there once, user properties as often as they like [MQTT5-3.1.4-5]", async () => {
  const users = [property.user("a", "1"), property.user("a", "1"), property.user("", "")];
  await using broker = createBroker({ authenticationMethods: { toy: () => Promise.resolve(true) } });
  await using client = TestClient.memory(broker, 5);
  await client.sendBytes(connectFrame({
    flags: flag.clean | flag.will,
    properties: [...Object.values({ ...ofConnect, ...ofAuthentication }), ...users],
    willProperties: [...users, ...Object.values(ofWill)],
    fields: ["client", "will", "gone"],
  }));
  await client.expect({ cmd: "connack", reasonCode: 0 });
});
