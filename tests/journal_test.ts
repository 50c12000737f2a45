import { assertEquals } from "@std/assert";
import type { BrokerEvent } from "../src/events.ts";
import { systemClock } from "../src/clock.ts";
import { Journal } from "../src/journal.ts";
import { map, Observable, Subject, tap } from "../src/rx.ts";
import { Turn } from "../src/turn.ts";

const closed = { type: "closed" } as const, listening = { type: "listening", address: "here" } as const;

const dropped = (reason: "queue-full" | "expired", count: number): BrokerEvent => ({
  type: "dropped",
  client: "c",
  topic: "t",
  reason,
  count,
});

function failing(): never {
  throw new TypeError("no");
}

/** A journal, and the types of what it has told. */
function newJournal() {
  const journal = new Journal(new Turn(systemClock)), told: string[] = [];
  return { journal, told, counters: () => Object.fromEntries(journal.counters) };
}

Deno.test("Events are counted by type and reason, several losses at once as so many, whoever listens", async () => {
  const { journal, counters } = newJournal();
  for (const event of [listening, dropped("queue-full", 1), dropped("queue-full", 5), dropped("expired", 2)]) {
    journal.report(event);
  }
  await Promise.resolve();
  assertEquals(counters(), { "listening": 1, "dropped/queue-full": 6, "dropped/expired": 2 });
});

Deno.test("A failure that nobody observes is on the console, once of each kind; one that is observed is not", () => {
  const { journal } = newJournal(), { error } = console, printed: unknown[] = [], fault = new Error("no");
  console.error = (...args: unknown[]) => printed.push(args.at(-1));
  try {
    journal.guard(new Observable((observer) => observer.next(1))).subscribe(failing);
    for (let i = 0; i < 3; i++) journal.report({ type: "routing-error", topic: "t", error: fault });
    journal.report(listening);
    journal.events.subscribe();
    journal.report({ type: "store-failed", error: fault });
  } finally {
    console.error = error;
  }
  assertEquals(printed, [new TypeError("no"), fault]);
});

Deno.test("Losses of one client, topic and reason are one event a turn, in order with all others", async () => {
  const { journal } = newJournal(), told: string[] = [];
  journal.events.subscribe((event) =>
    told.push(event.type === "dropped" ? `${event.reason}*${event.count}` : event.type)
  );
  for (let i = 0; i < 1000; i++) journal.report(dropped("queue-full", 1));
  journal.report(dropped("expired", 1));
  journal.report(listening);
  journal.report(dropped("queue-full", 2));
  assertEquals(told, ["queue-full*1000", "expired*1", "listening"]);
  await Promise.resolve();
  assertEquals(told.slice(3), ["queue-full*2"]);
  journal.report({ ...dropped("expired", 1), client: undefined } as BrokerEvent);
  journal.report({ ...dropped("expired", 1), client: "undefined" } as BrokerEvent);
  await Promise.resolve();
  assertEquals(told.slice(4), ["expired*1", "expired*1"]);
});

Deno.test("Losses of one client on many topics are a few events: some with their topics, and one for all the others", async () => {
  const { journal, counters } = newJournal(), told: string[] = [];
  journal.events.subscribe((event) =>
    event.type === "dropped" && told.push(`${event.client} ${event.topic}*${event.count}`)
  );
  for (const client of ["a", "b"]) {
    for (let i = 0; i < 50_000; i++) {
      journal.report({ ...dropped("queue-full", 1), client, topic: `t${i}` } as BrokerEvent);
    }
  }
  await Promise.resolve();
  for (const [i, client] of ["a", "b"].entries()) {
    const own = told.slice(i * 11, (i + 1) * 11), topics = Array.from({ length: 10 }, (_, i) => `${client} t${i}*1`);
    assertEquals(own, [...topics, `${client} undefined*49990`]);
  }
  assertEquals([told.length, counters()], [22, { "dropped/queue-full": 100_000 }]);
});

Deno.test("An event that an observer causes comes to all behind the one that it is about", () => {
  const { journal, told } = newJournal();
  journal.events.subscribe((event) => event.type === "listening" && journal.report(closed));
  journal.events.subscribe(({ type }) => told.push(type));
  journal.report(listening);
  assertEquals(told, ["listening", "closed"]);
});

Deno.test("An observer of the events that fails is told of once, counted each time, and harms nobody", () => {
  const { journal, told, counters } = newJournal();
  journal.events.subscribe(failing);
  journal.events.subscribe(({ type }) => told.push(type));
  for (const event of [listening, listening]) journal.report(event);
  assertEquals(told, ["listening", "observer-error", "listening"]);
  assertEquals(counters(), { "listening": 2, "observer-error": 3 });
});

Deno.test("Observers of what is guarded go on, whatever others throw at any place", () => {
  const { journal, told } = newJournal(), source = new Subject<number>(), guarded = journal.guard(source);
  const errors: unknown[] = [], seen: number[] = [];
  journal.events.subscribe((event) => {
    told.push(event.type);
    if (event.type === "observer-error") errors.push(String(event.error));
  });
  guarded.subscribe(failing);
  guarded.pipe(map(failing)).subscribe();
  guarded.pipe(tap(() => {})).subscribe((value) => seen.push(value));
  for (const value of [1, 2]) source.next(value);
  assertEquals([seen, told], [[1, 2], Array(3).fill("observer-error")]); // the pipeline that failed has ended
  assertEquals(new Set(errors), new Set(["TypeError: no"]));
});

Deno.test("Guarding keeps the end of what is guarded", () => {
  const { journal } = newJournal(), source = new Subject<number>(), seen: string[] = [];
  journal.guard(source).subscribe({ complete: () => seen.push("complete"), error: () => seen.push("error") });
  source.complete();
  assertEquals(seen, ["complete"]);
});

Deno.test("After its close a journal tells nothing more, and its observers know", () => {
  const { journal, told } = newJournal();
  journal.events.subscribe({ next: ({ type }) => told.push(type), complete: () => told.push("complete") });
  journal.report(closed);
  journal.close();
  journal.report(listening);
  assertEquals(told, ["closed", "complete"]);
});
