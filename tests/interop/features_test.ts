// What every program can rely on, each tested with that program alone: wildcards, retained messages, wills, sessions. With MQTT 5.0
// every message has properties, which it must still have wherever it was kept.
import { assertEquals } from "@std/assert";
import { type Level, levelNames, type Message, type Program, type Subscriber } from "./program.ts";
import type { SubscriberOptions, TestedBroker } from "./program.ts";
import { programs, testWith } from "./programs.ts";

const properties = { contentType: "text/plain", userProperties: [["a", "1"], ["b", "2"]] } as const;

/** How a subscriber may end. */
const ends: [string, (program: Program, broker: TestedBroker, options: SubscriberOptions) => Promise<void>][] = [
  ["left", (program, broker, options) => program.visit(broker, options)],
  ["was killed", async (program, broker, options) => {
    await using subscriber = await program.subscribe(broker, options);
    await subscriber.kill();
  }],
];

for (const program of programs) for (const level of [4, 5] as const) test(program, level);

function test(program: Program, level: Level): void {
  const name = `${program.name} with ${levelNames[level]}`;
  const test = testWith.bind(undefined, [program]);

  /** A message at QoS 2, as far as nothing else is said: clients may let those of QoS 0 and 1 overtake it. */
  const message = (topic: string, payload: string, { qos = 2, retain = false }: Partial<Message> = {}): Message => (
    { topic, payload, qos, retain, ...level === 5 && { properties } }
  );

  /** The last message of a test: what comes before it is all that comes. */
  const last = message("end", "that is all");

  const publish = (broker: TestedBroker, messages: Message[]) => program.publish(broker, messages, level);
  const subscribe = (broker: TestedBroker, id: string, ...filters: string[]) =>
    program.subscribe(broker, { id, filters: [...filters, last.topic], qos: 2, level });

  /** Asserts what a subscriber gets, up to the last message. */
  async function expectAll(subscriber: Subscriber, expected: readonly Message[]): Promise<void> {
    const received = [];
    for (let next = await subscriber.next(); next.topic !== last.topic; next = await subscriber.next()) {
      received.push(next);
    }
    assertEquals(received, expected);
  }

  test(`${name} gets what its wildcards match, in order, and nothing else`, async (broker) => {
    await using subscriber = await subscribe(broker, "wild", "home/+/lamp", "garden/#", "+/+/+/deep", "/+");
    const topics = (list: string) => list.split(" ").map((topic) => message(topic, `on ${topic}`));
    const matching = topics("home/hall/lamp garden garden/a/b/c a/b/c/deep /root home//lamp");
    const others = topics("home/lamp home/hall/lamp/2 gardens a/b/deep root Home/hall/lamp $a/b/c/deep");
    await publish(broker, [...others.slice(0, 4), ...matching, ...others.slice(4), last]);
    await expectAll(subscriber, matching);
  });

  test(`${name} gets a retained message once it subscribes, until it is removed, and live ones without the mark`, async (broker) => {
    const first = message("state/a", "1", { retain: true }), second = { ...first, payload: "2" };
    const removal = { ...first, payload: "" }, other = message("state/b", "not retained");
    const live = (message: Message) => ({ ...message, retain: false });
    await using early = await subscribe(broker, "early", "state/+");
    await publish(broker, [first, second, other]);
    await using late = await subscribe(broker, "late", "state/+");
    await publish(broker, [removal]);
    await using tooLate = await subscribe(broker, "too late", "state/+");
    await publish(broker, [last]);
    await expectAll(early, [first, second, other, removal].map(live));
    await expectAll(late, [second, live(removal)]);
    await expectAll(tooLate, []);
  });

  test(`${name} has its will published where it is killed, not where it leaves`, async (broker) => {
    const will = message("will/a", "gone", { retain: true });
    await using watcher = await subscribe(broker, "watcher", "will/+");
    for (const [end, go] of ends) {
      await go(program, broker, { id: end, filters: ["unused"], qos: 0, will: { ...will, payload: end }, level });
    }
    await publish(broker, [last]);
    await expectAll(watcher, [{ ...will, payload: "was killed", retain: false }]);
    await using latecomer = await subscribe(broker, "latecomer", "will/+");
    assertEquals(await latecomer.next(), { ...will, payload: "was killed" });
  });

  for (const [end, go] of ends) {
    test(`${name} gets what came after it ${end}, where its session persists`, async (broker) => {
      const options = { id: "sleeper", filters: ["news/#", last.topic], qos: 2, clean: false, level } as const;
      await go(program, broker, options);
      const news = ([1, 2] as const).map((qos) => message("news/a", `${qos}`, { qos }));
      await publish(broker, [message("news/lost", "0", { qos: 0 }), ...news, last]);
      await using after = await program.subscribe(broker, { ...options, filters: [] });
      await expectAll(after, news);
      await after.kill();

      await using clean = await program.subscribe(broker, { ...options, clean: true, filters: [last.topic] });
      await publish(broker, [...news, last]);
      await expectAll(clean, []);
    });
  }

  for (const qos of [1, 2] as const) {
    test(`${name} gets a message of QoS ${qos} again that it has not acknowledged when it was killed`, async (broker) => {
      const options = { id: "victim", filters: ["job/#"], qos, clean: false, level } as const;
      await using before = await program.subscribe(broker, options);
      before.freeze();
      const jobs = ["1", "2", "3"].map((payload) => message("job/a", payload, { qos }));
      await publish(broker, jobs);
      await before.kill();
      await using after = await program.subscribe(broker, { ...options, filters: [] });
      for (const job of jobs) assertEquals(await after.next(), job);
    });
  }
}
