import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { createBroker } from "../../mod.ts";
import { passwordEntry } from "../../src/access/password_file.ts";
import { passwords } from "../../src/access/passwords.ts";
import { eventText } from "../../src/observe/text.ts";
import { TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { run } from "../support/process.ts";
import { BAD, login } from "./logins.ts";
import { MosquittoServer, testWithMosquitto } from "./mosquitto_server.ts";

const alice = await passwordEntry("alice", "correct horse", 10), bob = await passwordEntry("bob", "päss:wörd", 10);

/** The lines that mosquitto_passwd writes for these users. */
async function mosquittoFile(users: Readonly<Record<string, string>>, ...options: readonly string[]): Promise<string> {
  const file = await Deno.makeTempFile();
  for (const [user, password] of Object.entries(users)) {
    await run("mosquitto_passwd", { args: [...options, "-b", file, user, password] });
  }
  const text = await Deno.readTextFile(file);
  await Deno.remove(file);
  return text;
}

Deno.test("passwordEntry() is a line in Mosquitto's format, with a salt of its own each time", async () => {
  const one = await passwordEntry("carol", "x"), other = await passwordEntry("carol", "x");
  for (const entry of [one, other]) assertMatch(entry, /^carol:\$7\$10000\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==$/);
  assert(one !== other);
  assertMatch(await passwordEntry("carol", "x", 20_000), /^carol:\$7\$20000\$/);
});

const users = { alice: "correct horse", "bob smith": "päss:wörd", "käthe": "x" };

for (const [kind, start] of [["sha512-pbkdf2", "$7$101$"], ["sha512", "$6$"]] as const) {
  testWithMosquitto(`What mosquitto_passwd writes with ${kind} lets its users in, and nobody else`, async () => {
    const text = await mosquittoFile(users, "-H", kind), authenticate = passwords(text);
    for (const [user, password] of Object.entries(users)) {
      assert(text.includes(`${user}:${start}`));
      assertEquals(await authenticate(login(user, password)), true);
      for (const wrong of [`${password} `, password.toUpperCase(), ""]) {
        assertEquals(await authenticate(login(user, wrong)), BAD);
      }
    }
  });
}

testWithMosquitto("Mosquitto lets those in whose lines passwordEntry() has written, and nobody else", async () => {
  const lines = Object.entries(users).map(([user, password]) => passwordEntry(user, password));
  await using mosquitto = await MosquittoServer.start({ password_file: (await Promise.all(lines)).join("\n") });
  for (const [username, password] of Object.entries(users)) {
    await using _in = await mosquitto.client("c", { username, password });
    await using out = await TestClient.tcp(mosquitto.port);
    await out.send({ cmd: "connect", clientId: "c", clean: true, keepalive: 0, username, password: `${password}.` });
    await out.expect({ cmd: "connack", returnCode: 5 });
  }
});

Deno.test("Only the right password of a user is one", async () => {
  const authenticate = passwords(["# people", alice, "", bob], { failuresPerUser: Infinity });
  assertEquals(await authenticate(login("alice", "correct horse")), true);
  assertEquals(await authenticate(login("bob", "päss:wörd")), true);
  for (
    const [user, password] of [
      ["alice", "päss:wörd"],
      ["Alice", "correct horse"],
      ["carol", "x"],
      ["", ""],
      [
        "constructor",
        "x",
      ],
      ["alice ", "correct horse"],
      ["# people", ""],
    ]
  ) {
    assertEquals(await authenticate(login(user, password)), BAD, `${user} with ${password}`);
  }
});

Deno.test("Who sends no user name or no password is refused at once", () => {
  const authenticate = passwords([alice]);
  assertEquals(authenticate(login(undefined, undefined)), BAD);
  assertEquals(authenticate(login("alice", undefined)), BAD);
  assertEquals(authenticate(login(undefined, "correct horse")), BAD);
});

Deno.test("A password need not be text", async () => {
  const passwordBytes = new TextEncoder().encode("correct horse"), authenticate = passwords([alice]);
  assertEquals(await authenticate({ ...login("alice", "?"), passwordBytes }), true);
  passwordBytes[0] = 0xff;
  assertEquals(await authenticate({ ...login("alice", "correct horse"), passwordBytes }), BAD);
});

const form = 'it wants "$7$iterations$salt$hash" or "$6$salt$hash"', [, hash = ""] = alice.split(":");

const faults: readonly (readonly [line: string, fault: string])[] = [
  ["hunter2", 'has no ":" behind a user name'],
  [`:${hash}`, 'has no user name before its ":"'],
  ["carol:", `has no hash for user "carol": ${form}`],
  ["carol:hunter2", `has no hash for user "carol": ${form}`],
  ["carol:$5$AAAA$AAAA", `has no hash for user "carol": ${form}`],
  [`carol:${hash.replace("$10$", "$0$")}`, `has no hash for user "carol": ${form}`],
  [`carol:${hash.replace("$10$", "$10000001$")}`, `has no hash for user "carol": ${form}`],
  [`carol:${hash.slice(0, -4)}`, `has no hash for user "carol": ${form}`],
  [`carol:${hash}$AAAA`, `has no hash for user "carol": ${form}`],
  [alice, 'names user "alice" again'],
];

for (const [line, fault] of faults) {
  Deno.test(`A password file with the line ${JSON.stringify(line.slice(0, 30))} is refused: it ${fault}`, () => {
    const { message } = assertThrows(() => passwords(`# people\n${alice}\n${line}\n`), SyntaxError);
    assertEquals(message, `Line 3 of the password file ${fault}`);
  });
}

const unwritable: readonly (readonly [user: string, password: string, fault: string])[] = [
  ["", "x", "User name is empty: it needs at least one character"],
  ["a:b", "x", 'User name "a:b" holds ":", which ends the name in a file'],
  ["a\nb", "x", 'User name "a\\nb" holds a control character'],
  [" a", "x", 'User name " a" begins or ends with a space'],
  ["#a", "x", 'User name "#a" begins with "#", as a comment does'],
  ["a", "", 'Password of user "a" is empty: it needs at least one character'],
];

for (const [user, password, fault] of unwritable) {
  Deno.test(`passwordEntry() refuses ${JSON.stringify(user)} with ${JSON.stringify(password)}: ${fault}`, async () => {
    assertEquals((await assertRejects(() => passwordEntry(user, password), TypeError)).message, fault);
  });
}

Deno.test("Iterations and options out of their range are refused", async () => {
  for (const iterations of [0, 1.5, NaN, 10_000_001]) {
    await assertRejects(() => passwordEntry("a", "b", iterations), RangeError, `Iterations are ${iterations}`);
  }
  assertThrows(() => passwords("", { hashing: 0 }), RangeError, 'Option "hashing" is 0: it is a number from 1');
  assertThrows(() => passwords("", { waiting: NaN }), RangeError, 'Option "waiting" is NaN: it is a number from 0');
});

Deno.test("Users can be replaced; a faulty file leaves them as they are", async () => {
  const authenticate = passwords(alice);
  assertThrows(() => authenticate.replace(`${bob}\n${bob}`), SyntaxError, "Line 2");
  assertEquals(await authenticate(login("alice", "correct horse")), true);
  authenticate.replace([bob]);
  assertEquals(await authenticate(login("alice", "correct horse")), BAD);
  assertEquals(await authenticate(login("bob", "päss:wörd")), true);
});

const says: readonly (readonly [protocolVersion: 4 | 5, field: string, ...codes: readonly number[]])[] = [
  [4, "returnCode", 4, 3],
  [5, "reasonCode", 0x86, 0x9f],
];

for (const [protocolVersion, field, bad, later] of says) {
  Deno.test(`A client that speaks MQTT ${protocolVersion === 5 ? "5.0" : "3.1.1"} is told, and no password gets into an event`, async () => {
    const authenticate = passwords([alice], { clock: new VirtualClock(), failuresPerUser: 2 });
    await using broker = createBroker({ authenticate });
    const events: string[] = [];
    broker.events.subscribe((event) => events.push(Deno.inspect(event), eventText(event)));
    const common = { username: "alice", protocolVersion, clean: true, keepalive: 0 };
    for (const code of [bad, bad, later]) {
      await using client = TestClient.memory(broker);
      await client.send({ cmd: "connect", clientId: "c", password: "hunter2", ...common });
      await client.expect({ cmd: "connack", [field]: code });
      await client.expectClosed();
    }
    assertEquals(broker.counters.get("refused/bad-user-name-or-password"), 2);
    assertEquals(broker.counters.get("refused/connection-rate-exceeded"), 1);
    assertEquals(events.filter((text) => /hunter2|correct|\$7\$/.test(text)), []);
  });
}
