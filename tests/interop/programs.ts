// The programs that the tests know, and how a test that needs some of them is told.
import type { BrokerOptions } from "../../mod.ts";
import { BrokerProcess } from "../support/process.ts";
import { LocalBroker } from "./local_broker.ts";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs } from "./mqttjs.ts";
import { paho } from "./paho.ts";
import type { Program } from "./program.ts";

/** All programs. */
export const programs: readonly Program[] = [mosquitto, mqttjs, paho];

/** Longer than anything that a test waits for: an answer that MQTT.js waits for without end must not stop all tests. */
const TIMEOUT = 60_000;

/**
 * Registers a test with a broker of its own. Where a program that it needs is not installed, it is ignored and says why; in CI it
 * runs all the same, and fails.
 */
function register<Tested extends AsyncDisposable>(
  start: () => Tested | Promise<Tested>,
  needed: readonly Program[],
  name: string,
  test: (broker: Tested) => Promise<void>,
): void {
  const missing = needed.filter((program) => !program.installed).map((program) => program.name);
  Deno.test({
    name: missing.length > 0 ? `${name} (not installed: ${missing.join(", ")})` : name,
    ignore: missing.length > 0 && !Deno.env.get("CI"),
    timeout: TIMEOUT,
    async fn() {
      await using broker = await start();
      await test(broker);
    },
  });
}

/** Registers a test with the broker as users start it. */
export function testWith(
  needed: readonly Program[],
  name: string,
  test: (broker: BrokerProcess) => Promise<void>,
): void {
  register(() => BrokerProcess.start("--log-level", "debug"), needed, name, test);
}

/** Registers a test with a broker in this process. */
export function testLocally(
  needed: readonly Program[],
  name: string,
  test: (broker: LocalBroker) => Promise<void>,
  options: BrokerOptions = {},
): void {
  register(() => new LocalBroker(options), needed, name, test);
}
