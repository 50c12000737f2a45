// Brokers that break a promise on purpose, now and then: the simulation has to notice. Some have a routing operator that does wrong, some
// do not write what they say, some have a clock or a limit that is not theirs.
import {
  type Broker,
  type BrokerEvent,
  type BrokerOptions,
  type ByteStream,
  type Clock,
  createBroker,
  type Message,
  rx,
} from "../../mod.ts";
import type { Deployment } from "./host.ts";

/** A broker that is not to be trusted. */
export interface Fault extends Deployment {
  /** What it does. */
  readonly name: string;
  /** What is noticed of it, among other things. */
  readonly noticed: RegExp;
}

/** Every so often a fault shows. */
const PERIOD = 7;

const PUBLISH = 3, PUBACK = 4, PUBREC = 5, PUBREL = 6, PUBCOMP = 7, CONNACK = 2;

/** All kinds of faults of a broker without a store. */
export const faults: readonly Fault[] = [
  routing("loses a message", / gets .* before /, () => []),
  routing("doubles a message", / unexpectedly/, (message) => [message, message]),
  routing("changes a payload", / unexpectedly/, (message) => [message.with({ payload: new Uint8Array([1]) })]),
  routing("lowers a quality of service", / with QoS 0/, (message) => [message.with({ qos: 0 })]),
  routing("does not retain a message", / unexpectedly/, (message) => [message.with({ retain: false })]),
  routing("loses a will", / is not published/, () => [], isWill),
  routing("publishes a will twice", /, and must not be/, (will) => [will, will], isWill),
  { name: "swaps two messages", noticed: / gets .* before /, durable: false, start: startWith(swapping) },
  frames("does not write a PUBLISH", / gets .* before /, PUBLISH, () => []),
  frames("writes a PUBLISH twice", / unexpectedly/, PUBLISH, (frame) => [frame, frame]),
  frames("writes a new PUBLISH as if it were an old one", / with DUP true/, PUBLISH, (frame) => [again(frame)]),
  frames("does not write a PUBACK", /, not "puback/, PUBACK, () => []),
  frames("does not write a PUBREC", /, not "pubrec/, PUBREC, () => []),
  frames("writes a PUBREL twice", / gets "pubrel .*, not /, PUBREL, (frame) => [frame, frame]),
  frames("does not write a PUBCOMP", /, not "pubcomp/, PUBCOMP, () => []),
  frames("claims that there was a session", /, not "connack false/, CONNACK, (frame) => [frame.with(2, 1)]),
  limits("keeps sessions for too long", / finds a session/, { sessionExpiry: Infinity }),
  limits("ends sessions too soon", / does not find its session/, { sessionExpiry: 1 }),
  limits("sends too many messages at once", / messages under way/, { inflight: 21 }),
  limits("sends too few messages at once", / gets only /, { inflight: 1 }),
  limits("lets too few messages wait", / may wait/, { queuedMessages: 2 }),
  time("publishes wills too early", / too early/, 1.1),
  time("publishes wills too late", / is not published/, 0.9),
  time("lets connections time out too early", /keep-alive-timeout/, 1.1),
  time("lets connections be silent for too long", / silent for too long/, 0.9),
  {
    name: "tells of one message where it drops several",
    noticed: / gets .* before | waits in vain /,
    durable: false,
    start(options) {
      const broker = createBroker(options);
      const one = (event: BrokerEvent) => event.type === "dropped" ? { ...event, count: 1 } : event;
      return Object.defineProperty(broker, "events", { value: broker.events.pipe(rx.map(one)) });
    },
  },
  {
    name: "leaves a timer",
    noticed: / timers are left/,
    durable: false,
    start(options) {
      options.clock!.schedule(() => {}, Number.MAX_SAFE_INTEGER);
      return createBroker(options);
    },
  },
];

function isWill({ topic, size }: Message): boolean {
  return topic.startsWith("will/") && size > 0;
}

type Operator = rx.MonoTypeOperatorFunction<Message>;

/** A broker with a routing operator of its own. */
function startWith(operator: () => Operator): (options: BrokerOptions) => Broker {
  return (options) => createBroker({ ...options, routing: [operator()] });
}

/** A broker that routes something else than it was given. */
function routing(
  name: string,
  noticed: RegExp,
  spoil: (message: Message) => readonly Message[],
  concerns: (message: Message) => boolean = () => true,
): Fault {
  const operator = (): Operator => {
    let count = 0;
    return rx.mergeMap((message) => concerns(message) && ++count % PERIOD === 0 ? spoil(message) : [message]);
  };
  return { name, noticed, durable: false, start: startWith(operator) };
}

/** Lets a message wait until another one on its topic has overtaken it. */
function swapping(): Operator {
  let count = 0, held: Message | undefined;
  return rx.mergeMap((message) => {
    if (held?.topic === message.topic) {
      const swapped = [message, held];
      held = undefined;
      return swapped;
    }
    if (held || ++count % PERIOD > 0) return [message];
    held = message;
    return [];
  });
}

/** A broker that writes something else instead of a packet of this type. */
function frames(
  name: string,
  noticed: RegExp,
  type: number,
  spoil: (frame: Uint8Array) => readonly Uint8Array[],
): Fault {
  const start = (options: BrokerOptions) => {
    const broker = createBroker(options), accept = broker.accept.bind(broker);
    let count = 0;
    const spoilt = (frame: Uint8Array) => frame[0]! >> 4 === type && ++count % PERIOD === 0 ? spoil(frame) : [frame];
    broker.accept = (stream) =>
      accept({ ...stream, write: (bytes) => write(stream, [...framesOf(bytes)].flatMap(spoilt), bytes) });
    return broker;
  };
  return { name, noticed, durable: false, start };
}

async function write(stream: ByteStream, frames: readonly Uint8Array[], { length }: Uint8Array): Promise<number> {
  for (const frame of frames) {
    for (let rest = frame; rest.length > 0;) rest = rest.subarray(await stream.write(rest));
  }
  return length;
}

/** What the broker writes at once: whole packets. */
function* framesOf(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let start = 0, end; start < bytes.length; start = end) {
    let length = 0, body = start + 1;
    for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) length |= ((byte = bytes[body++]!) & 0x7f) << shift;
    yield bytes.slice(start, end = body + length);
  }
}

/** A PUBLISH with DUP, which only one with a packet identifier may have. */
function again(frame: Uint8Array): Uint8Array {
  return frame[0]! & 0b110 ? frame.with(0, frame[0]! | 0b1000) : frame;
}

/** A broker that has other limits than it was told. */
function limits(name: string, noticed: RegExp, others: BrokerOptions["limits"] & object): Fault {
  const start = (options: BrokerOptions) => createBroker({ ...options, limits: { ...options.limits, ...others } });
  return { name, noticed, durable: false, start };
}

/** A broker whose time passes at another rate. */
function time(name: string, noticed: RegExp, rate: number): Fault {
  const start = ({ clock, ...options }: BrokerOptions) => {
    const wrong: Clock = {
      now: () => Math.floor(clock!.now() * rate),
      schedule: (callback, delay) => clock!.schedule(callback, Math.ceil(delay / rate)),
    };
    return createBroker({ ...options, clock: wrong });
  };
  return { name, noticed, durable: false, start };
}
