// Who gets in with a token, and what it may do then.
import { assert, assertEquals } from "@std/assert";
import { type JWTPayload, UnsecuredJWT } from "npm:jose@^6";
import { createBroker } from "../../mod.ts";
import type { Access, ClientInfo, Credentials } from "../../src/access/access.ts";
import { anyOf } from "../../src/access/compose.ts";
import type { JwtOptions } from "../../src/access/jwt.ts";
import { type PacketLike, TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { Mailbox } from "../support/mailbox.ts";
import { denoRun, Process, root } from "../support/process.ts";
import { BAD } from "./logins.ts";
import { access, bytes, es256, jwk, loginWith, NOW, pem, rs256, SECRET, token, usual } from "./tokens.ts";

const expired = { reason: "not-authorized", message: "Token has expired" } as const;

const refused: Readonly<
  Record<string, readonly [token: string | undefined, reason: unknown, options?: Partial<JwtOptions>]>
> = {
  "no password": [undefined, BAD],
  "an empty password": ["", BAD],
  "no token": ["hunter2", BAD],
  "a token without a signature": [new UnsecuredJWT(usual).encode(), BAD],
  "a token whose claims were changed": [
    (await token()).replace(/\..*\./, `.${btoa('{"sub":"lamp","exp":1950000000}').replace(/=+$/, "")}.`),
    BAD,
  ],
  "a token signed with the public key as if it were a secret": [await token(usual, bytes(pem), { alg: "HS256" }), BAD],
  "an algorithm that is not accepted": [await token(usual, rs256.privateKey, { alg: "RS256" }), BAD],
  "a token that has expired": [await token({ ...usual, exp: NOW }), expired],
  "a token that expired longer ago than clocks may differ": [await token({ ...usual, exp: NOW - 10 }), expired, {
    clockTolerance: 10,
  }],
  "a token that is not valid yet": [await token({ ...usual, nbf: NOW + 1 }), BAD],
  "a token that never expires": [await token({ sub: "lamp" }), BAD],
  "a token of another issuer": [await token({ ...usual, iss: "b" }), BAD, { issuer: "a" }],
  "a token of no issuer": [await token(), BAD, { issuer: ["a", "b"] }],
  "a token for somebody else": [await token({ ...usual, aud: ["web", "mail"] }), BAD, { audience: "mqtt" }],
  "the token of another user": [await token({ ...usual, sub: "door" }), BAD],
  "a token without a user": [await token({ exp: NOW + 60 }), BAD],
  "the token of another client": [await token({ ...usual, client_id: "lamp 2" }), BAD],
  "a client identifier that is no text": [await token({ ...usual, client_id: null }), BAD],
  "a token that permits what is no filter": [
    await token({ ...usual, acl: { publish: ["a/#/b"] } }),
    { reason: "not-authorized", message: "Token permits something that is not a topic filter" },
  ],
  "a token that permits what is no text": [
    await token({ ...usual, acl: { subscribe: { a: 1 } } }),
    { reason: "not-authorized", message: "Token permits something that is not a topic filter" },
  ],
  "another key of the set than it names": [
    await token(usual, es256.privateKey, { alg: "ES256", kid: "3" }),
    BAD,
    { key: JSON.stringify({ keys: [{ ...jwk, kid: "2" }] }) },
  ],
};

for (const [what, [password, reason, options]] of Object.entries(refused)) {
  Deno.test(`Refused is ${what}`, async () => {
    assertEquals(await (await access(options)).authenticate(loginWith(password)), reason);
  });
}

const accepted: Readonly<
  Record<string, readonly [claims: JWTPayload, options?: Partial<JwtOptions>, who?: Partial<Credentials>]>
> = {
  "expired less long ago than clocks may differ": [{ ...usual, exp: NOW - 9 }, { clockTolerance: 10 }],
  "never expires, where that may be": [{ sub: "lamp" }, { requireExpiry: false }],
  "comes from one of the issuers": [{ ...usual, iss: "b" }, { issuer: ["a", "b"] }],
  "is for several, the broker among them": [{ ...usual, aud: ["web", "mqtt"] }, { audience: "mqtt" }],
  "names its client": [{ ...usual, client_id: "lamp 1" }],
  "comes without a user name": [usual, {}, { username: undefined }],
  "has its claims under other names": [
    { exp: NOW + 60, user: { "https://x.example/name": "lamp" }, device: "lamp 1" },
    { claims: { username: ["user", "https://x.example/name"], clientId: "device" } },
  ],
};

for (const [what, [claims, options, who]] of Object.entries(accepted)) {
  Deno.test(`A token is accepted that ${what}`, async () => {
    assertEquals(await (await access(options)).authenticate(loginWith(await token(claims), who)), true);
  });
}

/** Whether a client may do something. */
function may(
  authorize: (access: Access) => unknown,
  client: ClientInfo,
  action: Access["action"],
  topic: string,
): boolean {
  const answer = authorize({ action, client, topic, qos: 0, retain: false });
  assert(!(answer instanceof Promise)); // each PUBLISH would cost one
  return answer === true;
}

Deno.test("A token permits what its lists of filters cover, and nothing else", async () => {
  const { authenticate, authorize } = await access();
  const acl = { publish: ["home/1/#", "log"], subscribe: "home/+/state" };
  assertEquals(await authenticate(loginWith(await token({ ...usual, acl }))), true);
  const client: ClientInfo = { id: "lamp 1", username: "lamp", remote: "192.0.2.1:1" };
  const allowed = (action: Access["action"], ...topics: readonly string[]) =>
    topics.filter((topic) => may(authorize, client, action, topic));
  assertEquals(allowed("publish", "home/1/a", "home/1", "log", "home/2", "log/a", "home/1/state"), [
    "home/1/a",
    "home/1",
    "log",
    "home/1/state",
  ]);
  assertEquals(allowed("subscribe", "home/+/state", "home/2/state", "home/#", "#", "log"), [
    "home/+/state",
    "home/2/state",
  ]);
});

Deno.test("A token without lists permits nothing, and neither is permitted who has none", async () => {
  const { authenticate, authorize } = await access();
  assertEquals(await authenticate(loginWith(await token())), true);
  for (const id of ["lamp 1", "stranger"]) {
    assertEquals(may(authorize, { id, username: "lamp", remote: "192.0.2.1:1" }, "publish", "a"), false);
  }
});

Deno.test("Rights go by the connection: neither another client nor a later connection of the same one has those of the first", async () => {
  const { authenticate, authorize } = await access();
  const much = await token({ ...usual, acl: { publish: "#" } }),
    little = await token({ ...usual, acl: { publish: "a" } });
  const first: ClientInfo = { id: "lamp 1", username: "lamp", remote: "192.0.2.1:1" }, second = { ...first };
  assertEquals(await authenticate(loginWith(much)), true);
  for (const other of [{ id: "lamp 2" }, { username: "door" }, { username: undefined }, { remote: "192.0.2.1:2" }]) {
    assertEquals(may(authorize, { ...first, ...other }, "publish", "a"), false);
  }
  assertEquals(may(authorize, first, "publish", "b"), true);
  assertEquals(may(authorize, second, "publish", "b"), false);
  assertEquals(await authenticate(loginWith(little)), true);
  assertEquals([may(authorize, second, "publish", "b"), may(authorize, second, "publish", "a")], [false, true]);
  assertEquals(may(authorize, first, "publish", "b"), true);
});

Deno.test("At the wire: a client does what its token permits, and nothing new once that has expired", async () => {
  let time = NOW * 1000;
  const tokens = await access({ now: () => time, clockTolerance: 5 });
  await using broker = createBroker({
    ...tokens,
    authorize: anyOf(tokens.authorize, ({ topic }: Access) => topic === "public"),
  });
  const events: string[] = [];
  broker.events.subscribe((event) => events.push(Deno.inspect(event)));
  const common = { clientId: "lamp 1", username: "lamp", clean: true, keepalive: 0, protocolVersion: 5 };
  const password = await token({ ...usual, acl: { publish: ["home/#"], subscribe: ["home/#"] } });
  const opening: PacketLike = { cmd: "connect", ...common, password };
  const publish = async (client: TestClient, topic: string, reasonCode: number) => {
    await client.send({ cmd: "publish", topic, payload: "", qos: 1, retain: false, dup: false, messageId: 1 });
    await client.expect({ cmd: "puback", reasonCode });
  };
  await using client = TestClient.memory(broker, 5);
  await client.send(opening);
  await client.expect({ cmd: "connack", reasonCode: 0 });
  const subscriptions = ["home/a", "#"].map((topic) => ({ topic, qos: 0 }));
  await client.send({ cmd: "subscribe", messageId: 2, subscriptions });
  await client.expect({ cmd: "suback", granted: [0, 0x87] });
  await publish(client, "home/b", 0);
  await publish(client, "office", 0x87);
  time += 64_999;
  await publish(client, "home/b", 0);
  time += 1;
  await publish(client, "home/b", 0x87);
  await publish(client, "public", 0);
  await broker.publish("home/a", "still");
  await client.expect({ cmd: "publish", topic: "home/a", payload: "still" }); // what it has subscribed to goes on
  await using late = TestClient.memory(broker, 5);
  await late.send(opening);
  const { properties } = await late.expect({ cmd: "connack", reasonCode: 0x87 });
  assertEquals(properties.reasonString, "Token has expired");
  assertEquals(events.filter((text) => text.includes(password.slice(0, 20)) || text.includes(password.slice(-20))), []);
});

for (const protocolVersion of [4, 5] as const) {
  Deno.test(`When its token expires, a client of version ${protocolVersion} is disconnected, with its will, and its token lets nobody in`, async () => {
    const clock = new VirtualClock(), start = clock.now(), now = () => NOW * 1000 + clock.now() - start;
    const tokens = await access({ now, clockTolerance: 5 });
    await using broker = createBroker({ ...tokens, clock });
    const wills: string[] = [], ends: string[] = [];
    broker.topic("gone").subscribe((message) => wills.push(message.text()));
    broker.events.subscribe((event) => {
      if (event.type === "disconnected") ends.push(`${event.reason}: ${event.detail}`);
    });
    const password = await token({ ...usual, acl: { publish: "gone", subscribe: "a" } });
    const will = { topic: "gone", payload: "bye", qos: 0, retain: false };
    const common = { clientId: "lamp 1", username: "lamp", clean: true, keepalive: 0, protocolVersion, password };
    await using client = TestClient.memory(broker, protocolVersion);
    await client.send({ cmd: "connect", ...common, will });
    await client.expect({ cmd: "connack" });
    await client.subscribe("a");
    await clock.advance(64_999);
    await broker.publish("a", "still");
    await client.expect({ cmd: "publish", payload: "still" });
    assertEquals(ends, []);
    await clock.advance(501);
    await broker.publish("a", "no more");
    if (protocolVersion === 5) await client.expect({ cmd: "disconnect", reasonCode: 0xa0 });
    await client.expectClosed();
    assertEquals(ends, ["maximum-connect-time: The time is over for which the client was let in"]);
    assertEquals(wills, ["bye"]);
    await using again = TestClient.memory(broker, protocolVersion);
    await again.send({ cmd: "connect", ...common });
    await again.expect(
      protocolVersion === 5 ? { cmd: "connack", reasonCode: 0x87 } : { cmd: "connack", returnCode: 5 },
    );
  });
}

Deno.test("A session that comes back with a token that permits less loses the subscriptions which that does not permit", async () => {
  await using broker = createBroker(await access());
  const gone = new Mailbox<string>("unsubscribed");
  broker.events.subscribe((event) => event.type === "unsubscribed" && gone.put(event.filter));
  const open = async (...subscribe: readonly string[]) => {
    const client = TestClient.memory(broker), password = await token({ ...usual, acl: { subscribe } });
    await client.send({ cmd: "connect", clientId: "lamp 1", username: "lamp", clean: false, keepalive: 0, password });
    await client.expect({ cmd: "connack", returnCode: 0 });
    return client;
  };
  await using first = await open("a", "b");
  for (const topic of ["a", "b"]) await first.subscribe(topic);
  await using second = await open("b");
  assertEquals(gone.rest(), ["a"]);
  await broker.publish("a", "no more");
  await broker.publish("b", "still");
  await second.expect({ cmd: "publish", topic: "b" });
  await second.expectNothing();
});

Deno.test("Tokens need no permission of Deno's, and only whoever asks for them loads what they need", async () => {
  const password = await token({ ...usual, exp: Math.ceil(Date.now() / 1000) + 600 }, bytes(SECRET), { alg: "HS256" });
  await using process = denoRun("tests/access/jwt_program.ts", password);
  assertEquals(await process.outcome(), { code: 0, output: ["true"], errors: [] });
  await using info = new Process(Deno.execPath(), { args: ["info", "--json", "mod.ts"], cwd: root });
  const { modules } = JSON.parse((await info.outcome()).output.join("\n"));
  const packages = modules.map(({ specifier }: { specifier: string }) => /^npm:\/?(.+)@/.exec(specifier)?.[1]);
  assertEquals([packages.includes("rxjs"), packages.includes("jose")], [true, false]);
});
