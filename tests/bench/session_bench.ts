// What it costs a session to deliver a message: the books of QoS 1 and 2, without a codec or a socket.
import { Message, type QoS } from "../../mod.ts";
import { Deadlines } from "../../src/deadlines.ts";
import { Memory } from "../../src/memory.ts";
import type { Link, Session } from "../../src/session/session.ts";
import { Sessions } from "../../src/session/sessions.ts";
import { compileRoute, type Subscriber, type Subscription } from "../../src/session/subscription.ts";
import { TermsTable } from "../../src/session/terms.ts";
import { RetainedMessages } from "../../src/topics/retained.ts";
import { SharedGroups } from "../../src/topics/shared.ts";
import { TopicIndex } from "../../src/topics/topic_index.ts";
import { Turn } from "../../src/turn.ts";
import { VirtualClock } from "../support/clock.ts";

/** A connection that only remembers the last packet identifier. */
class SilentLink implements Link {
  readonly receiveMaximum = 65_535;
  last = 0;

  takes(): boolean {
    return true;
  }

  publish(_message: Message, _terms: unknown, packetId: number): boolean {
    this.last = packetId;
    return true;
  }

  release(): void {}

  overloaded(): void {}
}

function sessionOf(link: Link): Session {
  const clock = new VirtualClock(),
    deadlines = new Deadlines(clock),
    turn = new Turn(clock),
    memory = new Memory(Infinity);
  const retainedLimits = { retainedMessages: 1000, retainedBytes: Infinity };
  const index = new TopicIndex<Subscriber | Subscription, readonly Subscriber[]>(compileRoute);
  const sessions = new Sessions({
    ...{
      index,
      deadlines,
      turn,
      groups: new SharedGroups(index),
      retained: new RetainedMessages({ deadlines, memory, limits: retainedLimits }),
    },
    ...{ memory, clock, records: undefined },
    limits: { inflight: 100, queuedMessages: 10_000, queuedBytes: 1_000_000 },
    report: () => {},
    publish: () => {},
  });
  const { session } = sessions.open("bench", true, 0, { remote: "here", takeOver: () => {} });
  session.attach(link);
  return session;
}

/** The rest of the handshake. */
const finish: Readonly<Record<QoS, (session: Session, packetId: number) => void>> = {
  0: () => {},
  1: (session, packetId) => session.acknowledge(packetId, false),
  2(session, packetId) {
    session.release(packetId);
    session.complete(packetId);
  },
};

for (const qos of [0, 1, 2] as const) {
  const link = new SilentLink(),
    session = sessionOf(link),
    terms = new TermsTable({ qos, keepRetain: false }).of(qos, false);
  const message = new Message({ topic: "a/b", payload: new Uint8Array(64), qos, retain: false, client: "other" });
  Deno.bench(`deliver and acknowledge at QoS ${qos}`, { group: "session", baseline: qos === 0 }, () => {
    session.deliver(message, terms);
    finish[qos](session, link.last);
  });
}

const busy = new SilentLink(),
  backlog = sessionOf(busy),
  terms = new TermsTable({ qos: 1, keepRetain: false }).of(1, false);
const waiting = new Message({ topic: "a/b", payload: new Uint8Array(64), qos: 1, retain: false, client: "other" });
for (let i = 0; i < 200; i++) backlog.deliver(waiting, terms);
let oldest = 1;
Deno.bench("deliver at QoS 1 into a queue, acknowledge what was sent first", { group: "session" }, () => {
  backlog.deliver(waiting, terms);
  backlog.acknowledge(oldest, false);
  oldest = oldest % 65_535 + 1;
});
