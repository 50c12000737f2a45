import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "npm:fast-check@^4";
import { createBroker } from "../../mod.ts";
import { type Authenticate, type Authorize, type Decision, refusal } from "../../src/access/access.ts";
import { allOf, anyOf, type Hook } from "../../src/access/compose.ts";
import { connected, TestClient } from "../support/client.ts";

/** A hook that answers this, at once or later, and notes that it was asked. */
function answering(answer: Decision, later: boolean, asked: Decision[] = []): Hook<string> {
  return () => {
    asked.push(answer);
    return later ? Promise.resolve(answer) : answer;
  };
}

const cases:
  readonly (readonly [answers: readonly Decision[], all: Decision, asked: number, any: Decision, asked: number])[] = [
    [[], true, 0, false, 0],
    [[true], true, 1, true, 1],
    [["banned"], "banned", 1, "banned", 1],
    [[true, "banned", "quota-exceeded"], "banned", 2, true, 1],
    [["banned", true, "quota-exceeded"], "banned", 1, true, 2],
    [["banned", "quota-exceeded", false], "banned", 1, false, 3],
    [[true, true, true], true, 3, true, 1],
  ];

for (const [answers, all, askedByAll, any, askedByAny] of cases) {
  Deno.test(`Of ${JSON.stringify(answers)}, allOf() makes ${all} and anyOf() ${any}, without a promise`, () => {
    const asked: Decision[] = [];
    assertEquals(allOf(...answers.map((answer) => answering(answer, false, asked)))(""), all);
    assertEquals(asked, answers.slice(0, askedByAll));
    asked.length = 0;
    assertEquals(anyOf(...answers.map((answer) => answering(answer, false, asked)))(""), any);
    assertEquals(asked, answers.slice(0, askedByAny));
  });
}

Deno.test("Law: hooks that answer later decide in the same way, and only they make it a promise", async () => {
  const answers = fc.constantFrom<Decision>(true, true, false, "banned", { reason: "server-moved", message: "Gone" });
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(answers, fc.boolean()), { maxLength: 5 }), async (hooks) => {
    for (const compose of [allOf, anyOf]) {
      const asked: Decision[] = [], askedLater: Decision[] = [];
      const wanted = compose(...hooks.map(([answer]) => answering(answer, false, asked)))("");
      const found = compose(...hooks.map(([answer, later]) => answering(answer, later, askedLater)))("");
      assertEquals(found instanceof Promise, hooks.slice(0, asked.length).some(([, later]) => later));
      assertEquals([await found, askedLater], [wanted, asked]);
    }
  }));
});

Deno.test("What is no plain yes is none in a composition either", async () => {
  for (const answer of [undefined, null, 1, "yes", {}] as unknown as Decision[]) {
    for (const later of [false, true]) {
      assert(refusal(await allOf(answering(answer, later), answering(true, false))("")));
      assertEquals(await anyOf(answering(answer, later), answering(true, false))(""), true);
    }
  }
});

Deno.test("What a hook throws, or rejects with, is not taken for a no", async () => {
  const failing: Hook<string> = () => {
    throw new Error("out of order");
  };
  for (const compose of [allOf, anyOf]) {
    assertThrows(() => compose(failing, answering(true, false))(""), Error, "out of order");
    const later = compose(() => Promise.reject(new Error("out of order")), answering(true, false));
    await assertRejects(async () => await later(""), Error, "out of order");
  }
});

Deno.test("Composed hooks of both kinds refuse clients with the reason that they say", async () => {
  const named: Authenticate = ({ username }) => username !== undefined;
  const known: Authenticate = ({ clientId }) => Promise.resolve(clientId === "known" || "banned");
  const own: Authorize = ({ topic, client }) => topic === client.id, small: Authorize = ({ qos }) => qos < 2;
  await using broker = createBroker({ authenticate: anyOf(named, known), authorize: allOf(own, small) });
  await using stranger = TestClient.memory(broker);
  await stranger.send({ cmd: "connect", clientId: "stranger", clean: true, keepalive: 0, protocolVersion: 5 });
  await stranger.expect({ cmd: "connack", reasonCode: 0x8a });
  await using client = await connected(broker, "known", { protocolVersion: 5 });
  const subscriptions = [{ topic: "known", qos: 1 }, { topic: "known", qos: 2 }, { topic: "#", qos: 0 }];
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.expect({ cmd: "suback", granted: [1, 0x87, 0x87] });
});
