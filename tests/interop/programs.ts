// The programs that the tests know, and how a test that needs some of them is told.
import { BrokerProcess } from "../support/process.ts";
import { mosquitto } from "./mosquitto.ts";
import { mqttjs } from "./mqttjs.ts";
import { paho } from "./paho.ts";
import type { Program } from "./program.ts";

/** All programs. */
export const programs: readonly Program[] = [mosquitto, mqttjs, paho];

/**
 * Registers a test with a broker of its own. Where a program that it needs is not installed, it is ignored and says why; in CI it
 * runs all the same, and fails.
 */
export function testWith(
  needed: readonly Program[],
  name: string,
  test: (broker: BrokerProcess) => Promise<void>,
): void {
  const missing = needed.filter((program) => !program.installed).map((program) => program.name);
  Deno.test({
    name: missing.length > 0 ? `${name} (not installed: ${missing.join(", ")})` : name,
    ignore: missing.length > 0 && !Deno.env.get("CI"),
    async fn() {
      await using broker = await BrokerProcess.start("--log-level", "debug");
      await test(broker);
    },
  });
}
