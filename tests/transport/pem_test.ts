import { assertEquals, assertThrows } from "@std/assert";
import { checkAuthorities, checkIdentity, type Identity } from "../../src/transport/pem.ts";
import { Authority, canIssue, identity, openssl } from "./certificates.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, ignore: !canIssue, fn });
}

const broken = (label: string) => `-----BEGIN ${label}-----\nMIGH\n-----END ${label}-----\n`;

const encrypted = (...how: string[]) =>
  openssl("pkey", "-in", identity().server.keyFile, "-passout", "pass:1234", ...how);

const faults: readonly (readonly [what: string, wrong: () => Partial<Identity>, message: string])[] = [
  [
    "the path of a certificate",
    () => ({ certificate: "/etc/brook/server.crt" }),
    "Certificate has no PEM in its 21 characters: the text is needed, not the path of a file",
  ],
  ["an empty key", () => ({ key: "" }), "Key has no PEM in its 0 characters"],
  [
    "a key as certificate",
    () => ({ certificate: identity().server.key }),
    'Certificate holds "PRIVATE KEY", not "CERTIFICATE"',
  ],
  [
    "a certificate as key",
    () => ({ key: identity().server.certificate }),
    'Key holds "CERTIFICATE", not "PRIVATE KEY"',
  ],
  ["a public key", () => ({ key: broken("PUBLIC KEY") }), 'Key holds "PUBLIC KEY", not "PRIVATE KEY"'],
  ["a garbled certificate", () => ({ certificate: broken("CERTIFICATE") }), "Certificate can't be read: "],
  ["a garbled key", () => ({ key: broken("PRIVATE KEY") }), "Key can't be read: "],
  ["an encrypted key", () => ({ key: encrypted("-aes256") }), "Key is encrypted: it is needed without a password"],
  [
    "a key encrypted in the old way",
    () => ({ key: encrypted("-aes256", "-traditional") }),
    "Key is encrypted: it is needed without a password",
  ],
  ["two keys", () => ({ key: identity().server.key.repeat(2) }), "Key holds 2 keys, not one"],
  [
    "a garbled second certificate",
    () => ({ certificate: identity().server.certificate + broken("CERTIFICATE") }),
    "Certificate can't be read: ",
  ],
  [
    "a key of another certificate",
    () => ({ key: identity().authority.own.key }),
    'Key does not belong to the certificate of "CN=localhost"',
  ],
];

for (const [what, wrong, message] of faults) {
  test(`Of an identity with ${what}, the error says which part is wrong and what was found`, () => {
    const { server: { certificate, key } } = identity();
    assertThrows(() => checkIdentity({ certificate, key, ...wrong() }), TypeError, message);
  });
}

test("An error names the host whose certificate is wrong", () => {
  const { server } = identity();
  const fault = () => checkIdentity({ ...server, key: "" }, ' of host "a.example"');
  assertThrows(fault, TypeError, 'Key of host "a.example" has no PEM');
});

test("No error tells anything of a key", () => {
  const { key } = identity().server, secret = key.split("\n")[1]!;
  for (
    const wrong of [{ key, certificate: key }, { key: key.replace("-----BEGIN", "") }, { key: key.replace("M", "Q") }]
  ) {
    let message = "";
    try {
      checkIdentity({ ...identity().server, ...wrong });
    } catch (error) {
      message = String(error);
    }
    assertEquals([message.length > 0, message.includes(secret.slice(1, 9))], [true, false]);
  }
});

const algorithms: readonly (readonly [string, readonly string[]])[] = [
  ["RSA", ["rsa:2048"]],
  ["P-384", ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]],
  ["Ed25519", ["ed25519"]],
];

for (const [name, algorithm] of algorithms) {
  test(`A key of ${name} is taken`, () => checkIdentity(identity().authority.issue("/CN=localhost", { algorithm })));
}

test("A key in the older formats is taken, with or without the parameters of its curve", () => {
  const { keyFile, certificate } = identity().server, old = openssl("ec", "-in", keyFile);
  const parameters = openssl("ecparam", "-name", "prime256v1");
  for (const key of [old, parameters + old, old.replaceAll("\n", "\r\n"), `A comment\n${old}`]) {
    checkIdentity({ certificate, key });
  }
});

test("A certificate may be followed by those up to its root", () => {
  const { server, authority } = identity();
  checkIdentity({ key: server.key, certificate: server.certificate + authority.own.certificate });
});

test("Several authorities are taken, what is none is not", () => {
  const { server, authority } = identity(), more = new Authority("More").own.certificate;
  checkAuthorities(authority.own.certificate + more, "Client CA");
  assertThrows(() => checkAuthorities(server.key, "Client CA"), TypeError, 'Client CA holds "PRIVATE KEY"');
  assertThrows(() => checkAuthorities("ca.crt", "Client CA"), TypeError, "Client CA has no PEM");
});
