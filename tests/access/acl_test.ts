import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "npm:fast-check@^4";
import { createBroker } from "../../mod.ts";
import type { Access } from "../../src/access/access.ts";
import { aclRules } from "../../src/access/acl.ts";
import { matches } from "../../src/topics/filter.ts";
import { connected } from "../support/client.ts";
import { MosquittoServer, testWithMosquitto } from "./mosquitto_server.ts";

/** What `alice` wants, whose client is `phone`. */
function wants(
  action: Access["action"],
  topic: string,
  who: { id?: string; username?: string | undefined } = {},
): Access {
  return { action, topic, client: { id: "phone", username: "alice", remote: "", ...who }, qos: 0, retain: false };
}

const kinds: readonly (readonly [line: string, publish: boolean, subscribe: boolean])[] = [
  ["topic read a", false, true],
  ["topic write a", true, false],
  ["topic readwrite a", true, true],
  ["topic a", true, true],
  ["topic deny a", false, false],
  ["topic readwrite b", false, false],
  ["pattern read a", false, true],
  ["pattern write a", true, false],
  ["pattern a", true, true],
];

for (const [line, publish, subscribe] of kinds) {
  Deno.test(`"${line}" ${publish ? "permits" : "refuses"} to publish, ${subscribe ? "permits" : "refuses"} to subscribe`, () => {
    const authorize = aclRules(`user alice\n${line}\n`);
    assertEquals(authorize(wants("publish", "a")), publish || "not-authorized");
    assertEquals(authorize(wants("subscribe", "a")), subscribe || "not-authorized");
  });
}

const home = "user alice\ntopic read home/+/#\ntopic read news/+\ntopic deny home/safe/#\n";

const subscriptions: readonly (readonly [filter: string, permitted: boolean])[] = [
  ["home/hall/#", true],
  ["home/hall/+/lamp", true],
  ["home/hall", true],
  ["home/+", false], // home/safe is one of them
  ["home/#", false],
  ["home/+/lamp", false],
  ["home/safe", false],
  ["home/safe/#", false],
  ["news/+", true],
  ["news/#", false],
  ["+/hall", false],
  ["#", false],
];

for (const [filter, permitted] of subscriptions) {
  Deno.test(`A rule for home/+/# and one against home/safe/# ${permitted ? "permit" : "refuse"} a subscription to ${filter}`, () => {
    assertEquals(aclRules(home)(wants("subscribe", filter)), permitted || "not-authorized");
  });
}

Deno.test("Lines before any user hold for clients without a user name, and for nobody else", () => {
  const authorize = aclRules("topic a\nuser alice\ntopic b\nuser bob\ntopic c\nuser alice\ntopic d\n");
  const may = (username: string | undefined) =>
    ["a", "b", "c", "d"].filter((topic) => authorize(wants("publish", topic, { username })) === true);
  assertEquals([undefined, "alice", "bob", "carol", ""].map(may), [["a"], ["b", "d"], ["c"], [], []]);
});

Deno.test("A user's own lines come first: what they permit no pattern denies, what they deny no pattern permits", () => {
  const authorize = aclRules("pattern deny a/%u\npattern readwrite b/%u\nuser alice\ntopic a/+\ntopic deny b/+\n");
  assertEquals(authorize(wants("publish", "a/alice")), true);
  assertEquals(authorize(wants("publish", "b/alice")), "not-authorized");
  assertEquals(authorize(wants("publish", "a/bob", { username: "bob" })), "not-authorized");
  assertEquals(authorize(wants("publish", "b/bob", { username: "bob" })), true);
});

Deno.test("%u and %c in a pattern stand for the names of whoever asks, as often as they come", () => {
  const authorize = aclRules("pattern write %u/%c-%u/#\nuser alice\ntopic write %u\n");
  assertEquals(authorize(wants("publish", "alice/phone-alice/x")), true);
  assertEquals(authorize(wants("publish", "bob/phone-bob/x")), "not-authorized");
  assertEquals(authorize(wants("publish", "alice/tablet-alice/x")), "not-authorized");
  assertEquals(authorize(wants("publish", "%u")), true); // only patterns replace
  assertEquals(authorize(wants("publish", "undefined/phone-undefined/x", { username: undefined })), "not-authorized");
});

Deno.test("Names are taken as they are: one that holds a placeholder is not replaced again", () => {
  const authorize = aclRules("pattern %u/a\n"), who = { id: "phone", username: "%c$&" };
  assertEquals(authorize(wants("publish", "%c$&/a", who)), true);
  assertEquals(authorize(wants("publish", "phone$&/a", who)), "not-authorized");
});

const dangerous = [
  ["a user name that is a wildcard", { username: "+" }, "home/x"],
  ["a user name that is every topic", { username: "#" }, "home/x"],
  ["a client identifier that is a wildcard", { id: "+" }, "phones/x"],
  ["a client identifier that holds one", { id: "a/#" }, "phones/a/x"],
  ["a user name that begins with $", { username: "$SYS" }, "$SYS/x"],
] as const;

for (const [what, who, topic] of dangerous) {
  Deno.test(`Nobody gets more by ${what}`, () => {
    const authorize = aclRules("pattern home/%u\npattern phones/%c\npattern phones/%c/x\npattern %u/x\n");
    for (const action of ["publish", "subscribe"] as const) {
      assertEquals(authorize(wants(action, topic, who)), "not-authorized");
    }
  });
}

Deno.test("A pattern on $-topics holds for whatever name", () => {
  assertEquals(aclRules("pattern read $SYS/%c/state\n")(wants("subscribe", "$SYS/phone/state")), true);
});

Deno.test("A file without a rule permits nothing", () => {
  for (const text of ["", "# nothing\n", "user alice\n"]) {
    assertEquals(aclRules(text)(wants("publish", "a")), "not-authorized");
  }
});

Deno.test("Lines may end as on Windows, be empty, comments, or have spaces around their words", () => {
  const authorize = aclRules(
    "\ufeff# rules\r\n\r\n  user   alice smith \r\n topic   read   a b \r\n  # more\r\ntopic read\r\n",
  );
  const who = { username: "alice smith" };
  assertEquals(authorize(wants("subscribe", "a b", who)), true);
  assertEquals(authorize(wants("publish", "read", who)), true); // one word is the topic
});

const faults: readonly (readonly [text: string, fault: string])[] = [
  ["topic", 'Line 1 of the ACL says "topic", and no topic filter behind it'],
  ["user a\n\npattern ", 'Line 3 of the ACL says "pattern", and no topic filter behind it'],
  ["# x\nuser", 'Line 2 of the ACL says "user", and no name behind it'],
  ["acl a", 'Line 1 of the ACL begins with "acl", not with "topic", "pattern", "user" or "#"'],
  ["Topic a", 'Line 1 of the ACL begins with "Topic", not with "topic", "pattern", "user" or "#"'],
  ["topic all a", 'Line 1 of the ACL says "all" before its topic filter, not "read", "write", "readwrite" or "deny"'],
  ["topic read a/#/b", 'Line 1 of the ACL is faulty: Topic filter "a/#/b" has "#" before its last level'],
  [
    "pattern %u+",
    'Line 1 of the ACL is faulty: Topic filter "%u+" has "+" beside other characters: it stands alone in its level',
  ],
  [
    "topic read a # comment",
    'Line 1 of the ACL is faulty: Topic filter "a # comment" has "#" before its last level',
  ],
  ["topic\tread a", "Line 1 of the ACL holds a tab: what parts the words is a space"],
];

for (const [text, fault] of faults) {
  Deno.test(`${JSON.stringify(text)} is refused: ${fault}`, () => {
    assertEquals(assertThrows(() => aclRules(text), SyntaxError).message, fault);
  });
}

testWithMosquitto("Mosquitto takes none of these files either, and takes those that are fine here", async () => {
  for (const [text] of faults) assertEquals(await MosquittoServer.takes({ acl_file: text }), false, text);
  for (
    const text of [home, "", "# x\n\n", "  topic  read  a b \r\n", "topic read\nuser  a b\npattern deny a%u%%/#\n"]
  ) {
    assertEquals(typeof aclRules(text), "function");
    assertEquals(await MosquittoServer.takes({ acl_file: text }), true, text);
  }
});

const filters = fc.array(fc.constantFrom("a", "b", "+", "$a"), { minLength: 1, maxLength: 3 })
  .chain((levels) => fc.constantFrom(levels.join("/"), `${levels.join("/")}/#`, "#"));

Deno.test("Law: who may subscribe to a filter may subscribe to every topic that it matches", () => {
  const topics = ["a", "b", "$a"].flatMap((a) => [a, ...["a", "b", "c"].flatMap((b) => [`${a}/${b}`, `${a}/${b}/a`])]);
  const line = fc.tuple(fc.constantFrom("topic", "pattern"), fc.constantFrom("read", "read", "deny"), filters);
  let permitted = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), filters, (lines, filter) => {
      const authorize = aclRules(`user alice\n${lines.map((words) => words.join(" ")).join("\n")}`);
      if (authorize(wants("subscribe", filter)) !== true) return;
      permitted++;
      const brought = topics.filter((topic) => matches(filter)({ topic }));
      assertEquals(brought.filter((topic) => authorize(wants("subscribe", topic)) !== true), []);
    }),
    { numRuns: 1000 },
  );
  assert(permitted > 50, `Only ${permitted} were permitted`);
});

Deno.test("Clients are told what they may not do, and rules can be replaced while they are connected", async () => {
  const authorize = aclRules("user alice\ntopic read home/#\ntopic write home/alice\n");
  await using broker = createBroker({ authorize });
  await using alice = await connected(broker, "phone", { username: "alice", protocolVersion: 5 });
  const publish = async (topic: string, reasonCode: number) => {
    await alice.send({ cmd: "publish", topic, payload: "x", qos: 1, retain: false, dup: false, messageId: 1 });
    await alice.expect({ cmd: "puback", reasonCode });
  };
  const subscriptions = ["home/+", "#", "$share/g/home/a", "$share/g/a"].map((topic) => ({ topic, qos: 0 }));
  await alice.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await alice.expect({ cmd: "suback", granted: [0, 0x87, 0, 0x87] });
  await publish("home/bob", 0x87);
  assertThrows(() => authorize.replace("user alice\ntopic home/#\nnonsense\n"), SyntaxError, "Line 3");
  await publish("home/bob", 0x87); // the former rules still hold
  authorize.replace("user alice\ntopic home/bob\n");
  await publish("home/alice", 0x87);
  await alice.send({ cmd: "publish", topic: "home/bob", payload: "", qos: 0, retain: false, dup: false });
  await alice.expect({ cmd: "publish", topic: "home/bob" }); // the subscription stays
});
