// Observes a wildcard topic with RxJS: the running average temperature of each room, published back for everybody. It
// needs no permission: a broker that listens to nobody still serves its own program.
//
//   deno run examples/04_observe_a_wildcard.ts
//
// It prints:
//
//   kitchen: 20.0 °C on average
//   cellar: 12.0 °C on average
//   kitchen: 20.5 °C on average
//   kitchen: 21.0 °C on average
import { createBroker, rx } from "../mod.ts";
const { filter, groupBy, map, mergeMap, scan } = rx;

await using broker = createBroker();

broker.topic("home/+/temperature").pipe(
  // One "+" in the filter, so `captures` has the type [string]: `captures[1]` would not compile.
  map((message): Reading => ({ room: message.captures[0], celsius: Number.parseFloat(message.text()) })),
  filter(({ celsius }) => Number.isFinite(celsius)), // whatever else a sensor may send
  groupBy(({ room }) => room),
  mergeMap((ofRoom) => ofRoom.pipe(scan(average, { room: ofRoom.key, celsius: 0, count: 0 }))),
).subscribe(({ room, celsius }) => {
  // Retained, so that who subscribes later gets the latest average at once.
  broker.publish(`home/${room}/average`, celsius, { retain: true });
});

broker.topic("home/+/average").subscribe((message) => {
  const [room] = message.captures;
  console.log(`${room}: ${message.json<number>().toFixed(1)} °C on average`);
});

await broker.publish("home/kitchen/temperature", 20);
await broker.publish("home/cellar/temperature", 12);
await broker.publish("home/kitchen/temperature", 21);
await broker.publish("home/kitchen/temperature", "broken");
await broker.publish("home/kitchen/temperature", 22);

interface Reading {
  readonly room: string;
  readonly celsius: number;
}

interface Average extends Reading {
  readonly count: number;
}

function average(old: Average, { celsius }: Reading): Average {
  const count = old.count + 1;
  return { ...old, celsius: old.celsius + (celsius - old.celsius) / count, count };
}
