// Who may come in, and what they may do: `authenticate` checks a password, and takes its time for that; `authorize` leaves
// each user the topics below home/NAME/. Both run before anything is accepted: operators and observers see only what is
// permitted.
//
//   deno run --allow-net=127.0.0.1 --ignore-env examples/06_authentication.ts
//
// It prints:
//
//   ada, with a wrong password: Connection refused: Bad username or password
//   ada, with the right one: welcome
//   ada subscribes to home/ada/#: granted
//   ada subscribes to #: refused
//   ada publishes on home/grace/door: nobody gets it (not-authorized)
//   ada publishes on home/ada/door: message accepted
import { createBroker, type Credentials } from "../mod.ts";
import { connectAsync, type MqttClient } from "npm:mqtt@^5";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const hash = promisify<string, Uint8Array, number, Uint8Array>(scrypt); // slow by intention, on another thread
const entry = async (password: string, salt = randomBytes(16)) => ({ salt, digest: await hash(password, salt, 32) });
const users = new Map([["ada", await entry("lovelace")], ["grace", await entry("hopper")]]);
const nobody = await entry(crypto.randomUUID()); // so that a wrong name takes as long as a wrong password

await using broker = createBroker({
  async authenticate({ username = "", password = "" }: Credentials) {
    const { salt, digest } = users.get(username) ?? nobody;
    return timingSafeEqual(await hash(password, salt, 32), digest) || "bad-user-name-or-password";
  },
  authorize: ({ client, topic }) => topic.startsWith(`home/${client.username}/`),
});
const { address } = broker.listen({ port: 0 });
broker.published.subscribe(({ topic }) => console.log(`ada publishes on ${topic}: message accepted`));
broker.events.subscribe((event) => {
  if (event.type !== "denied" || event.action !== "publish") return;
  console.log(`ada publishes on ${event.topic}: nobody gets it (${event.reason})`);
});

await connectAsync(address, { username: "ada", password: "byron" }, false).catch((error) => {
  console.log(`ada, with a wrong password: ${error.message}`);
});
const ada = await connectAsync(address, { username: "ada", password: "lovelace" });
console.log("ada, with the right one: welcome");
await subscribe(ada, "home/ada/#");
await subscribe(ada, "#");
await ada.publishAsync("home/grace/door", "open", { qos: 1 });
await ada.publishAsync("home/ada/door", "open", { qos: 1 });
await ada.endAsync();

async function subscribe(client: MqttClient, filter: string): Promise<void> {
  const answer = await client.subscribeAsync(filter).then(() => "granted", () => "refused");
  console.log(`ada subscribes to ${filter}: ${answer}`);
}
