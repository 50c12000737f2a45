// Certificates and keys as PEM text, looked at before anything is served with them: node:tls takes whatever it gets,
// and would fail at the first client, without a word about why. Invariant: no error tells anything of a key.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** A certificate and the key that belongs to it. */
export interface Identity {
  /** PEM: the certificate, and behind it those between it and its root, if any. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

/**
 * Checks that a certificate and a key can be read and belong together.
 *
 * @param whose such as ` of host "a.example"`, for the error
 * @throws {TypeError} that says which of the two is wrong, and what was found
 */
export function checkIdentity({ certificate, key }: Identity, whose = ""): void {
  const [first] = certificatesOf(certificate, `Certificate${whose}`), privateKey = keyOf(key, `Key${whose}`);
  if (first!.checkPrivateKey(privateKey)) return;
  throw new TypeError(`Key${whose} does not belong to the certificate of "${oneLine(first!.subject)}"`);
}

/**
 * The host names that a certificate is for.
 *
 * @throws {TypeError} where it can't be read, or names none
 */
export function hostNamesOf(certificate: string): string[] {
  const [first] = certificatesOf(certificate, "Certificate"), { subjectAltName = "", subject } = first!;
  const names = [...subjectAltName.matchAll(/(?:^|, )DNS:([^,\s]+)/g)].map(([, name]) => name!);
  if (names.length > 0) return names;
  throw new TypeError(`Certificate of "${oneLine(subject)}" names no host`);
}

/** Checks that the certificates of authorities can be read. */
export function checkAuthorities(pem: string, name: string): void {
  certificatesOf(pem, name);
}

function certificatesOf(pem: string, name: string): X509Certificate[] {
  const blocks = blocksOf(pem, name), wanted = "CERTIFICATE";
  return blocks.map(({ label, text }) => {
    if (label !== wanted) throw new TypeError(`${name} holds "${label}", not "${wanted}"`);
    return readable(name, () => new X509Certificate(text));
  });
}

function keyOf(pem: string, name: string): KeyObject {
  // A file of an elliptic key may begin with the parameters of its curve.
  const [block, ...others] = blocksOf(pem, name).filter(({ label }) => label !== "EC PARAMETERS");
  if (!block || others.length > 0) {
    throw new TypeError(`${name} holds ${others.length + (block ? 1 : 0)} keys, not one`);
  }
  const { label, text } = block;
  if (label.includes("ENCRYPTED") || text.includes("ENCRYPTED")) {
    throw new TypeError(`${name} is encrypted: it is needed without a password`);
  }
  if (!label.endsWith("PRIVATE KEY")) throw new TypeError(`${name} holds "${label}", not "PRIVATE KEY"`);
  return readable(name, () => createPrivateKey(text));
}

function blocksOf(pem: string, name: string): { readonly label: string; readonly text: string }[] {
  const blocks = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g)];
  if (blocks.length > 0) return blocks.map(([text, label]) => ({ label: label!, text }));
  throw new TypeError(`${name} has no PEM in its ${pem.length} characters: the text is needed, not the path of a file`);
}

function readable<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new TypeError(`${name} can't be read: ${(error as Error).message}`);
  }
}

function oneLine(subject: string): string {
  return subject.replaceAll("\n", ", ");
}
