// How often passwords are heard, and what hearing them costs.
import { assert, assertEquals } from "@std/assert";
import { passwordEntry } from "../../src/access/password_file.ts";
import { passwords } from "../../src/access/passwords.ts";
import { VirtualClock } from "../support/clock.ts";
import { BAD, LATER, login as credentials } from "./logins.ts";

const alice = await passwordEntry("alice", "correct horse", 10), bob = await passwordEntry("bob", "pass", 10);

const login = (username: string, password: string, remote = "192.0.2.1:1") =>
  credentials(username, password, { remote });

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
  assertEquals(await authenticate(login("bob", "pass")), true);
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
    const logins = Array.from({ length: 20 }, async () => [
      await authenticate(login("carol", "x")),
      await authenticate(login("carol", "x")), // while others still wait
    ]);
    assertEquals((await Promise.all(logins)).flat(), Array(40).fill(true));
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
