// An observer in the broker's process: an Observable whose subscription registers in the same index as the sessions of clients,
// with the subscription options that they have.
import { Message } from "../message.ts";
import { serialize } from "../operators/serialize.ts";
import { Observable } from "../rx.ts";
import type { Captures } from "../topics/filter.ts";
import type { RetainedMessages } from "../topics/retained.ts";
import type { Member, SharedGroups } from "../topics/shared.ts";

/** How to observe a topic; the options of a subscription (5.0 section 3.8.3.1) that make sense within the process. */
export interface TopicOptions {
  /** Begins with the retained messages that match; default false. */
  readonly retained?: boolean;
  /** Leaves out what this process itself has published; default false. */
  readonly noLocal?: boolean;
  /** Shares the messages with the other members of this group: each goes to one of them (5.0 section 4.8.2). */
  readonly group?: string;
}

/** Where an observer registers. */
export interface Places {
  readonly index: { add(filter: string, observer: Member): void; delete(filter: string, observer: Member): void };
  readonly groups: SharedGroups;
  readonly retained: RetainedMessages;
  /** Completes with the broker. */
  readonly end: Observable<never>;
}

/** The messages that match a valid filter. */
export function observeTopic<Filter extends string>(
  filter: Filter,
  { retained = false, noLocal = false, group }: TopicOptions,
  places: Places,
): Observable<Message<Captures<Filter>>> {
  const messages = new Observable<Message<Captures<Filter>>>((observer) => {
    const member: Member = {
      readiness: 2,
      next(message) {
        if (noLocal && message.client === undefined) return;
        observer.next(new Message<Captures<Filter>>(message.own(), filter));
      },
    };
    observer.add(places.end.subscribe({ complete: () => observer.complete() }));
    const leave = register(group === undefined ? undefined : `$share/${group}/${filter}`, filter, member, places);
    if (retained) { for (const message of places.retained.matching(filter)) member.next(message); }
    return leave;
  });
  return retained ? messages.pipe(serialize()) : messages; // what an observer publishes comes behind the retained messages
}

function register(shared: string | undefined, filter: string, member: Member, { index, groups }: Places): () => void {
  if (shared === undefined) {
    index.add(filter, member);
    return () => index.delete(filter, member);
  }
  groups.get(shared)!.add(member);
  return () => groups.leave(shared, member);
}
