// Reports everything that a broker receives: each message (`broker.published`) and, one level below, each packet that
// comes in (->) or goes out (<-) (`broker.packets`). Both are Observables. For your own clients, the command does the same:
// deno run --allow-net mod.ts --trace
//
//   deno run --allow-net=127.0.0.1 --ignore-env examples/02_report_all_messages.ts
//
// It prints:
//
//   -> CONNECT
//   <- CONNACK
//   -> SUBSCRIBE
//   <- SUBACK
//   -> PUBLISH
//   Message: lamp1 says "ON" on /home/lamp1/status, at QoS 1
//   <- PUBLISH
//   <- PUBACK
//   Message: nobody says "OFF" on /home/lamp1/status, at QoS 0
//   <- PUBLISH
//   -> DISCONNECT
import { createBroker, rx } from "../mod.ts";
import { connectAsync } from "npm:mqtt@^5";

await using broker = createBroker();
const { address } = broker.listen({ port: 0 });

broker.packets.subscribe(({ direction, packet }) => {
  console.log(direction === "in" ? "->" : "<-", packet.cmd.toUpperCase());
});
broker.published.subscribe((message) => {
  const { client = "nobody", topic, qos } = message; // what the program itself publishes comes from no client
  console.log(`Message: ${client} says "${message.text()}" on ${topic}, at QoS ${qos}`);
});

const lamp = await connectAsync(address, { clientId: "lamp1" });
await lamp.subscribeAsync("/home/lamp1/#"); // "#" is everything below, so it gets its own message back
await lamp.publishAsync("/home/lamp1/status", "ON", { qos: 1 });
await broker.publish("/home/lamp1/status", "OFF");

const left = rx.firstValueFrom(broker.events.pipe(rx.filter(({ type }) => type === "disconnected")));
await Promise.all([lamp.endAsync(), left]); // so that the broker has read the DISCONNECT before it closes
