// What tests of stores have in common: what they put in, and what they find.
import { assert, assertEquals } from "@std/assert";
import { Message, type MessageFields } from "../../src/message.ts";
import {
  type DeliveryTerms,
  messageSize,
  type Store,
  type StoredDelivery,
  type StoredSession,
  type SubscriptionTerms,
} from "../../src/store/store.ts";

/** A folder that is gone at the end of the block. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = Deno.makeTempDirSync({ prefix: "brook-store-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** The terms of most deliveries. */
export const atLeastOnce: DeliveryTerms = { qos: 1, retain: false };

/** How most sessions subscribe. */
export const plain: SubscriptionTerms = { qos: 1, noLocal: false, retainAsPublished: false, identifier: undefined };

/** A message of which only some parts matter. */
export function messageOf(
  topic: string,
  payload: string | Uint8Array = "x",
  fields: Partial<MessageFields> = {},
): Message {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return new Message({ topic, payload: bytes, qos: 1, retain: false, client: "publisher", ...fields });
}

/** The text of a payload. */
export function textOf({ payload }: MessageFields): string {
  return new TextDecoder().decode(payload);
}

/** Saves sessions that last for ever. */
export function saveSessions(store: Store, ...clientIds: readonly string[]): void {
  for (const clientId of clientIds) store.saveSession({ clientId, expiry: Infinity, disconnectedAt: undefined });
}

/** Adds deliveries to the session "a", each of its number. */
export function add(store: Store, ...sequences: readonly number[]): void {
  for (const sequence of sequences) {
    store.addDelivery("a", sequence, messageOf("t", String(sequence)), 1, atLeastOnce);
  }
}

/** The deliveries of a session as `sequence:packetId payload`. */
export function deliveriesOf(store: Store, clientId = "a", after?: number): string[] {
  return Array.from(store.deliveries(clientId, after), brief);
}

/** A delivery as `sequence:packetId payload`. */
export function brief({ sequence, packetId, message }: StoredDelivery): string {
  return `${sequence}:${packetId} ${textOf(message)}`;
}

/** A session as it is committed. */
export function sessionOf(store: Store, clientId = "a"): StoredSession {
  const session = [...store.sessions()].find((session) => session.clientId === clientId);
  assert(session, `There is no session "${clientId}"`);
  return session;
}

/** A value to be compared: bytes are bytes, of whatever class, and what is undefined is not there. */
export function plainly(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Map) return plainly(Object.fromEntries([...value].sort()));
  if (Array.isArray(value)) return value.map(plainly);
  if (typeof value !== "object" || value === null) return value;
  const parts = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(parts.map(([name, part]) => [name, plainly(part)]));
}

/** All that is committed, to be compared, and sound in itself. The next number is left out: it may be any that is great enough. */
export function contentOf(store: Store): unknown {
  const sessions = [...store.sessions()].map(({ nextSequence, ...session }) => {
    const deliveries = [...store.deliveries(session.clientId)];
    const sizes = deliveries.map(({ message }) => messageSize(message, message.payload.length));
    const { count, bytes, sent } = session.deliveries;
    assertEquals({ count, bytes }, { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) });
    assert(sent >= deliveries.filter(({ packetId }) => packetId > 0).length, `${sent} are too few`);
    deliveries.forEach(({ sequence }, i) => assert(sequence > (deliveries[i - 1]?.sequence ?? 0), "Not in order"));
    assert(nextSequence > (deliveries.at(-1)?.sequence ?? 0), `${nextSequence} is too small`);
    return { ...session, received: session.received.toSorted(), deliveries };
  });
  const retained = Object.fromEntries([...store.retained()].map((message) => [message.topic, message]));
  return plainly({ sessions: Object.fromEntries(sessions.map((session) => [session.clientId, session])), retained });
}
