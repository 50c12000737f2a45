// Operators of your own: each is a function from a stream of messages to a stream of messages, put together from those of
// RxJS. These check, enrich, copy, calm and deduplicate.
//
//   deno run examples/07_operators_of_your_own.ts
//
// It prints:
//
//   Dropped by check: sensors/cellar says "broken"
//   sensors/hall {"celsius":21,"unit":"°C"}
//   sensors/oven {"celsius":90,"unit":"°C"}
//   alarms/sensors/oven {"celsius":90,"unit":"°C"}
//   door/state closed
import { createBroker, matches, type Message, type RoutingOperator, rx } from "../mod.ts";
const { debounceTime, distinctUntilChanged, filter, groupBy, map, mergeMap, of } = rx;

interface Reading {
  readonly celsius: number;
}

const isSensor = matches("sensors/#"), isDoor = matches("door/#");

/** Drops what is no reading, and tells it: what an operator drops is its own affair, and no event of the broker. */
const check: RoutingOperator = filter((message) => {
  if (!isSensor(message) || isReading(message)) return true;
  console.log(`Dropped by check: ${message.topic} says "${message.text()}"`);
  return false;
});

/** Makes other messages: a message itself never changes. */
const enrich: RoutingOperator = map((message) =>
  isSensor(message) ? message.with({ payload: { ...message.json<Reading>(), unit: "°C" } }) : message
);

/** One message becomes two. */
const alarm: RoutingOperator = mergeMap((message) =>
  isSensor(message) && message.json<Reading>().celsius > 60
    ? of(message, message.with({ topic: `alarms/${message.topic}`, qos: 1, retain: true }))
    : of(message)
);

/** Waits until a door has kept still for a moment; everything else goes on at once. */
const calm: RoutingOperator = perTopic((ofTopic) =>
  isDoor({ topic: ofTopic.key }) ? ofTopic.pipe(debounceTime(20)) : ofTopic
);

/** Drops what says the same as the message before it on its topic. */
const deduplicate: RoutingOperator = perTopic(distinctUntilChanged((a, b) => a.text() === b.text()));

await using broker = createBroker({ routing: [check, enrich, alarm, calm, deduplicate] });
broker.routed.subscribe((message) => console.log(message.topic, message.text()));
// An operator that throws loses the message that it is at, and prints nothing: it becomes an event.
broker.events.pipe(filter(({ type }) => type.endsWith("-error"))).subscribe(console.error);
const door = rx.firstValueFrom(broker.topic("door/state"));

await broker.publish("sensors/cellar", "broken");
await broker.publish("sensors/hall", { celsius: 21 });
await broker.publish("sensors/hall", { celsius: 21 });
await broker.publish("sensors/oven", { celsius: 90 });
for (const state of ["open", "closed", "open", "closed"]) await broker.publish("door/state", state);
await door;

function isReading(message: Message): boolean {
  try {
    return typeof message.json<Partial<Reading>>().celsius === "number";
  } catch {
    return false; // not even JSON
  }
}

/** The same operator for each topic by itself. RxJS keeps a group for ever: here one ends when its topic is silent for a minute. */
function perTopic(
  operator: (ofTopic: rx.GroupedObservable<string, Message>) => rx.Observable<Message>,
): RoutingOperator {
  return (source) =>
    source.pipe(
      groupBy(({ topic }) => topic, { duration: (ofTopic) => ofTopic.pipe(debounceTime(60_000)) }),
      mergeMap(operator),
    );
}
