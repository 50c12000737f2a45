// What happens in a broker, as one union of plain values. The command's log, the counters and an embedder's alerts all read this
// stream; nothing else in the broker writes a line. Invariant: whatever is dropped or refused becomes an event with its reason.
import type { ProtocolLevel } from "./codec/packet.ts";
import type { Reason } from "./errors.ts";
import type { QoS } from "./message.ts";

/** Why a connection ended. */
export type DisconnectReason =
  | "disconnect" // the client said so
  | "connection-lost" // end of stream or a reset, without a DISCONNECT
  | Reason;

/** Why a message was not delivered. */
export type DropReason =
  | "queue-full" // the session's queue has reached its limit
  | "client-offline" // a message of QoS 0 for a session without a connection
  | "session-ended" // the session ended before its queue was delivered
  | "expired" // its message expiry interval had passed
  | "packet-too-large" // for the client, as that said when it connected
  | "routing-ended"; // a routing stage has completed and takes no more messages

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
  | {
    readonly type: "dropped";
    /** The client that did not get it; `undefined` where no single client is concerned. */
    readonly client: string | undefined;
    /** The topic; `undefined` for several messages at once. */
    readonly topic: string | undefined;
    readonly reason: DropReason;
    readonly count: number;
  }
  /** A routing operator threw; that one message is lost. */
  | { readonly type: "routing-error"; readonly topic: string | undefined; readonly error: unknown }
  /** An observer of a topic or of the events threw, or had no handler for an error of its own pipeline. */
  | { readonly type: "observer-error"; readonly error: unknown }
  /** A hook threw; that counts as a refusal. */
  | {
    readonly type: "hook-error";
    readonly hook: "authenticate" | "authorize" | "authentication" | "responseInformation";
    readonly error: unknown;
  }
  | { readonly type: "closed" };

/** Tells the broker's events to whoever listens. */
export type Report = (event: BrokerEvent) => void;

/** The key under which an event is counted: its type, and its reason where it has one. */
export function counterOf(event: BrokerEvent): string {
  return "reason" in event ? `${event.type}/${event.reason}` : event.type;
}
