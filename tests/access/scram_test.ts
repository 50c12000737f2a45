import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { createBroker, scramSecret, type ScramSecrets, scramSha256 } from "../../mod.ts";
import type { Authenticated } from "../../src/access/authentication.ts";
import { TestClient } from "../support/client.ts";
import { attributes, clientFinal, clientFirst, type ScramLogin } from "./scram_client.ts";

const secret = await scramSecret("pencil"), other = await scramSecret("pen");
const find: ScramSecrets = (username) => new Map([["user", secret], ["a,b=c", secret], ["other", other]]).get(username);
const login: ScramLogin = { username: "user", password: "pencil", nonce: "fyko+d2lbbFgONRv9qkxdawL" };

/** How a client may spoil its messages. */
interface Spoiled {
  readonly first?: (message: string) => string;
  readonly final?: (message: string) => string | Uint8Array;
}

const bytes = (message: string | Uint8Array) =>
  typeof message === "string" ? new TextEncoder().encode(message) : message;
const text = (data: Uint8Array | undefined) => new TextDecoder().decode(data);

/** A whole conversation: its outcome, what the server has said first, and what it has to prove itself by. */
async function talk(
  login: ScramLogin,
  { first = (m) => m, final = (m) => m }: Spoiled = {},
  method = scramSha256(find),
) {
  const credentials = { clientId: "c", username: undefined, password: undefined, passwordBytes: undefined, remote: "" };
  let offer = "", serverFinal = "";
  const outcome = await method({
    credentials,
    again: false,
    data: bytes(first(clientFirst(login))),
    challenge(data) {
      offer = text(data);
      const answer = clientFinal(login, offer);
      serverFinal = answer.serverFinal;
      return Promise.resolve(bytes(final(answer.message)));
    },
  });
  return { outcome, offer, serverFinal };
}

/** The example of RFC 7677. */
const example = {
  login: { username: "user", password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO" },
  serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

Deno.test("The client of these tests says what RFC 7677 says", () => {
  const { message, serverFinal } = clientFinal(example.login, example.serverFirst);
  assertEquals([message, serverFinal], [example.final, example.serverFinal]);
});

Deno.test("scramSecret() keeps the keys that the proofs of RFC 7677 were made with", async () => {
  const { s, i } = attributes(example.serverFirst), { p } = attributes(example.final);
  const salt = Uint8Array.fromBase64(s!), { storedKey, serverKey } = await scramSecret("pencil", Number(i), salt);
  const [withoutProof] = example.final.split(",p=");
  const signed = `n=user,r=${example.login.nonce},${example.serverFirst},${withoutProof}`;
  const sign = (key: Uint8Array) => createHmac("sha256", key).update(signed).digest();
  assertEquals(`v=${sign(serverKey).toString("base64")}`, example.serverFinal);
  const signature = sign(storedKey), clientKey = Buffer.from(p!, "base64").map((byte, at) => byte ^ signature[at]!);
  assertEquals(createHash("sha256").update(clientKey).digest("hex"), storedKey.toHex());
});

Deno.test("scramSecret() has 4096 iterations and 16 bytes of salt of its own, unless told otherwise", async () => {
  const again = await scramSecret("pencil"), more = await scramSecret("pencil", 5000);
  assertEquals([secret.iterations, secret.salt.length, more.iterations], [4096, 16, 5000]);
  assertNotEquals(again.salt, secret.salt);
  assertNotEquals(again.storedKey, secret.storedKey);
});

Deno.test("A client that knows the password is in, and the server proves that it knows the user", async () => {
  const { outcome, offer, serverFinal } = await talk(login);
  const { username, data } = outcome as Authenticated;
  assertEquals([username, text(data)], ["user", serverFinal]);
  const { r, s, i } = attributes(offer);
  assert(r!.startsWith(login.nonce) && r!.length >= login.nonce.length + 24);
  assertEquals([s, i], [secret.salt.toBase64(), "4096"]);
});

Deno.test("Secrets may come later, and have any number of iterations", async () => {
  const slow = await scramSecret("pencil", 10_000), method = scramSha256(() => Promise.resolve(slow));
  const { outcome, offer } = await talk(login, {}, method);
  assertEquals([(outcome as Authenticated).username, attributes(offer).i], ["user", "10000"]);
});

Deno.test("A name with a comma or an equals sign is escaped on the way", async () => {
  const { outcome } = await talk({ ...login, username: "a=2Cb=3Dc" });
  assertEquals((outcome as Authenticated).username, "a,b=c");
});

Deno.test("A client that could bind the channel, but sees that the server does not, is in", async () => {
  const { outcome } = await talk({ ...login, header: "y,," });
  assertEquals((outcome as Authenticated).username, "user");
});

Deno.test("The server's part of the nonce is new each time: a conversation can't be repeated", async () => {
  let recorded = "";
  const first = await talk(login, { final: (message) => recorded = message });
  const second = await talk(login, { final: () => recorded });
  assertNotEquals(attributes(first.offer).r, attributes(second.offer).r);
  assertEquals([typeof first.outcome, second.outcome], ["object", "not-authorized"]);
});

/** Another character of the same kind in the place of the one at `at` of an attribute. */
const altered = (letter: string, at: number) => (message: string): string => {
  const place = message.indexOf(`${letter}=`) + 2 + at, found = message[place] === "A" ? "B" : "A";
  return message.slice(0, place) + found + message.slice(place + 1);
};

const refused: Readonly<Record<string, readonly [login: Partial<ScramLogin>, spoiled: Spoiled]>> = {
  "a wrong password": [{ password: "pencils" }, {}],
  "the password of somebody else": [{ username: "other" }, {}],
  "an unknown user": [{ username: "nobody" }, {}],
  "another case of a name": [{ username: "User" }, {}],
  "another nonce of the client's": [{}, { final: altered("r", 0) }],
  "another nonce of the server's": [{}, { final: altered("r", 30) }],
  "the client's nonce alone": [{}, { final: (message) => message.replace(/r=[^,]+/, `r=${login.nonce}`) }],
  "another binding than it has opened with": [{}, { final: (message) => message.replace("c=biws", "c=eSws") }],
  "another binding, signed as well": [{ header: "y,," }, { first: (message) => message.replace("y,,", "n,,") }],
  "a proof with one bit changed": [{}, { final: altered("p", 10) }],
  "a proof that is too short": [{}, { final: (message) => message.replace(/p=.*/, "p=AAAA") }],
  "a proof that is too long": [{}, { final: (message) => message.replace(/p=.*/, `p=${"A".repeat(64)}`) }],
  "a proof of nothing": [{}, { final: (message) => message.replace(/p=.*/, "p=") }],
  "a proof that is no base64": [{}, { final: (message) => message.replace(/p=.*/, "p=A") }],
  "a final message without a proof": [{}, { final: (message) => message.replace(/,p=.*/, "") }],
  "an empty final message": [{}, { final: () => "" }],
  "a final message that is no text": [{}, { final: () => Uint8Array.of(0xff) }],
  "an empty first message": [{}, { first: () => "" }],
  "a first message without a name": [{}, { first: (message) => message.replace("n=user,", "") }],
  "an empty name": [{}, { first: (message) => message.replace("n=user", "n=") }],
  "a nonce with a space": [{ nonce: "a b" }, {}],
  "an empty nonce": [{ nonce: "" }, {}],
  "channel binding, which there is none of": [{ header: "p=tls-unique,," }, {}],
  "the wish to act as somebody else": [{ header: "n,a=admin," }, {}],
  "an extension that has to be understood": [{}, { first: (message) => message.replace("n,,", "n,,m=x,") }],
};

for (const [what, [changes, spoiled]] of Object.entries(refused)) {
  Deno.test(`Refused is ${what}`, async () => {
    assertEquals((await talk({ ...login, ...changes }, spoiled)).outcome, "not-authorized");
  });
}

Deno.test("A name that is not escaped as it has to be is refused, whoever is called so", async () => {
  const method = scramSha256(() => secret);
  for (const username of ["us=er", "user=", "user=2", "user=2c", "=3d"]) {
    assertEquals((await talk({ ...login, username }, {}, method)).outcome, "not-authorized", username);
  }
});

Deno.test("Somebody unknown is asked in the same way as everybody, with the same salt each time", async () => {
  const method = scramSha256(find), salts = new Set<string>();
  for (const username of ["nobody", "nobody", "nobody else"]) {
    const { offer } = await talk({ ...login, username }, {}, method);
    assertMatch(offer, /^r=[^,]{24,},s=[A-Za-z0-9+/]{22}==,i=4096$/);
    salts.add(attributes(offer).s!);
  }
  assertEquals(salts.size, 2);
});

Deno.test("What find() throws is not taken for a no: the caller hears of it", async () => {
  const method = scramSha256(() => Promise.reject(new Error("Database is away")));
  await assertRejects(() => talk(login, {}, method), Error, "Database is away");
});

Deno.test("A client logs in by AUTH packets, and gets the server's proof with its CONNACK [MQTT5-4.12.0-2] [MQTT5-4.12.0-3]", async () => {
  const authenticationMethod = "SCRAM-SHA-256", methods = { [authenticationMethod]: scramSha256(find) };
  await using broker = createBroker({ authenticationMethods: methods, authenticate: () => false });
  const usernames: unknown[] = [];
  broker.events.subscribe((event) => event.type === "connected" && usernames.push(event.username));
  await using client = TestClient.memory(broker);
  const properties = (message: string) => ({ authenticationMethod, authenticationData: Buffer.from(message) });
  const connect = { cmd: "connect", clientId: "c", clean: true, keepalive: 0, protocolVersion: 5 } as const;
  await client.send({ ...connect, properties: properties(clientFirst(login)) });
  const offer = await client.expect({ cmd: "auth", reasonCode: 0x18 });
  const { message, serverFinal } = clientFinal(login, text(offer.properties.authenticationData));
  await client.send({ cmd: "auth", reasonCode: 0x18, properties: properties(message) });
  const welcome = await client.expect({ cmd: "connack", reasonCode: 0 });
  assertEquals(welcome.properties.authenticationMethod, authenticationMethod);
  assertEquals([text(welcome.properties.authenticationData), usernames], [serverFinal, ["user"]]);
});
