// A web service with a broker inside: what the lamps say over MQTT can be read over HTTP, and what is posted over HTTP
// reaches the lamps. One program and one signal for both; Ctrl-C ends them in good order.
//
//   deno run --allow-net=127.0.0.1 examples/03_embed_in_a_service.ts
//
// Two numbers behind that choose other ports than 1883 (MQTT) and 8000 (HTTP). Then, in another terminal:
//
//   curl --data ON http://127.0.0.1:8000/lamps/1
//   curl http://127.0.0.1:8000/lamps/1
//   mosquitto_pub -t /home/lamp1/status -m OFF
import { createBroker } from "../mod.ts";

const [mqttPort = 1883, httpPort = 8000] = Deno.args.map(Number);
const stop = new AbortController();
Deno.addSignalListener("SIGINT", () => stop.abort());

await using broker = createBroker({ signal: stop.signal });
const { address } = broker.listen({ port: mqttPort });

const states = new Map<string, string>();
broker.topic("/home/+/status").subscribe((message) => {
  const [lamp] = message.captures;
  states.set(lamp, message.text());
  console.log(`${lamp} is ${message.text()}, says ${message.client ?? "the web service"}`);
});

const web = Deno.serve({
  port: httpPort,
  hostname: "127.0.0.1",
  signal: stop.signal,
  onListen: ({ port }) => console.log(`MQTT: ${address}\nHTTP: http://127.0.0.1:${port}/lamps/1`),
}, serve);
await Promise.all([web.finished, broker.closed]);

async function serve(request: Request): Promise<Response> {
  const number = new URLPattern({ pathname: "/lamps/:number(\\d+)" }).exec(request.url)?.pathname.groups.number;
  if (!number) return new Response("There are /lamps/1, /lamps/2 ...\n", { status: 404 });
  if (request.method === "POST") {
    await broker.publish(`/home/lamp${number}/status`, await request.text(), { qos: 1, retain: true });
    return new Response(null, { status: 204 });
  }
  const state = states.get(`lamp${number}`);
  return state === undefined ? new Response("Not known yet\n", { status: 404 }) : new Response(`${state}\n`);
}
