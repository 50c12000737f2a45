// What clients do to a broker, as visits: each is short, uses names that were never used before where names are free, and leaves
// nothing behind for longer than a second. Together they touch whatever the broker keeps something in.
import { Buffer } from "node:buffer";
import type { Version } from "../bench/wire.ts";
import type { Churn } from "./churn.ts";

/** A visit; it resolves when it is over. */
export type Visit = (churn: Churn) => Promise<void>;

const REGULARS = 40;

const publish = (topic: string, payload: string | Buffer, qos = 0, messageId = 1, more: object = {}) =>
  ({ cmd: "publish", topic, payload, qos, messageId: qos > 0 ? messageId : undefined, ...more }) as const;

const subscribe = (filters: readonly string[], qos = 0) =>
  ({ cmd: "subscribe", messageId: 9, subscriptions: filters.map((topic) => ({ topic, qos })) }) as const;

/** Where a session lasts for a while. */
const lasting = (version: Version) => ({
  clean: false,
  ...version === 5 && { properties: { sessionExpiryInterval: 100 } },
});

/** Subscribes to all kinds of filters, publishes at every quality of service, and leaves in one way or the other. */
async function guest(churn: Churn): Promise<void> {
  const { random, version } = churn, client = await churn.connect(version), own = churn.fresh();
  const filters = [
    `soak/${own}/+`,
    `soak/${own}/#`,
    "soak/all/+",
    `$share/${own}/soak/${own}/#`,
    "$share/g/soak/all/#",
  ];
  const chosen = filters.filter(() => random.oneIn(2));
  if (chosen.length > 0) await client.ask(subscribe(chosen, random.below(3)));
  for (let i = 1; i <= 10; i++) {
    const topic = random.oneIn(2) ? `soak/${own}/${i}` : `soak/all/${random.oneIn(4) ? own : "same"}`;
    client.send(publish(topic, `payload ${own}`, random.below(3), i));
  }
  await client.ping();
  const dropped = chosen.filter(() => random.oneIn(2));
  if (dropped.length > 0) await client.ask({ cmd: "unsubscribe", messageId: 9, unsubscriptions: dropped });
  await client.leave(random.oneIn(2));
}

/** Comes back to its session, takes what has waited there, or leaves it there for a while. */
async function regular(churn: Churn): Promise<void> {
  const { random, version } = churn, number = random.below(REGULARS);
  const client = await churn.connect(version, { clientId: `regular-${number}`, ...lasting(version) });
  client.polite = random.oneIn(2);
  await client.ask(subscribe([`soak/regular/${number}/#`, `soak/regular/+/${churn.fresh()}`], 1 + random.below(2)));
  const others = random.list(10, () => random.below(REGULARS));
  for (const [i, other] of others.entries()) {
    client.send(publish(`soak/regular/${other}/${churn.fresh()}`, Buffer.alloc(200), random.below(3), i + 1));
  }
  await client.ping();
  await client.leave(random.oneIn(2));
}

/** Has messages retained, which are cleared again or expire. */
async function keeper(churn: Churn): Promise<void> {
  const { random } = churn, client = await churn.connect(5), own = churn.fresh();
  const expiring = { retain: true, properties: { messageExpiryInterval: 1 } };
  const topics = random.list(10, () => `soak/kept/${own}/${churn.fresh()}/deep`);
  for (const topic of topics) client.send(publish(topic, "kept", 0, 1, random.oneIn(3) ? expiring : { retain: true }));
  await client.ask(subscribe([`soak/kept/${own}/+/deep`, "soak/kept/#"], 1));
  for (const topic of topics) client.send(publish(topic, "", 0, 1, { retain: true }));
  client.send(publish(`soak/kept/${own}`, "kept", 0, 1, expiring));
  await client.ping();
  await client.leave();
}

/** Does not read what it is sent, until its outbox and its queue have overflowed. */
async function sleeper(churn: Churn): Promise<void> {
  const { random, version } = churn, topic = `soak/flood/${churn.fresh()}`;
  const [slow, fast] = await Promise.all([churn.connect(version, lasting(version)), churn.connect(4)]);
  await slow.ask(subscribe([topic], random.below(3)));
  slow.stall();
  for (let i = 1; i <= 150; i++) fast.send(publish(topic, Buffer.alloc(40_000), i % 3, i));
  await fast.ping();
  await Promise.all([slow.leave(false), fast.leave()]);
}

/** Leaves a will, which is published at once, later, or not at all. */
async function mourned(churn: Churn): Promise<void> {
  const { random, version } = churn, properties = random.oneIn(2) ? { willDelayInterval: 1 } : {};
  const will = {
    topic: `soak/all/${churn.fresh()}`,
    payload: Buffer.from("gone"),
    qos: random.below(3),
    retain: false,
  };
  const client = await churn.connect(version, {
    clientId: `mourned-${random.below(REGULARS)}`,
    will: { ...will, ...version === 5 && { properties } },
    ...random.oneIn(2) && lasting(version),
  });
  await client.leave(random.oneIn(3));
}

/** Stops in the middle of QoS 2, on both sides, and goes on over another connection, or never. */
async function halfway(churn: Churn): Promise<void> {
  const { random, version } = churn, about = { clientId: `half-${churn.fresh()}`, ...lasting(version) };
  const topic = `soak/half/${churn.fresh()}`, first = await churn.connect(version, about);
  first.polite = false;
  await first.ask(subscribe([topic], 2));
  for (let i = 1; i <= 5; i++) first.send(publish(topic, "half", 2, i));
  await first.ping();
  await first.leave(false);
  if (random.oneIn(2)) return;
  const second = await churn.connect(version, about);
  for (let i = 1; i <= 5; i++) second.send({ cmd: "pubrel", messageId: i });
  await second.ping();
  await second.leave();
}

/** Does not even say who it is, or says what nobody understands. */
async function stranger(churn: Churn): Promise<void> {
  const { random } = churn, client = await churn.open(4);
  const said = [[], [0x10], [0x10, 0x0c, 0x00, 0x04], [0xff, 0xff, 0xff, 0xff], [0xc0, 0]];
  await client.sendBytes(Buffer.from(random.pick(said)));
  await client.leave(random.oneIn(2));
}

/** Takes its own session over. */
async function twin(churn: Churn): Promise<void> {
  const { version } = churn, about = { clientId: `twin-${churn.random.below(REGULARS)}` };
  const first = await churn.connect(version, about);
  await first.ask(subscribe(["soak/all/#"], 1));
  const second = await churn.connect(version, about);
  await second.ask(subscribe([`soak/${churn.fresh()}`], 1));
  await Promise.all([first.leave(false), second.leave()]);
}

/** Uses topic aliases in both directions, and properties of all kinds. */
async function aliased(churn: Churn): Promise<void> {
  const client = await churn.connect(5, { properties: { topicAliasMaximum: 10, receiveMaximum: 3 } });
  const topics = churn.random.list(5, () => `soak/alias/${churn.fresh()}`);
  await client.ask({
    ...subscribe(topics, 1),
    properties: { subscriptionIdentifier: 7 },
  });
  for (let i = 0; i < 20; i++) {
    const topicAlias = 1 + i % 5, topic = i < 5 ? topics[i]! : "";
    const properties = { topicAlias, correlationData: Buffer.from(topics[0]!), userProperties: { name: topics[1]! } };
    client.send(publish(topic, "aliased", 1, 1 + i, { properties: { ...properties, messageExpiryInterval: 5 } }));
  }
  await client.ping();
  await client.leave();
}

/** Authenticates by a method that asks back, or leaves it waiting for the answer. */
async function prover(churn: Churn): Promise<void> {
  const { random } = churn, client = await churn.open(5), method = { authenticationMethod: "ask" };
  const about = { clientId: `prover-${churn.fresh()}`, clean: true, keepalive: 0, protocolVersion: 5 };
  await client.ask({ cmd: "connect", ...about, properties: method });
  if (random.oneIn(3)) return await client.leave(false);
  await client.ask({ cmd: "auth", reasonCode: 0x18, properties: { ...method, authenticationData: Buffer.from("it") } });
  await client.ask(subscribe([`soak/slowly/${churn.fresh()}`, "soak/slowly/#"], 1));
  for (let i = 1; i <= 5; i++) client.send(publish(`soak/slowly/${churn.fresh()}`, "later", i % 3, i));
  if (random.oneIn(2)) await client.ping();
  await client.leave(random.oneIn(2));
}

/** Has the process of the broker observe topics and use operators, for a while. */
async function insider(churn: Churn): Promise<void> {
  const client = await churn.connect(4);
  for (let i = 0; i < 10; i++) client.send(publish(`soak/inside/${churn.fresh()}`, "look"));
  await client.ping();
  await client.leave();
}

/** Says nothing any more until the broker has had enough, before its CONNECT or behind it; nobody waits for that. */
async function silent(churn: Churn): Promise<void> {
  await (churn.random.oneIn(2) ? churn.open(4) : churn.connect(churn.version, { keepalive: 1 }));
}

/** Every kind of visit, and how often it comes. */
export const visits: readonly (readonly [weight: number, visit: Visit])[] = [
  [8, guest],
  [6, regular],
  [3, keeper],
  [3, mourned],
  [3, halfway],
  [2, stranger],
  [2, twin],
  [2, aliased],
  [2, prover],
  [2, insider],
  [1, sleeper],
  [1, silent],
];
