// What MQTT 5.0 gives to the broker's own process: properties of messages, and options of observed topics.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createBroker, Message, type MessageProperties, rx, type TopicOptions } from "../../mod.ts";
import { connected } from "../support/client.ts";
import { VirtualClock } from "../support/clock.ts";

const version5 = { protocolVersion: 5 } as const;

const properties: MessageProperties = {
  payloadFormatIndicator: true,
  messageExpiryInterval: 60,
  contentType: "text/plain",
  responseTopic: "answers/7",
  correlationData: Uint8Array.of(0, 255),
  userProperties: [["b", "1"], ["a", "2"], ["b", "3"]],
};

Deno.test("publish() sends properties to clients of 5.0, and the bare message to those of 3.1.1", async () => {
  await using broker = createBroker();
  await using modern = await connected(broker, "modern", version5);
  await using older = await connected(broker, "older");
  for (const client of [modern, older]) await client.subscribe("t", 1);
  await broker.publish("t", "hello", { qos: 1, properties });
  const { properties: received } = await modern.expect({ cmd: "publish", topic: "t", payload: "hello", qos: 1 });
  const { userProperties, correlationData, ...rest } = received;
  assertEquals(rest, {
    payloadFormatIndicator: true,
    messageExpiryInterval: 60,
    contentType: "text/plain",
    responseTopic: "answers/7",
  });
  assertEquals([{ ...userProperties }, [...correlationData]], [{ b: ["1", "3"], a: "2" }, [0, 255]]);
  const plain = await older.expect({ cmd: "publish", topic: "t", payload: "hello", qos: 1 });
  assertEquals(plain.properties, undefined);
});

Deno.test("observers see the properties that a client has sent, its topic alias aside", async () => {
  await using broker = createBroker();
  const seen: Message[] = [];
  broker.topic("#").subscribe((message) => seen.push(message));
  await using client = await connected(broker, "c", version5);
  const publish = {
    cmd: "publish",
    topic: "t",
    payload: "x",
    qos: 0,
    messageId: 1,
    retain: false,
    dup: false,
  } as const;
  await client.send({
    ...publish,
    properties: { contentType: "text/plain", userProperties: { a: "1" }, topicAlias: 3 },
  });
  await client.send({ ...publish, topic: "", properties: { topicAlias: 3 } });
  await client.send(publish);
  await client.expectNothing();
  assertEquals(seen.map(({ topic }) => topic), ["t", "t", "t"]);
  assertEquals(seen.map(({ properties }) => properties), [
    { contentType: "text/plain", userProperties: [["a", "1"]] },
    {},
    undefined,
  ]);
});

Deno.test("expiresAt tells when a message expires, by the broker's clock, and nothing where it does not", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  const seen: (number | undefined)[] = [];
  broker.published.subscribe(({ expiresAt }) => seen.push(expiresAt));
  await broker.publish("t", "", { properties: { messageExpiryInterval: 5 } });
  await broker.publish("t", "");
  await using client = await connected(broker, "c", version5);
  await clock.advance(1000);
  await client.send({ cmd: "publish", topic: "t", payload: "", qos: 0, properties: { messageExpiryInterval: 0 } });
  await client.expectNothing();
  assertEquals(seen, [clock.now() - 1000 + 5000, undefined, clock.now()]);
});

Deno.test("an operator may change properties, and what it leaves alone stays", async () => {
  const seal = rx.map((message: Message) =>
    message.with({ properties: { ...message.properties, contentType: "sealed", messageExpiryInterval: 7 } })
  );
  await using broker = createBroker({ routing: [seal], clock: new VirtualClock() });
  await using client = await connected(broker, "c", version5);
  await client.subscribe("t");
  await broker.publish("t", "x", {
    properties: { contentType: "plain", responseTopic: "r", messageExpiryInterval: 60 },
  });
  const { properties } = await client.expect({ cmd: "publish", topic: "t" });
  assertEquals(properties, { messageExpiryInterval: 7, contentType: "sealed", responseTopic: "r" });
});

/** Properties as somebody may give them who does not check types. */
const faults: readonly (readonly [properties: unknown, message: string])[] = [
  ["text", 'Properties are "text", not an object'],
  [null, "Properties are null, not an object"],
  [{ color: "red" }, 'Property "color" is none of a message'],
  [{ constructor: 1 }, 'Property "constructor" is none of a message'],
  [{ topicAlias: 1 }, 'Property "topicAlias" is none of a message'],
  [{ payloadFormatIndicator: 1 }, 'Property "payloadFormatIndicator" is 1, not true or false'],
  [
    { messageExpiryInterval: -1 },
    'Property "messageExpiryInterval" is -1, not a whole number of seconds from 0 to 4294967295',
  ],
  [
    { messageExpiryInterval: 1.5 },
    'Property "messageExpiryInterval" is 1.5, not a whole number of seconds from 0 to 4294967295',
  ],
  [
    { messageExpiryInterval: 2 ** 32 },
    'Property "messageExpiryInterval" is 4294967296, not a whole number of seconds from 0 to 4294967295',
  ],
  [{ contentType: 7 }, 'Property "contentType" is 7, not a string'],
  [{ contentType: "x".repeat(65_536) }, 'Property "contentType" is 65536 bytes long: 65535 are possible'],
  [{ contentType: "a\0" }, 'Property "contentType" holds U+0000'],
  [{ contentType: "\ud800" }, 'Property "contentType" holds half of a surrogate pair'],
  [{ responseTopic: 7 }, 'Property "responseTopic" is 7, not a string'],
  [{ responseTopic: "a/#" }, 'Topic name "a/#" holds a wildcard, "+" or "#": only filters may'],
  [{ correlationData: "x" }, 'Property "correlationData" is not made of up to 65535 bytes'],
  [{ correlationData: new Uint8Array(65_536) }, 'Property "correlationData" is not made of up to 65535 bytes'],
  [{ userProperties: { a: "1" } }, 'Property "userProperties" is { a: "1" }, not a list of names and values'],
  [{ userProperties: ["a1"] }, 'Property "userProperties" has "a1", not a name and a value'],
  [{ userProperties: [["a"]] }, 'Property "userProperties" has [ "a" ], not a name and a value'],
  [{ userProperties: [["a", 1]] }, 'Property "userProperties" is 1, not a string'],
];

for (const [given, message] of faults) {
  const properties = given as MessageProperties;
  Deno.test(`publish() refuses properties at once, and those of an operator lose its message: ${message}`, async () => {
    await using broker = createBroker({
      routing: [rx.map((made) => made.topic === "bad" ? made.with({ properties }) : made)],
    });
    const errors: unknown[] = [], seen = observed(broker, "#", {});
    broker.events.subscribe((event) => event.type === "routing-error" && errors.push(String(event.error)));
    assertEquals(assertThrows(() => broker.publish("t", "", { properties }), TypeError).message, message);
    for (const topic of ["bad", "good"]) await broker.publish(topic, topic);
    assertEquals([seen, errors], [["good"], [`TypeError: ${message}`]]);
  });
}

Deno.test("publish() takes all properties at the ends of their ranges, and what is undefined as missing", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c", version5);
  await client.subscribe("t");
  const longest = "x".repeat(65_535),
    all = {
      payloadFormatIndicator: false,
      messageExpiryInterval: 0xffff_ffff,
      contentType: "",
      responseTopic: longest,
      correlationData: new Uint8Array(65_535),
      userProperties: [["", longest]],
    } as const;
  await broker.publish("t", "x", { properties: all });
  const { properties: { correlationData, userProperties, ...rest } } = await client.expect({ cmd: "publish" });
  const { correlationData: data, userProperties: _, ...others } = all;
  assertEquals([rest, correlationData.length, { ...userProperties }], [others, data.length, { "": longest }]);
  const nothing: object = Object.fromEntries(Object.keys(all).map((name) => [name, undefined]));
  await broker.publish("t", "x", { properties: nothing });
  assertEquals((await client.expect({ cmd: "publish" })).properties, undefined);
});

/** Observes a topic; what it sees, as text. */
function observed(broker: ReturnType<typeof createBroker>, filter: string, options: TopicOptions): string[] {
  const seen: string[] = [];
  broker.topic(filter, options).subscribe((message) =>
    seen.push(`${message.text()}${message.retain ? "+retain" : ""}`)
  );
  return seen;
}

Deno.test("topic() begins with the retained messages where they are asked for, with captures, and goes on with new ones", async () => {
  await using broker = createBroker();
  for (const room of ["kitchen", "hall"]) await broker.publish(`${room}/temp`, room, { retain: true });
  await broker.publish("hall/light", "on", { retain: true });
  const rooms: string[] = [];
  broker.topic("+/temp", { retained: true }).subscribe(({ captures: [room] }) => rooms.push(room));
  assertEquals(rooms.toSorted(), ["hall", "kitchen"]);
  const without = observed(broker, "+/temp", {});
  await broker.publish("cellar/temp", "cellar");
  assertEquals([rooms.slice(2), without], [["cellar"], ["cellar"]]);
});

Deno.test("topic() leaves a retained message out that has expired", async () => {
  const clock = new VirtualClock();
  await using broker = createBroker({ clock });
  await broker.publish("a", "short", { retain: true, properties: { messageExpiryInterval: 1 } });
  await broker.publish("b", "long", { retain: true, properties: { messageExpiryInterval: 60 } });
  assertEquals(observed(broker, "#", { retained: true }).toSorted(), ["long+retain", "short+retain"]);
  await clock.advance(2000);
  assertEquals(observed(broker, "#", { retained: true }), ["long+retain"]);
});

Deno.test("an observer that takes only what it needs gets no more retained messages", async () => {
  await using broker = createBroker();
  for (const topic of ["a", "b", "c"]) await broker.publish(topic, topic, { retain: true });
  const first = await rx.firstValueFrom(broker.topic("#", { retained: true }));
  assert(["a", "b", "c"].includes(first.text()));
  const seen: string[] = [];
  broker.topic("#", { retained: true }).pipe(rx.take(2)).subscribe((message) => seen.push(message.text()));
  await broker.publish("d", "d");
  assertEquals(seen.length, 2);
});

Deno.test("topic() with noLocal leaves out what the process itself has published", async () => {
  await using broker = createBroker();
  const seen = observed(broker, "t", { noLocal: true }), all = observed(broker, "t", {});
  await using client = await connected(broker, "c", version5);
  await broker.publish("t", "own");
  await client.publish("t", "theirs");
  await client.expectNothing();
  assertEquals([seen, all], [["theirs"], ["own", "theirs"]]);
});

Deno.test("topic() with noLocal leaves out the own retained messages, too", async () => {
  await using broker = createBroker();
  await using client = await connected(broker, "c");
  await broker.publish("t/own", "own", { retain: true });
  await client.publish("t/theirs", "theirs", { retain: true, qos: 1 });
  assertEquals(observed(broker, "t/+", { noLocal: true, retained: true }), ["theirs+retain"]);
});

Deno.test("observers of one group share the messages, others get them all", async () => {
  await using broker = createBroker();
  const all = observed(broker, "job", {}), another = observed(broker, "job", { group: "another" });
  const members = [1, 2, 3].map(() => observed(broker, "job", { group: "workers" }));
  for (const job of ["1", "2", "3", "4", "5", "6", "7"]) await broker.publish("job", job);
  assertEquals(members, [["1", "4", "7"], ["2", "5"], ["3", "6"]]);
  assertEquals([all, another], [["1", "2", "3", "4", "5", "6", "7"], all]);
});

Deno.test("observers and clients may be in one group; who leaves gets nothing more", async () => {
  await using broker = createBroker();
  const seen: string[] = [];
  const observing = broker.topic("job/+", { group: "g" }).subscribe(({ captures: [job] }) => seen.push(job));
  await using client = await connected(broker, "c", version5);
  await client.subscribe("$share/g/job/+", 1);
  for (const job of ["1", "2", "3"]) await broker.publish(`job/${job}`, job, { qos: 1 });
  await client.expect({ cmd: "publish", topic: "job/2" });
  observing.unsubscribe();
  for (const job of ["4", "5"]) {
    await broker.publish(`job/${job}`, job, { qos: 1 });
    await client.expect({ cmd: "publish", topic: `job/${job}` });
  }
  assertEquals(seen, ["1", "3"]);
});

Deno.test("topic() refuses a group that is no name of a group", async () => {
  await using broker = createBroker();
  for (const group of ["", "a/b", "+", "a#"]) {
    assertThrows(() => broker.topic("t", { group }), TypeError, "Name of a shared subscription");
  }
});

Deno.test("the topics of a broker that has closed have completed, grouped or not", async () => {
  const broker = createBroker(), ended: string[] = [];
  for (const [name, options] of Object.entries({ plain: {}, grouped: { group: "g" }, retained: { retained: true } })) {
    broker.topic("t", options).subscribe({ complete: () => ended.push(name) });
  }
  await broker.close();
  assertEquals(ended, ["plain", "grouped", "retained"]);
});

Deno.test("publish() takes copies: who gave a payload or properties may change them", async () => {
  await using broker = createBroker();
  const seen = rx.firstValueFrom(broker.routed.pipe(rx.delay(0)));
  const payload = new Uint8Array([1]),
    correlationData = new Uint8Array(8).subarray(2, 4),
    userProperties = [["a", "b"]];
  broker.publish("t", payload, {
    properties: { correlationData, userProperties: userProperties as [string, string][] },
  });
  payload[0] = correlationData[0] = 9;
  userProperties[0]![1] = "changed";
  const { payload: own, properties } = await seen;
  assertEquals([...own], [1]);
  assertEquals([...properties!.correlationData!, properties!.correlationData!.buffer.byteLength], [0, 0, 2]);
  assertEquals(properties!.userProperties, [["a", "b"]]);
});
