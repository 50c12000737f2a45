// A toy method of enhanced authentication: it asks "1 and 1?" and so on, as often as the opening says, and wants the sum each time.
import { Buffer } from "node:buffer";
import type { Authenticated, AuthenticationExchange, Decision } from "../../mod.ts";
import type { PacketLike, TestClient } from "../support/client.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** Opening "ann:2" asks twice, and lets in a user "ann" who answers right; the success carries "welcome". */
export async function toy({ data, challenge }: AuthenticationExchange): Promise<Decision | Authenticated> {
  const [username = "", rounds = "0"] = decoder.decode(data).split(":");
  for (let round = 1; round <= Number(rounds); round++) {
    const answer = decoder.decode(await challenge(encoder.encode(`${round} and ${round}?`)));
    if (answer !== String(round + round)) return "not-authorized";
  }
  return { username, data: encoder.encode("welcome") };
}

/** An AUTH as mqtt-packet takes it; by default it goes on. */
export function authPacket(
  data?: string,
  reasonCode = 0x18,
  authenticationMethod: string | undefined = "toy",
): PacketLike {
  const properties = {
    authenticationMethod,
    authenticationData: data === undefined ? undefined : Buffer.from(data),
  };
  return { cmd: "auth", reasonCode, properties };
}

/** What an AUTH, CONNACK or DISCONNECT says: "auth 0x18 toy 1 and 1?". */
export function said({ cmd, reasonCode, properties = {} }: PacketLike): string {
  const { authenticationMethod, authenticationData } = properties;
  const data = authenticationData && decoder.decode(authenticationData);
  return [cmd, `0x${reasonCode.toString(16)}`, authenticationMethod, data].filter((part) => part !== undefined).join(
    " ",
  );
}

/** Sends a CONNECT with the toy method. */
export function open(client: TestClient, data?: string, options: Partial<PacketLike> = {}): Promise<void> {
  const { properties } = authPacket(data);
  return client.send({ clientId: "client", protocolVersion: 5, properties, ...options, cmd: "connect" });
}

/** Answers with AUTH, and resolves to what the broker says. */
export async function answer(client: TestClient, ...answers: readonly string[]): Promise<string[]> {
  const heard = [said(await client.receive())];
  for (const text of answers) {
    await client.send(authPacket(text));
    heard.push(said(await client.receive()));
  }
  return heard;
}
