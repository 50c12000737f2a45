// What happens in a run, as it can be seen from outside of the broker: the packets that it has read and written, the connections that
// it has lost, its events and the wills that it has published. The model is told of it after each step; people read the last of it.
import type { BrokerEvent } from "../../mod.ts";
import type { PacketLike } from "../support/client.ts";
import type { Link } from "./network.ts";
import { BEGIN } from "./schedule.ts";

/** Something that must never happen has happened. */
export class Violation extends Error {}

/** A message that some client publishes, or leaves as its will. */
export interface Published {
  readonly topic: string;
  /** Begins with a number that no other message has; empty where it clears what is retained. */
  readonly text: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly client: string;
  /** Seconds. */
  readonly expiry: number | undefined;
  readonly contentType: string | undefined;
}

/** What a client has sent: a packet, and the message that it is about. */
export interface Sent {
  readonly packet: PacketLike;
  readonly message: Published | undefined;
}

/** One thing that happened. */
export type Happening =
  /** The broker has taken a packet at this time; `message` is what a PUBLISH, or the will of a CONNECT, is about. */
  | {
    readonly type: "read";
    readonly link: Link;
    readonly packet: PacketLike;
    readonly message: Published | undefined;
    readonly at: number;
  }
  /** The broker has written a whole packet, which it may have had ready since the time `since`. */
  | { readonly type: "written"; readonly link: Link; readonly packet: PacketLike; readonly since: number }
  /** The broker has been told that the connection is gone. */
  | { readonly type: "lost"; readonly link: Link }
  /** The broker has told an event. */
  | { readonly type: "event"; readonly event: BrokerEvent }
  /** The process itself has published a message. */
  | { readonly type: "hosted"; readonly message: Published }
  /** The broker has told the process that its message is accepted. */
  | { readonly type: "accepted"; readonly message: Published }
  /** The broker has published a will with this text. */
  | { readonly type: "will"; readonly text: string }
  /** The broker is no more, wherever it was in its work. */
  | { readonly type: "crash" }
  /** The broker is told to close. */
  | { readonly type: "closing" }
  /** A broker starts: the first one, or the successor of one that has crashed or closed. */
  | { readonly type: "start" }
  /** Everybody is hit by something. */
  | { readonly type: "disaster"; readonly text: string }
  /** Something that only people want to know. */
  | { readonly type: "note"; readonly text: string };

/** How many happenings are told of a run that has failed, and how much of a text. */
const TOLD = 60, SHOWN = 40;

/** The happenings of one run. */
export class History {
  /** How often each kind of thing has happened. */
  readonly counts: Map<string, number> = new Map();
  readonly #trace: ((line: string) => void) | undefined;
  readonly #now: () => number;
  #last: { readonly at: number; readonly happening: Happening }[] = [];
  #step: Happening[] = [];
  /** Packets that have been read to their ends and not been taken yet, and what was taken last, by the name of the link. */
  readonly #waiting = new Map<string, Sent[]>();
  readonly #taken = new Map<string, Happening & Sent>();
  /** What has been read and is not handled yet, and how often that was said. */
  readonly #withheld = new Map<Happening, number>();

  /** @param trace gets a line for each happening */
  constructor(now: () => number, trace?: (line: string) => void) {
    this.#now = now;
    this.#trace = trace;
  }

  /** Adds what happens. */
  add(happening: Happening): void {
    const entry = { at: this.#now(), happening }, kind = kindOf(happening);
    this.#step.push(happening);
    this.#last.push(entry);
    if (this.#last.length === 10 * TOLD) this.#last = this.#last.slice(-TOLD);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#trace?.(line(entry));
  }

  /** The broker has read the last byte of a packet. */
  arrive(link: Link, sent: Sent): void {
    const waiting = this.#waiting.get(link.name);
    if (waiting) waiting.push(sent);
    else this.#waiting.set(link.name, [sent]);
  }

  /** Packets of a link that have been read and not been taken. */
  waiting(link: Link): readonly Sent[] {
    return this.#waiting.get(link.name) ?? [];
  }

  /** The broker takes the next packet of a link: as long as the client does not take its answers, that waits. */
  take(link: Link): void {
    const sent = this.#waiting.get(link.name)?.shift();
    if (!sent) throw new Violation(`${link.name} has sent nothing more`);
    const taken: Happening & Sent = { type: "read", link, ...sent, at: this.#now() };
    this.#taken.set(link.name, taken);
    this.add(taken);
  }

  /** What was taken last from a link. */
  taken(link: string): Sent | undefined {
    return this.#taken.get(link);
  }

  /** What was taken last from a link is not handled until the result has been called. */
  withhold(link: string): () => void {
    const read = this.#taken.get(link)!, withheld = this.#withheld;
    withheld.set(read, (withheld.get(read) ?? 0) + 1);
    this.#step = this.#step.filter((happening) => happening !== read);
    return () => {
      const times = withheld.get(read)! - 1;
      withheld.set(read, times);
      if (times > 0) return;
      withheld.delete(read);
      this.#step.push(read);
    };
  }

  /** What has happened since the last call. */
  step(): readonly Happening[] {
    const step = this.#step;
    this.#step = [];
    return step;
  }

  /** The last happenings, for people. */
  tail(): string {
    return this.#last.slice(-TOLD).map(line).join("\n");
  }
}

function kindOf(happening: Happening): string {
  switch (happening.type) {
    case "read":
    case "written":
      return `${happening.type} ${happening.packet.cmd}${happening.packet.dup ? " again" : ""}`;
    case "event":
      return "reason" in happening.event ? happening.event.reason : happening.event.type;
    case "disaster":
      return happening.text;
    default:
      return happening.type;
  }
}

function line({ at, happening }: { at: number; happening: Happening }): string {
  return `${((at - BEGIN) / 1000).toFixed(3).padStart(10)} ${sentence(happening)}`;
}

function sentence(happening: Happening): string {
  switch (happening.type) {
    case "read":
      return `${happening.link.name} > ${shown(happening.packet)}`;
    case "written":
      return `${happening.link.name} < ${shown(happening.packet)}`;
    case "lost":
      return `${happening.link.name} is lost`;
    case "event":
      return `the broker tells ${json(happening.event)}`;
    case "hosted":
      return `the process publishes ${json(happening.message)}`;
    case "accepted":
      return `the broker has accepted ${json(happening.message)}`;
    case "will":
      return `the broker publishes the will ${shortened(happening.text)}`;
    case "crash":
      return "the broker crashes";
    case "closing":
      return "the broker is told to close";
    case "start":
      return "a broker starts";
    case "disaster":
    case "note":
      return happening.text;
  }
}

/** A packet, without the fields that say nothing. */
function shown({ cmd, header: _, length: __, ...fields }: PacketLike): string {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== false);
  return `${cmd} ${json(Object.fromEntries(said))}`;
}

function json(value: object): string {
  return JSON.stringify(value, (_, part) => {
    const text = part?.type === "Buffer" ? String.fromCharCode(...part.data) : part;
    return typeof text === "string" ? shortened(text) : part;
  });
}

/** A text, or the beginning of a long one. */
export function shortened(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length})` : text;
}
