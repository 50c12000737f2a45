// CONNACK (3.1.1 section 3.2): that it comes first, what it says of the session, and how it refuses.
import { assertEquals } from "@std/assert";
import { type Authenticate, createBroker, type Decision, type Reason } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { refuseTheConnection } from "./openings.ts";
import { connectFrame, endings, flag, versions } from "./support.ts";
import { bytesOf } from "./violations.ts";

for (const [how, answer] of [["at once", true], ["by a promise", Promise.resolve(true)]] as const) {
  Deno.test(`CONNACK precedes the answers to what was sent with a CONNECT that is accepted ${how} [MQTT-3.2.0-1] [MQTT-3.1.4-4]`, async () => {
    await using broker = createBroker({ authenticate: () => answer });
    await broker.publish("t", "retained", { retain: true });
    await using client = TestClient.memory(broker);
    await client.sendBytes([
      ...connectFrame(),
      ...bytesOf({ cmd: "pingreq" }),
      ...bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 0 }] }),
      ...bytesOf({ cmd: "publish", topic: "u", payload: "", qos: 1, messageId: 2 }),
    ]);
    for (const cmd of ["connack", "pingresp", "suback", "publish", "puback"] as const) await client.expect({ cmd });
  });
}

Deno.test("CONNACK precedes what a session has still to deliver [MQTT-3.2.0-1]", async () => {
  await using broker = createBroker();
  {
    await using client = await connected(broker, "c", { clean: false });
    await client.subscribe("t", 2);
    await broker.publish("t", "released", { qos: 2 });
    await broker.publish("t", "on its way", { qos: 2 });
    const { messageId } = await client.receive();
    await client.send({ cmd: "pubrec", messageId });
    await client.expect({ cmd: "publish" });
    await client.expect({ cmd: "pubrel" });
    await client.disconnect();
  }
  await broker.publish("t", "queued", { qos: 2 });
  await using client = TestClient.memory(broker);
  await client.send({ cmd: "connect", clientId: "c", clean: false, keepalive: 0 });
  for (const cmd of ["connack", "pubrel", "publish", "publish"] as const) await client.expect({ cmd });
});

/** What there may be of a client before it connects. */
const pasts: Readonly<Record<string, (client: TestClient) => Promise<unknown>>> = {
  "nothing": () => Promise.resolve(),
  "a clean session that ended": async (client) => {
    await client.connect();
    await client.disconnect();
  },
  "a clean session that is connected": (client) => client.connect(),
  "a stored session": async (client) => {
    await client.connect({ clean: false });
    await client.disconnect();
  },
  "a stored session that is connected": (client) => client.connect({ clean: false }),
};

for (const { name, fields } of versions) {
  const told = fields.protocolVersion === 4; // 3.1 has no such flag: that byte is reserved there
  for (const [past, begin] of Object.entries(pasts)) {
    for (const clean of [true, false]) {
      const present = told && !clean && past.startsWith("a stored session");
      Deno.test(
        `${name}: after ${past}, CleanSession ${+clean} gets session present ${+present} [MQTT-3.2.2-1] [MQTT-3.2.2-2] [MQTT-3.2.2-3]`,
        async () => {
          await using broker = createBroker();
          await using former = TestClient.memory(broker);
          await begin(former);
          await using client = TestClient.memory(broker);
          const { sessionPresent } = await client.connect({ ...fields, clean });
          assertEquals(sessionPresent, present);
        },
      );
    }
  }
}

/** What hooks may answer, and the return code that 3.1.1 has for it. */
const codes: readonly (readonly [number, ...Decision[]])[] = [
  [1, "unsupported-protocol-version"],
  [2, "client-identifier-not-valid"],
  [3, "server-unavailable", "server-busy", "server-shutting-down", "quota-exceeded"],
  [4, "bad-user-name-or-password"],
  [5, "not-authorized", "banned", false],
];
const unless = (decision: Decision): Authenticate => ({ clientId }) => clientId === "witness" || decision;

for (const [returnCode, ...decisions] of codes) {
  for (const decision of decisions) {
    const reason = decision === false ? "not-authorized" : decision as Reason, answer = decision || "a plain no";
    Deno.test(
      `a refusal as ${answer} gets CONNACK 0x0${returnCode}, session present 0, and the end [MQTT-3.2.2-4] [MQTT-3.2.2-5]`,
      refuseTheConnection({
        "clean": connectFrame(),
        "persistent": connectFrame({ flags: 0 }),
        "3.1": connectFrame({ name: "MQIsdp", level: 3 }),
        "with a will": connectFrame({ flags: flag.will, fields: ["c", "will", "gone"] }),
      }, { reason, returnCode, options: { authenticate: unless(decision) } }),
    );
  }
}

const codeless: readonly Reason[] = [
  "unspecified-error",
  "implementation-specific-error",
  "malformed-packet",
  "protocol-error",
];

for (const reason of codeless) {
  Deno.test(
    `a refusal as ${reason}, for which there is no return code, closes the connection without CONNACK [MQTT-3.2.2-6]`,
    refuseTheConnection(
      { "clean": connectFrame(), "persistent": connectFrame({ flags: 0 }) },
      { reason, options: { authenticate: unless(reason) } },
    ),
  );
}

Deno.test(
  "a hook that throws or rejects refuses with CONNACK 0x03 [MQTT-3.2.2-5]",
  async (t) => {
    const throws: Authenticate = ({ clientId }) => {
      if (clientId === "witness") return true;
      throw new Error("The users are gone");
    };
    const rejects: Authenticate = ({ clientId }) =>
      clientId === "witness" || Promise.reject(new Error("The users are gone"));
    for (const authenticate of [throws, rejects]) {
      const refusal = { reason: "server-unavailable", returnCode: 3, options: { authenticate } } as const;
      await refuseTheConnection({ [authenticate === throws ? "throws" : "rejects"]: connectFrame() }, refusal)(t);
    }
  },
);

Deno.test("a refusal says session present 0 although there is a session, and leaves that as it is [MQTT-3.2.2-4] [MQTT-3.1.4-5]", async () => {
  let open = true;
  await using broker = createBroker({ authenticate: () => open });
  await using former = await connected(broker, "c", { clean: false });
  await former.subscribe("t", 1);
  for (const clean of [false, true]) {
    open = false;
    await using client = TestClient.memory(broker);
    await client.send({ cmd: "connect", clientId: "c", clean, keepalive: 0 });
    await client.expect({ cmd: "connack", returnCode: 5, sessionPresent: false });
    await client.expectClosed();
    await former.expectNothing(); // not taken over, either
  }
  await former.disconnect();
  open = true;
  await using again = TestClient.memory(broker);
  assertEquals((await again.connect({ clientId: "c", clean: false })).sessionPresent, true);
});

Deno.test("a connection beyond the limit gets CONNACK 0x03 and is closed; the others go on [MQTT-3.2.2-4] [MQTT-3.2.2-5]", async () => {
  await using broker = createBroker({ limits: { connections: 1 } });
  await using client = await connected(broker, "c");
  await using refused = TestClient.memory(broker);
  await refused.send({ cmd: "connect", clientId: "d", clean: true, keepalive: 0 });
  await refused.expect({ cmd: "connack", returnCode: 3, sessionPresent: false });
  await refused.expectClosed();
  assertEquals(endings(broker), { "refused/server-unavailable": 1 });
  await client.expectNothing();
});

Deno.test("CONNACK and the end of the connection reach a refused client over TCP [MQTT-3.2.2-5] [MQTT-3.1.2-2]", async () => {
  await using broker = createBroker();
  await using listener = broker.listen({ port: 0 });
  await using client = await TestClient.tcp(listener.port);
  const behind = bytesOf({ cmd: "publish", topic: "t", payload: "x".repeat(100_000), qos: 0 });
  await client.sendBytes([...connectFrame({ level: 6 }), ...behind]);
  await client.expect({ cmd: "connack", returnCode: 1, sessionPresent: false });
  await client.expectClosed();
});
