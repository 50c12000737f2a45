import { assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import { Message } from "../../src/message.ts";
import { type Holder, Sessions, type Will } from "../../src/session/sessions.ts";
import { plain, Surroundings } from "./surroundings.ts";

const nobody: Holder = { remote: "here", takeOver() {} };

/** An empty set of sessions, and what is around it. */
class Scene extends Surroundings {
  readonly sessions = new Sessions(this);

  /** Opens a session that nobody else wants; as an expiry of seconds, and from scratch where that is `clean`. */
  open(expiry: number, clean = false, clientId = "c") {
    return this.sessions.open(clientId, clean, expiry, nobody);
  }

  /** Opens a session, has it subscribe, and closes it with a will. */
  leave(expiry: number, will?: Will): void {
    const { session } = this.open(expiry);
    session.subscriptions.set("a", plain);
    const due = this.sessions.close(session, will);
    if (due) this.publish(due);
  }

  /** Whether there is a session, and how many wills were published. */
  state(): [session: boolean, wills: number] {
    return [this.index.match("a").length > 0, this.wills.length];
  }
}

/** How late a deadline may be, in milliseconds. */
const LATE = 500;

function will(delay: number): Will {
  const message = new Message({ topic: "will", payload: new Uint8Array(), qos: 0, retain: false, client: "c" });
  return { message, delay };
}

Deno.test("A session that lasts is found again, one that does not, or is not wanted, is not [MQTT-3.1.2-4] [MQTT-3.1.2-6]", () => {
  for (
    const [expiry, clean, present] of [[Infinity, false, true], [Infinity, true, false], [0, false, false]] as const
  ) {
    const scene = new Scene(), opened = scene.open(expiry);
    scene.sessions.close(opened.session, undefined);
    const again = scene.open(expiry, clean);
    assertEquals([opened.present, again.present, again.session === opened.session], [false, present, present]);
  }
});

Deno.test("Each client identifier has a session of its own, whatever it is called", () => {
  const scene = new Scene();
  const all = ["a", "A", "", "constructor", "__proto__"].map((id) => scene.open(Infinity, false, id));
  assertEquals(all.map(({ present }) => present).includes(true), false);
  assertEquals(new Set(all.map(({ session }) => session)).size, 5);
});

Deno.test("When its connection is over, a session that does not last ends and its subscriptions with it; others stay", () => {
  const scene = new Scene(), { index, sessions } = scene;
  const [short, long] = [0, Infinity].map((expiry) => scene.open(expiry, true, String(expiry)).session);
  for (const session of [short!, long!]) session.subscriptions.set("a", plain);
  assertEquals(index.match("a").length, 2);
  for (const session of [short!, long!]) sessions.close(session, undefined);
  assertEquals(index.match("a").length, 1);
  scene.open(Infinity, true, "Infinity");
  assertEquals(index.match("a").length, 0);
});

Deno.test("Whoever holds a session has given it up before the next one gets it [MQTT-3.1.4-2]", () => {
  const { sessions } = new Scene(), log: string[] = [];
  const first = sessions.open("c", false, Infinity, {
    ...nobody,
    takeOver() {
      log.push("taken over");
      sessions.close(first.session, undefined);
    },
  });
  const second = sessions.open("c", false, Infinity, nobody);
  log.push("opened");
  assertEquals(log, ["taken over", "opened"]);
  assertStrictEquals(second.session, first.session);
  sessions.open("c", false, Infinity, nobody);
  assertEquals(log.length, 2);
});

Deno.test("A session that does not last and is taken over ends with its first connection", () => {
  const { sessions, index } = new Scene();
  const first = sessions.open("c", true, 0, {
    ...nobody,
    takeOver: () => void sessions.close(first.session, undefined),
  });
  first.session.subscriptions.set("a", plain);
  const second = sessions.open("c", false, Infinity, nobody);
  assertNotEquals(second.session, first.session);
  assertEquals([second.present, index.match("a")], [false, []]);
});

Deno.test("A session without a connection lasts as long as its expiry says, not less [MQTT5-3.1.2-23]", async () => {
  const scene = new Scene();
  scene.leave(10);
  await scene.clock.advance(10_000 - 1);
  assertEquals(scene.state(), [true, 0]);
  await scene.clock.advance(1 + LATE);
  assertEquals([scene.state(), scene.open(10).present, scene.clock.pending], [[false, 0], false, 0]);
});

Deno.test("A session that never expires needs no timer", async () => {
  const scene = new Scene();
  scene.leave(Infinity);
  assertEquals(scene.clock.pending, 0);
  await scene.clock.advance(1e10);
  assertEquals(scene.state(), [true, 0]);
});

Deno.test("A session that is opened again expires no more, and its next expiry is what was said last", async () => {
  const scene = new Scene();
  scene.leave(10);
  await scene.clock.advance(9000);
  const { session, present } = scene.open(1);
  assertEquals([present, session.expiry], [true, 1]);
  await scene.clock.advance(60_000);
  assertEquals(scene.state(), [true, 0]);
  scene.sessions.close(session, undefined);
  await scene.clock.advance(1000 + LATE);
  assertEquals(scene.state(), [false, 0]);
});

Deno.test("A will without a delay is due at once, one with a delay after that [MQTT5-3.1.2-8]", async () => {
  const scene = new Scene();
  scene.leave(60, will(0));
  assertEquals(scene.state(), [true, 1]);
  scene.leave(60, will(5));
  await scene.clock.advance(5000 - 1);
  assertEquals(scene.state(), [true, 1]);
  await scene.clock.advance(1 + LATE);
  assertEquals(scene.state(), [true, 2]);
  await scene.clock.advance(60_000);
  assertEquals([scene.state(), scene.clock.pending], [[false, 2], 0]);
});

Deno.test("A will is not published where the client comes back in time [MQTT5-3.1.3-9]", async () => {
  const scene = new Scene();
  scene.leave(60, will(5));
  await scene.clock.advance(4000);
  scene.open(60);
  await scene.clock.advance(100_000);
  assertEquals([scene.state(), scene.clock.pending], [[true, 0], 0]);
});

Deno.test("The end of a session ends the delay of its will: by its expiry, or a client that starts anew [MQTT5-3.1.2-8]", async () => {
  const scene = new Scene();
  scene.leave(0, will(60));
  assertEquals(scene.state(), [false, 1]);
  scene.leave(5, will(60));
  await scene.clock.advance(5000 + LATE);
  assertEquals(scene.state(), [false, 2]);
  scene.leave(60, will(60));
  scene.open(0, true);
  assertEquals([scene.state(), scene.clock.pending], [[false, 3], 0]);
});

Deno.test("A will whose delay and session end together is published once", async () => {
  const scene = new Scene();
  scene.leave(5, will(5));
  await scene.clock.advance(60_000);
  assertEquals([scene.state(), scene.clock.pending], [[false, 1], 0]);
});

Deno.test("The expiry of a will counts from its publication, however long the client was connected", async () => {
  const scene = new Scene(), { message } = will(0), began = scene.clock.now();
  const expiring = message.with({ properties: { messageExpiryInterval: 10 }, acceptedAt: began });
  for (const [expiry, delay] of [[0, 0], [60, 0], [60, 30]] as const) {
    await scene.clock.advance(3_600_000);
    const left = scene.clock.now();
    scene.leave(expiry, { message: expiring, delay });
    await scene.clock.advance(40_000);
    const lasts = (scene.wills.at(-1)!.expiresAt! - left) / 1000;
    assertEquals(Math.floor(lasts), delay + 10);
  }
});
