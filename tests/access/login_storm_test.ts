// What 500 logins at once do to those who are in already. Time is real here, for the hashing is.
import { assertLess } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { passwordEntry } from "../../src/access/password_file.ts";
import { passwords } from "../../src/access/passwords.ts";
import { TestClient } from "../support/client.ts";

const LOGINS = 500, LONGEST = 50;

Deno.test(`While ${LOGINS} clients log in, 99 of 100 messages of others take less than ${LONGEST} ms`, async () => {
  const password = "correct horse", authenticate = passwords([await passwordEntry("alice", password)]);
  await using broker = createBroker({ authenticate: (who) => who.username === undefined || authenticate(who) });
  const { port } = broker.listen({ port: 0 }), said = { clean: true, keepalive: 0, username: "alice", password };
  await using clients = new AsyncDisposableStack();
  const other = clients.use(await TestClient.tcp(port)), took: number[] = [];
  await other.connect();
  await other.subscribe("echo");
  const sent = Array.from({ length: LOGINS }, async (_, i) => {
    const client = clients.use(await TestClient.tcp(port));
    await client.send({ cmd: "connect", clientId: `client ${i}`, ...said });
  });
  while (broker.counters.get("connected") !== LOGINS + 1) {
    const begin = performance.now();
    await other.publish("echo", "");
    await other.expect({ cmd: "publish", topic: "echo" });
    took.push(performance.now() - begin);
  }
  await Promise.all(sent);
  took.sort((one, next) => one - next);
  assertLess(took[Math.floor(took.length * 0.99)]!, LONGEST);
});
