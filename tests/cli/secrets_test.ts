// Whatever goes right or wrong: no password, no hash, no key and no token is in what the command prints, tells over HTTP or publishes.
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { passwordEntry } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { BrokerProcess } from "../support/process.ts";
import { canIssue, identity } from "../transport/certificates.ts";

const entry = await passwordEntry("ada", "lovelace-1815", 101), [, , , salt, hash] = entry.split("$");
const base64 = (text: string) => new TextEncoder().encode(text).toBase64();

const given = {
  "a password that is right": "lovelace-1815",
  "a password that is wrong": "byron-1788",
  "a password that stands where a hash should": "babbage-1791",
  "the user name and password of a browser": base64("ada:lovelace-1815"),
  "those of a wrong one": base64("guess:byron-1788"),
  "a salt": salt!,
  "a hash": hash!,
  "data of an authentication": "engine-1837",
  "the same in hexadecimal": new TextEncoder().encode("engine-1837").toHex(),
  "a token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.",
};

/** What a client gets for its CONNECT. */
async function login(port: number, credentials: object, version: 4 | 5 = 4): Promise<void> {
  await using client = await TestClient.tcp(port);
  await client.send({
    cmd: "connect",
    clientId: "c",
    clean: true,
    keepalive: 0,
    protocolVersion: version,
    ...credentials,
  });
  await client.receive().catch(() => {});
}

Deno.test({
  name: "Nothing secret is printed, told over HTTP or published, whatever the log level",
  ignore: !canIssue,
  async fn() {
    const folder = await Deno.makeTempDir(), file = (name: string) => `${folder}/${name}`, { server } = identity();
    const key = server.key.split("\n").slice(1, -2), secrets = Object.entries({ ...given, "a line of a key": key[0]! });
    const said: string[] = [];
    Deno.writeTextFileSync(file("p"), `${entry}\n`);
    Deno.writeTextFileSync(file("a"), "user ada\ntopic #\ntopic read $SYS/#\n");
    Deno.copyFileSync(server.certificateFile, file("c"));
    Deno.copyFileSync(server.keyFile, file("k"));
    const options = [
      "--passwords",
      file("p"),
      "--acl",
      file("a"),
      "--tls-port",
      "0",
      "--cert",
      file("c"),
      "--key",
      file("k"),
    ];
    const broker = await BrokerProcess.start(`--allow-read=${folder}`, "--trace", "--log-level", "debug", ...options);
    for (const [i, password] of Object.values(given).entries()) {
      await login(broker.port, { username: i === 0 ? "ada" : `guess ${i}`, password }); // of one name, few guesses are heard
    }
    const auth = { authenticationMethod: "SCRAM-SHA-256", authenticationData: Buffer.from("engine-1837") };
    await login(broker.port, { properties: auth }, 5);
    const admin = await TestClient.tcp(broker.port);
    await admin.connect({ clientId: "admin", username: "ada", password: "lovelace-1815" });
    for (const name of ["p", "k", "a", "c"]) {
      const former = Deno.readTextFileSync(file(name));
      for (const text of [`bob:babbage-1791\n${former.slice(0, -20)}`, `${former.slice(0, 120)}\n`, "babbage-1791"]) {
        Deno.writeTextFileSync(file(name), text);
        broker.signal("SIGHUP");
        said.push(await broker.logged("Reloaded"));
      }
      Deno.writeTextFileSync(file(name), former);
    }
    broker.signal("SIGHUP");
    said.push(await broker.logged("Reloaded"));
    for (const user of ["ada:lovelace-1815", "guess:byron-1788"]) {
      for (const path of ["/", "/metrics", "/api/overview", "/api/clients", "/api/why", "/healthz"]) {
        const headers = { authorization: `Basic ${base64(user)}` };
        const response = await fetch(`http://127.0.0.1:${broker.ports.get("ws")}${path}`, { headers });
        said.push(JSON.stringify([...response.headers]), await response.text());
      }
    }
    await admin.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "$SYS/#", qos: 0 }] });
    await admin.expect({ cmd: "suback" });
    await admin.drop(); // what it got is in the trace
    const { output, errors } = await broker.end();
    said.push(...output, ...errors);
    await Deno.remove(folder, { recursive: true });
    assert(
      said.some((line) => line.includes('Client "admin" connected')) && said.some((line) => line.includes(" CONNECT ")),
    );
    assert(said.some((line) => line.includes("stays as it was")), "The faulty files were told of");
    const told = secrets.filter(([, secret]) => said.some((line) => line.includes(secret)));
    assertEquals(told.map(([what]) => what), []);
  },
});
