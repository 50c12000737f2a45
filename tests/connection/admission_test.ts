// How many clients may come, in all, from one address, and while memory is scarce; and who has a place, if there are no more.
import { assertEquals } from "@std/assert";
import { type Broker, type BrokerEvent, type BrokerOptions, createBroker, memoryPair } from "../../mod.ts";
import { upTo } from "../conformance/script.ts";
import { endings } from "../conformance/support.ts";
import { connected, type PacketLike, TestClient } from "../support/client.ts";
import { settle, VirtualClock } from "../support/clock.ts";

let port = 1024;

/** A client that has connected from an address, each time from another port; nothing has been sent yet. */
function arrive(broker: Broker, address = "10.0.0.1"): TestClient {
  const [ours, theirs] = memoryPair();
  broker.accept({ ...theirs, remote: `${address}:${++port}` });
  return new TestClient(ours);
}

/** Versions, and what each says to one too many: in general, from one address, and while memory is scarce. */
const versions = [
  { name: "3.1", fields: { protocolId: "MQIsdp", protocolVersion: 3 }, field: "returnCode", all: 3, here: 3, busy: 3 },
  { name: "3.1.1", fields: { protocolVersion: 4 }, field: "returnCode", all: 3, here: 3, busy: 3 },
  { name: "5.0", fields: { protocolVersion: 5 }, field: "reasonCode", all: 0x88, here: 0x97, busy: 0x89 },
] as const;

type Version = typeof versions[number];

/** A CONNECT, and what is answered: nothing where the connection ends first. */
async function answerTo(client: TestClient, clientId: string, fields: Partial<PacketLike> = {}): Promise<PacketLike> {
  await client.send({ cmd: "connect", clientId, clean: true, keepalive: 0, ...fields });
  return await client.expect({ cmd: "connack" });
}

/** Asserts that a client is refused, and told so. */
async function assertRefused(client: TestClient, { fields, field }: Version, code: number): Promise<void> {
  const connack = await answerTo(client, "refused", fields);
  assertEquals([connack[field], connack.sessionPresent], [code, false]);
  await client.expectClosed();
}

/** Everybody that a test has brought along, to be gone at its end. */
class Crowd extends AsyncDisposableStack {
  readonly broker: Broker;

  constructor(options: BrokerOptions) {
    super();
    this.broker = this.use(createBroker(options));
  }

  /** A client that is in. */
  async enter(clientId: string, address?: string, fields: Partial<PacketLike> = {}): Promise<TestClient> {
    const client = this.use(arrive(this.broker, address));
    await client.connect({ clientId, ...fields });
    return client;
  }

  /** Connections that say nothing. */
  strangers(count: number, address?: string): TestClient[] {
    return upTo(count).map(() => this.use(arrive(this.broker, address)));
  }
}

for (const version of versions) {
  Deno.test(`connections (${version.name}): one too many is told so, and there is room as soon as somebody leaves`, async () => {
    await using crowd = new Crowd({ limits: { connections: 2 } });
    const { broker } = crowd, [first, second] = [await crowd.enter("a"), await crowd.enter("b")];
    await assertRefused(arrive(broker), version, version.all);
    assertEquals(endings(broker), { "refused/server-unavailable": 1 });
    assertEquals(broker.why().map(({ client, detail }) => [client, detail]), [[
      "refused",
      "There are 2 connections already",
    ]]);
    await second.expectNothing();
    await first.disconnect();
    await crowd.enter("c", undefined, version.fields);
  });

  Deno.test(`connectionsPerAddress (${version.name}): one too many is told so, and other addresses have places of their own`, async () => {
    await using crowd = new Crowd({ limits: { connectionsPerAddress: 2 } });
    const { broker } = crowd, [first] = [await crowd.enter("a"), await crowd.enter("b")];
    await assertRefused(arrive(broker), version, version.here);
    assertEquals(endings(broker), { "refused/quota-exceeded": 1 });
    assertEquals(broker.why()[0]?.detail, "There are 2 connections from 10.0.0.1 already");
    for (const address of ["10.0.0.2", "[2001:db8::1]", "[2001:db8::1]"]) await crowd.enter(address + port, address);
    await assertRefused(arrive(broker, "[2001:db8::1]"), version, version.here);
    await first!.disconnect();
    await crowd.enter("c");
  });

  Deno.test(`memory (${version.name}): while it is scarce no new client comes in, but one whose session is here does`, async () => {
    await using crowd = new Crowd({ limits: { memory: "1MiB" } });
    const { broker } = crowd, eighty = 1024 * 1024 * 0.8;
    const lasting = { clean: false, ...version.fields, properties: { sessionExpiryInterval: 100 } };
    await (await crowd.enter("known", undefined, lasting)).disconnect();
    const connected = await crowd.enter("connected");
    await broker.publish("kept", new Uint8Array(eighty - 10_000), { retain: true });
    await (await crowd.enter("early")).disconnect();
    await broker.publish("kept", new Uint8Array(eighty + 10_000), { retain: true });
    await assertRefused(arrive(broker), version, version.busy);
    assertEquals(endings(broker)["refused/server-busy"], 1);
    assertEquals(broker.why()[0]?.detail, "The broker has no memory for more clients now");
    await crowd.enter("known", undefined, lasting);
    await connected.publish("t", "x", { qos: 1 });
    await broker.publish("kept", "", { retain: true });
    await crowd.enter("late", undefined, version.fields);
  });
}

Deno.test("Where more come at once than may, as many are let in as may, whatever the others do", async () => {
  await using crowd = new Crowd({ limits: { connections: 4, connectionsPerAddress: 3 } });
  const clients = [...crowd.strangers(7, "10.0.0.1"), ...crowd.strangers(4, "10.0.0.2")];
  const codes = await Promise.all(clients.map(async (client, i) => (await answerTo(client, `c${i}`)).returnCode));
  assertEquals(codes.filter((code) => code === 0).length, 4);
  assertEquals(codes.slice(0, 3), [0, 0, 0]);
});

Deno.test("Those that have not said who they are, and those that were refused, take nobody's place", async () => {
  await using crowd = new Crowd({
    limits: { connections: 1, connectionsPerAddress: 1 },
    clock: new VirtualClock(), // they are not closed for having been refused
    authenticate: ({ clientId }) => clientId !== "wrong",
  });
  crowd.strangers(1);
  const [wrong] = crowd.strangers(1);
  assertEquals((await answerTo(wrong!, "wrong")).returnCode, 5);
  await crowd.enter("right");
});

Deno.test("While it is decided about a client it has its place, and gives it up where it is refused", async () => {
  const decision = Promise.withResolvers<boolean>();
  await using crowd = new Crowd({
    limits: { connections: 1 },
    authenticate: ({ clientId }) => clientId !== "slow" || decision.promise,
  });
  const [slow, other] = crowd.strangers(2);
  const answer = answerTo(slow!, "slow");
  await settle();
  assertEquals((await answerTo(other!, "other")).returnCode, 3);
  decision.resolve(false);
  assertEquals((await answer).returnCode, 5);
  await crowd.enter("other");
});

for (const limit of ["connections", "connectionsPerAddress"]) {
  Deno.test(`${limit}: a client that comes again gets the place of its former connection, alive or not`, async () => {
    await using crowd = new Crowd({ limits: { [limit]: 1 }, clock: new VirtualClock() });
    await crowd.enter("c");
    const again = await crowd.enter("c"), [other] = crowd.strangers(1);
    assertEquals(endings(crowd.broker), { "disconnected/session-taken-over": 1 });
    assertEquals((await answerTo(other!, "other")).returnCode, 3);
    await again.expectNothing();
  });
}

Deno.test("A client that comes again from another address needs a place there", async () => {
  await using crowd = new Crowd({ limits: { connectionsPerAddress: 1 } });
  await crowd.enter("moving", "10.0.0.1");
  await crowd.enter("other", "10.0.0.2");
  const [again] = crowd.strangers(1, "10.0.0.2");
  assertEquals((await answerTo(again!, "moving")).returnCode, 3);
  await crowd.enter("moving", "10.0.0.3");
  await crowd.enter("free", "10.0.0.1");
});

Deno.test("connectionsPerAddress: the addresses of one IPv6 network are one, and an IPv4 address is one however it is written", async () => {
  await using crowd = new Crowd({ limits: { connectionsPerAddress: 1 } });
  const told = refusals(crowd.broker), [one] = crowd.strangers(1, "[2001:db8::1]");
  await crowd.enter("network", "[2001:db8::1:2:3:4]");
  await crowd.enter("other network", "[2001:db8:0:1::1]");
  await crowd.enter("mapped", "[::ffff:10.0.0.1]");
  assertEquals((await answerTo(one!, "too many")).returnCode, 3);
  assertEquals((await answerTo(crowd.strangers(1, "10.0.0.1")[0]!, "too many")).returnCode, 3);
  const before = [
    "too many [2001:db8::1]: There are 1 connections from",
    "too many 10.0.0.1: There are 1 connections from",
  ];
  assertEquals(told, [`${before[0]} 2001:db8:0:0::/64 already`, `${before[1]} 10.0.0.1 already`]);
});

/** The address that a refusal tells, without its port. */
function refusals(broker: Broker): string[] {
  const told: string[] = [];
  broker.events.subscribe((event: BrokerEvent) => {
    if (event.type === "refused") told.push(`${event.client} ${event.remote.replace(/:\d+$/, "")}: ${event.detail}`);
  });
  return told;
}

Deno.test("Where twice as many from one address say nothing, the next one is closed without a word", async () => {
  await using crowd = new Crowd({ limits: { connectionsPerAddress: 2 } });
  const told = refusals(crowd.broker), strangers = crowd.strangers(5);
  const [sixth] = crowd.strangers(1);
  await sixth!.expectClosed();
  assertEquals(told, ["undefined 10.0.0.1: There are 2 connections from 10.0.0.1 already"]);
  await crowd.enter("c", "10.0.0.2");
  await strangers[0]!.drop();
  await settle();
  await crowd.enter("c"); // in the place of the stranger
  assertEquals(told.length, 1);
});

Deno.test("Where a thousand more than the limit say nothing, the next one is closed without a word", async () => {
  await using crowd = new Crowd({ limits: { connections: 1 } });
  const told = refusals(crowd.broker);
  crowd.strangers(1001);
  const [next] = crowd.strangers(1);
  await next!.expectClosed();
  assertEquals(told, ["undefined 10.0.0.1: There are 1 connections already"]);
});

Deno.test("Clients of the broker's own process are from one address, too", async () => {
  await using broker = createBroker({ limits: { connectionsPerAddress: 1 } });
  await using _first = await connected(broker, "first");
  await using second = TestClient.memory(broker);
  assertEquals((await answerTo(second, "second")).returnCode, 3);
});

Deno.test("A stream that can't be closed harms nobody, whenever it comes", async () => {
  const clock = new VirtualClock(), broker = createBroker({ limits: { connectionsPerAddress: 1 }, clock });
  const no = (): void => {
    throw new Error("It does not want to");
  };
  const broken = (close: () => void = no) => ({ ...memoryPair()[1], close });
  for (const i of upTo(4)) broker.accept(broken(i % 2 ? no : () => Promise.try(no)));
  await broker.accept(broken()); // is one too many
  broker.close();
  await clock.advance(10_000);
  await broker.closed;
  await broker.accept(broken());
});
