// What tokens are checked with: keys of all kinds, as the text of a file or from a URL.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { exportJWK, exportPKCS8, exportSPKI } from "npm:jose@^6";
import { createBroker } from "../../mod.ts";
import type { JwtOptions } from "../../src/access/jwt.ts";
import { TestClient } from "../support/client.ts";
import { BAD } from "./logins.ts";
import { access, bytes, ed25519, es256, jwk, loginWith, other, pem, rs256, SECRET, token, usual } from "./tokens.ts";

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
    { key: await exportSPKI(ed25519.publicKey), algorithms: ["EdDSA"] },
    token(usual, ed25519.privateKey, { alg: "EdDSA" }),
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
    assertEquals(await authenticate(loginWith(await valid)), true);
    const [alg] = options.algorithms ?? ["ES256"];
    const forged = alg!.startsWith("HS")
      ? token(usual, bytes(SECRET.replace("0", "1")), { alg: alg! })
      : token(usual, other.privateKey);
    assertEquals(await authenticate(loginWith(await forged)), BAD);
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

Deno.test("Keys come from a URL, once for many tokens; where they can't be had, the broker says that it is not available", async () => {
  let asked = 0, status = 200;
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    asked++;
    return new Response(JSON.stringify({ keys: [jwk] }), { status });
  });
  const key = new URL(`http://127.0.0.1:${server.addr.port}/keys`), { authenticate } = await access({ key });
  assertEquals(await authenticate(loginWith(await token())), true);
  for (let i = 0; i < 3; i++) assertEquals(await authenticate(loginWith(await token({ ...usual, jti: `${i}` }))), true);
  assertEquals(await authenticate(loginWith(await token(usual, other.privateKey))), BAD);
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
