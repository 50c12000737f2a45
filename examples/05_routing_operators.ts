// Routing: every message that the broker has accepted passes these RxJS operators, in order, before anybody gets it. One
// drops, one rewrites, one limits; a fourth is there for a while only.
//
//   deno run examples/05_routing_operators.ts
//
// It prints:
//
//   Dropped by the filter: 70000 bytes on camera
//   Routed: home/lamp1/status ON
//   Routed: home/door first knock
//   Dropped by the rate limit: home/door second knock
//   Routed: home/window open
//   Routed: home/bell/back ring
import { createBroker, matches, type Message, rateLimit, rx } from "../mod.ts";
const { filter, map } = rx;

await using broker = createBroker({
  routing: [
    filter(isSmall),
    // A message is a value that never changes: `with` makes another one.
    map((message) => message.topic.startsWith("legacy/") ? message.with({ topic: message.topic.slice(7) }) : message),
    rateLimit(0.1, {
      onDrop: (message) => console.log(`Dropped by the rate limit: ${message.topic} ${message.text()}`),
    }),
  ],
});
broker.routed.subscribe((message) => console.log(`Routed: ${message.topic} ${message.text()}`));

await broker.publish("camera", new Uint8Array(70_000));
await broker.publish("legacy/home/lamp1/status", "ON");
await broker.publish("home/door", "first knock");
await broker.publish("home/door", "second knock"); // 0.1 a second: one in ten seconds, on each topic

{
  const isBell = matches("home/bell/#");
  using _night = broker.use(filter((message) => !isBell(message))); // one more operator, behind the others
  await broker.publish("home/bell/front", "ring");
  await broker.publish("home/window", "open");
} // leaving the block removes it
await broker.publish("home/bell/back", "ring");

function isSmall({ topic, payload }: Message): boolean {
  if (payload.length < 64_000) return true;
  console.log(`Dropped by the filter: ${payload.length} bytes on ${topic}`);
  return false;
}
