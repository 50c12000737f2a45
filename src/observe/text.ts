// Packets and events as one readable line each, for the command's log and trace. Whatever a client has sent is quoted
// and escaped: it must not be able to write to the terminal.
import type { Packet, SubscriptionRequest } from "../codec/packet.ts";
import type { PacketTrace } from "../connection/trace.ts";
import { dialects } from "../connection/dialect.ts";
import type { BrokerEvent } from "../events.ts";

/** How many bytes of a payload are shown. */
const SHOWN = 60;

/** A packet with its client and direction: `-> ` came from the client, `<- ` goes to it. */
export function traceLine({ direction, client, packet }: PacketTrace): string {
  return `${direction === "in" ? "->" : "<-"} ${quoted(client)} ${packetText(packet)}`;
}

/** The name of a packet, and what it says. */
export function packetText(packet: Packet): string {
  return [packet.cmd.toUpperCase(), ...details(packet)].join(" ");
}

function details(packet: Packet): string[] {
  switch (packet.cmd) {
    case "connect":
      return [
        `client=${quoted(packet.clientId)} level=${packet.protocolVersion} keepAlive=${packet.keepalive}s`,
        ...flag("clean", packet.clean),
        ...packet.username === undefined ? [] : [`user=${quoted(packet.username)}`],
        ...flag("password", packet.password !== undefined), // never what it is
        ...properties(packet),
        ...packet.will
          ? [`will=(${details({ ...packet.will, cmd: "publish", dup: false, messageId: 0 }).join(" ")})`]
          : [],
      ];
    case "connack":
      return [
        `code=${codeText(packet.reasonCode ?? packet.returnCode ?? 0)}`,
        ...flag("sessionPresent", packet.sessionPresent),
        ...properties(packet),
      ];
    case "publish":
      return [
        `topic=${quoted(packet.topic)} qos=${packet.qos}`,
        ...packet.messageId > 0 ? [`id=${packet.messageId}`] : [],
        ...flag("retain", packet.retain),
        ...flag("dup", packet.dup),
        `payload=${payloadText(packet.payload)}`,
        ...properties(packet),
      ];
    case "subscribe":
      return [`id=${packet.messageId}`, ...packet.subscriptions.map(requestText), ...properties(packet)];
    case "unsubscribe":
      return [`id=${packet.messageId}`, ...packet.unsubscriptions.map(quoted)];
    case "suback":
    case "unsuback":
      return [`id=${packet.messageId}`, ...packet.granted ? [`granted=${packet.granted.map(codeText).join(",")}`] : []];
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return [`id=${packet.messageId}`, ...code(packet), ...properties(packet)];
    case "disconnect":
    case "auth":
      return [...code(packet), ...properties(packet)];
    default:
      return [];
  }
}

/** A topic filter with its quality of service, and the options of 5.0 that differ from their defaults. */
function requestText({ topic, qos, nl = false, rap = false, rh = 0 }: SubscriptionRequest): string {
  const options = [...flag("noLocal", nl), ...flag("retainAsPublished", rap), ...flag(`retainHandling=${rh}`, rh > 0)];
  return `${quoted(topic)}:${qos}${options.length > 0 ? `(${options.join(" ")})` : ""}`;
}

function code({ reasonCode = 0 }: { readonly reasonCode?: number }): string[] {
  return reasonCode === 0 ? [] : [`code=${codeText(reasonCode)}`];
}

/** Failures start at 0x80 and are known by their hexadecimal numbers (5.0 section 2.4). */
function codeText(code: number): string {
  return code < 0x80 ? String(code) : `0x${code.toString(16)}`;
}

/** The properties of MQTT 5.0, each as it is called; data of an authentication is not shown. */
function properties(packet: { readonly properties?: object | undefined }): string[] {
  return Object.entries(packet.properties ?? {}).map(([name, value]) => `${name}=${propertyText(name, value)}`);
}

function propertyText(name: string, value: unknown): string {
  if (name === "authenticationData") return "...";
  return value instanceof Uint8Array ? payloadText(value) : quoted(value);
}

function flag(name: string, value: boolean): string[] {
  return value ? [name] : [];
}

function payloadText(payload: Uint8Array): string {
  const shown = payload.subarray(0, SHOWN), cut = payload.length > SHOWN;
  const more = cut ? `... (${payload.length} bytes)` : "";
  try {
    // A decoder for this one payload: half of a character that was cut stays behind in it.
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return quoted(utf8.decode(shown, { stream: cut })) + more;
  } catch {
    return `0x${shown.toHex()}${more}`;
  }
}

/**
 * As JSON, text as a string of it, without what a terminal would obey or hide: control characters, changes of
 * direction, line separators.
 */
function quoted(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** An event as a sentence. */
export function eventText(event: BrokerEvent): string {
  switch (event.type) {
    case "listening":
      return `Listening on ${event.address}`;
    case "connected": {
      const version = dialects[event.protocolLevel].name;
      const session = event.clean ? "clean session" : event.sessionPresent ? "session resumed" : "new session";
      const user = event.username === undefined ? "" : ` as ${quoted(event.username)}`;
      return `Client ${
        quoted(event.client)
      } connected${user} from ${event.remote}: ${version}, ${session}, keep alive ${event.keepAlive} s`;
    }
    case "refused":
      return `Refused ${
        event.client === undefined ? "a connection" : `client ${quoted(event.client)}`
      } from ${event.remote}: ${event.reason} (${printable(event.detail)})`;
    case "disconnected":
      return `Client ${quoted(event.client)} disconnected: ${event.reason} (${printable(event.detail)})`;
    case "subscribed":
      return `Client ${quoted(event.client)} subscribed to ${quoted(event.filter)} at QoS ${event.qos}`;
    case "unsubscribed":
      return `Client ${quoted(event.client)} unsubscribed from ${quoted(event.filter)}`;
    case "denied":
      return `Client ${quoted(event.client)} may not ${event.action} ${quoted(event.topic)}: ${event.reason}`;
    case "dropped": {
      const what = event.count === 1 ? "a message" : `${event.count} messages`;
      const where = event.topic === undefined ? "" : ` on ${quoted(event.topic)}`;
      return `Dropped ${what}${where}${
        event.client === undefined ? "" : ` for client ${quoted(event.client)}`
      }: ${event.reason}`;
    }
    case "routing-error":
      return `Routing operator failed${event.topic === undefined ? "" : ` on ${quoted(event.topic)}`}: ${
        errorText(event.error)
      }`;
    case "observer-error":
      return `Observer failed: ${errorText(event.error)}`;
    case "hook-error":
      return `Hook "${event.hook}" failed: ${errorText(event.error)}`;
    case "store-failed":
      return `Store failed, publications of QoS 1 and 2 are refused until it works again: ${errorText(event.error)}`;
    case "store-recovered":
      return "Store works again";
    case "closed":
      return "Closed";
  }
}

/** What was thrown, in one line. */
export function errorText(error: unknown): string {
  return printable(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

/** Text that may hold what a client has sent, without what a terminal would obey. */
function printable(text: string): string {
  return quoted(text).slice(1, -1).replaceAll('\\"', '"');
}
