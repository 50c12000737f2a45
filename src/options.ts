// What a broker can be told, with every default, checked once when it is created.
import type { Authenticate, Authorize, ClientInfo } from "./access/access.ts";
import type { AuthenticationMethod } from "./access/authentication.ts";
import { type Clock, systemClock } from "./clock.ts";
import { LARGEST_PACKET } from "./codec/frame.ts";
import type { Message } from "./message.ts";
import { type ChooseOverload, isOverloadPolicy, overloadPolicies, type OverloadPolicy } from "./overload.ts";
import type { Store } from "./store/store.ts";
import type { OperatorFunction } from "./rx.ts";

/** A number of bytes, or text such as `"64KiB"` or `"1MiB"`. */
export type Size = number | `${number}${"" | "KiB" | "MiB" | "GiB"}`;

/** A stage of the routing: an RxJS operator from messages to messages. */
export type RoutingOperator = OperatorFunction<Message, Message>;

/** How much a client may ask of the broker: whole numbers; where a range has no end, `Infinity` is no limit. */
export interface Limits {
  /** Connections at a time. Default 100,000; from 1. */
  readonly connections?: number;
  /** Connections at a time from one address: an IPv4 address, or the first 64 bits of an IPv6 address. Default: no limit; from 1. */
  readonly connectionsPerAddress?: number;
  /** Milliseconds from the connection to its CONNECT. Default 10,000; from 1. */
  readonly connectTimeout?: number;
  /**
   * Bytes of the largest CONNECT. Until then nothing else is read, so this bounds what a stranger can cost. Default
   * 64 KiB; 64 to 268,435,460.
   */
  readonly connectPacket?: Size;
  /** Bytes of the largest packet after that. Default 1 MiB; 64 to 268,435,460. */
  readonly packet?: Size;
  /** Messages of QoS 1 and 2 on their way to one client without its acknowledgement. Default 100; 1 to 65,535. */
  readonly inflight?: number;
  /** Messages that wait in one session. Default 10,000; from 0. */
  readonly queuedMessages?: number;
  /** Bytes of the messages that wait in one session. Default 16 MiB; from 0. */
  readonly queuedBytes?: Size;
  /**
   * Bytes on their way to one client's socket; beyond that its messages wait in its session. Default 1 MiB; from 1 KiB.
   */
  readonly outbox?: Size;
  /** Messages of QoS 1 and 2 that a 5.0 client may have under way to the broker. Default 65,535; 1 to 65,535. */
  readonly receiveMaximum?: number;
  /** Topic aliases that a 5.0 client may use. Default 100; 0 to 65,535. */
  readonly topicAliases?: number;
  /**
   * Seconds of the longest keep alive that a 5.0 client is granted, also instead of none. Default: what it asks for;
   * from 1.
   */
  readonly keepAlive?: number;
  /** Seconds that a session lasts without a connection at most. Default: what the client asks for; from 0. */
  readonly sessionExpiry?: number;
  /** Levels of a topic name or filter. Default 200; 1 to 65,536. */
  readonly topicLevels?: number;
  /** Bytes of a topic name or filter. Default 65,535, which is what MQTT permits; from 1. */
  readonly topicLength?: Size;
  /** Subscriptions of one client. Default 10,000; from 1. */
  readonly subscriptions?: number;
  /**
   * Of these, shared ones: a client gets each message once for all its other subscriptions, but once more for each of these. Default 100;
   * from 1.
   */
  readonly sharedSubscriptions?: number;
  /** Messages that one client may publish in a second, also at once. Default: no limit; from 1. */
  readonly publishRate?: number;
  /** Retained messages. Default 1,000,000; from 0. */
  readonly retainedMessages?: number;
  /** Bytes of the retained messages. Default 256 MiB; from 0. */
  readonly retainedBytes?: Size;
  /**
   * Bytes that the broker holds for all its clients: messages that wait, are under way or retained, what is on its way to and
   * from sockets, sessions and their subscriptions. New clients are refused first, from 80 % on; beyond the limit nothing more is
   * queued, retained or subscribed to. Default 1 GiB; from 1 MiB.
   */
  readonly memory?: Size;
}

/** What `createBroker` takes; everything has a default. */
export interface BrokerOptions {
  /** Operators that every accepted message passes, in order. */
  readonly routing?: readonly RoutingOperator[];
  /** Decides who may connect; default: everybody. */
  readonly authenticate?: Authenticate;
  /** Decides who may publish and subscribe to what; default: everybody to everything. */
  readonly authorize?: Authorize;
  /** How 5.0 clients may authenticate beyond a password, by the name of the method (5.0 section 4.12). */
  readonly authenticationMethods?: Readonly<Record<string, AuthenticationMethod>>;
  /**
   * What a 5.0 client is told that asks for response information: where its answers may come (5.0 section 3.2.2.3.15).
   */
  readonly responseInformation?: (client: ClientInfo) => string | undefined;
  /** Refuse messages whose payload is not the UTF-8 text that they say it is (5.0 section 3.3.2.3.2); default false. */
  readonly validatePayloadFormat?: boolean;
  /** How much a client may ask of the broker; each limit has a default. */
  readonly limits?: Limits;
  /** What happens to messages that find the queue of their session full, for all subscriptions or for each; default `drop-newest`. */
  readonly overload?: OverloadPolicy | ChooseOverload;
  /**
   * Keeps sessions, retained messages and wills beyond the process; default: they last as long as that. The broker closes it when it
   * closes itself.
   */
  readonly store?: Store;
  /**
   * Origins such as `https://example.org` whose web pages may connect over WebSocket, besides those of the host that they connect to;
   * `*` stands for all. Their hosts are names by which web pages may ask for the broker, besides addresses, local names such as
   * `localhost`, and whatever a browser reaches over TLS. Default none.
   */
  readonly origins?: readonly string[];
  /** Closes the broker when aborted. */
  readonly signal?: AbortSignal;
  /** Where time comes from; default: the machine's clock. */
  readonly clock?: Clock;
}

/** The limits with every default filled in and every size in bytes. */
export type ResolvedLimits = Readonly<Record<keyof Limits, number>>;

/** The options with every default filled in. */
export type ResolvedOptions =
  & Required<Pick<BrokerOptions, "routing" | "clock" | "authenticationMethods" | "validatePayloadFormat" | "origins">>
  & {
    readonly [name in "authenticate" | "authorize" | "responseInformation" | "signal" | "store"]: BrokerOptions[name];
  }
  & { readonly limits: ResolvedLimits; readonly overload: ChooseOverload };

const MiB = 1024 * 1024;

/** The limits that are sizes in bytes: only these may be text. */
const sizes: readonly (keyof Limits)[] = [
  "connectPacket",
  "packet",
  "queuedBytes",
  "outbox",
  "topicLength",
  "retainedBytes",
  "memory",
];

/** Default, least and greatest value of each limit. */
export const ranges: { readonly [name in keyof ResolvedLimits]: readonly [number, number, number] } = {
  connections: [100_000, 1, Infinity],
  connectionsPerAddress: [Infinity, 1, Infinity],
  connectTimeout: [10_000, 1, Infinity],
  connectPacket: [64 * 1024, 64, LARGEST_PACKET],
  packet: [MiB, 64, LARGEST_PACKET],
  inflight: [100, 1, 65_535],
  queuedMessages: [10_000, 0, Infinity],
  queuedBytes: [16 * MiB, 0, Infinity],
  outbox: [MiB, 1024, Infinity],
  receiveMaximum: [65_535, 1, 65_535],
  topicAliases: [100, 0, 65_535],
  keepAlive: [Infinity, 1, Infinity],
  sessionExpiry: [Infinity, 0, Infinity],
  topicLevels: [200, 1, 65_536],
  topicLength: [65_535, 1, 65_535],
  subscriptions: [10_000, 1, Infinity],
  sharedSubscriptions: [100, 1, Infinity],
  publishRate: [Infinity, 1, Infinity],
  retainedMessages: [1_000_000, 0, Infinity],
  retainedBytes: [256 * MiB, 0, Infinity],
  memory: [1024 * MiB, MiB, Infinity],
};

/** The limits that a running broker can't change: clients have been told of them, or they are counted from the start. */
const fixed: readonly (keyof Limits)[] = ["receiveMaximum", "topicAliases", "connectionsPerAddress", "memory"];

/**
 * Makes limits what these are, as far as a running broker can.
 *
 * @returns the names of those that should have changed and can't
 * @throws {TypeError} for an unknown limit or a value of the wrong type
 * @throws {RangeError} for a limit out of its range
 */
export function changeLimits(limits: ResolvedLimits, wanted: Limits): readonly (keyof Limits)[] {
  const resolved = resolveLimits(wanted);
  const changed = (Object.keys(resolved) as (keyof Limits)[]).filter((name) => resolved[name] !== limits[name]);
  for (const name of changed) {
    if (!fixed.includes(name)) (limits as Record<keyof Limits, number>)[name] = resolved[name];
  }
  return changed.filter((name) => fixed.includes(name));
}

const optionNames: readonly (keyof BrokerOptions)[] = [
  "routing",
  "authenticate",
  "authorize",
  "authenticationMethods",
  "responseInformation",
  "validatePayloadFormat",
  "limits",
  "overload",
  "store",
  "origins",
  "signal",
  "clock",
];

/**
 * Fills in the defaults.
 *
 * @throws {TypeError} for an unknown option or a value of the wrong type
 * @throws {RangeError} for a limit out of its range
 */
export function resolveOptions(options: BrokerOptions): ResolvedOptions {
  requireKnown("option", options, optionNames);
  const { routing = [], limits = {}, clock = systemClock, authenticationMethods = {}, validatePayloadFormat = false } =
    options;
  const { origins = [] } = options;
  const { authenticate, authorize, responseInformation, signal, store, overload = "drop-newest" } = options;
  for (const [name, group] of Object.entries({ limits, authenticationMethods })) {
    if (typeof group !== "object" || group === null) throw new TypeError(`Option "${name}" is not an object`);
  }
  const hooks = Object.entries({ authenticate, authorize, responseInformation });
  for (const [name, hook] of [...hooks, ...Object.entries(authenticationMethods)]) {
    if (hook !== undefined && typeof hook !== "function") throw new TypeError(`Option "${name}" is not a function`);
  }
  if (!Array.isArray(routing) || routing.some((operator) => typeof operator !== "function")) {
    throw new TypeError('Option "routing" is not an array of RxJS operators');
  }
  if (typeof validatePayloadFormat !== "boolean") {
    throw new TypeError('Option "validatePayloadFormat" is not a boolean');
  }
  if (typeof overload !== "function" && !isOverloadPolicy(overload)) {
    throw new TypeError(`Option "overload" is none of ${overloadPolicies.join(", ")}, nor a function that chooses one`);
  }
  if (!Array.isArray(origins) || origins.some((origin) => typeof origin !== "string")) {
    throw new TypeError('Option "origins" is not an array of texts such as "https://example.org"');
  }
  if (store !== undefined && typeof store?.commit !== "function") throw new TypeError('Option "store" is not a Store');
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError('Option "signal" is not an AbortSignal');
  }
  if (typeof clock?.now !== "function" || typeof clock.schedule !== "function") {
    throw new TypeError('Option "clock" is not a Clock');
  }
  return {
    routing: [...routing],
    authenticate,
    authorize,
    authenticationMethods,
    responseInformation,
    validatePayloadFormat,
    limits: resolveLimits(limits),
    overload: typeof overload === "function" ? overload : () => overload,
    store,
    origins: [...origins],
    signal,
    clock,
  };
}

function resolveLimits(limits: Limits): ResolvedLimits {
  const names = Object.keys(ranges) as (keyof ResolvedLimits)[];
  requireKnown("limit", limits, names);
  return Object.fromEntries(names.map((name) => {
    const [standard, least, greatest] = ranges[name];
    const value = toNumber(name, limits[name] ?? standard);
    if (!(value >= least && value <= greatest)) {
      throw new RangeError(`Limit "${name}" is ${value}: it ranges from ${least} to ${greatest}`);
    }
    if (value < Infinity && !Number.isInteger(value)) {
      throw new RangeError(`Limit "${name}" is ${value}: it is a whole number`);
    }
    return [name, value];
  })) as unknown as ResolvedLimits;
}

function toNumber(name: keyof Limits, value: Size): number {
  if (typeof value === "number") return value;
  if (!sizes.includes(name)) throw new TypeError(`Limit "${name}" is "${value}", not a number`);
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(KiB|MiB|GiB)?$/.exec(value) ?? [];
  if (digits === undefined) {
    throw new TypeError(`Limit "${name}" is "${value}", not a number or a size such as "64KiB"`);
  }
  return Math.floor(Number(digits) * ({ KiB: 1024, MiB, GiB: 1024 * MiB }[unit ?? ""] ?? 1));
}

function requireKnown(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new TypeError(`Unknown ${what} "${unknown}": there are ${known.join(", ")}`);
}
