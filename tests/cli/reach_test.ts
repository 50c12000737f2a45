// The ways to the command's broker: WebSocket, TLS, both, Unix sockets and a load balancer, with the narrowest permissions for each.
import { assertEquals, assertRejects } from "@std/assert";
import { MqttjsClient } from "../interop/mqttjs.ts";
import { connStream } from "../../src/transport/tcp.ts";
import { TestClient } from "../support/client.ts";
import { BrokerProcess, denoRun, has, run } from "../support/process.ts";
import { RawWebSocket } from "../transport/raw_websocket.ts";
import { canIssue, identity } from "../transport/certificates.ts";

const canPublish = has("sh", "-c", "command -v mosquitto_pub") || Deno.env.get("CI") !== undefined;

/** The broker on free ports, with the right to read some files. */
function started(files: readonly string[], ...options: readonly string[]): Promise<BrokerProcess> {
  const read = files.length > 0 ? [`--allow-read=${files.join(",")}`] : [];
  return BrokerProcess.permitted(read, "--port", "0", "--http", "0", "--log-level", "debug", ...options);
}

/** A client of MQTT.js at one of the ports of a broker. */
function clientAt(broker: BrokerProcess, scheme: string, id: string, over: object): Promise<MqttjsClient> {
  const behind = { port: broker.ports.get(scheme)!, logged: (text: string) => broker.logged(text), forget() {} };
  return MqttjsClient.connect(behind, id, { ...over });
}

/** MQTT.js gets what it has published. */
async function exchange(broker: BrokerProcess, scheme: string, over: object): Promise<void> {
  await using client = await clientAt(broker, scheme, "echo", over);
  await client.subscribe("echo", { qos: 1 });
  await client.publish({ topic: "echo", payload: "hello", qos: 1, retain: false });
  assertEquals((await client.messages.take()).payload, "hello");
  await client.leave();
}

Deno.test("The command serves MQTT over WebSocket, and needs no more than --allow-net for it", async () => {
  await using broker = await started([]);
  for (const path of ["/", "/mqtt"]) await exchange(broker, "ws", { protocol: "ws", path });
});

Deno.test("The command shows its page by addresses and local names, and by the hosts of --origin", async () => {
  await using broker = await started([], "--origin", "https://mqtt.example.org");
  const asked = {
    Upgrade: "",
    Connection: "",
    "Sec-WebSocket-Key": "",
    "Sec-WebSocket-Version": "",
    "Sec-WebSocket-Protocol": "",
  };
  const statusFor = async (Host: string, path: string) => {
    using conn = await RawWebSocket.open(broker.ports.get("ws")!, { ...asked, Host }, path);
    return conn.head.slice(9, 12);
  };
  const found: string[] = [];
  for (const host of ["127.0.0.1", "localhost", "192.0.2.7:9001", "brook", "mqtt.example.org", "evil.example"]) {
    for (const path of ["/", "/metrics", "/healthz"]) found.push(await statusFor(host, path));
  }
  assertEquals(found, [...Array(15).fill("200"), ...Array(3).fill("421")]);
});

Deno.test("A WebSocket that is open keeps the command from nothing: it ends on SIGTERM", async () => {
  const broker = await started([]);
  await using _client = await clientAt(broker, "ws", "stays", { protocol: "ws" });
  assertEquals(await broker.stop(), 0);
});

const { authority, server } = canIssue ? identity() : {} as ReturnType<typeof identity>;
const certified = canIssue ? ["--cert", server.certificateFile, "--key", server.keyFile] : [];

Deno.test({
  name: "--https serves MQTT over WebSocket and TLS",
  ignore: !canIssue,
  async fn() {
    await using broker = await started([server.certificateFile, server.keyFile], "--https", "0", ...certified);
    await exchange(broker, "wss", { protocol: "wss", ca: authority.own.certificate });
  },
});

Deno.test({
  name:
    "--tls-port with --client-ca lets Mosquitto in with a certificate, as the user whom that names, and nobody without",
  ignore: !(canIssue && canPublish),
  async fn() {
    const ca = authority.own.certificateFile, files = [server.certificateFile, server.keyFile, ca];
    await using broker = await started(files, "--tls-port", "0", ...certified, "--client-ca", ca);
    const { certificateFile, keyFile } = authority.issue("/CN=lamp", { use: "clientAuth" });
    const publish = (...options: readonly string[]) => {
      const at = ["-h", "localhost", "-p", `${broker.ports.get("mqtts")}`, "--cafile", ca, "-t", "t", "-m", "m"];
      return run("mosquitto_pub", { args: [...at, "-i", "lamp", "-q", "1", ...options] });
    };
    const own = ["--cert", certificateFile, "--key", keyFile];
    for (const name of [[], ["-u", "lamp"]]) {
      await publish(...own, ...name);
      await broker.logged('Client "lamp" connected as "lamp"');
    }
    await assertRejects(() => publish(...own, "-u", "safe"), Error, "ended with");
    await broker.logged('Refused client "lamp"');
    await assertRejects(() => publish(), Error, "ended with");
    await broker.logged("TLS handshake failed");
    await using plain = await TestClient.tcp(broker.port);
    await plain.send({ cmd: "connect", clientId: "plain", clean: true, keepalive: 0 });
    await plain.expect({ cmd: "connack", returnCode: 5 });
  },
});

Deno.test({
  name: "A certificate says who its client is to --acl, too",
  ignore: !(canIssue && canPublish),
  async fn() {
    const ca = authority.own.certificateFile, acl = await Deno.makeTempFile();
    await Deno.writeTextFile(acl, "user lamp\ntopic write home/lamp\n");
    {
      const files = [server.certificateFile, server.keyFile, ca, acl];
      await using broker = await started(files, "--tls-port", "0", ...certified, "--client-ca", ca, "--acl", acl);
      const { certificateFile, keyFile } = authority.issue("/CN=lamp", { use: "clientAuth" });
      const publish = (topic: string) => {
        const at = [
          "-h",
          "localhost",
          "-p",
          `${broker.ports.get("mqtts")}`,
          "--cafile",
          ca,
          "-m",
          "m",
          "-q",
          "1",
          "-V",
          "5",
        ];
        return run("mosquitto_pub", {
          args: [...at, "--cert", certificateFile, "--key", keyFile, "-i", "lamp", "-t", topic],
        });
      };
      await publish("home/lamp");
      await publish("home/safe");
      await broker.logged('Client "lamp" may not publish "home/safe": not-authorized');
    }
    await Deno.remove(acl);
  },
});

Deno.test({
  name:
    "On SIGHUP the certificates are read again: a faulty one is told and not taken, and those who are connected stay",
  ignore: !canIssue,
  async fn() {
    const folder = await Deno.makeTempDir(), cert = `${folder}/s.crt`, key = `${folder}/s.key`;
    const copy = async (issued: { certificateFile: string; keyFile: string }) => {
      await Deno.copyFile(issued.certificateFile, cert);
      await Deno.copyFile(issued.keyFile, key);
    };
    await copy(server);
    {
      await using broker = await started([folder], "--tls-port", "0", "--cert", cert, "--key", key);
      const port = broker.ports.get("mqtts")!;
      const over = { protocol: "mqtts", ca: authority.own.certificate };
      await using client = await clientAt(broker, "mqtts", "stays", over);
      const shown = () => subjectAt(port, authority.own.certificate);
      assertEquals(await shown(), "localhost");
      await Deno.writeTextFile(cert, "nonsense");
      broker.signal("SIGHUP");
      await broker.logged('"cert" stays as it was: Certificate has no PEM');
      assertEquals(await shown(), "localhost");
      await copy(authority.issue("/CN=renewed", { use: "serverAuth" }));
      await broker.logged("Reloaded");
      broker.signal("SIGHUP");
      await broker.logged("Reloaded");
      assertEquals(await shown(), "renewed");
      await client.subscribe("still/there", { qos: 0 });
      await client.leave();
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name:
    "Certificates that are renewed, also by a link that points elsewhere, are served without a signal, and nobody is disconnected",
  ignore: !canIssue,
  async fn() {
    const folder = await Deno.makeTempDir(),
      names = ["cert.pem", "key.pem"],
      paths = names.map((n) => `${folder}/${n}`);
    const link = (issued: { certificateFile: string; keyFile: string }) => {
      for (const [i, file] of [issued.certificateFile, issued.keyFile].entries()) {
        Deno.symlinkSync(file, `${paths[i]!}.new`);
        Deno.renameSync(`${paths[i]!}.new`, paths[i]!);
      }
    };
    const renewed = authority.issue("/CN=renewed", { use: "serverAuth" });
    link(server);
    {
      await using broker = await started(paths, "--tls-port", "0", "--cert", paths[0]!, "--key", paths[1]!);
      const over = { protocol: "mqtts", ca: authority.own.certificate };
      await using client = await clientAt(broker, "mqtts", "stays", over);
      const shown = () => subjectAt(broker.ports.get("mqtts")!, authority.own.certificate);
      link(renewed);
      await broker.logged("Reloaded the certificates");
      assertEquals(await shown(), "renewed");
      await Deno.remove(paths[1]!);
      await broker.logged('"cert" stays as it was: --key: File ');
      assertEquals(await shown(), "renewed");
      await client.subscribe("still/there", { qos: 0 });
      await client.leave();
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "--https keeps its certificate until the next start, and says so",
  ignore: !canIssue,
  async fn() {
    await using broker = await started([server.certificateFile, server.keyFile], "--https", "0", ...certified);
    broker.signal("SIGHUP");
    await broker.logged("--https keeps its certificate until the next start");
    await broker.logged("Reloaded");
  },
});

Deno.test({
  name:
    "With several certificates, a client gets the one of the host that it asks for, also after they were renewed, or else the first",
  ignore: !canIssue,
  async fn() {
    const folder = await Deno.makeTempDir(), path = (name: string) => `${folder}/${name}`;
    const write = (name: string, subject: string, host: string) => {
      const issued = authority.issue(`/CN=${subject}`, { use: "serverAuth", hosts: `DNS:${host},DNS:also.${host}` });
      Deno.writeTextFileSync(path(`${name}.crt`), issued.certificate);
      Deno.writeTextFileSync(path(`${name}.key`), issued.key);
    };
    for (const name of ["first", "second", "third"]) {
      write(name, name, name === "third" ? "*.third.example" : `${name}.example`);
    }
    {
      const options = ["first", "second", "third"].flatMap((
        n,
      ) => ["--cert", path(`${n}.crt`), "--key", path(`${n}.key`)]);
      await using broker = await started([folder], "--tls-port", "0", ...options);
      const port = broker.ports.get("mqtts")!,
        asked = ["second.example", "also.second.example", "a.third.example", "localhost"];
      const shown = async () => {
        const names: string[] = [];
        for (const host of asked) names.push(await subjectAt(port, authority.own.certificate, host));
        return names;
      };
      assertEquals(await shown(), ["second", "second", "third", "first"]);
      write("second", "renewed", "second.example");
      await broker.logged("Reloaded the certificates");
      assertEquals(await shown(), ["renewed", "renewed", "third", "first"]);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

/** The name in the certificate that a server shows to who asks for a host. */
async function subjectAt(port: number, ca: string, servername = "localhost"): Promise<string> {
  const { connect } = await import("node:tls");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(
    { port, host: "localhost", servername, ca, checkServerIdentity: () => undefined },
    () => resolve(String(socket.getPeerCertificate().subject.CN)),
  );
  socket.on("error", reject);
  const name = await promise;
  socket.destroy();
  return name;
}

Deno.test("--unix serves MQTT over a Unix socket, with the rights to its folder", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/broker.sock`;
  {
    const rights = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    await using _broker = await BrokerProcess.permitted(rights, "--port", "0", "--no-http", "--unix", path);
    await using client = new TestClient(connStream(await Deno.connect({ transport: "unix", path }), path));
    await client.connect();
    await client.disconnect();
  }
  await Deno.remove(folder);
});

Deno.test("--proxy-protocol: the log and the limits know clients by their own addresses", async () => {
  await using broker = await started([], "--proxy-protocol", "--limit", "connectionsPerAddress=1");
  const connect = async (address: string, clientId: string) => {
    const client = await TestClient.tcp(broker.port);
    await client.stream.write(new TextEncoder().encode(`PROXY TCP4 ${address} 192.0.2.1 4242 1883\r\n`));
    await client.send({ cmd: "connect", clientId, clean: true, keepalive: 0 });
    return client;
  };
  await using one = await connect("192.0.2.7", "one");
  await one.expect({ cmd: "connack", returnCode: 0 });
  await broker.logged('Client "one" connected from 192.0.2.7:4242');
  await using other = await connect("192.0.2.8", "other");
  await other.expect({ cmd: "connack", returnCode: 0 });
  await using _same = await connect("192.0.2.7", "same");
  await broker.logged('Refused client "same" from 192.0.2.7:4242: quota-exceeded');
});

const missing: readonly (readonly [what: string, permissions: readonly string[], options: string, fault: string])[] = [
  [
    "a file",
    ["--allow-net"],
    "--passwords p.txt",
    '--passwords: File "p.txt" can\'t be read: it needs the permission --allow-read=p.txt',
  ],
  [
    "a file that is not there",
    ["--allow-net", "--allow-read"],
    "--acl no.txt",
    '--acl: File "no.txt" can\'t be read: there is no such file',
  ],
  [
    "a Unix socket",
    ["--allow-net"],
    "--no-http --unix /tmp/b.sock",
    '--unix: Can\'t listen at "/tmp/b.sock": it needs the permissions --allow-read=/tmp/b.sock,/tmp/b.sock.new ' +
    "--allow-write=/tmp/b.sock,/tmp/b.sock.new",
  ],
  [
    "a Unix socket on the network",
    ["--allow-net=127.0.0.1", "--allow-read=/tmp", "--allow-write=/tmp"],
    "--no-http --unix /tmp/b.sock",
    '--unix: Can\'t listen at "/tmp/b.sock": it needs the permission --allow-net, or of that unix:/tmp/b.sock and ' +
    "unix:/tmp/b.sock.new, as whole paths",
  ],
];

for (const [what, permissions, options, fault] of missing) {
  Deno.test(`Without the permission for ${what}, exit status 1 and one line that says what is needed`, async () => {
    await using process = denoRun(...permissions, "mod.ts", "--port", "0", "--http", "0", ...options.split(" "));
    assertEquals(await process.outcome(), { code: 1, output: [], errors: [`brook: ${fault}`] });
  });
}
