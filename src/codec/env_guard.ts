// Some packages below mqtt-packet read environment variables while they load, which `--allow-net` alone does not
// permit. mqtt_packet.ts imports this file, then the package, then env_restore.ts: siblings are evaluated in that
// order, so that the package sees an empty environment where the real one may not be read, and nobody else notices.
import process from "node:process";

const denied = [undefined, "DEBUG", "READABLE_STREAM"].some((variable) =>
  Deno.permissions.querySync(variable ? { name: "env", variable } : { name: "env" }).state !== "granted"
);

/** The descriptor of `process.env` before the guard, or nothing where the environment may be read. */
export const original: PropertyDescriptor | undefined = denied
  ? Object.getOwnPropertyDescriptor(process, "env")
  : undefined;

if (denied) Object.defineProperty(process, "env", { value: {}, configurable: true, writable: true });
