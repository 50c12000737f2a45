// How a message gets its place in the queue of a session, and what has to go for it: the overload policy of its subscription.
import type { Message } from "../message.ts";
import type { Delivery, DeliveryQueue, NoRoom } from "./queue.ts";
import type { SessionContext } from "./sessions.ts";

/** Where messages of one session wait. */
export interface Room {
  readonly queue: DeliveryQueue;
  readonly context: Pick<SessionContext, "limits" | "memory" | "turn">;
  /** Told of each delivery that waited and has to go. */
  drop(delivery: Delivery, reason: NoRoom | "expired" | "superseded"): void;
}

/** Lets a delivery wait. Returns the one that waits now, which may have taken the place of an older one, or why it may not. */
export function enqueue(delivery: Delivery, room: Room): Delivery | NoRoom {
  const { queue, context: { memory: { used } } } = room, { overload } = delivery.terms;
  const waiting = overload === "latest-per-topic" && supersede(delivery, room, used);
  if (waiting) return waiting;
  let noRoom = queue.push(delivery);
  if (noRoom) {
    expire(room);
    noRoom = queue.push(delivery);
  }
  if (noRoom && (overload === "drop-oldest" || overload === "latest-per-topic")) {
    noRoom = makeRoom(delivery, room, used);
  }
  return noRoom ?? delivery;
}

/** Whether a message can wait, and nothing is dropped for it but what has expired. */
export function hasRoom(message: Message, room: Room): boolean {
  if (!room.queue.noRoom(message)) return true;
  expire(room);
  return !room.queue.noRoom(message);
}

function expire({ queue, context, drop }: Room): void {
  for (const expired of queue.expire(context.turn.now)) drop(expired, "expired");
}

/** Puts a message in the place of the one that waits on its topic; where it takes more, the oldest ones may have to go, or itself. */
function supersede(delivery: Delivery, room: Room, used: number): Delivery | NoRoom | undefined {
  const replaced = fits(delivery, room) ? room.queue.replace(delivery) : undefined;
  if (!replaced) return undefined;
  room.drop(replaced.former, "superseded");
  return shrink(room, () => room.queue.overfull(used), replaced.waiting) ?? replaced.waiting;
}

/** Whether a message would fit into an empty queue. */
function fits({ message }: Delivery, { context: { limits } }: Room): boolean {
  return message.weight <= limits.queuedBytes;
}

/** Drops those that have waited longest, in exchange for the message. */
function makeRoom(delivery: Delivery, room: Room, used: number): NoRoom | undefined {
  return fits(delivery, room) ? shrink(room, () => room.queue.push(delivery, used)) : "queue-full";
}

/**
 * Drops those that have waited longest, as long as there is a reason for it; the result is the reason that is left, or why the last one
 * had to go itself. Those in a store take no memory.
 */
function shrink({ queue, drop }: Room, reason: () => NoRoom | undefined, last?: Delivery): NoRoom | undefined {
  for (;;) {
    const noRoom = reason();
    if (!noRoom || noRoom === "memory-full" && queue.stored > 0) return noRoom;
    const oldest = queue.dropOldest();
    if (!oldest || oldest === last) return noRoom;
    drop(oldest, noRoom);
  }
}
