import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createBroker } from "../mod.ts";
import { systemClock } from "../src/clock.ts";
import { overloadPolicies } from "../src/overload.ts";
import { type BrokerOptions, type Limits, resolveOptions, type Size } from "../src/options.ts";
import { VirtualClock } from "./support/clock.ts";

const KiB = 1024, MiB = 1024 * KiB;

Deno.test("Every option has a default", () => {
  const { overload, ...options } = resolveOptions({});
  const client = { id: "c", username: undefined, remote: "here" };
  assertEquals(overload({ client, filter: "#", qos: 0 }), "drop-newest");
  assertEquals(options, {
    routing: [],
    authenticate: undefined,
    authorize: undefined,
    authenticationMethods: {},
    responseInformation: undefined,
    validatePayloadFormat: false,
    limits: {
      connections: 100_000,
      connectTimeout: 10_000,
      connectPacket: 64 * KiB,
      packet: MiB,
      inflight: 100,
      queuedMessages: 10_000,
      queuedBytes: 16 * MiB,
      outbox: MiB,
      receiveMaximum: 65_535,
      topicAliases: 100,
      keepAlive: Infinity,
      sessionExpiry: Infinity,
      topicLevels: 200,
      topicLength: 65_535,
      connectionsPerAddress: Infinity,
      subscriptions: 10_000,
      sharedSubscriptions: 100,
      publishRate: Infinity,
      retainedMessages: 1_000_000,
      retainedBytes: 256 * MiB,
      memory: 1024 * MiB,
    },
    store: undefined,
    origins: [],
    signal: undefined,
    clock: systemClock,
  });
});

Deno.test("What is given is taken, and the list of operators is copied", () => {
  const operator = <T>(source: T) => source, routing = [operator], clock = new VirtualClock();
  const { signal } = new AbortController();
  const given: BrokerOptions = {
    authenticate: () => true,
    authorize: () => false,
    authenticationMethods: { "MAGIC": () => Promise.resolve(true) },
    responseInformation: () => "answers/",
    validatePayloadFormat: true,
    signal,
    clock,
  };
  const resolved = resolveOptions({ ...given, routing, limits: { inflight: 7 } });
  routing.push(operator);
  assertEquals([resolved.routing.length, resolved.limits.inflight, resolved.limits.queuedMessages], [1, 7, 10_000]);
  for (const [name, value] of Object.entries(given)) assertStrictEquals(resolved[name as keyof BrokerOptions], value);
});

const sizes: readonly (readonly [size: Size, bytes: number])[] = [
  [2048, 2048],
  ["2048", 2048],
  ["64KiB", 64 * KiB],
  ["1.5MiB", 1.5 * MiB],
  ["1GiB", 1024 * MiB],
  ["2000.7", 2000],
];

const textual = ["connectPacket", "packet", "queuedBytes", "outbox", "topicLength", "retainedBytes", "memory"] as const;

for (const name of textual) {
  Deno.test(`The limit "${name}" may be text, as a size in bytes`, () => {
    const [text, bytes] = name === "memory" ? ["10MiB", 10 * MiB] as const : ["10KiB", 10 * KiB] as const;
    assertEquals(resolveOptions({ limits: { [name]: text } }).limits[name], bytes);
  });
}

for (const overload of overloadPolicies) {
  Deno.test(`The policy "${overload}" holds for all subscriptions where it is given by its name`, () => {
    const client = { id: "c", username: undefined, remote: "here" };
    assertEquals(resolveOptions({ overload }).overload({ client, filter: "#", qos: 0 }), overload);
  });
}

Deno.test("A function that chooses policies is taken as it is", () => {
  const overload = () => "disconnect" as const;
  assertStrictEquals(resolveOptions({ overload }).overload, overload);
});

for (const [size, bytes] of sizes) {
  Deno.test(`A limit of ${JSON.stringify(size)} is ${bytes} bytes`, () => {
    assertEquals(resolveOptions({ limits: { outbox: size } }).limits.outbox, bytes);
  });
}

const known =
  "there are connections, connectionsPerAddress, connectTimeout, connectPacket, packet, inflight, queuedMessages, " +
  "queuedBytes, outbox, receiveMaximum, topicAliases, keepAlive, sessionExpiry, topicLevels, topicLength, subscriptions, " +
  "sharedSubscriptions, publishRate, retainedMessages, retainedBytes, memory";
const notAPolicy =
  'Option "overload" is none of drop-newest, drop-oldest, latest-per-topic, disconnect, nor a function that chooses one';
const notASize = 'not a number or a size such as "64KiB"';

/** Options as somebody may give them who does not check types. */
type Unchecked = { readonly [option in keyof BrokerOptions | "port"]?: unknown };

const faults: readonly (readonly [options: Unchecked, type: typeof TypeError | typeof RangeError, message: string])[] =
  [
    [
      { port: 1883 },
      TypeError,
      'Unknown option "port": there are routing, authenticate, authorize, authenticationMethods, responseInformation, ' +
      "validatePayloadFormat, limits, overload, store, origins, signal, clock",
    ],
    [{ routing: (x: unknown) => x }, TypeError, 'Option "routing" is not an array of RxJS operators'],
    [{ routing: ["filter"] }, TypeError, 'Option "routing" is not an array of RxJS operators'],
    [{ authenticate: true }, TypeError, 'Option "authenticate" is not a function'],
    [{ authorize: null }, TypeError, 'Option "authorize" is not a function'],
    [{ responseInformation: "answers/" }, TypeError, 'Option "responseInformation" is not a function'],
    [{ authenticationMethods: { MAGIC: "x" } }, TypeError, 'Option "MAGIC" is not a function'],
    [{ authenticationMethods: null }, TypeError, 'Option "authenticationMethods" is not an object'],
    [{ validatePayloadFormat: "yes" }, TypeError, 'Option "validatePayloadFormat" is not a boolean'],
    [{ store: "brook.db" }, TypeError, 'Option "store" is not a Store'],
    [{ overload: "drop" }, TypeError, notAPolicy],
    [{ limits: { memory: 1 } }, RangeError, 'Limit "memory" is 1: it ranges from 1048576 to Infinity'],
    [{ limits: null }, TypeError, 'Option "limits" is not an object'],
    [{ signal: new AbortController() }, TypeError, 'Option "signal" is not an AbortSignal'],
    [{ clock: Date }, TypeError, 'Option "clock" is not a Clock'],
    [{ limits: { clients: 1 } }, TypeError, `Unknown limit "clients": ${known}`],
    [{ limits: { constructor: 1 } }, TypeError, `Unknown limit "constructor": ${known}`],
    [{ limits: { outbox: "lots" } }, TypeError, `Limit "outbox" is "lots", ${notASize}`],
    [{ limits: { outbox: "64kB" } }, TypeError, `Limit "outbox" is "64kB", ${notASize}`],
    [{ limits: { outbox: "" } }, TypeError, `Limit "outbox" is "", ${notASize}`],
    [{ limits: { outbox: "-1KiB" } }, TypeError, `Limit "outbox" is "-1KiB", ${notASize}`],
    [{ limits: { packet: true } }, TypeError, `Limit "packet" is "true", ${notASize}`],
    [{ limits: { connections: "1KiB" } }, TypeError, 'Limit "connections" is "1KiB", not a number'],
    [{ limits: { connectTimeout: "10KiB" } }, TypeError, 'Limit "connectTimeout" is "10KiB", not a number'],
    [{ limits: { connectTimeout: "10000" } }, TypeError, 'Limit "connectTimeout" is "10000", not a number'],
    [{ limits: { queuedMessages: "1KiB" } }, TypeError, 'Limit "queuedMessages" is "1KiB", not a number'],
    [{ limits: { keepAlive: true } }, TypeError, 'Limit "keepAlive" is "true", not a number'],
    [{ limits: { packet: "1GiB" } }, RangeError, 'Limit "packet" is 1073741824: it ranges from 64 to 268435460'],
    [{ limits: { packet: 63 } }, RangeError, 'Limit "packet" is 63: it ranges from 64 to 268435460'],
    [{ limits: { packet: NaN } }, RangeError, 'Limit "packet" is NaN: it ranges from 64 to 268435460'],
    [{ limits: { connectPacket: 0 } }, RangeError, 'Limit "connectPacket" is 0: it ranges from 64 to 268435460'],
    [{ limits: { connections: 0 } }, RangeError, 'Limit "connections" is 0: it ranges from 1 to Infinity'],
    [{ limits: { connectTimeout: 0 } }, RangeError, 'Limit "connectTimeout" is 0: it ranges from 1 to Infinity'],
    [{ limits: { inflight: 0 } }, RangeError, 'Limit "inflight" is 0: it ranges from 1 to 65535'],
    [{ limits: { inflight: 65_536 } }, RangeError, 'Limit "inflight" is 65536: it ranges from 1 to 65535'],
    [{ limits: { queuedMessages: -1 } }, RangeError, 'Limit "queuedMessages" is -1: it ranges from 0 to Infinity'],
    [{ limits: { queuedBytes: -1 } }, RangeError, 'Limit "queuedBytes" is -1: it ranges from 0 to Infinity'],
    [{ limits: { receiveMaximum: 0 } }, RangeError, 'Limit "receiveMaximum" is 0: it ranges from 1 to 65535'],
    [{ limits: { topicAliases: 65_536 } }, RangeError, 'Limit "topicAliases" is 65536: it ranges from 0 to 65535'],
    [{ limits: { keepAlive: 0 } }, RangeError, 'Limit "keepAlive" is 0: it ranges from 1 to Infinity'],
    [{ limits: { sessionExpiry: -1 } }, RangeError, 'Limit "sessionExpiry" is -1: it ranges from 0 to Infinity'],
    [
      { limits: { connectionsPerAddress: 0 } },
      RangeError,
      'Limit "connectionsPerAddress" is 0: it ranges from 1 to Infinity',
    ],
    [{ limits: { topicLevels: 65_537 } }, RangeError, 'Limit "topicLevels" is 65537: it ranges from 1 to 65536'],
    [{ limits: { topicLength: "64KiB" } }, RangeError, 'Limit "topicLength" is 65536: it ranges from 1 to 65535'],
    [{ limits: { subscriptions: 0 } }, RangeError, 'Limit "subscriptions" is 0: it ranges from 1 to Infinity'],
    [{ limits: { publishRate: 0.5 } }, RangeError, 'Limit "publishRate" is 0.5: it ranges from 1 to Infinity'],
    [{ limits: { publishRate: 1.5 } }, RangeError, 'Limit "publishRate" is 1.5: it is a whole number'],
    [{ limits: { publishRate: "1KiB" } }, TypeError, 'Limit "publishRate" is "1KiB", not a number'],
    [{ limits: { retainedMessages: -1 } }, RangeError, 'Limit "retainedMessages" is -1: it ranges from 0 to Infinity'],
    [{ limits: { retainedBytes: -1 } }, RangeError, 'Limit "retainedBytes" is -1: it ranges from 0 to Infinity'],
    [{ limits: { memory: "1023KiB" } }, RangeError, 'Limit "memory" is 1047552: it ranges from 1048576 to Infinity'],
    [{ overload: "drop-all" }, TypeError, notAPolicy],
    [{ overload: "toString" }, TypeError, notAPolicy],
    [{ overload: ["drop-oldest"] }, TypeError, notAPolicy],
    [{ overload: null }, TypeError, notAPolicy],
    [{ limits: { outbox: 1023 } }, RangeError, 'Limit "outbox" is 1023: it ranges from 1024 to Infinity'],
  ];

for (const [options, type, message] of faults) {
  Deno.test(`createBroker() refuses its options: ${message}`, () => {
    assertEquals(assertThrows(() => createBroker(options as BrokerOptions), type).message, message);
  });
}

Deno.test("The ends of a range belong to it", () => {
  const least: Limits = {
    packet: 64,
    connectPacket: 64,
    inflight: 1,
    queuedMessages: 0,
    queuedBytes: 0,
    outbox: 1024,
    receiveMaximum: 1,
    topicAliases: 0,
    keepAlive: 1,
    sessionExpiry: 0,
    connectionsPerAddress: 1,
    topicLevels: 1,
    topicLength: 1,
    subscriptions: 1,
    sharedSubscriptions: 1,
    publishRate: 1,
    retainedMessages: 0,
    retainedBytes: 0,
    memory: MiB,
  };
  const greatest: Limits = {
    packet: 268_435_460,
    inflight: 65_535,
    queuedMessages: Infinity,
    connections: Infinity,
    receiveMaximum: 65_535,
    topicAliases: 65_535,
    topicLevels: 65_536,
    topicLength: 65_535,
    retainedBytes: Infinity,
    memory: Infinity,
  };
  for (const limits of [least, greatest]) {
    const resolved = resolveOptions({ limits }).limits;
    for (const [name, value] of Object.entries(limits)) assertEquals(resolved[name as keyof Limits], value, name);
  }
});
