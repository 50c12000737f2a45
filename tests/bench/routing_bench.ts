// What it costs a message to pass the routing, and to reach observers in the broker's process.
import { createBroker, Message, type RoutingOperator, rx } from "../../mod.ts";
import { Router } from "../../src/routing/router.ts";

const message = new Message({ topic: "a/b", payload: new Uint8Array(64), qos: 0, retain: false, client: "bench" });

const operators: readonly RoutingOperator[] = [
  rx.filter(({ size }) => size < 64_000),
  rx.map((message) => message),
  rx.tap(() => {}),
];

for (const count of [0, 1, 3]) {
  const router = new Router(operators.slice(0, count), () => {});
  Deno.bench(`route through ${count} operators`, { group: "route", baseline: count === 0 }, () => {
    router.incoming.next(message);
  });
}

const observed = new Router([], () => {});
observed.routed.subscribe(() => {});
Deno.bench("route to an observer of all messages", { group: "route" }, () => {
  observed.incoming.next(message);
});

for (const observers of [1, 10, 1000]) {
  const broker = createBroker();
  for (let i = 0; i < observers; i++) broker.topic("a/+").subscribe(() => {});
  const options = { group: "fan-out", baseline: observers === 1 };
  Deno.bench(`publish to ${observers} observers of a topic`, options, async () => {
    await broker.publish("a/b", message.payload);
  });
}
