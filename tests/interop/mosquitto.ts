// Mosquitto's own clients: mosquitto_sub subscribes, mosquitto_pub publishes.
import { type BrokerProcess, has, Process, run } from "../support/process.ts";
import { gone, type Level, type Message, type Program, publisherId, subscriberProcess } from "./program.ts";
import type { SubscriberOptions } from "./program.ts";

/** Mosquitto's clients. */
export const mosquitto: Program = {
  name: "Mosquitto",
  installed: has("sh", "-c", "command -v mosquitto_pub && command -v mosquitto_sub"),

  subscribe(broker, options) {
    const { id, filters, qos } = options;
    const process = new Process("mosquitto_sub", { args: subscriberArguments(broker, options) });
    return subscriberProcess(broker, id, process, {
      async ready() {
        await broker.logged(`Client "${id}" connected`);
        for (const filter of filters) await broker.logged(`Client "${id}" subscribed to "${filter}" at QoS ${qos}`);
      },
      async next() {
        const { topic, payload, qos, retain } = JSON.parse(await process.output.take());
        return { topic, payload: payload ?? "", qos, retain: retain === 1 };
      },
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

function subscriberArguments(broker: BrokerProcess, options: SubscriberOptions): string[] {
  const { id, filters, qos, clean = true, will, level } = options;
  return [
    ...connection(broker, id, level),
    ...["-F", "%j", "-q", `${qos}`],
    // It has to ask for something, also where it shall only take what its session holds.
    ...filters.length > 0 ? filters.flatMap((filter) => ["-t", filter]) : ["-t", `for/${id}/alone`],
    ...clean ? [] : ["-c"],
    ...will ? ["--will-topic", will.topic, "--will-payload", will.payload, "--will-qos", `${will.qos}`] : [],
    ...will?.retain ? ["--will-retain"] : [],
  ];
}

const versions = { 3: "mqttv31", 4: "mqttv311", 5: "mqttv5" };

/** The arguments with which each of the two programs connects. */
function connection({ port }: BrokerProcess, id: string, level: Level = 4): string[] {
  return ["-h", "127.0.0.1", "-p", `${port}`, "-i", id, "-V", versions[level]];
}

interface Run extends Message {
  readonly payloads: string[];
}

/** Messages that one process can publish: those that follow each other and differ by their payload alone. */
function runs(messages: readonly Message[]): Run[] {
  const runs: Run[] = [];
  for (const message of messages) {
    const last = runs.at(-1);
    if (last && last.topic === message.topic && last.qos === message.qos && last.retain === message.retain) {
      last.payloads.push(message.payload);
    } else {
      runs.push({ ...message, payloads: [message.payload] });
    }
  }
  return runs;
}

async function publishRun(broker: BrokerProcess, { topic, qos, retain, payloads }: Run, level?: Level): Promise<void> {
  const id = publisherId();
  const args = [
    ...connection(broker, id, level),
    ...["-t", topic, "-q", `${qos}`],
    ...retain ? ["-r"] : [],
    ...payloads.length > 1 ? ["-l"] : payloads[0] ? ["-m", payloads[0]] : ["-n"],
  ];
  await run("mosquitto_pub", { args, input: payloads.map((payload) => `${payload}\n`).join("") });
  await gone(broker, id, "disconnect");
}
