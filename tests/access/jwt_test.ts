import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "npm:jose@^6";
import { createBroker } from "../../mod.ts";
import type { Access, ClientInfo, Credentials } from "../../src/access/access.ts";
import { anyOf } from "../../src/access/compose.ts";
import { jwt, type JwtOptions } from "../../src/access/jwt.ts";
import { type PacketLike, TestClient } from "../support/client.ts";
import { denoRun, Process, root } from "../support/process.ts";

/** Seconds since 1970, at which everything here happens. */
const NOW = 1_900_000_000, now = () => NOW * 1000;

const SECRET = "0123456789abcdef0123456789abcdef", BAD = "bad-user-name-or-password";
const expired = { reason: "not-authorized", message: "Token has expired" } as const;

const [es256, other, rs256, ed] = await Promise.all(
  ["ES256", "ES256", "RS256", "EdDSA"].map((name) => generateKeyPair(name, { extractable: true })),
) as [CryptoKeyPair, CryptoKeyPair, CryptoKeyPair, CryptoKeyPair];

const pem = await exportSPKI(es256.publicKey), jwk = await exportJWK(es256.publicKey);

/** What a token says where a test says nothing else. */
const usual: JWTPayload = { sub: "lamp", exp: NOW + 60 };

function token(
  claims: JWTPayload = usual,
  key: CryptoKey | Uint8Array = es256.privateKey,
  header: { alg: string; kid?: string } = { alg: "ES256" },
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

function login(password: string | undefined, who: Partial<Credentials> = {}): Credentials {
  const passwordBytes = password === undefined ? undefined : new TextEncoder().encode(password);
  return { clientId: "lamp 1", username: "lamp", password, passwordBytes, remote: "192.0.2.1:1", ...who };
}

function access(options: Partial<JwtOptions> = {}) {
  return jwt({ key: pem, algorithms: ["ES256"], now, ...options });
}

const bytes = (text: string) => new TextEncoder().encode(text);

const keys: readonly (readonly [what: string, options: Partial<JwtOptions>, token: Promise<string>])[] = [
  ["a public key", {}, token()],
  ["a public key with text around it", { key: `Subject: x\n${pem}\n\n` }, token()],
  ["a JSON Web Key", { key: JSON.stringify(jwk) }, token()],
  ["a set of keys", {
    key: JSON.stringify({ keys: [await exportJWK(rs256.publicKey), { ...jwk, kid: "2" }] }),
    algorithms: ["ES256", "RS256"],
  }, token(usual, es256.privateKey, { alg: "ES256", kid: "2" })],
  [
    "an RSA key",
    { key: await exportSPKI(rs256.publicKey), algorithms: ["PS256", "RS256"] },
    token(usual, rs256.privateKey, { alg: "RS256" }),
  ],
  [
    "an Ed25519 key",
    { key: await exportSPKI(ed.publicKey), algorithms: ["EdDSA"] },
    token(usual, ed.privateKey, { alg: "EdDSA" }),
  ],
  ["a shared secret", { key: `${SECRET}\n`, algorithms: ["HS256"] }, token(usual, bytes(SECRET), { alg: "HS256" })],
  ["a shared secret as a JSON Web Key", {
    key: JSON.stringify({ kty: "oct", k: bytes(SECRET).toBase64({ alphabet: "base64url", omitPadding: true }) }),
    algorithms: ["HS256"],
  }, token(usual, bytes(SECRET), { alg: "HS256" })],
  [
    "a certificate",
    {
      key: `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUK8NSWtwvhYZ9KVrbOHfcaMIHQV4wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIxNTExMTVaGA8yMTI2MTAyOTE1MTEx
NVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJhB
eOypZxEdYEPj74HIz74TUZYfRbTQ9smrWecF07cFZPH3+sqvsFiMELajfK6V781U
JDzkxbdndBkv4Y4HCpWjUzBRMB0GA1UdDgQWBBR2RMAeFquYu0/FsQlILDd2epfL
pzAfBgNVHSMEGDAWgBR2RMAeFquYu0/FsQlILDd2epfLpzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIEriXeh+/rmQplfyIFDZ65kHT1xnVFAzp953
cM5/g2X6AiEAtgk8+AUHkmGqUPKGqwkQlw8wey4uE3+3JOI7j4RAi5o=
-----END CERTIFICATE-----`,
      requireExpiry: false,
    },
    Promise.resolve(
      "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJsYW1wIn0." +
        "Thah6Dnx5CW8l7u79fh2UA2GoLwILWNKNMbgVJavOeOi6YiUJIsfvQqREaENnm9E_QGsGaH5-jLXAkYdFVxAoA",
    ),
  ],
];

for (const [what, options, valid] of keys) {
  Deno.test(`With ${what}, a token that was signed with it lets its client in, and one of others does not`, async () => {
    const { authenticate } = await access(options);
    assertEquals(await authenticate(login(await valid)), true);
    const [alg] = options.algorithms ?? ["ES256"];
    const forged = alg!.startsWith("HS")
      ? token(usual, bytes(SECRET.replace("0", "1")), { alg: alg! })
      : token(usual, other.privateKey);
    assertEquals(await authenticate(login(await forged)), BAD);
  });
}

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
    assertEquals(await (await access(options)).authenticate(login(password)), reason);
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
    assertEquals(await (await access(options)).authenticate(login(await token(claims), who)), true);
  });
}

const privatePem = await exportPKCS8(es256.privateKey), privateJwk = await exportJWK(es256.privateKey);

const faults: readonly (readonly [what: string, options: Partial<JwtOptions>, fault: string])[] = [
  ["no algorithm", { algorithms: [] }, "There are no algorithms: tokens need one that is accepted"],
  ["the algorithm none", { algorithms: ["none"] }, 'Algorithm "none" is not one for tokens, such as "ES256"'],
  [
    "a short secret",
    { key: "hunter2", algorithms: ["HS256"] },
    'Shared secret is 7 bytes long: algorithm "HS256" needs at least 32',
  ],
  ["a secret for public keys", { key: SECRET }, 'Key is a shared secret: algorithm "ES256" needs a public key'],
  [
    "a public key for secrets",
    { algorithms: ["HS256"] },
    'Key does not fit algorithm "HS256": it is a PUBLIC KEY, not a shared secret',
  ],
  [
    "a private key",
    { key: privatePem },
    'Key does not fit algorithm "ES256": it is a PRIVATE KEY, not a PUBLIC KEY or a CERTIFICATE',
  ],
  [
    "a private JSON Web Key",
    { key: JSON.stringify(privateJwk) },
    "Key is a private one: only the public one is wanted",
  ],
  [
    "a set with a private key",
    { key: JSON.stringify({ keys: [privateJwk] }) },
    "Set of keys holds a private key: only public ones are wanted",
  ],
  [
    "a set for secrets",
    { key: '{"keys":[]}', algorithms: ["HS256"] },
    'Algorithm "HS256" needs a shared secret, not a set of public keys',
  ],
  ["JSON that is none", { key: `{ "k": "${SECRET}" ` }, 'Key begins with "{", but is not JSON'],
  [
    "a URL as text",
    { key: "https://login.example/keys", algorithms: ["HS256"] },
    'Key does not fit algorithm "HS256": it is a URL as text: new URL(…) makes one of it',
  ],
  [
    "a URL that is not safe",
    { key: new URL("http://login.example/keys") },
    'URL of keys is "http://login.example/keys": it needs https, or anybody on the way could give keys',
  ],
];

for (const [what, options, fault] of faults) {
  Deno.test(`jwt() refuses ${what}: ${fault}`, async () => {
    const error = await assertRejects(() => access(options), TypeError);
    assertEquals(error.message, fault);
    assert(!Deno.inspect(error).includes(SECRET.slice(0, 10)));
  });
}

Deno.test("A key of another kind, or that is none, is refused", async () => {
  await assertRejects(
    () => access({ algorithms: ["ES256", "RS256"] }),
    TypeError,
    'Key does not fit algorithm "RS256"',
  );
  await assertRejects(
    () => access({ key: pem.replace(/.{40}\n/, "\n") }),
    TypeError,
    'Key does not fit algorithm "ES256"',
  );
  await assertRejects(() => access({ key: '{"keys":5}' }), Error);
});

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
  assertEquals(await authenticate(login(await token({ ...usual, acl }))), true);
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
  assertEquals(await authenticate(login(await token())), true);
  for (const id of ["lamp 1", "stranger"]) {
    assertEquals(may(authorize, { id, username: "lamp", remote: "192.0.2.1:1" }, "publish", "a"), false);
  }
});

Deno.test("Rights go by the connection: neither another client nor a later connection of the same one has those of the first", async () => {
  const { authenticate, authorize } = await access();
  const much = await token({ ...usual, acl: { publish: "#" } }),
    little = await token({ ...usual, acl: { publish: "a" } });
  const first: ClientInfo = { id: "lamp 1", username: "lamp", remote: "192.0.2.1:1" }, second = { ...first };
  assertEquals(await authenticate(login(much)), true);
  for (const other of [{ id: "lamp 2" }, { username: "door" }, { username: undefined }, { remote: "192.0.2.1:2" }]) {
    assertEquals(may(authorize, { ...first, ...other }, "publish", "a"), false);
  }
  assertEquals(may(authorize, first, "publish", "b"), true);
  assertEquals(may(authorize, second, "publish", "b"), false);
  assertEquals(await authenticate(login(little)), true);
  assertEquals([may(authorize, second, "publish", "b"), may(authorize, second, "publish", "a")], [false, true]);
  assertEquals(may(authorize, first, "publish", "b"), true);
});

Deno.test("At the wire: a client does what its token permits, and nothing new once that has expired", async () => {
  let time = now();
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

Deno.test("Keys come from a URL, once for many tokens; where they can't be had, the broker says that it is not available", async () => {
  let asked = 0, status = 200;
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    asked++;
    return new Response(JSON.stringify({ keys: [jwk] }), { status });
  });
  const key = new URL(`http://127.0.0.1:${server.addr.port}/keys`), { authenticate } = await access({ key });
  assertEquals(await authenticate(login(await token())), true);
  for (let i = 0; i < 3; i++) assertEquals(await authenticate(login(await token({ ...usual, jti: `${i}` }))), true);
  assertEquals(await authenticate(login(await token(usual, other.privateKey))), BAD);
  assertEquals(asked, 1);
  status = 500;
  await using broker = createBroker({ authenticate: (await access({ key })).authenticate });
  const failed: unknown[] = [];
  broker.events.subscribe((event) => event.type === "hook-error" && failed.push(event.error));
  await using client = TestClient.memory(broker);
  const password = await token();
  await client.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, username: "lamp", password });
  await client.expect({ cmd: "connack", returnCode: 3 });
  assertMatch(String(failed[0]), /^Error: Keys for tokens can't be had: /);
  assert(!Deno.inspect(failed[0]).includes(password.slice(0, 20)));
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
