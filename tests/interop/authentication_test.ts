// Enhanced authentication of MQTT 5.0: MQTT.js proves by SCRAM-SHA-256 that it knows a password, and lets the broker prove that too.
// Its half of the conversation is written from RFC 5802, on Node's functions and none of the broker's.
import { assertEquals, assertRejects } from "@std/assert";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { Buffer } from "node:buffer";
import { type BrokerOptions, scramSecret, scramSha256 } from "../../mod.ts";
import type { Packet } from "./mqttjs.d.ts";
import { mqttjs, MqttjsClient } from "./mqttjs.ts";
import type { TestedBroker } from "./program.ts";
import { testLocally } from "./programs.ts";

const CONTINUE = 0x18, AGAIN = 0x19;

const METHOD = "SCRAM-SHA-256", NONCE = "fyko+d2lbbFgONRv9qkxdawL";

const users = new Map([["lamp", await scramSecret("secret")]]);

const options: BrokerOptions = {
  authenticationMethods: { [METHOD]: scramSha256((username) => users.get(username)) },
  authenticate: () => false, // no other way in
};

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function textOf({ properties }: Packet): string {
  return new TextDecoder().decode(properties?.authenticationData);
}

/** The client's half of one conversation. */
class Scram {
  readonly first: string;
  readonly #password: string;
  /** What the broker has to say in the end. */
  signature = "";

  constructor(username: string, password: string) {
    this.first = `n,,n=${username},r=${NONCE}`;
    this.#password = password;
  }

  /** The answer to the broker's challenge. */
  final(challenge: string): string {
    const [, nonce, salt = "", iterations] = /^r=(.*),s=(.*),i=(\d+)$/.exec(challenge) ?? [];
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
    const key = hmac(salted, "Client Key"), stored = createHash("sha256").update(key).digest();
    const withoutProof = `c=biws,r=${nonce}`, signed = `${this.first.slice(3)},${challenge},${withoutProof}`;
    const mask = hmac(stored, signed), proof = key.map((byte, i) => byte ^ mask[i]!);
    this.signature = `v=${hmac(hmac(salted, "Server Key"), signed).toString("base64")}`;
    return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  }
}

/** AUTH with data, for MQTT.js to send. */
function auth(reasonCode: number, data: string): Packet {
  const authenticationData = new TextEncoder().encode(data);
  return { cmd: "auth", reasonCode, properties: { authenticationMethod: METHOD, authenticationData } };
}

/** Answers the broker's challenges. */
function answering(scram: Scram): MqttjsClient["raw"]["handleAuth"] {
  return (packet, answer) =>
    packet.reasonCode === CONTINUE ? answer(undefined, auth(CONTINUE, scram.final(textOf(packet)))) : answer();
}

/** A client that is about to connect. */
function client(broker: TestedBroker, scram: Scram): MqttjsClient {
  const { properties } = auth(CONTINUE, scram.first);
  const client = new MqttjsClient(broker, "lamp-1", { properties: properties! });
  client.raw.handleAuth = answering(scram);
  return client;
}

const test = testLocally.bind(undefined, [mqttjs]);

test(
  "MQTT.js connects by SCRAM-SHA-256, and the broker proves that it knows the password, too [MQTT5-4.12.0-2, MQTT5-4.12.0-5]",
  async (broker) => {
    const scram = new Scram("lamp", "secret");
    await using lamp = client(broker, scram);
    await lamp.connected;
    const connack = await lamp.packet("connack");
    assertEquals([connack.properties?.authenticationMethod, textOf(connack)], [METHOD, scram.signature]);
    await broker.logged('Client "lamp-1" connected as "lamp"');
    await lamp.publish({ topic: "a", payload: "?", qos: 1, retain: false });
  },
  options,
);

for (const [username, password] of [["lamp", "guessed"], ["nobody", "secret"]] as const) {
  test(
    `MQTT.js can't connect by SCRAM-SHA-256 as ${username} with the password "${password}" [MQTT5-4.12.0-4]`,
    async (broker) => {
      await using stranger = client(broker, new Scram(username, password));
      await assertRejects(() => stranger.connected, Error, "Connection refused: Not authorized");
    },
    options,
  );
}

test("MQTT.js is told that there is no such authentication method [MQTT5-4.12.0-1]", async (broker) => {
  await using stranger = client(broker, new Scram("lamp", "secret"));
  await assertRejects(() => stranger.connected, Error, "Connection refused: Bad authentication method");
}, { authenticate: () => true });

const again = [
  ["secret", "is told that it has succeeded", "auth", 0],
  ["guessed", "is disconnected", "disconnect", 0x87],
] as const;

for (const [password, name, outcome, code] of again) {
  test(
    `MQTT.js that authenticates anew with the password "${password}" ${name} [MQTT5-4.12.1-1, MQTT5-4.12.1-2]`,
    async (broker) => {
      await using lamp = client(broker, new Scram("lamp", "secret"));
      await lamp.connected;
      await lamp.packet("auth");
      const scram = new Scram("lamp", password);
      lamp.raw.handleAuth = answering(scram);
      lamp.raw._sendPacket(auth(AGAIN, scram.first));
      await lamp.packet("auth");
      const last = await lamp.packet(outcome);
      assertEquals(last.reasonCode, code);
      if (outcome === "auth") assertEquals(textOf(last), scram.signature);
    },
    options,
  );
}
