// Mosquitto's own clients: mosquitto_sub subscribes, mosquitto_pub publishes, mosquitto_rr asks.
import { has, Process, run } from "../support/process.ts";
import { expiryOf, gone, type Level, type Message, type Program, type Properties, publisherId } from "./program.ts";
import { received, type SubscriberOptions, subscriberProcess, type TestedBroker } from "./program.ts";

/** Mosquitto's clients. */
export const mosquitto: Program = {
  name: "Mosquitto",
  installed: has("sh", "-c", "command -v mosquitto_pub && command -v mosquitto_sub && command -v mosquitto_rr"),

  subscribe(broker, options) {
    const { id, filters, qos } = options;
    const process = new Process("mosquitto_sub", { args: subscriberArguments(broker, options) });
    return subscriberProcess(broker, id, process, {
      async ready() {
        await broker.logged(`Client "${id}" connected`);
        for (const filter of filters) await broker.logged(`Client "${id}" subscribed to "${filter}" at QoS ${qos}`);
      },
      next: async () => messageOf(await process.output.take()),
    });
  },

  async visit(broker, options) {
    await run("mosquitto_sub", { args: [...subscriberArguments(broker, options), "-E"] });
    await gone(broker, options.id, "disconnect");
  },

  async publish(broker, messages, level) {
    for (const run of runs(messages)) await publishRun(broker, run, level);
  },
};

/** Publishes a request, and resolves to the answer that comes where it asks for it. */
export async function ask(broker: TestedBroker, request: Message): Promise<Message> {
  const { responseTopic = "", ...others } = request.properties ?? {};
  const args = [
    ...connection(broker, publisherId(), 5),
    ...["-t", request.topic, "-e", responseTopic, "-m", request.payload, "-q", `${request.qos}`, "-F", FORMAT],
    ...properties("publish", others),
  ];
  await using process = new Process("mosquitto_rr", { args });
  return messageOf(await process.output.take());
}

function subscriberArguments(broker: TestedBroker, options: SubscriberOptions): string[] {
  const { id, filters, qos, clean = true, will, level, identifier } = options;
  return [
    ...connection(broker, id, level),
    ...["-F", FORMAT, "-q", `${qos}`],
    // It has to ask for something, also where it shall only take what its session holds.
    ...filters.length > 0 ? filters.flatMap((filter) => ["-t", filter]) : ["-t", `for/${id}/alone`],
    ...clean ? [] : ["-c"],
    ...level === 5 ? ["-x", `${expiryOf(options)}`] : [],
    ...identifier === undefined ? [] : ["-D", "subscribe", "subscription-identifier", `${identifier}`],
    ...will ? ["--will-topic", will.topic, "--will-payload", will.payload, "--will-qos", `${will.qos}`] : [],
    ...will?.retain ? ["--will-retain"] : [],
    ...properties("will", will?.properties),
  ];
}

const versions = { 3: "mqttv31", 4: "mqttv311", 5: "mqttv5" };

/** The arguments with which each of the programs connects. */
export function connection({ port }: TestedBroker, id: string, level: Level = 4): string[] {
  return ["-h", "127.0.0.1", "-p", `${port}`, "-i", id, "-V", versions[level]];
}

/** The arguments that give properties to a packet. */
export function properties(packet: "publish" | "will", { userProperties = [], ...others }: Properties = {}): string[] {
  return [
    ...userProperties.flatMap((pair) => ["-D", packet, "user-property", ...pair]),
    ...Object.entries(others).flatMap(([name, value]) => ["-D", packet, kebab(name), `${value === true ? 1 : value}`]),
  ];
}

/** User properties, and JSON of everything else: there, a name that comes again would be lost. */
const FORMAT = "%P\t%j";

/** What it calls a property. */
function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function messageOf(line: string): Message {
  const [pairs = "", ...json] = line.split("\t"), message = JSON.parse(json.join("\t"));
  const { topic, payload, qos, retain, properties = {} } = message;
  const told: Partial<Record<keyof Properties, unknown>> = {};
  for (const name of ["messageExpiryInterval", "contentType", "responseTopic", "correlationData"] as const) {
    if (kebab(name) in properties) told[name] = properties[kebab(name)];
  }
  if (properties["payload-format-indicator"]) told.payloadFormatIndicator = true;
  const identifier = properties["subscription-identifier"];
  if (identifier) told.subscriptionIdentifier = [identifier];
  if (pairs) told.userProperties = pairs.split(" ").map((pair) => pair.split(":"));
  return received({ topic, payload: payload ?? "", qos, retain: retain === 1 }, told as Properties);
}

interface Run extends Message {
  readonly payloads: string[];
}

/** Messages that one process can publish: those that follow each other and differ by their payload alone. */
function runs(messages: readonly Message[]): Run[] {
  const runs: Run[] = [];
  for (const message of messages) {
    const last = runs.at(-1);
    if (last && (["topic", "qos", "retain", "properties"] as const).every((part) => last[part] === message[part])) {
      last.payloads.push(message.payload);
    } else {
      runs.push({ ...message, payloads: [message.payload] });
    }
  }
  return runs;
}

async function publishRun(broker: TestedBroker, message: Run, level?: Level): Promise<void> {
  const id = publisherId(), { topic, qos, retain, payloads } = message;
  const args = [
    ...connection(broker, id, level),
    ...["-t", topic, "-q", `${qos}`],
    ...retain ? ["-r"] : [],
    ...properties("publish", message.properties),
    ...payloads.length > 1 ? ["-l"] : payloads[0] ? ["-m", payloads[0]] : ["-n"],
  ];
  await run("mosquitto_pub", { args, input: payloads.map((payload) => `${payload}\n`).join("") });
  await gone(broker, id, "disconnect");
}
