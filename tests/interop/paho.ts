// Paho for Python, as paho_client.py uses it.
import { has, Process, type ProcessOptions, run } from "../support/process.ts";
import { expiryOf, gone, type Program, publisherId, subscriberProcess, type TestedBroker } from "./program.ts";

/** Debian's package belongs to Debian's own Python, which need not be the first one on the path. */
const pythons = ["/usr/bin/python3", "python3"];
const python = pythons.find((python) => has(python, "-c", "import paho.mqtt.client"));

/** Paho for Python. */
export const paho: Program = {
  name: "Paho for Python",
  installed: python !== undefined,

  subscribe(broker, options) {
    const process = new Process(...command(broker, { ...options, expiry: expiryOf(options) }));
    return subscriberProcess(broker, options.id, process, {
      ready: () => process.output.take((line) => line === "ready"),
      next: async () => JSON.parse(await process.output.take()),
    });
  },

  async visit(broker, options) {
    await run(...command(broker, { ...options, expiry: expiryOf(options) }));
    await gone(broker, options.id, "disconnect");
  },

  async publish(broker, messages, level = 4) {
    const id = publisherId();
    await run(...command(broker, { id, messages, level }));
    await gone(broker, id, "disconnect");
  },
};

/** The arguments of `Process` and `run`: the script is told what to do by the first line of its input. */
function command({ port }: TestedBroker, what: object): [string, ProcessOptions] {
  const input = `${JSON.stringify({ port, ...what })}\n`;
  return [python ?? "python3", { args: ["paho_client.py"], input, cwd: new URL(".", import.meta.url) }];
}
