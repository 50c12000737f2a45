// The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), on node:crypto: nothing of the broker's half is in it.
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** What a client knows, and how it opens. */
export interface ScramLogin {
  readonly username: string;
  readonly password: string;
  readonly nonce: string;
  /** Default `n,,`. */
  readonly header?: string;
}

/** The first message of a client. */
export function clientFirst({ username, nonce, header = "n,," }: ScramLogin): string {
  return `${header}n=${username},r=${nonce}`;
}

/** The attributes of a message, by their letters. */
export function attributes(message: string): Readonly<Record<string, string>> {
  return Object.fromEntries(message.split(",").map((part) => [part[0], part.slice(2)]));
}

/** The answer to the server's first message, and what the server has to say to prove itself. */
export function clientFinal(login: ScramLogin, serverFirst: string): { message: string; serverFinal: string } {
  const { username, password, nonce, header = "n,," } = login, { r, s, i } = attributes(serverFirst);
  const salted = pbkdf2Sync(password, Buffer.from(s!, "base64"), Number(i), 32, "sha256");
  const withoutProof = `c=${Buffer.from(header).toString("base64")},r=${r}`;
  const signed = `n=${username},r=${nonce},${serverFirst},${withoutProof}`;
  const clientKey = hmac(salted, "Client Key");
  const signature = hmac(createHash("sha256").update(clientKey).digest(), signed);
  const proof = clientKey.map((byte, at) => byte ^ signature[at]!);
  return {
    message: `${withoutProof},p=${Buffer.from(proof).toString("base64")}`,
    serverFinal: `v=${hmac(hmac(salted, "Server Key"), signed).toString("base64")}`,
  };
}
