// The load test, tested against brokers that do as they should, and against some that do not.
import { assert, assertEquals, assertGreater, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { createBroker, MemoryStore, type Message, type RoutingOperator, rx } from "../../mod.ts";
import { denoRun } from "../support/process.ts";
import { type Figures, figuresOf, progress, table } from "./report.ts";
import { run, scenarios, type Settings } from "./scenarios.ts";
import { Histogram, Tally } from "./tally.ts";

const small: Omit<Settings, "port"> = {
  ...{ hostname: "127.0.0.1", version: 4, scenario: "pairs", clients: 3, qos: 0, size: 64, seconds: 10, count: 100 },
  ...{ window: 20, persistent: false },
};

/** Runs a load test that ends by its count, against a broker with one routing operator. */
async function load(settings: Partial<Settings>, ...routing: readonly RoutingOperator[]): Promise<Figures> {
  await using broker = createBroker({ routing });
  const all = { ...small, ...settings, port: broker.listen({ port: 0 }).port }, tally = new Tally();
  return figuresOf(all, tally, await run(all, tally));
}

/** Counts of faults, and how many messages came. */
function outcome({ received, lost, duplicated, reordered, corrupted }: Figures) {
  return { received, lost, duplicated, reordered, corrupted };
}

const faultless = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0 };

for (const scenario of scenarios) {
  for (const version of [4, 5] as const) {
    for (const qos of scenario === "connect" ? [0] as const : [0, 1, 2] as const) {
      Deno.test(`Load: ${scenario} at level ${version} and QoS ${qos} counts everything, and finds no fault`, async () => {
        const figures = await load({ scenario, version, qos }), { sent, rate, seconds, latency } = figures;
        assertEquals(outcome(figures), { received: scenario === "fanout" ? 300 : 100, ...faultless });
        assertEquals([figures.scenario, figures.version, figures.qos, sent], [scenario, version, qos, 100]);
        assert(rate > 0 && seconds > 0 && seconds < 10 && latency.p50 > 0);
        assert(latency.p50 <= latency.p95 && latency.p95 <= latency.p99 && latency.p99 <= latency.max);
      });
    }
  }
}

Deno.test("Load: payloads from 16 bytes to more than one read brings are whole", async () => {
  for (const size of [16, 17, 5000, 200_000]) {
    assertEquals(outcome(await load({ size, clients: 1, qos: 1 })), { received: 100, ...faultless }, `${size} bytes`);
  }
});

Deno.test("Load: one message on its way at a time is enough", async () => {
  assertEquals(outcome(await load({ scenario: "fanin", window: 1, qos: 2 })), { received: 100, ...faultless });
});

Deno.test("Load: the sessions of persistent subscribers are kept while it runs, and ended after it", async () => {
  const store = new MemoryStore(), kept = new Set<string>();
  await using broker = createBroker({
    store,
    routing: [rx.tap(() => [...store.sessions()].forEach(({ clientId }) => kept.add(clientId)))],
  });
  const settings = { ...small, port: broker.listen({ port: 0 }).port, qos: 1, persistent: true } as const;
  const tally = new Tally();
  await run(settings, tally);
  assertEquals([tally.received, tally.faults, kept.size, [...store.sessions()]], [100, 0, 3, []]);
});

Deno.test("Load: what is not bounded by its count ends by its time", async () => {
  for (const scenario of scenarios) {
    const { sent, received, ...others } = await load({ scenario, count: 1_000_000_000, seconds: 0.1 });
    assertEquals({ received, ...others }, {
      ...others,
      received: scenario === "fanout" ? sent * 3 : sent,
      ...faultless,
    });
  }
});

Deno.test("Load: a publisher that waits in vain for its message to come is stopped by the time", async () => {
  const figures = await load({ clients: 1, window: 1, seconds: 0.1 }, insteadOfTenth(() => []));
  assertEquals(outcome(figures), { received: 9, ...faultless, lost: 1 });
});

/** Lets something else pass than the tenth message. */
function insteadOfTenth(change: (tenth: Message) => readonly Message[]): RoutingOperator {
  return rx.concatMap((message, i) => i === 9 ? change(message) : [message]);
}

/** Lets the tenth message pass behind the eleventh. */
function late(): RoutingOperator {
  const held: Message[] = [];
  return rx.concatMap((message, i) => {
    if (i === 9) held.push(message);
    return i === 9 ? [] : [message, ...held.splice(0)];
  });
}

/** The last byte of a payload as it should not be. */
function damaged(message: Message): Message {
  return message.with({ payload: message.payload.map((byte, i) => i === message.size - 1 ? byte ^ 1 : byte) });
}

const faults: readonly [name: string, operator: RoutingOperator, expected: ReturnType<typeof outcome>][] = [
  ["a message that is lost", insteadOfTenth(() => []), { received: 99, ...faultless, lost: 1 }],
  ["a message that comes twice", insteadOfTenth((m) => [m, m]), { received: 100, ...faultless, duplicated: 1 }],
  [
    "a payload that was changed",
    insteadOfTenth((message) => [damaged(message)]),
    { received: 99, ...faultless, lost: 1, corrupted: 1 },
  ],
  [
    "a topic that was changed",
    insteadOfTenth((message) => [message.with({ topic: `${message.topic}0` })]),
    { received: 99, ...faultless, lost: 1, corrupted: 1 },
  ],
  ["a message that comes late", late(), { received: 100, ...faultless, reordered: 1 }],
];

for (const [name, operator, expected] of faults) {
  Deno.test(`Load: ${name} is found`, async () => {
    assertEquals(outcome(await load({ scenario: "fanin", clients: 1 }, operator)), expected);
  });
}

Deno.test("Load: a server that refuses a connection, or ends it, is an error", async () => {
  await using broker = createBroker({ authenticate: () => false });
  const { port } = broker.listen({ port: 0 });
  for (const scenario of ["pairs", "connect"] as const) {
    await assertRejects(() => run({ ...small, port, scenario }, new Tally()), Error, "refused a connection");
  }
  await assertRejects(() => load({ size: 2_000_000 }), Error, "The server has ended a connection");
});

Deno.test("A histogram tells quantiles to 2 %, and the maximum exactly", () => {
  const histogram = new Histogram();
  assertEquals([histogram.quantile(0.5), histogram.max], [0, 0]);
  for (let i = 1; i <= 1000; i++) histogram.add(i / 10);
  for (const share of [0.5, 0.95, 0.99]) assert(Math.abs(histogram.quantile(share) / (share * 100) - 1) < 0.02);
  assertEquals([histogram.quantile(1), histogram.max], [100, 100]);
});

Deno.test("The table tells the figures, and the progress those of the last second", () => {
  const tally = Object.assign(new Tally(), { sent: 1_234_567, received: 1_234_566, lost: 1 });
  const text = table(figuresOf({ ...small, port: 1883 }, tally, 2));
  assertMatch(text, /^scenario +pairs, 3 clients, QoS 0, 64 bytes, MQTT 3\.1\.1, 2 s$/m);
  assertMatch(text, /^sent +1,234,567 messages$/m);
  assertMatch(text, /^rate +617,283 a second$/m);
  assertMatch(text, /^lost +1$/m);
  assertEquals(progress(3, 1000, tally), "3 s: 1,000 a second, 1 faults");
});

/** Runs the command against a broker with one routing operator. */
async function command(args: readonly string[], ...routing: readonly RoutingOperator[]) {
  await using broker = createBroker({ routing });
  await using process = denoRun("--allow-net", "tests/bench/load.ts", broker.listen({ port: 0 }).address, ...args);
  return await process.outcome();
}

Deno.test("The command prints a table and ends with 0 where all is well", async () => {
  const { code, output } = await command(["--count", "50", "--qos", "1"]);
  assertEquals([code, output.length], [0, 9]);
});

Deno.test("The command prints JSON on request, and ends with 1 where a message is lost", async () => {
  const { code, output, errors } = await command(["--count", "50", "--json"], insteadOfTenth(() => []));
  assertEquals([code, output.length], [1, 1]);
  const { lost, sent, latency } = JSON.parse(output[0]!) as Figures;
  assertEquals([lost, sent], [1, 50]);
  assertGreater(latency.max, 0);
  assertStringIncludes(errors.join("\n"), "50 messages");
});

Deno.test("The command says what is wrong with its arguments, and ends with 2", async () => {
  const wrong = [["--qos", "3"], ["--clients", ""], ["--scenario", "all"], ["--what"], ["mqtt://other"]];
  const outcomes = await Promise.all(wrong.map((args) => command(args)));
  assertEquals(outcomes.map(({ code }) => code), wrong.map(() => 2));
  assertEquals(outcomes.map(({ errors }) => errors.length), wrong.map(() => 1));
});
