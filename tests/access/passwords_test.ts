import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { createBroker } from "../../mod.ts";
import type { Credentials } from "../../src/access/access.ts";
import { passwordEntry } from "../../src/access/password_file.ts";
import { passwords } from "../../src/access/passwords.ts";
import { eventText } from "../../src/observe/text.ts";
import { TestClient } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";
import { run } from "../support/process.ts";
import { MosquittoServer, testWithMosquitto } from "./mosquitto_server.ts";

const alice = await passwordEntry("alice", "correct horse", 10), bob = await passwordEntry("bob", "päss:wörd", 10);

/** What a client says that logs in. */
function login(username: string | undefined, password: string | undefined, remote = "192.0.2.1:50000"): Credentials {
  const passwordBytes = password === undefined ? undefined : new TextEncoder().encode(password);
  return { clientId: "c", username, password, passwordBytes, remote };
}

const BAD = "bad-user-name-or-password", LATER = "connection-rate-exceeded";

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

/** Logs in with a wrong password as often as that is heard, at most so often. */
async function fail(
  authenticate: ReturnType<typeof passwords>,
  most: number,
  user: (i: number) => string,
  remote?: string,
): Promise<number> {
  for (let i = 0; i < most; i++) if (await authenticate(login(user(i), "wrong", remote)) !== BAD) return i;
  return most;
}

Deno.test("After five wrong passwords for a user the next try is not heard for a second, then for two, for a minute at most", async () => {
  const clock = new VirtualClock(), authenticate = passwords([alice, bob], { clock, failuresPerAddress: Infinity });
  const elsewhere = (i: number) => `198.51.100.${i}:1`;
  for (const user of ["alice", "nobody"]) {
    assertEquals(await fail(authenticate, 100, () => user), 5);
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      await clock.advance(seconds * 1000 - 1);
      assertEquals(await authenticate(login(user, "correct horse", elsewhere(seconds))), LATER);
      await clock.advance(1);
      assertEquals(await fail(authenticate, 100, () => user, elsewhere(seconds)), 1);
    }
  }
  assertEquals(await authenticate(login("bob", "päss:wörd")), true);
});

Deno.test("After 20 wrong passwords from an address nobody is heard there, whatever the port", async () => {
  const clock = new VirtualClock(), authenticate = passwords([alice], { clock });
  assertEquals(await fail(authenticate, 100, (i) => `user${i}`, "192.0.2.1:1"), 20);
  assertEquals(await authenticate(login("alice", "correct horse", "192.0.2.1:2")), LATER);
  assertEquals(await authenticate(login("alice", "correct horse", "192.0.2.2:1")), true);
  await clock.advance(1000);
  assertEquals(await authenticate(login("alice", "correct horse", "192.0.2.1:2")), true);
});

const networks: readonly (readonly [one: string, other: string, same: boolean])[] = [
  ["[2001:db8:1:2:3:4:5:6]:1", "[2001:db8:1:2::9]:2", true],
  ["[2001:db8::1]:1", "[2001:db8:0:0:ffff::2]:1", true],
  ["[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false],
  ["[1::4:5:6:7:8]:1", "[1:0:0:5::]:1", false],
  ["[::ffff:192.0.2.1]:1", "192.0.2.1:2", true],
  ["[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false],
  ["[::1]:1", "[::1]:2", true],
  ["memory", "memory", true],
];

for (const [one, other, same] of networks) {
  Deno.test(`${one} and ${other} ${same ? "are" : "are not"} the same address to those who guess passwords`, async () => {
    const authenticate = passwords([alice], { clock: new VirtualClock(), failuresPerAddress: 1 });
    await fail(authenticate, 3, (i) => `user${i}`, one);
    assertEquals(await authenticate(login("alice", "correct horse", other)), same ? LATER : true);
  });
}

Deno.test("Nobody can lock out a user who has been in from the same address, or guess there without end", async () => {
  const clock = new VirtualClock(), authenticate = passwords([alice], { clock }), home = "192.0.2.7:1";
  assertEquals(await authenticate(login("alice", "correct horse", home)), true);
  assertEquals(await fail(authenticate, 100, () => "alice", "198.51.100.1:1"), 5);
  assertEquals(await authenticate(login("alice", "correct horse", "198.51.100.2:1")), LATER);
  assertEquals(await authenticate(login("alice", "correct horse", home)), true);
  assertEquals(await fail(authenticate, 100, () => "alice", home), 5);
  assertEquals(await authenticate(login("alice", "correct horse", home)), LATER);
});

Deno.test("The right password ends the count for a user, and so do ten minutes without a failure", async () => {
  const clock = new VirtualClock(), authenticate = passwords([alice], { clock });
  const guess = (most: number, host: number) => fail(authenticate, most, () => "alice", `192.0.2.${host}:1`);
  assertEquals(await guess(4, 1), 4);
  assertEquals(await authenticate(login("alice", "correct horse", "192.0.2.1:1")), true);
  assertEquals(await guess(4, 2), 4);
  await clock.advance(600_000);
  assertEquals(await guess(100, 3), 5);
});

Deno.test("Tries that come together are not all heard either", async () => {
  const authenticate = passwords([alice], { clock: new VirtualClock() });
  const answers = await Promise.all(Array.from({ length: 50 }, () => authenticate(login("alice", "wrong"))));
  const heard = answers.filter((answer) => answer === BAD).length;
  assert(heard >= 5 && heard <= 6, `${heard} of 50 were heard`); // two at a time
  assert(answers.slice(10).every((answer) => answer === LATER));
});

Deno.test("What is remembered of failures is bounded: the oldest is forgotten first", async () => {
  const clock = new VirtualClock();
  const authenticate = passwords([alice], {
    clock,
    failuresPerUser: 1,
    failuresPerAddress: Infinity,
    waiting: Infinity,
  });
  const wrong = (user: string, i = 0) => authenticate(login(user, "wrong", `host${i}:1`));
  await wrong("alice");
  const answer = () => authenticate(login("alice", "correct horse", "other:1"));
  await Promise.all(Array.from({ length: 4990 }, (_, i) => wrong(`user${i}`, i)));
  assertEquals(await answer(), LATER);
  await Promise.all(Array.from({ length: 20 }, (_, i) => wrong(`more${i}`, i + 5000)));
  assertEquals(await answer(), true);
});

/** Counts what Web Crypto is asked to derive: how many at a time, and with how many iterations each. */
function watchHashing(): { most: number; readonly iterations: number[] } & Disposable {
  const { subtle } = crypto, derive = subtle.deriveBits, seen = { most: 0, iterations: [] as number[] };
  let now = 0;
  subtle.deriveBits = async (algorithm, ...rest) => {
    seen.iterations.push((algorithm as Pbkdf2Params).iterations);
    seen.most = Math.max(seen.most, ++now);
    try {
      return await derive.call(subtle, algorithm, ...rest);
    } finally {
      now--;
    }
  };
  return Object.assign(seen, {
    [Symbol.dispose]: () => {
      subtle.deriveBits = derive;
    },
  });
}

Deno.test("A user who does not exist costs as much as one who does, the same each time", async () => {
  const dear = await passwordEntry("dear", "x", 500), cheap = await passwordEntry("cheap", "x", 5);
  const authenticate = passwords([dear, cheap], {
    clock: new VirtualClock(),
    failuresPerUser: 100,
    failuresPerAddress: 100,
  });
  using seen = watchHashing();
  const costs = new Set<number>();
  for (let i = 0; i < 30; i++) {
    for (let again = 0; again < 2; again++) await authenticate(login(`user${i}`, "x", `192.0.2.${i}:1`));
    const [one, other, ...more] = seen.iterations.splice(0);
    assertEquals([one, more], [other, []]);
    costs.add(one!);
  }
  assertEquals([...costs].sort(), [5, 500]);
  assertEquals(await passwords([])(login("alice", "x")), BAD);
  assertEquals(seen.iterations, [10_000]);
});

for (const hashing of [1, 2, 4]) {
  Deno.test(`With hashing: ${hashing}, so many passwords are hashed at a time, and no more`, async () => {
    using seen = watchHashing();
    const authenticate = passwords([await passwordEntry("carol", "x", 2000)], { hashing });
    seen.most = 0;
    const logins = Array.from({ length: 40 }, () => authenticate(login("carol", "x")));
    assertEquals(await Promise.all(logins), Array(40).fill(true));
    assertEquals(seen.most, hashing);
  });
}

Deno.test("More logins than may wait are refused at once, as the broker is busy", async () => {
  const authenticate = passwords([alice], { hashing: 2, waiting: 3 });
  const answers = Array.from({ length: 7 }, () => authenticate(login("alice", "correct horse")));
  assertEquals(answers.slice(5), ["server-busy", "server-busy"]);
  assertEquals(await Promise.all(answers.slice(0, 5)), Array(5).fill(true));
  assertEquals(await authenticate(login("alice", "correct horse")), true);
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
