// The CONNECT flags and the fields that they announce (5.0 sections 3.1.2.3 to 3.1.2.9 and 3.1.3).
import { assertEquals } from "@std/assert";
import { createBroker, type Credentials } from "../../mod.ts";
import { TestClient } from "../support/client.ts";
import { flag, frame } from "../conformance/support.ts";
import { violationsOf } from "../conformance/violations.ts";
import { connected5 } from "./clients.ts";
import { connectFrame, type Field, refuseAsMalformed, say } from "./connects.ts";
import { property } from "./packets.ts";

const { clean, will, willQos1, willQos2, willRetain, user, password } = flag;

/** Connects, and returns user name, password as text and password as bytes, as `authenticate` is told them. */
async function told(flags: number, fields: readonly Field[]): Promise<unknown[]> {
  const seen: Credentials[] = [];
  await using broker = createBroker({ authenticate: (credentials) => seen.push(credentials) > 0 });
  await using client = TestClient.memory(broker, 5);
  await client.sendBytes(connectFrame({ flags, fields }));
  await client.expect({ cmd: "connack", reasonCode: 0 });
  const [{ username, password, passwordBytes } = {} as Credentials] = seen;
  return [username, password, passwordBytes && [...passwordBytes]];
}

Deno.test("identifier, will properties, will topic, will payload, user name, password: in this order [MQTT5-3.1.3-1] [MQTT5-3.1.3-3]", async () => {
  const seen: unknown[] = [];
  await using broker = createBroker({
    authenticate: ({ clientId, username, password }) => seen.push(clientId, username, password) > 0,
  });
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("2", 2);
  await using client = TestClient.memory(broker, 5);
  await client.sendBytes(connectFrame({
    flags: clean | will | willQos2 | user | password,
    fields: ["1", "2", "3", "4", "5"],
    willProperties: [property.contentType("6"), say.willDelay(0)],
  }));
  await client.expect({ cmd: "connack", reasonCode: 0 });
  await client.drop();
  const { properties } = await watcher.expect({ cmd: "publish", topic: "2", payload: "3", qos: 2 });
  assertEquals({ ...properties }, { contentType: "6" });
  assertEquals(seen, ["watcher", undefined, undefined, "1", "4", "5"]);
});

Deno.test("user name and password are there exactly where their flags say so, each for itself [MQTT5-3.1.2-16] [MQTT5-3.1.2-17] [MQTT5-3.1.2-18] [MQTT5-3.1.2-19]", async () => {
  assertEquals(await told(clean, ["c"]), [undefined, undefined, undefined]);
  assertEquals(await told(clean | user, ["c", "u"]), ["u", undefined, undefined]);
  assertEquals(await told(clean | password, ["c", "p"]), [undefined, "p", [0x70]]); // 3.1.1 does not permit this
  assertEquals(await told(clean | user | password, ["c", "u", "p"]), ["u", "p", [0x70]]);
  assertEquals(await told(clean | user | password, ["c", "", ""]), ["", "", []]);
});

Deno.test("a password is any bytes, a user name any text [MQTT5-3.1.2-19] [MQTT5-3.1.3-12]", async () => {
  const [username, , bytes] = await told(clean | user | password, ["c", "Zoë 🐳", [0, 0xff, 0xc3, 0]]);
  assertEquals([username, bytes], ["Zoë 🐳", [0, 0xff, 0xc3, 0]]);
});

Deno.test(
  "a user name or password without its flag is refused with 0x81 [MQTT5-3.1.2-16] [MQTT5-3.1.2-18]",
  refuseAsMalformed({
    "user name": connectFrame({ fields: ["c", "user"] }),
    "user name and password": connectFrame({ fields: ["c", "user", "password"] }),
    "password": connectFrame({ flags: clean | user, fields: ["c", "user", "password"] }),
    "user name beside a password": connectFrame({ flags: clean | password, fields: ["c", "user", "password"] }),
    "user name behind a will": connectFrame({
      flags: clean | will,
      fields: ["c", "will", "gone", "user"],
      willProperties: [],
    }),
  }),
);

Deno.test(
  "a flag without its user name or password is refused with 0x81 [MQTT5-3.1.2-17] [MQTT5-3.1.2-19]",
  refuseAsMalformed({
    "user name": connectFrame({ flags: clean | user, fields: ["c"] }),
    "password": connectFrame({ flags: clean | password, fields: ["c"] }),
    "password beside a user name": connectFrame({ flags: clean | user | password, fields: ["c", "user"] }),
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
  "a will flag without will properties, will topic and will payload is refused with 0x81 [MQTT5-3.1.2-9]",
  refuseAsMalformed({
    "none of them": connectFrame({ flags: clean | will, fields: ["c"] }),
    "no properties": connectFrame({ flags: clean | will, fields: ["c", "will", "gone"] }),
    "only properties": connectFrame({ flags: clean | will, fields: ["c"], willProperties: [] }),
    "no payload": connectFrame({ flags: clean | will, fields: ["c", "will"], willProperties: [] }),
    "a user name that would be missing": connectFrame({
      flags: clean | will | user,
      fields: ["c", "will", "gone"],
      willProperties: [],
    }),
  }),
);

Deno.test(
  "a will QoS or will retain without the will flag is refused with 0x81 [MQTT5-3.1.2-11] [MQTT5-3.1.2-13]",
  refuseAsMalformed(violationsOf(
    [willQos1, willQos2, willQos1 | willQos2, willRetain, willRetain | willQos1],
    (flags) => connectFrame({ flags: clean | flags }),
  )),
);

Deno.test(
  "a will QoS of 3 is refused with 0x81 [MQTT5-3.1.2-12]",
  refuseAsMalformed(violationsOf([0, willRetain], (retain) =>
    connectFrame({
      flags: clean | will | willQos1 | willQos2 | retain,
      fields: ["c", "will", "gone"],
      willProperties: [],
    }))),
);

Deno.test("a will may have each QoS, and is published with it [MQTT5-3.1.2-12]", async () => {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("will", 2);
  for (const qos of [0, 1, 2]) {
    await using client = await connected5(broker, "c", {
      will: { topic: "will", payload: "gone", qos, retain: false },
    });
    await client.drop();
    await watcher.expect({ cmd: "publish", topic: "will", qos });
  }
});

Deno.test("a will topic is any text that a topic name may be [MQTT5-3.1.3-11]", async () => {
  await using broker = createBroker();
  await using watcher = await connected5(broker, "watcher");
  await watcher.subscribe("#");
  for (const topic of ["/", "Küche/💡", "a b"]) {
    await using client = await connected5(broker, "c", { will: { topic, payload: "gone", qos: 0, retain: false } });
    await client.drop();
    await watcher.expect({ cmd: "publish", topic, payload: "gone" });
  }
});

const illFormed = [0xc3, 0x28];

Deno.test(
  "a will topic that is not UTF-8, or no topic name, is refused with 0x81 [MQTT5-3.1.3-11]",
  refuseAsMalformed(violationsOf(
    [illFormed, [0], [], [...new TextEncoder().encode("a/#")], [0x2b]],
    (topic) => connectFrame({ flags: clean | will, fields: ["c", topic, "gone"], willProperties: [] }),
  )),
);

Deno.test(
  "a user name that is not UTF-8 is refused with 0x81 [MQTT5-3.1.3-12]",
  refuseAsMalformed({
    "alone": connectFrame({ flags: clean | user, fields: ["c", illFormed] }),
    "with a password": connectFrame({ flags: clean | user | password, fields: ["c", illFormed, "password"] }),
    "behind a will": connectFrame({
      flags: clean | will | user,
      fields: ["c", "will", [0xff], illFormed],
      willProperties: [],
    }),
  }),
);
