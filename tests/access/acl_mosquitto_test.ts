// That an ACL file means here what it means to Mosquitto: random small files, and everything that some clients can ask for.
import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@^4";
import { aclRules } from "../../src/access/acl.ts";
import { matches } from "../../src/topics/filter.ts";
import type { TestClient } from "../support/client.ts";
import { MosquittoServer, testWithMosquitto } from "./mosquitto_server.ts";

const level = fc.constantFrom("a", "b", "u", "", "+"), placeholder = fc.constantFrom("%u", "%c", "a", "+", "b%u");

const filterOf = (levels: fc.Arbitrary<string>) =>
  fc.tuple(
    fc.constantFrom<string[]>([], [], ["$x"]),
    fc.array(levels, { maxLength: 2 }),
    fc.constantFrom("#", "a", "+"),
  )
    .map(([root, middle, last]) => [...root, ...middle, last].join("/"));

const access = fc.constantFrom("read ", "read ", "write ", "readwrite ", "", "deny ");

const lines = fc.oneof(
  { arbitrary: fc.tuple(access, filterOf(level)).map(([access, filter]) => `topic ${access}${filter}`), weight: 4 },
  {
    arbitrary: fc.tuple(access, filterOf(placeholder)).map(([access, filter]) => `pattern ${access}${filter}`),
    weight: 2,
  },
  { arbitrary: fc.constantFrom("user u", "user v", "user u", "user a/b", "# comment", ""), weight: 2 },
);

/** Those who ask: some of them have names that could be more than names. */
const clients: readonly (readonly [username: string | undefined, id: string])[] = [
  [undefined, "c"],
  ["u", "c"],
  ["v", "a"],
  ["a/b", "b/a"],
  ["+", "c"],
  ["u", "#"],
  ["%c", "u"],
];

const topics = [
  "a",
  "b",
  "u",
  "c",
  "/",
  "/a",
  "a/",
  "a/a",
  "a/b",
  "a/u",
  "u/a",
  "b/a",
  "c/a",
  "ba",
  "bu/a",
  "bv",
  "b%c",
]
  .flatMap((topic) => [topic, `$x/${topic}`]).concat("$x", "a/b/a", "a/b/c", "a/a/a");

const filters = ["#", "+", "a/#", "+/a", "a/+", "$x/#", "$x/+", "+/+/a", "b/#", "u/#", "/+"];

/** The topics on which Mosquitto lets a client publish. */
async function writable(client: TestClient): Promise<string[]> {
  for (const topic of topics) {
    await client.send({ cmd: "publish", topic, payload: "", qos: 1, retain: false, dup: false, messageId: 1 });
  }
  const found: string[] = [];
  for (const topic of topics) if ((await client.receive()).reasonCode < 0x80) found.push(topic);
  return found;
}

/** The topics of which Mosquitto lets a client have the messages: it grants every subscription. */
async function readable(client: TestClient, boss: TestClient): Promise<string[]> {
  const subscriptions = ["#", "$x/#"].map((topic) => ({ topic, qos: 0 }));
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.expect({ cmd: "suback", granted: [0, 0] });
  assertEquals(await writable(boss), topics);
  await client.send({ cmd: "pingreq" });
  const found: string[] = [];
  for (let packet; (packet = await client.receive()).cmd === "publish";) found.push(packet.topic);
  return found;
}

testWithMosquitto("Law: whatever the rules, a client may publish and read what Mosquitto lets it", async () => {
  const forBoss = "\nuser boss\ntopic #\ntopic $x/#\n";
  await using mosquitto = await MosquittoServer.start({ acl_file: forBoss });
  let permitted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(lines, { maxLength: 8 }), async (lines) => {
      const text = lines.join("\n") + forBoss, authorize = aclRules(text);
      await mosquitto.replace("acl_file", text);
      await using boss = await mosquitto.client("boss", { username: "boss" });
      for (const [username, id] of clients) {
        await using client = await mosquitto.client(id, username === undefined ? {} : { username });
        const may = (action: "publish" | "subscribe") => (topic: string) =>
          authorize({ action, topic, client: { id, username, remote: "" }, qos: 0, retain: false }) === true;
        const write = await writable(client), read = await readable(client, boss);
        assertEquals(topics.filter(may("publish")), write, `publish of ${username}`);
        assertEquals(topics.filter(may("subscribe")), read, `subscribe of ${username}`);
        permitted += write.length + read.length;
        for (const filter of filters.filter(may("subscribe"))) {
          assertEquals(topics.filter((topic) => matches(filter)({ topic }) && !read.includes(topic)), [], filter);
        }
      }
    }),
    { numRuns: 40 },
  );
  assert(permitted > 500, `Only ${permitted} were permitted`);
});
