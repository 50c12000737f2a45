// A smart lamp and a motion sensor: two MQTT clients that know nothing of each other, only a topic. The lamp subscribes
// to /home/lamp1/status, the sensor publishes there, and the broker passes it on. All three run in this program, and talk
// over real sockets.
//
//   deno run --allow-net=127.0.0.1 --ignore-env examples/01_smart_lamp.ts
//
// --ignore-env is for mqtt.js, the client library: it looks for settings in the environment, and is told that there are
// none.
//
// It prints:
//
//   Sensor: somebody comes in
//   Lamp:   ON on /home/lamp1/status, so I shine
//   Sensor: nobody has moved for a while
//   Lamp:   OFF on /home/lamp1/status, so I go dark
import { createBroker } from "../mod.ts";
import { connectAsync } from "npm:mqtt@^5";

const STATUS = "/home/lamp1/status";

await using broker = createBroker();
const { address } = broker.listen({ port: 0 }); // any free port; 1883 is the usual one

const lamp = await connectAsync(address, { clientId: "lamp1" });
lamp.on("message", (topic, payload) => {
  console.log(`Lamp:   ${payload} on ${topic}, so I ${payload.toString() === "ON" ? "shine" : "go dark"}`);
});
await lamp.subscribeAsync(STATUS, { qos: 1 });

const sensor = await connectAsync(address, { clientId: "motion-sensor" });
await sense("somebody comes in", "ON");
await sense("nobody has moved for a while", "OFF");

await Promise.all([sensor.endAsync(), lamp.endAsync()]);

async function sense(what: string, order: "ON" | "OFF"): Promise<void> {
  console.log(`Sensor: ${what}`);
  const heard = new Promise((resolve) => lamp.once("message", resolve));
  await sensor.publishAsync(STATUS, order, { qos: 1 }); // resolves when the broker has acknowledged it
  await heard; // only to print in a fixed order: in life the sensor never learns who listens
}
