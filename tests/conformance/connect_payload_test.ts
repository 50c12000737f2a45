// The CONNECT flags and the fields that they announce (3.1.1 sections 3.1.2.3 to 3.1.3).
import { assertEquals } from "@std/assert";
import { createBroker, type Credentials } from "../../mod.ts";
import { connected, TestClient } from "../support/client.ts";
import { refuseTheConnection } from "./openings.ts";
import { connectFrame, flag, frame } from "./support.ts";
import { violationsOf } from "./violations.ts";

const { clean, will, willQos1, willQos2, willRetain, user, password } = flag;

/** Connects, and returns user name, password as text and password as bytes, as `authenticate` is told them. */
async function told(flags: number, fields: readonly (string | readonly number[])[]): Promise<unknown[]> {
  const seen: Credentials[] = [];
  await using broker = createBroker({ authenticate: (credentials) => seen.push(credentials) > 0 });
  await using client = TestClient.memory(broker);
  await client.sendBytes(connectFrame({ flags, fields }));
  await client.expect({ cmd: "connack", returnCode: 0 });
  return seen.flatMap((
    { username, password, passwordBytes },
  ) => [username, password, passwordBytes && [...passwordBytes]]);
}

Deno.test(
  "client identifier, will topic, will message, user name and password are read in this order [MQTT-3.1.3-1] [MQTT-3.1.3-3]",
  async () => {
    const seen: unknown[] = [];
    await using broker = createBroker({
      authenticate: ({ clientId, username, password }) => seen.push(clientId, username, password) > 0,
    });
    await using watcher = await connected(broker, "watcher");
    await watcher.subscribe("2", 2);
    await using client = TestClient.memory(broker);
    const flags = clean | will | willQos2 | user | password;
    await client.sendBytes(connectFrame({ flags, fields: ["1", "2", "3", "4", "5"] }));
    await client.expect({ cmd: "connack", returnCode: 0 });
    await client.drop();
    await watcher.expect({ cmd: "publish", topic: "2", payload: "3", qos: 2 });
    assertEquals(seen, ["watcher", undefined, undefined, "1", "4", "5"]);
  },
);

Deno.test("a user name and a password are there exactly where their flags say so [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-20] [MQTT-3.1.2-21]", async () => {
  assertEquals(await told(clean, ["c"]), [undefined, undefined, undefined]);
  assertEquals(await told(clean | user, ["c", "u"]), ["u", undefined, undefined]);
  assertEquals(await told(clean | user | password, ["c", "u", "p"]), ["u", "p", [0x70]]);
  assertEquals(await told(clean | user | password, ["c", "", ""]), ["", "", []]);
});

Deno.test("a password is any bytes, a user name any text [MQTT-3.1.2-21] [MQTT-3.1.3-11]", async () => {
  const [username, , bytes] = await told(clean | user | password, ["c", "Zoë 🐳", [0, 0xff, 0xc3, 0]]);
  assertEquals([username, bytes], ["Zoë 🐳", [0, 0xff, 0xc3, 0]]);
});

Deno.test(
  "a user name or password without its flag ends the connection [MQTT-3.1.2-18] [MQTT-3.1.2-20]",
  refuseTheConnection({
    "user name": connectFrame({ fields: ["c", "user"] }),
    "user name and password": connectFrame({ fields: ["c", "user", "password"] }),
    "password": connectFrame({ flags: clean | user, fields: ["c", "user", "password"] }),
    "user name behind a will": connectFrame({ flags: clean | will, fields: ["c", "will", "gone", "user"] }),
  }),
);

Deno.test(
  "a flag without its user name or password ends the connection [MQTT-3.1.2-19] [MQTT-3.1.2-21]",
  refuseTheConnection({
    "user name": connectFrame({ flags: clean | user, fields: ["c"] }),
    "password": connectFrame({ flags: clean | user | password, fields: ["c", "user"] }),
    "user name and password": connectFrame({ flags: clean | user | password, fields: ["c"] }),
    "user name behind a will": connectFrame({ flags: clean | will | user, fields: ["c", "will", "gone"] }),
    "half of a length": frame(0x10, ...connectFrame({ flags: clean | user, fields: ["c"] }).slice(2), 0),
    "a length beyond the end": frame(
      0x10,
      ...connectFrame({ flags: clean | user, fields: ["c"] }).slice(2),
      0,
      5,
      0x75,
    ),
  }),
);

Deno.test(
  "a password without a user name ends the connection [MQTT-3.1.2-22]",
  refuseTheConnection({
    "3.1.1": connectFrame({ flags: clean | password, fields: ["c", "password"] }),
    "3.1": connectFrame({ name: "MQIsdp", level: 3, flags: clean | password, fields: ["c", "password"] }),
    "with a will": connectFrame({ flags: clean | will | password, fields: ["c", "will", "gone", "password"] }),
  }),
);

Deno.test(
  "a will flag without will topic and will message ends the connection [MQTT-3.1.2-9]",
  refuseTheConnection({
    "neither": connectFrame({ flags: clean | will, fields: ["c"] }),
    "no message": connectFrame({ flags: clean | will, fields: ["c", "will"] }),
    "with a user name that would be missing": connectFrame({
      flags: clean | will | user,
      fields: ["c", "will", "gone"],
    }),
  }),
);

Deno.test(
  "a will topic or message without the will flag ends the connection [MQTT-3.1.2-11]",
  refuseTheConnection({
    "both": connectFrame({ fields: ["c", "will", "gone"] }),
    "both, before a user name": connectFrame({ flags: clean | user, fields: ["c", "will", "gone", "user"] }),
  }),
);

Deno.test(
  "a will QoS without the will flag ends the connection [MQTT-3.1.2-11] [MQTT-3.1.2-13]",
  refuseTheConnection(violationsOf(
    [willQos1, willQos2, willQos1 | willQos2],
    (qos) => connectFrame({ flags: clean | qos }),
  )),
);

Deno.test(
  "will retain without the will flag ends the connection [MQTT-3.1.2-11] [MQTT-3.1.2-15]",
  refuseTheConnection({
    "alone": connectFrame({ flags: clean | willRetain }),
    "3.1": connectFrame({ name: "MQIsdp", level: 3, flags: clean | willRetain }),
  }),
);

Deno.test(
  "a will QoS of 3 ends the connection [MQTT-3.1.2-14]",
  refuseTheConnection(violationsOf(
    [0, willRetain],
    (retain) => connectFrame({ flags: clean | will | willQos1 | willQos2 | retain, fields: ["c", "will", "gone"] }),
  )),
);

Deno.test("a will topic is any text that a topic name may be [MQTT-3.1.3-10]", async () => {
  await using broker = createBroker();
  await using watcher = await connected(broker, "watcher");
  await watcher.subscribe("#");
  for (const topic of ["/", "Küche/💡", "a b"]) {
    await using client = await connected(broker, "c", { will: { topic, payload: "gone", qos: 0, retain: false } });
    await client.drop();
    await watcher.expect({ cmd: "publish", topic, payload: "gone" });
  }
});

const illFormed = [0xc3, 0x28];

Deno.test(
  "a will topic that is not UTF-8, or no topic name, ends the connection [MQTT-3.1.3-10]",
  refuseTheConnection(violationsOf(
    [illFormed, [0], [], [...new TextEncoder().encode("a/#")], [0x2b]],
    (topic) => connectFrame({ flags: clean | will, fields: ["c", topic, "gone"] }),
  )),
);

Deno.test(
  "a user name that is not UTF-8 ends the connection [MQTT-3.1.3-11]",
  refuseTheConnection({
    "alone": connectFrame({ flags: clean | user, fields: ["c", illFormed] }),
    "with a password": connectFrame({ flags: clean | user | password, fields: ["c", illFormed, "password"] }),
    "behind a will": connectFrame({ flags: clean | will | user, fields: ["c", "will", [0xff], illFormed] }),
  }),
);
