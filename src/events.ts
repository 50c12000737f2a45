// What happens in a broker, as one union of plain values. The command's log, the counters and an embedder's alerts all
// read this stream; nothing else in the broker writes a line. Invariant: whatever the broker itself drops or refuses
// becomes an event with its reason (what a routing operator leaves out is the operator's affair).
import type { ProtocolLevel } from "./codec/packet.ts";
import type { Reason } from "./errors.ts";
import type { QoS } from "./message.ts";

/**
 * Why a connection ended:
 *
 * - `disconnect`: the client said so
 * - `connection-lost`: end of stream or a reset, without a DISCONNECT
 * - a {@linkcode Reason}: the broker ended it
 */
export type DisconnectReason = "disconnect" | "connection-lost" | Reason;

/**
 * Why a message was not delivered:
 *
 * - `queue-full`: the session's queue has reached its limit
 * - `memory-full`: the broker holds as much as its limit of memory permits
 * - `superseded`: a newer message of the topic has come while it was waiting (policy `latest-per-topic`)
 * - `client-offline`: a message of QoS 0 for a session without a connection
 * - `session-ended`: the session ended before its queue was delivered
 * - `expired`: its message expiry interval had passed
 * - `packet-too-large`: for the client, as that said when it connected
 * - `connection-lost`: it was on its way, at QoS 0, when the connection ended
 * - `refused-by-client`: the client has answered with a reason code that says no (5.0 section 4.4)
 * - `retained-full`: the limit of retained messages is reached: it was delivered, and not retained
 * - `routing-ended`: a routing stage has completed and takes no more messages
 */
export type DropReason =
  | "queue-full"
  | "memory-full"
  | "superseded"
  | "client-offline"
  | "session-ended"
  | "expired"
  | "packet-too-large"
  | "connection-lost"
  | "refused-by-client"
  | "retained-full"
  | "routing-ended";

/** One thing that happened; `type` tells which. */
export type BrokerEvent =
  | { readonly type: "listening"; readonly address: string }
  | {
    readonly type: "connected";
    readonly client: string;
    readonly username: string | undefined;
    readonly remote: string;
    /** 3 for MQTT 3.1, 4 for MQTT 3.1.1, 5 for MQTT 5.0. */
    readonly protocolLevel: ProtocolLevel;
    readonly clean: boolean;
    readonly sessionPresent: boolean;
    /** Seconds. */
    readonly keepAlive: number;
  }
  /** A CONNECT that was refused, or a connection that never came to one. */
  | {
    readonly type: "refused";
    readonly client: string | undefined;
    readonly remote: string;
    readonly reason: Reason;
    readonly detail: string;
  }
  /** The end of a connection that had been accepted. */
  | {
    readonly type: "disconnected";
    readonly client: string;
    readonly remote: string;
    readonly reason: DisconnectReason;
    readonly detail: string;
  }
  | { readonly type: "subscribed"; readonly client: string; readonly filter: string; readonly qos: QoS }
  | { readonly type: "unsubscribed"; readonly client: string; readonly filter: string }
  /** A publication or subscription that was refused. */
  | {
    readonly type: "denied";
    readonly action: "publish" | "subscribe";
    readonly client: string;
    readonly topic: string;
    readonly reason: Reason;
  }
  /** Messages of one topic, client and reason that are dropped in one turn are one event; so are those of many topics. */
  | {
    readonly type: "dropped";
    /** The client that did not get it; `undefined` where no single client is concerned. */
    readonly client: string | undefined;
    /** The topic; `undefined` for several messages at once. */
    readonly topic: string | undefined;
    readonly reason: DropReason;
    readonly count: number;
  }
  /** A routing operator threw. That message is lost, and what the operator was holding. */
  | { readonly type: "routing-error"; readonly topic: string | undefined; readonly error: unknown }
  /**
   * An observer of a topic or of `published`, `routed`, `packets` or `events` threw, or had no handler for an error of
   * its own pipeline; or a subscriber threw at a message.
   */
  | { readonly type: "observer-error"; readonly error: unknown }
  /**
   * A hook threw; that counts as a refusal. Where `authorize` failed at a PUBLISH of QoS 1 or 2, a connection up to
   * 3.1.1 ends without its acknowledgement.
   */
  | {
    readonly type: "hook-error";
    readonly hook: "authenticate" | "authorize" | "authentication" | "responseInformation" | "overload";
    readonly error: unknown;
  }
  /** The store can't be written to: publications of QoS 1 and 2 are refused until it can. */
  | { readonly type: "store-failed"; readonly error: unknown }
  | { readonly type: "store-recovered" }
  | { readonly type: "closed" };

/** Tells the broker's events to whoever listens. */
export type Report = (event: BrokerEvent) => void;

/** The key under which an event is counted: its type, and its reason where it has one. */
export function counterOf(event: BrokerEvent): string {
  return "reason" in event ? `${event.type}/${event.reason}` : event.type;
}
